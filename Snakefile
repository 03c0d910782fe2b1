# refold: one experiment, described in params.yaml, from the data to the report.
#   snakemake --cores 2             everything
#   snakemake --cores 2 preprocess  up to one phase
from snakemake.utils import min_version

min_version("9.20")


include: "workflow/rules/common.smk"


rule all:
    default_target: True
    input:
        [artifacts(phase) for phase in PHASES],


for phase in [config["only_phase"]] if "only_phase" in config else PHASES:

    include: f"workflow/rules/{phase}.smk"


onerror:
    explain_failures()


onsuccess:
    say_where_the_report_is()
