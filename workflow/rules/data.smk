if FETCHED:

    rule fetch:
        input:
            code=code("data"),
            params=stamps("dataset"),
            place=PLACE,
            archive=str(originals.UNPACKED) if layout.archive(P.dataset) else [],
        output:
            f"{layout.root(P.dataset)}/dataset.json",
        log:
            "logs/data/fetch.log",
        benchmark:
            "logs/benchmarks/fetch.tsv"
        conda:
            "../envs/refold.yaml"
        threads: 1
        resources:
            mem_mb=jobs.growing(2000),
            runtime=jobs.growing(240),
        message:
            f"Getting the data set {P.dataset.name}"
        shell:
            "python -m refold.data fetch 2>&1 | tee {log}"


rule catalogue:
    input:
        code=code("data"),
        params=stamps("dataset"),
        place=PLACE,
        # what lies in the folder, and the table of patients: rewritten where one of the files has another content
        raw=str(originals.DATA),
        fetched=f"{layout.root(P.dataset)}/dataset.json" if FETCHED else [],
    output:
        paths.CASES,
        paths.DATASET,
    log:
        "logs/data/catalogue.log",
    benchmark:
        "logs/benchmarks/catalogue.tsv"
    conda:
        "../envs/refold.yaml"
    threads: 2
    resources:
        mem_mb=jobs.growing(4000),
        runtime=jobs.growing(120),
    message:
        "Checking every case"
    shell:
        "python -m refold.data catalogue --checks '' --processes {threads} 2>&1 | tee {log}"


# No other phase than the report rests on it: another warning makes nothing else due.
rule checks:
    input:
        code=code("data"),
        params=stamps("dataset"),
        place=PLACE,
        listing=str(originals.LISTING),
        dataset=paths.DATASET,
    output:
        paths.CHECKS,
    log:
        "logs/data/checks.log",
    benchmark:
        "logs/benchmarks/checks.tsv"
    conda:
        "../envs/refold.yaml"
    threads: 1
    resources:
        mem_mb=jobs.growing(1000),
        runtime=jobs.growing(30),
    message:
        "Writing the warnings of the data: data/checks.json"
    shell:
        "python -m refold.data checks 2>&1 | tee {log}"


rule data:
    input:
        artifacts("data"),
