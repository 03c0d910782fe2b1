"""Preprocessing a data set: refold against nnU-Net v2's plan_and_preprocess, side by side.

    python benchmarks/preprocess.py --source ../shared/data/Task04_Hippocampus --peer-python <python with nnunetv2>

Both sides read the same NIfTI files and run as whole processes, imports included, alternating, with one math thread a
process: refold with ``--processes`` shards at once and then the fingerprint; nnU-Net with ``--processes`` workers for
fingerprint, planning and the 3d_fullres preprocessing. Making refold's case table and nnU-Net's folder layout is not
counted. Both find their modules compiled, as an installed program does: an import of each goes before, not counted.
"""

from __future__ import annotations

import argparse
import atexit
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
COMPILED = Path(tempfile.mkdtemp(prefix="refold-benchmark-"))
atexit.register(shutil.rmtree, COMPILED, ignore_errors=True)
sys.path.insert(0, str(ROOT / "workflow"))

from refold.core import paths  # noqa: E402
from refold.core.files import read_json, sha256_file, write_json  # noqa: E402
from refold.experiment.reading import validate  # noqa: E402
from refold.imaging import cases as table  # noqa: E402
from refold.imaging import images  # noqa: E402
from refold.imaging.dataset import Description, Labels  # noqa: E402
from refold.imaging.place import FILE, Place  # noqa: E402

# what nnU-Net's own command nnUNetv2_plan_and_preprocess runs
PEER = """
from nnunetv2.experiment_planning.plan_and_preprocess_entrypoints import plan_and_preprocess_entry
"""


def catalogue(source: Path) -> tuple[list[table.Case], Description]:
    """The case table and description of a 3-D data set in MSD layout."""
    msd = read_json(source / "dataset.json")
    values = sorted(int(v) for v in msd["labels"])
    labels = Labels(tuple(values), tuple(msd["labels"][str(v)] for v in values))
    modalities = tuple(msd["modality"].values())
    found = []
    for pair in msd["training"]:
        image, label = images.read(source / pair["image"]), images.read(source / pair["label"], label=True)
        found.append(
            table.Case(
                case=images.stem(pair["image"]),
                patient=images.stem(pair["image"]),
                images=(pair["image"],),
                label=pair["label"],
                channels=image.data.shape[-1],
                shape=label.data.shape,
                spacing=image.spacing,
                orientation="".join(_codes(image.affine)),
                voxels=tuple(int((label.data == v).sum()) for v in values),
                sha256=sha256_file(source / pair["image"]),
            )
        )
    description = Description(msd["name"], str(source.resolve()), 3, modalities, modalities, labels, "case")
    return found, description


def _codes(affine):
    from nibabel.orientations import aff2axcodes

    return aff2axcodes(affine)


def peer_layout(folder: Path, cases: list[table.Case], description: Description) -> None:
    """nnU-Net's raw folder, with links to the files."""
    raw = folder / "raw" / "Dataset001_Benchmark"
    for name in ("imagesTr", "labelsTr"):
        (raw / name).mkdir(parents=True)
    for name in ("preprocessed", "results"):
        (folder / name).mkdir()
    root = Path(description.root)
    for c in cases:
        (raw / "imagesTr" / f"{c.case}_0000.nii.gz").symlink_to((root / c.images[0]).resolve())
        (raw / "labelsTr" / f"{c.case}.nii.gz").symlink_to((root / c.label).resolve())
    labels = dict(zip(description.labels.names, description.labels.values, strict=True))
    write_json(
        raw / "dataset.json",
        {
            "channel_names": {str(i): m for i, m in enumerate(description.modalities)},
            "labels": labels,
            "numTraining": len(cases),
            "file_ending": ".nii.gz",
        },
    )


