rule train_network:
    input:
        code=code_of("train"),
        method="results/.params/methods.{method}.json",
        cases=paths.CASES,
        dataset=paths.DATASET,
        fingerprint=paths.FINGERPRINT,
        splits=paths.SPLITS,
    output:
        "results/models/{method}/fold-{fold}/model.keras",
        "results/models/{method}/fold-{fold}/card.json",
        "results/models/{method}/fold-{fold}/history.csv",
    log:
        "logs/train/{method}-{fold}.log",
    benchmark:
        "logs/benchmarks/train-{method}-{fold}.tsv"
    wildcard_constraints:
        method="|".join(NETWORKS) or "none",
    conda:
        "../envs/refold.yaml"
    threads: training_threads
    resources:
        gpu=GPU,
        cpus_per_task=training_threads,
        mem_mb=jobs.growing(8000),
        runtime=jobs.growing(1440),
    message:
        "Training {wildcards.method} on fold {wildcards.fold}"
    shell:
        "python -m refold.train --method {wildcards.method} --fold {wildcards.fold} 2>&1 | tee {log}"


# One rule for each name that classical models have: a rule's outputs are known beforehand.
for file in sorted({MODEL[m] for m in CLASSICAL}):

    rule:
        name:
            f"train_classical_{as_word(file.removeprefix('model.'))}"
        input:
            code=code_of("train"),
            method="results/.params/methods.{method}.json",
            cases=paths.CASES,
            dataset=paths.DATASET,
            fingerprint=paths.FINGERPRINT,
            splits=paths.SPLITS,
        output:
            f"results/models/{{method}}/fold-{{fold}}/{file}",
            "results/models/{method}/fold-{fold}/card.json",
            "results/models/{method}/fold-{fold}/history.csv",
        log:
            "logs/train/{method}-{fold}.log",
        benchmark:
            "logs/benchmarks/train-{method}-{fold}.tsv"
        wildcard_constraints:
            method="|".join(m for m in CLASSICAL if MODEL[m] == file),
        conda:
            "../envs/refold.yaml"
        threads: 1
        resources:
            mem_mb=jobs.growing(4000),
            runtime=jobs.growing(240),
        message:
            "Fitting {wildcards.method} on fold {wildcards.fold}"
        shell:
            "python -m refold.train --method {wildcards.method} --fold {wildcards.fold} 2>&1 | tee {log}"


rule train:
    input:
        artifacts("train"),
