"""The training cases of one published hippocampus fold as a data set of their own, to choose a recipe on.

    python benchmarks/hippocampus_inner.py ../Task04_Hippocampus ../inner/Task04_Hippocampus

The folds are nnU-Net's: scikit-learn's KFold(5, shuffle=True, random_state=12345) on the sorted case ids. Then, with
``dataset.source: ../inner/Task04_Hippocampus``, ``split.run_folds: [0]`` and ``train.epochs: 61`` in a params.yaml made
of examples/hippocampus.yaml, refold trains on 166 of the 208 cases and tests on 42; the 52 of the published fold are
not there to be seen.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from sklearn.model_selection import KFold


def case(entry: dict[str, str]) -> str:
    """Case id, such as ``hippocampus_001``."""
    return Path(entry["label"]).name.removesuffix(".nii.gz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of Task04_Hippocampus")
    parser.add_argument("target", type=Path, help="folder to be made")
    parser.add_argument("--fold", type=int, default=0, choices=range(5))
    args = parser.parse_args()
    if not (args.source / "dataset.json").is_file():
        sys.exit(f"error: {args.source}/dataset.json is missing")
    if args.target.exists():
        sys.exit(f"error: {args.target} exists; remove it or name another folder")
    dataset = json.loads((args.source / "dataset.json").read_text())
    entries = sorted(dataset["training"], key=case)
    train, _ = list(KFold(5, shuffle=True, random_state=12345).split(entries))[args.fold]
    chosen = [entries[i] for i in train]
    part = args.target.with_name(f".{args.target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for name in (entry[key] for entry in chosen for key in ("image", "label")):
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(args.source / name, part / name)
    dataset |= {"training": chosen, "numTraining": len(chosen), "test": [], "numTest": 0}
    (part / "dataset.json").write_text(json.dumps(dataset, indent=2) + "\n")
    part.rename(args.target)
    print(f"{args.target}: {len(chosen)} cases, those of fold {args.fold}'s training")


if __name__ == "__main__":
    main()
