#!/usr/bin/env bash
# One slice as a volume: surface metrics count the slice's two faces.
#
# Good guess: a mask of shape (x, y, 1) is a picture that happens to have a third axis, so its NSD, HD95 and ASSD are those
# of the same mask of shape (x, y).
# What happens: every voxel of a one-slice volume borders on air above and below. surface-distance takes these faces for
# surface, MedPy every voxel for border. Two discs of radius 20 and 26, which nowhere come within 5 voxels of each other's
# outline, get NSD 0.79 at a tolerance of one voxel for 0.00, and an average distance from the smaller one of 0 for 5.6.
# With another slice thickness the same two masks get another NSD (0.44 for 999 mm), since the rim's area grows with it.
# Whom it hurts: who scores single-slice scans (cine MR frames, X-ray stored as NIfTI, 2-D sets in a 3-D pipeline). The
# score rises with the size of the structure, wherever its outline lies.
# Versions: surface-distance 0.1, MedPy 0.5.2 (NumPy 2.4.6, SciPy 1.17.1), Python 3.11 to 3.13.
# Source: both packages on the Python package index; seen by running this script.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check surface-distance==0.1 MedPy==0.5.2 numpy==2.4.6 scipy==1.17.1
cat > "$work/try.py" <<'PY'
import numpy as np
import surface_distance as sd
from medpy.metric import binary

y, x = np.mgrid[:64, :64]
radius = np.hypot(x - 32, y - 32)
small, large = radius < 20, radius < 26
for name, a, b, spacings in (
    ("picture (64, 64)", small, large, [(1.0, 1.0)]),
    ("volume (64, 64, 1)", small[..., None], large[..., None], [(1.0, 1.0, 1.0), (1.0, 1.0, 999.0)]),
):
    for spacing in spacings:
        surfaces = sd.compute_surface_distances(a, b, spacing)
        nsd = sd.compute_surface_dice_at_tolerance(surfaces, 1.0)
        hd95 = sd.compute_robust_hausdorff(surfaces, 95)
        from_small, from_large = sd.compute_average_surface_distance(surfaces)
        print(f"{name}, spacing {spacing}: surface-distance NSD {nsd:.2f} HD95 {hd95:.2f} average {from_small:.2f} {from_large:.2f}")
    print(f"{name}: MedPy HD95 {binary.hd95(a, b):.2f} average {binary.asd(a, b):.2f}")
PY
"$work/env/bin/python" "$work/try.py" | tee "$work/seen"
cat > "$work/expected" <<'TXT'
picture (64, 64), spacing (1.0, 1.0): surface-distance NSD 0.00 HD95 6.32 average 5.65 5.70
picture (64, 64): MedPy HD95 6.32 average 5.84
volume (64, 64, 1), spacing (1.0, 1.0, 1.0): surface-distance NSD 0.79 HD95 5.00 average 0.00 1.27
volume (64, 64, 1), spacing (1.0, 1.0, 999.0): surface-distance NSD 0.44 HD95 6.00 average 0.00 5.50
volume (64, 64, 1): MedPy HD95 5.03 average 0.00
TXT
diff "$work/expected" "$work/seen" && echo "as found: surface-distance 0.1 and MedPy 0.5.2 count the faces of a single slice"
