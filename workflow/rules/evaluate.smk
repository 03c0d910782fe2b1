rule evaluate_fold:
    input:
        code=code("evaluate"),
        params=stamps("evaluate"),
        cases=paths.CASES,
        dataset=paths.DATASET,
        splits=paths.SPLITS,
        predictions="results/predictions/{method}/fold-{fold}/predictions.json",
        place=PLACE,
    output:
        "results/metrics/folds/{method}/fold-{fold}.csv",
        "results/metrics/folds/{method}/fold-{fold}.json",
    log:
        "logs/evaluate/{method}-{fold}.log",
    benchmark:
        "logs/benchmarks/evaluate-{method}-{fold}.tsv"
    conda:
        "../envs/refold.yaml"
    threads: 2
    resources:
        mem_mb=jobs.growing(4000),
        runtime=jobs.growing(120),
    message:
        "Measuring {wildcards.method}, fold {wildcards.fold}"
    shell:
        "python -m refold.evaluate fold --method {wildcards.method} --fold {wildcards.fold} --processes {threads} 2>&1 | tee {log}"


rule tables:
    input:
        code=code("evaluate"),
        params=stamps("evaluate", "selection", *(f"methods.{m}" for m in METHODS)),
        splits=paths.SPLITS,
        dataset=paths.DATASET,
        folds=expand(
            "results/metrics/folds/{method}/fold-{fold}.{kind}",
            method=METHODS,
            fold=TESTED,
            kind=["csv", "json"],
        ),
    output:
        [appendix(path, "Tables") for path in (*graph.EVALUATED, graph.METRICS)],
    log:
        "logs/evaluate/tables.log",
    benchmark:
        "logs/benchmarks/tables.tsv"
    conda:
        "../envs/refold.yaml"
    threads: 1
    resources:
        mem_mb=jobs.growing(2000),
        runtime=jobs.growing(60),
    params:
        methods=METHODS,
        folds=TESTED,
    message:
        "Gathering all folds into tables"
    shell:
        "python -m refold.evaluate aggregate --methods {params.methods} --folds {params.folds} 2>&1 | tee {log}"


rule evaluate:
    input:
        artifacts("evaluate"),