def run(commands: list[list[str]], folder: Path, extra: dict[str, str]) -> np.ndarray:
    """Run commands at once and wait for all of them; seconds on the clock, and of all their processors' time."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": str(COMPILED), **extra}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start, spent = time.monotonic(), _processor_time()
    with open(folder / "log.txt", "a", encoding="utf-8") as log:
        running = [subprocess.Popen(c, cwd=folder, env=environment, stdout=log, stderr=log) for c in commands]
        codes = [p.wait() for p in running]
    if any(codes):
        print((folder / "log.txt").read_text(encoding="utf-8")[-3000:], file=sys.stderr)
        sys.exit(f"error: {' '.join(commands[0][:4])} ended with {codes}; its output stands above")
    return np.array([time.monotonic() - start, _processor_time() - spent])


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def refold(folder: Path, processes: int) -> np.ndarray:
    extra = {"PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-m", "refold.preprocess"]
    shards = run([[*command, "cases", "--shard", str(i)] for i in range(processes)], folder, extra)
    return shards + run([[*command, "fingerprint"]], folder, extra)


def nnunet(folder: Path, python: str, processes: int) -> np.ndarray:
    extra = {f"nnUNet_{name}": str(folder / name) for name in ("raw", "preprocessed", "results")}
    options = ["-d", "1", "-npfp", str(processes), "-np", str(processes), "-c", "3d_fullres"]
    return run([[python, "-c", PEER + "plan_and_preprocess_entry()", *options]], folder, extra)


def _bytes(folder: Path, suffixes: tuple[str, ...]) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.suffix in suffixes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=ROOT.parent / "shared" / "data" / "Task04_Hippocampus")
    parser.add_argument("--peer-python", help="python of an environment with benchmarks/requirements-peers.txt")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if not (args.source / "dataset.json").is_file():
        sys.exit(f"error: {args.source} is no data set in MSD layout; give --source")
    peer = args.peer_python
    reason = "no --peer-python" if not peer else None
    if peer and not shutil.which(peer):
        reason = f"{peer} is no program"
    elif peer and subprocess.run([peer, "-c", "import nnunetv2"], capture_output=True).returncode:
        reason = f"{peer} cannot import nnunetv2"
    if reason:
        peer = None
        print(f"nnU-Net left out: {reason} (install benchmarks/requirements-peers.txt in an environment of its own)")

    modules = "import refold.preprocess.fingerprint, scipy.ndimage, scipy.interpolate, nibabel.orientations"
    run([[sys.executable, "-c", modules]], COMPILED, {"PYTHONPATH": str(ROOT / "workflow")})
    if peer:
        run([[peer, "-c", PEER + "import nnunetv2.preprocessing.preprocessors.default_preprocessor"]], COMPILED, {})
    cases, description = catalogue(args.source)
    times: dict[str, list[np.ndarray]] = {"refold": [], **({"nnU-Net v2": []} if peer else {})}
    sizes: dict[str, int] = {}
    raw = sum(4 * c.channels * c.shape[0] * c.shape[1] * c.shape[2] for c in cases)
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            table.write(cases, folder / paths.CASES)
            description.write(folder / paths.DATASET)
            Place(description.root).write(folder / FILE)
            section = validate({"preprocess": {"shards": args.processes}}).section("preprocess")
            write_json(folder / "results/.params/preprocess.json", section)
            times["refold"].append(refold(folder, args.processes))
            sizes["refold"] = _bytes(folder / "data" / "preprocessed", (".h5",))
        if peer:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                peer_layout(folder, cases, description)
                times["nnU-Net v2"].append(nnunet(folder, peer, args.processes))
                sizes["nnU-Net v2"] = _bytes(folder / "preprocessed", (".b2nd", ".npz", ".npy", ".pkl"))

    print(f"{len(cases)} cases of {description.name}, {args.processes} processes, {args.rounds} rounds alternating")
    print("| | median s | fastest s | slowest s | median processor s | stored / raw float32 |")
    print("|---|---|---|---|---|---|")
    medians = {}
    for name, values in times.items():
        medians[name] = np.median(values, axis=0)
        clock = [v[0] for v in values]
        print(
            f"| {name} | {medians[name][0]:.1f} | {min(clock):.1f} | {max(clock):.1f} | {medians[name][1]:.1f} "
            f"| {sizes[name] / raw:.2f} |"
        )
    if peer:
        clock, spent = medians["nnU-Net v2"] / medians["refold"]
        print(
            f"\nnnU-Net v2 takes {clock:.1f} times as long on the clock, {spent:.1f} times the processor time (medians)"
        )


if __name__ == "__main__":
    main()
