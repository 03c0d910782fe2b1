"""What docs/how-to/cluster.md and profiles/slurm say of the rules is what stands in the rules."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PROFILE = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())
CORES = {"training_threads": "`train.threads`", "prediction_threads": "`predict.threads`, classical 1"}
GPU = {"GPU": "if asked for", "lambda wildcards: GPU if uses_networks(wildcards) else 0": "if asked for"}


def rules() -> dict[str, dict[str, str]]:
    """What each rule that runs something asks for, as the table of docs/how-to/cluster.md has it."""
    found = {}
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for block in re.split(r"(?m)^ *rule\b ?", path.read_text())[1:]:
            if "shell:" not in block:
                continue
            # a rule for each kind of model has no name before its colon
            rule = block.partition(":")[0] or re.sub(r"{.*}", "*", re.search(r'name:\s+f?"(.+)"', block)[1])

            def get(pattern: str, block: str = block) -> str:
                match = re.search(pattern, block)
                return match[1] if match else ""

            threads, gpu = get(r"threads: (.+)"), get(r"gpu=(.+),\n")
            megabytes, minutes = (int(get(rf"{name}=jobs\.growing\((\d+)\)")) for name in ("mem_mb", "runtime"))
            assert get(r"cpus_per_task=(.+),") == (threads if threads in CORES else "")
            found[rule] = {
                "cores": CORES.get(threads, threads),
                "memory": f"{megabytes / 1000:g} GB",
                "time": f"{minutes / 60:g} h",
                "GPU": GPU[gpu] if gpu else "",
                "Slurm job": PROFILE["groups"].get(rule, "its own"),
            }
    return found


def test_the_table_of_the_page_is_that_of_the_rules():
    lines = (ROOT / "docs/how-to/cluster.md").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| rule |"))
    head = [cell.strip() for cell in lines[start].strip("|").split("|")]
    table = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = dict(zip(head, (cell.strip() for cell in line.strip("|").split("|")), strict=True))
        table[cells.pop("rule").strip("`")] = cells
    assert table == rules()


def test_the_profile_names_rules_that_exist():
    names = rules().keys()
    assert PROFILE["groups"].keys() <= names
    assert PROFILE["set-resources"].keys() <= names
    assert set(PROFILE["group-components"]) <= set(PROFILE["groups"].values())
    # each fold's jobs stay their own
    assert not {"train_network", "train_classical_*", "predict_fold"} & PROFILE["groups"].keys()


def test_retries_are_the_profiles():
    """A rule's own would run within the same Slurm job, with the same memory."""
    assert PROFILE["retries"] > 0
    assert not [p for p in (ROOT / "workflow/rules").glob("*.smk") if re.search(r"(?m)^ +retries:", p.read_text())]
