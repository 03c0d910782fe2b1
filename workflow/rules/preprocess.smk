rule preprocess_shard:
    input:
        code=code("preprocess"),
        params=stamps("preprocess"),
        cases=paths.CASES,
        dataset=paths.DATASET,
        place=PLACE,
    output:
        "data/preprocessed/shard-{shard}.json",
    log:
        "logs/preprocess/shard-{shard}.log",
    benchmark:
        "logs/benchmarks/preprocess-{shard}.tsv"
    conda:
        "../envs/refold.yaml"
    threads: 1
    resources:
        mem_mb=jobs.growing(4000),
        runtime=jobs.growing(240),
    message:
        "Preprocessing, shard {wildcards.shard}"
    shell:
        "python -m refold.preprocess cases --shard {wildcards.shard} 2>&1 | tee {log}"


rule fingerprint:
    input:
        code=code("preprocess"),
        params=stamps("preprocess"),
        cases=paths.CASES,
        dataset=paths.DATASET,
        shards=expand(
            "data/preprocessed/shard-{shard}.json", shard=range(P.preprocess.shards)
        ),
    output:
        paths.FINGERPRINT,
    log:
        "logs/preprocess/fingerprint.log",
    benchmark:
        "logs/benchmarks/fingerprint.tsv"
    conda:
        "../envs/refold.yaml"
    threads: 1
    resources:
        mem_mb=jobs.growing(2000),
        runtime=jobs.growing(30),
    message:
        "Describing the data set: data/fingerprint.json"
    shell:
        "python -m refold.preprocess fingerprint 2>&1 | tee {log}"


rule preprocess:
    input:
        artifacts("preprocess"),
