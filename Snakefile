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


onstart:
    executor, settings = private.snakemake_executor(workflow)
    checked(lambda: runs.begin(executor))
    git.record()
    runlog.started()
    if executor == "slurm":
        checked(lambda: slurm.check_status_command(settings.status_command))


onerror:
    show_the_others_rows()
    explain_failures()
    runlog.ended(False)
    runs.end()


onsuccess:
    runlog.ended(True)
    runs.end()
    if FOR_DVC:
        checked(lambda: runs.unchanged(lambda: reading.load().frozen(), BEGAN))
    show_the_ranking()
    say_where_the_report_is()
