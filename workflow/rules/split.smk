rule folds:
    input:
        code=code("split"),
        params=stamps("split"),
        cases=paths.CASES,
        dataset=paths.DATASET,
        file=str(originals.SPLIT) if P.split.kind == "file" else [],
        place=PLACE,
    output:
        paths.SPLITS,
    log:
        "logs/split/folds.log",
    benchmark:
        "logs/benchmarks/split.tsv"
    conda:
        "../envs/refold.yaml"
    threads: 1
    resources:
        mem_mb=jobs.growing(1000),
        runtime=jobs.growing(30),
    message:
        "Splitting the patients into folds"
    shell:
        "python -m refold.split 2>&1 | tee {log}"


rule split:
    input:
        artifacts("split"),
