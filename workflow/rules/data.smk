if FETCHED:

    rule fetch:
        input:
            code=code("data"),
            params=stamps("dataset"),
            archive=layout.archive(P.dataset) or [],
        output:
            f"{ROOT}/dataset.json",
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
        description=f"{ROOT}/dataset.json",
        raw=RAW,
        table=P.dataset.patient_table or [],
    output:
        "data/cases.csv",
        "data/dataset.json",
        "data/checks.json",
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
        "python -m refold.data catalogue --processes {threads} 2>&1 | tee {log}"


rule data:
    input:
        artifacts("data"),
