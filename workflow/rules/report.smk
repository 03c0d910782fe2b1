rule report_html:
    input:
        code=code("report"),
        params=stamps(
            "dataset",
            "preprocess",
            "split",
            "train",
            "augment",
            "predict",
            "evaluate",
            "report",
            "selection",
        ),
        methods=expand("results/.params/methods.{method}.json", method=METHODS),
        data=artifacts("data"),
        place=PLACE,
        fingerprint=paths.FINGERPRINT,
        splits=paths.SPLITS,
        models=artifacts("train"),
        predictions=artifacts("predict"),
        metrics=artifacts("evaluate"),
    output:
        appendix(paths.REPORT, "Report"),
        "results/report/learning-curves.csv",
        "results/report/dice.csv",
        directory("results/report/tables"),
        appendix("results/report/figures", "Figures", patterns=["{figure}.svg"]),
        paths.PROVENANCE,
        paths.CRATE,
    log:
        "logs/report/report.log",
    benchmark:
        "logs/benchmarks/report.tsv"
    conda:
        "../envs/refold.yaml"
    threads: 1
    resources:
        mem_mb=jobs.growing(2000),
        runtime=jobs.growing(60),
    params:
        methods=METHODS,
        folds=FOLDS,
    message:
        "Writing the report"
    shell:
        "python -m refold.report --methods {params.methods} --folds {params.folds} 2>&1 | tee {log}"


rule report:
    input:
        artifacts("report"),
