#!/usr/bin/env bash
# tifffile: the bytes of a zlib-compressed TIFF depend on whether another package happens to be installed.
#
# Good guess: `tifffile.imwrite(..., compression="zlib")` of one version of tifffile and of Python's zlib writes the same
# bytes for the same array; imagecodecs is needed for compressions that Python has not, and changes nothing for zlib.
# What happens: as soon as imagecodecs can be imported, tifffile takes its deflate codec (libdeflate) for zlib as well. The
# pixels are the same, the file is not: another size and another hash, without a word.
# Whom it hurts: who keeps hashes of label or probability maps in TIFF as proof that a result was made again (DVC, a
# manifest, a regression test), and later adds a package for reading somebody's LZW or JPEG 2000 files.
# Versions: tifffile 2026.3.3, imagecodecs 2026.3.6, NumPy 2.4.6, Python 3.11. Only equality is compared, not the sizes.
# Source: the packages on the Python package index; seen by running this script.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
install() { "$work/env/bin/pip" install --quiet --disable-pip-version-check "$@"; }
cat > "$work/try.py" <<'PY'
import hashlib
import importlib.util
import io

import numpy as np
import tifffile

y, x = np.mgrid[:300, :300]
array = np.hypot(x - 150, y - 140).astype(np.float32)
digests = set()
for _ in range(2):
    file = io.BytesIO()
    tifffile.imwrite(file, array, compression="zlib", software="", metadata=None)
    digests.add(hashlib.sha256(file.getvalue()).hexdigest())
    file.seek(0)
    assert np.array_equal(tifffile.imread(file), array)
[digest] = digests  # the same bytes each time in one environment
print("with" if importlib.util.find_spec("imagecodecs") else "without", "imagecodecs:", digest[:16], len(file.getvalue()), "bytes")
PY
install tifffile==2026.3.3 numpy==2.4.6
"$work/env/bin/python" "$work/try.py" | tee "$work/before"
install imagecodecs==2026.3.6 numpy==2.4.6
"$work/env/bin/python" "$work/try.py" | tee "$work/after"
grep -q '^without' "$work/before" && grep -q '^with ' "$work/after"
if [ "$(cut -d' ' -f3 "$work/before")" = "$(cut -d' ' -f3 "$work/after")" ]; then
    echo "changed: tifffile wrote the same bytes with and without imagecodecs"
    exit 1
fi
echo "as found: the same array, the same call, other bytes once imagecodecs is installed"
