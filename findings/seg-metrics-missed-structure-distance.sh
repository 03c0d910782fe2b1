#!/usr/bin/env bash
# seg-metrics: a structure that was missed altogether has a surface distance of 0 mm, the best value there is.
#
# Good guess: where a prediction leaves a structure out, its Hausdorff distance is infinite, not defined or at least large,
# as in the neighbouring packages (surface-distance gives inf, MedPy raises).
# What happens: HD, HD95, mean, median and deviation of the surface distance are all 0.0, the same as for a perfect
# prediction; so they are for a structure that is predicted where there is none. The message logged speaks of precision and
# recall alone. Volume similarity, whose best value is 0 in this package (2 (P - T) / (P + T)), is 1 where both are empty.
# Whom it hurts: who averages HD95 over cases or ranks methods by it: missing every difficult case improves the mean. A
# prediction that finds the structure 8 mm off has HD95 8, one that finds nothing 0.
# Versions: seg-metrics 1.2.8 (NumPy 2.4.6), beside surface-distance 0.1 and MedPy 0.5.2; Python 3.11.
# Source: the package on the Python package index; seen by running this script.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check seg-metrics==1.2.8 numpy==2.4.6
cat > "$work/try.py" <<'PY'
import logging

import numpy as np
from seg_metrics import seg_metrics

logging.disable(logging.CRITICAL)
truth = np.zeros((20, 22, 24), np.uint8)
truth[5:12, 5:12, 5:12] = 1
none = np.zeros_like(truth)
for name, t, p in (
    ("equal", truth, truth),
    ("8 mm off", truth, np.roll(truth, 8, axis=2)),
    ("missed", truth, none),
    ("predicted where there is none", none, truth),
    ("both empty", none, none),
):
    found = seg_metrics.write_metrics(
        labels=[1], gdth_img=t, pred_img=p, spacing=(1.0, 1.0, 1.0), metrics=["dice", "hd", "hd95", "msd", "vs"]
    )[0]
    print(f"{name}:", ", ".join(f"{k} {float(found[k][0]):.1f}" for k in ("dice", "hd", "hd95", "msd", "vs")))
PY
MPLBACKEND=Agg "$work/env/bin/python" "$work/try.py" | grep " vs " | tee "$work/seen"
cat > "$work/expected" <<'TXT'
equal: dice 1.0, hd 0.0, hd95 0.0, msd 0.0, vs 0.0
8 mm off: dice 0.0, hd 8.0, hd95 8.0, msd 5.0, vs 0.0
missed: dice 0.0, hd 0.0, hd95 0.0, msd 0.0, vs -2.0
predicted where there is none: dice 0.0, hd 0.0, hd95 0.0, msd 0.0, vs 2.0
both empty: dice 1.0, hd 0.0, hd95 0.0, msd 0.0, vs 1.0
TXT
diff "$work/expected" "$work/seen" && echo "as found: seg-metrics 1.2.8 gives a missed structure a distance of 0"
