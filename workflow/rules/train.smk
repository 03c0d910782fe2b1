rule train_network:
    input:
        code=code("train"),
        params=stamps("train", "augment"),
        method="results/.params/methods.{method}.json",
        cases="data/cases.csv",
        dataset="data/dataset.json",
        fingerprint="data/fingerprint.json",
        splits="results/splits.json",
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
    threads: P.train.threads
    resources:
        gpu=GPU,
        cpus_per_task=P.train.threads,
        mem_mb=jobs.growing(8000),
        runtime=jobs.growing(1440),
    message:
        "Training {wildcards.method} on fold {wildcards.fold}"
    shell:
        "python -m refold.train --method {wildcards.method} --fold {wildcards.fold} 2>&1 | tee {log}"


rule train_classical:
    input:
        code=code("train"),
        method="results/.params/methods.{method}.json",
        cases="data/cases.csv",
        dataset="data/dataset.json",
        fingerprint="data/fingerprint.json",
        splits="results/splits.json",
    output:
        "results/models/{method}/fold-{fold}/model.json",
        "results/models/{method}/fold-{fold}/card.json",
        "results/models/{method}/fold-{fold}/history.csv",
    log:
        "logs/train/{method}-{fold}.log",
    benchmark:
        "logs/benchmarks/train-{method}-{fold}.tsv"
    wildcard_constraints:
        method="|".join(CLASSICAL) or "none",
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
