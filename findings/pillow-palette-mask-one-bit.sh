#!/usr/bin/env bash
# Pillow: a label map saved as a palette PNG before a palette is set loses every label but one.
#
# Good guess: an image of mode P holds indices; saved losslessly as PNG and opened again it holds the same indices, whether
# or not somebody gave them colours. In TIFF and GIF it is so.
# What happens: a new P image has a palette of one entry, and the PNG writer takes as few bits a pixel as that palette needs:
# one. Labels 1, 2 and 3 all become 1. There is no error and no warning, and the file is a valid PNG.
# Whom it hurts: who writes masks of several labels as palette PNG, as the sets with one colour an organ have them, and sets
# the colours later or never: a network trained on them learns one foreground.
# Versions: Pillow 13.0.0, NumPy 2.4.6, Python 3.11.
# Source: the package on the Python package index; seen by running this script.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
cat > "$work/try.py" <<'PY'
import io

import numpy as np
import PIL
from PIL import Image

labels = (np.arange(144).reshape(12, 12) // 36).astype(np.uint8)  # 0, 1, 2 and 3, three rows each
print("Pillow", PIL.__version__, "labels", np.unique(labels).tolist())


def again(format: str, palette: list[int] | None) -> list[int]:
    mask = Image.frombytes("P", (12, 12), labels.tobytes())
    if palette:
        mask.putpalette(palette)
    file = io.BytesIO()
    mask.save(file, format)
    file.seek(0)
    return np.unique(np.asarray(Image.open(file))).tolist()


colours = [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]
for format in ("TIFF", "GIF", "PNG"):
    print(f"{format} without a palette: {again(format, None)}, with four colours: {again(format, colours)}")
PY
"$work/env/bin/python" "$work/try.py" | tee "$work/seen"
cat > "$work/expected" <<'END'
Pillow 13.0.0 labels [0, 1, 2, 3]
TIFF without a palette: [0, 1, 2, 3], with four colours: [0, 1, 2, 3]
GIF without a palette: [0, 1, 2, 3], with four colours: [0, 1, 2, 3]
PNG without a palette: [0, 1], with four colours: [0, 1, 2, 3]
END
if ! diff "$work/expected" "$work/seen"; then
    echo "changed: Pillow does otherwise now"
    exit 1
fi
echo "as found: three labels become one in a palette PNG whose palette was not set"
