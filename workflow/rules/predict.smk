rule predict_fold:
    input:
        models=models_of,
        files=label_maps_of,
        code=code_of("predict"),
        params=stamps("predict"),
        method=stamps_of,
        dataset=paths.DATASET,
        fingerprint=paths.FINGERPRINT,
        splits=paths.SPLITS,
    output:
        "results/predictions/{method}/fold-{fold}/predictions.json",
    log:
        "logs/predict/{method}-{fold}.log",
    benchmark:
        "logs/benchmarks/predict-{method}-{fold}.tsv"
    conda:
        "../envs/refold.yaml"
    threads: prediction_threads
    resources:
        gpu=lambda wildcards: GPU if uses_networks(wildcards) else 0,
        cpus_per_task=prediction_threads,
        mem_mb=jobs.growing(8000),
        runtime=jobs.growing(240),
    params:
        models=lambda wildcards, input: (
            f"--models {' '.join(input.models)}" if input.models else ""
        ),
    message:
        "Predicting with {wildcards.method}, fold {wildcards.fold}"
    shell:
        "python -m refold.predict --method {wildcards.method} --fold {wildcards.fold} {params.models} 2>&1 | tee {log}"


rule predict:
    input:
        artifacts("predict"),
