"""After a run in which a method failed: the tables of the others.

They lie in a folder of their own, are no output of any rule, and go when a run succeeds: only whole tables are results.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from refold.core import hashes, log, seals, sources
from refold.core.errors import RefoldError
from refold.core.files import sha256_file, sha256_json, write_json
from refold.core.paths import CASES, FINGERPRINT, SPLITS
from refold.evaluate import aggregate, ranking
from refold.methods.derived import composition
from refold.methods.frozen import settings, thaw_all
from refold.settings.evaluate import Evaluate
from refold.settings.stamps import Stamps

FOLDER = Path("results/incomplete")
FAILED = "failed.json"  # the methods that have no row, and why


def lacking(method: str, folds: list[str], stamps: Stamps, folder: Path) -> str | None:
    """Why a method has no row: a fold without metrics, or with those of other parameters, data or code. None: it has.

    Raises:
        RefoldError: no parameters are frozen, or the data's tables are missing: nothing has run yet.
    """
    methods = settings(thaw_all(stamps, method))
    how = composition(methods, method)
    kinds = {methods[m.method].kind for m in how.models}
    root = sources.ROOT.parent
    wanted = {
        "data": sha256_file(CASES),
        "preprocess": sha256_file(FINGERPRINT),
        "split": sha256_file(SPLITS),
        "evaluate": sha256_json(stamps.frozen("evaluate")),
        "params": {
            **{f"methods.{m}": sha256_json(stamps.frozen(f"methods.{m}")) for m in how.entries},
            "predict": sha256_json(stamps.frozen("predict")),
        },
        "code": {k: hashes.of_code(sources.closure("refold.train.__main__", sources.kind(k)), root) for k in kinds},
    }
    for fold in folds:
        file = folder / method / f"fold-{fold}.json"
        try:
            found = seals.read(file)["hashes"]
        except (RefoldError, KeyError):
            return f"fold {fold} has no metrics"
        if other := [key for key, value in wanted.items() if found.get(key) != value]:
            return f"the metrics of fold {fold} are of other {', '.join(other)} than now"
    return None


def run(
    methods: list[str], folds: list[str], stamps: Stamps, folder: str | Path, output: str | Path = FOLDER
) -> str | None:
    """Write the tables of the methods that are whole; returns them ranked, with those that failed. None: none is."""
    output = Path(output)
    shutil.rmtree(output, ignore_errors=True)
    try:
        reasons = {m: lacking(m, folds, stamps, Path(folder)) for m in methods}
    except (RefoldError, FileNotFoundError) as error:
        log.get().info(f"no table yet: {error}")
        return None
    whole = [m for m in methods if reasons[m] is None]
    if not whole:
        return None
    evaluate = stamps.read(Evaluate)
    aggregate.run(whole, folds, stamps, folder, output)
    failed = {m: why for m, why in reasons.items() if why is not None}
    write_json(output / FAILED, failed)
    return ranking.text(output / "summary.csv", evaluate.confidence, failed)
