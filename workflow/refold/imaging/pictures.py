"""Pictures (PNG, TIFF, JPEG) as arrays: one rule, whatever the format and the compression.

An image is read as every viewer shows it: bright is high also where a TIFF says that white is zero, a palette gives its
colours, a turned picture (orientation tag) stands upright. Integers keep their depth; 1, 2 and 4 bits are spread over 0
to 255. Transparency is no channel. What cannot be read so for certain is refused with words.

A mask holds label values: the stored numbers, a palette's indices, or colours that the data set's table names. Where
image and mask could be meant in two ways that differ, the data set has to say which (`dataset.pixels`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from refold.formats.record import Refused
from refold.imaging.dataset import Rule

MOST_COLOURS = 6  # shown in a message
ANEW = "save it with another colour for each label, or as grey values"
MANY_COLOURS = 32  # more than anyone paints by hand: lossy compression or interpolation

# what an orientation tag (EXIF, TIFF 6.0) asks of rows and columns before they are shown
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


@dataclass(frozen=True)
class About:
    """What a picture is besides its pixels, for the checks of the data.

    kind: such as ``RGB, 8 bits``. orientation: of its tag, 1 without one. left_out: what was not read, "" if nothing.
    changed: how its channels became those asked for, "" if they were those. lossy: the compression that changed its
    values, perhaps_lossy: that may have; "" if none did.
    """

    kind: str
    lossy: str = ""
    perhaps_lossy: str = ""
    orientation: int = 1
    left_out: str = ""
    changed: str = ""


@dataclass(frozen=True)
class _Samples:
    """A decoded file. data: (rows, columns, samples) as stored; the first samples are the model's."""

    data: np.ndarray
    model: str  # grey, RGB or palette
    bits: int  # of a sample
    palette: np.ndarray | None = None  # (entries, 3) uint8
    alpha: int | None = None  # which sample says how opaque a pixel is
    transparent: bool = False  # as a palette or a colour key says
    white_is_zero: bool = False
    spread: bool = False  # 1, 2 or 4 bits stand for shades from black to white
    orientation: int = 1
    lossy: str = ""
    perhaps_lossy: str = ""

    @property
    def own(self) -> int:
        return 3 if self.model == "RGB" else 1

    @property
    def see_through(self) -> bool:
        """Whether some pixel is not opaque."""
        if self.alpha is not None:
            layer = self.data[..., self.alpha]
            full = np.iinfo(layer.dtype).max if layer.dtype.kind == "u" else 1
            return bool((layer != full).any())
        return self.transparent

    def without_alpha(self) -> np.ndarray:
        """(rows, columns, samples) but the one of transparency."""
        kept = [i for i in range(self.data.shape[2]) if i != self.alpha]
        return self.data if len(kept) == self.data.shape[2] else self.data[..., kept]


def read(path: str | Path, label: bool, rule: Rule) -> tuple[np.ndarray, About]:
    """One picture: (x, y, channels) for an image, (x, y) with label values for a mask.

    Raises:
        Refused: it cannot be read for certain as what the data set declares.
        OSError, ValueError and what else libraries raise: no picture, or a damaged one.
    """
    suffix = Path(path).suffix.lower()
    samples = _tiff(path) if suffix in (".tif", ".tiff") else _png_or_jpeg(path)
    about = About(_kind(samples), samples.lossy, samples.perhaps_lossy, samples.orientation)
    if samples.white_is_zero:
        samples = _black_is_zero(samples, path, label, rule)
    data, about = (_mask if label else _image)(samples, path, rule, about)
    if rule.pixels != "stored":
        data = TURNS[samples.orientation](data)
    return data.swapaxes(0, 1), about


def _kind(samples: _Samples) -> str:
    model = samples.model
    extra = samples.data.shape[2] - samples.own - (samples.alpha is not None)
    if extra > 0:
        model += f" and {extra} more channel{'s' * (extra > 1)}"
    number = {"f": "floating point, ", "i": "signed, "}.get(samples.data.dtype.kind, "")
    white = ", white is zero" if samples.white_is_zero else ""
    return f"{model}, {number}{samples.bits} bit{'s' * (samples.bits > 1)}{white}"


def _black_is_zero(samples: _Samples, path: str | Path, label: bool, rule: Rule) -> _Samples:
    """White-is-zero turned to black-is-zero, or left where the data set says that stored values count."""
    ways = "`dataset.pixels: shown` takes white as the highest value, `dataset.pixels: stored` the values as they are"
    if rule.pixels == "stored":
        return samples
    if label and rule.pixels is None:
        raise Refused(
            "white-is-zero",
            f"{path} is a mask whose TIFF tag says that white is zero: programs disagree on which of its values is "
            f"inside; {ways}",
        )
    data = samples.data
    if data.dtype.kind != "u" or samples.without_alpha().shape[2] > 1:
        raise Refused(
            "white-is-zero",
            f"{path} says that white is zero, which is clear for one grey channel of unsigned numbers alone (it has "
            f"{_kind(samples)}); {ways}",
        )
    data = data.copy()
    data[..., 0] = 2**samples.bits - 1 - data[..., 0]
    return replace(samples, data=data)


# ---------------------------------------------------------------- images


def _image(samples: _Samples, path: str | Path, rule: Rule, about: About) -> tuple[np.ndarray, About]:
    """Channels of an image, as many as the data set declares where the file holds them in another form."""
    data, wanted = samples.data, rule.channels
    if samples.palette is not None:
        indices, entries = data[..., 0], len(samples.palette)
        if indices.max() >= entries:
            lacking = _few(np.unique(indices[indices >= entries]))
            message = f"{path} has no colour for the {lacking} in its palette of {entries}; save it as grey or RGB"
            raise Refused("colour-model", message)
        data = samples.palette[indices]
        if wanted != 3 and (data == data[..., :1]).all():
            data = data[..., :1]
        return data, _opaque(about, samples.transparent)
    if samples.spread:
        samples = replace(samples, data=data.astype(np.uint8) * np.uint8(255 // (2**samples.bits - 1)))
    if samples.alpha is not None and data.shape[2] == wanted:  # the data set says that it is a channel
        return samples.data, replace(about, changed="transparency is read as a channel")
    data = samples.without_alpha()
    about = _opaque(about, samples.see_through)
    if samples.model == "RGB" and data.shape[2] > 3 and data.shape[2] != wanted:
        extra = data.shape[2] - 3
        data, about = data[..., :3], replace(about, left_out=f"{extra} channel{'s' * (extra > 1)} beside RGB")
    if data.shape[2] == 3 and wanted == 1 and (data == data[..., :1]).all():
        return data[..., :1], replace(about, changed="grey, stored as three equal channels, is read as one")
    return data, about


def _opaque(about: About, transparent: bool) -> About:
    return replace(about, left_out="transparency") if transparent else about


# ---------------------------------------------------------------- masks


def _mask(samples: _Samples, path: str | Path, rule: Rule, about: About) -> tuple[np.ndarray, About]:
    """Label values of a mask."""
    if samples.lossy:
        raise Refused(
            "lossy-label",
            f"{path} is compressed as {samples.lossy}, which changes values along every edge: no label map can be read "
            "from it",
        )
    about = _opaque(about, samples.see_through)
    data = samples.without_alpha()
    if samples.model == "palette":
        return _of_palette(samples, path, rule), about
    if data.shape[2] == 1 or (data == data[..., :1]).all():
        return _of_grey(data[..., 0], samples, path, rule), about
    if samples.model != "RGB" or data.shape[2] > 3:
        raise Refused("dimension", f"{path} has {data.shape[2]} channels that differ: a mask needs one channel")
    return _of_colours(data, path, rule), about


def _of_grey(data: np.ndarray, samples: _Samples, path: str | Path, rule: Rule) -> np.ndarray:
    """Values as stored, unless they stand for others that are declared: as shades, or as greys of the colour table."""
    values, top = rule.labels.values, 2**samples.bits - 1
    if samples.spread:
        # 1 in a file of one bit is the 1 or the 255 that is declared
        factor = 255 // top
        found = [v if v in values or v * factor not in values else v * factor for v in range(top + 1)]
        data = np.array(found, np.uint8)[data]
    if rule.colours and data.dtype == np.uint8:
        table = _table(rule)
        greys = {g: table[c] for g in range(256) if (c := g * 0x010101) in table and g not in values}
        if greys:
            look = np.arange(256)
            look[list(greys)] = list(greys.values())
            data = look[data].astype(np.min_scalar_type(max(255, *values)))
    return data


def _of_palette(samples: _Samples, path: str | Path, rule: Rule) -> np.ndarray:
    """Labels by the colour table; else indices, unless all colours in use are greys: then these, where declared.

    Colours count as far as they tell the indices in use apart: programs also write palettes that nobody has set.
    """
    indices, palette, values = samples.data[..., 0], samples.palette, rule.labels.values
    assert palette is not None
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=1))
    colours = palette[used[used < len(palette)]]
    coloured = bool(np.ptp(colours, axis=1).any())
    if rule.colours:
        # several indices may have one colour, but not all
        if fault := _palette_fault(palette, used, strict=len(np.unique(colours, axis=0)) < 2):
            so = f"so dataset.colours cannot tell its labels; {ANEW}"
            raise Refused("mask-colours", f"{path} is a mask whose palette {fault}, {so}")
        data = palette[indices]
        return _of_colours(data, path, rule) if coloured else _of_grey(data[..., 0], samples, path, rule)
    fault, deepest = _palette_fault(palette, used), 2**samples.bits - 1
    if used[-1] >= len(palette) and values and max(values) > deepest:
        raise Refused(
            "mask-colours",
            f"{path} is a mask whose palette {fault}, in {samples.bits} bit{'s' * (samples.bits > 1)}: labels over "
            f"{deepest} may have been cut off by the program that saved it, as Pillow does where no palette was set; "
            "save it as grey values",
        )
    declared = not values or bool(np.isin(used, values).all())
    if coloured or (fault and declared):
        return indices
    if fault:
        few, known = _few(used), ", ".join(map(str, values))
        raise Refused(
            "mask-colours",
            f"{path} is a mask whose palette {fault}, and of its {few} not all are declared: {known}; {ANEW}",
        )
    greys = colours[:, 0]
    return palette[indices][..., 0] if np.isin(greys, values).all() or not declared or not values else indices


def _palette_fault(palette: np.ndarray, used: np.ndarray, strict: bool = True) -> str:
    """In what the colours of a palette (entries, 3) do not tell the indices in use apart; "" where they do.

    Args:
        strict: whether one colour for several of them is a fault.
    """
    if (lacking := used[used >= len(palette)]).size:
        return f"has no colour for the {_few(lacking)}"
    found, where, counts = np.unique(palette[used], axis=0, return_inverse=True, return_counts=True)
    several = int(counts.argmax())
    # one colour in all entries has been set by nobody, whatever is in use
    blank = len(palette) > 1 and used.any() and bool((palette == palette[0]).all())
    if blank or (strict and counts[several] > 1):
        return f"has one colour (#{found[several].tobytes().hex()}) for the {_few(used[where.ravel() == several])}"
    return ""


def _few(indices: np.ndarray) -> str:
    """``index 3``, ``indices 3, 4 and 9 more``."""
    shown = ", ".join(map(str, indices[:MOST_COLOURS]))
    more = f" and {len(indices) - MOST_COLOURS} more" if len(indices) > MOST_COLOURS else ""
    return f"{'indices' if len(indices) > 1 else 'index'} {shown}{more}"


def _table(rule: Rule) -> dict[int, int]:
    """Label value of each colour, 0xrrggbb."""
    pairs = zip(rule.labels.values, rule.colours, strict=True)
    return {int(c.removeprefix("#"), 16): value for value, colours in pairs for c in colours}


def _of_colours(data: np.ndarray, path: str | Path, rule: Rule) -> np.ndarray:
    """Label values by the data set's table of colours."""
    if data.dtype == np.uint16 and (data % 257 == 0).all():
        data = (data // 257).astype(np.uint8)
    if data.dtype != np.uint8:
        raise Refused(
            "mask-colours", f"{path} is a mask in colours of {8 * data.dtype.itemsize} bits a channel; save it with 8"
        )
    codes = data.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    found, where, counts = np.unique(codes, return_inverse=True, return_counts=True)
    table = _table(rule) if rule.colours else {}
    strange = [(c, n) for c, n in zip(found.tolist(), counts.tolist(), strict=True) if c not in table]
    if strange:
        raise Refused("mask-colours", f"{path} {_colours_told(strange, len(found), rule)}")
    values = np.array([table[c] for c in found.tolist()], np.min_scalar_type(max(table.values())))
    return values[where.reshape(codes.shape)]


def _colours_told(strange: list[tuple[int, int]], all_: int, rule: Rule) -> str:
    ordered = sorted(strange, key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"#{c:06x} ({n} pixel{'s' * (n > 1)})" for c, n in ordered[:MOST_COLOURS])
    listed += f" and {len(ordered) - MOST_COLOURS} more" if len(ordered) > MOST_COLOURS else ""
    if len(strange) > MANY_COLOURS:
        listed += "; so many come from lossy compression (JPEG), smooth edges or resizing: export the mask without"
    if rule.colours:
        return f"holds colours that dataset.colours does not name: {listed}"
    names = rule.labels.foreground or ("organ",)
    example = ", ".join(f'{n}: "#rrggbb"' for n in names[:3])
    return (
        f"is a mask in {all_} colours, not in label values: {listed}. Say in params.yaml which colour is which label: "
        f"`dataset: {{colours: {{{example}}}}}`"
    )


# ---------------------------------------------------------------- PNG and JPEG


def _png_or_jpeg(path: str | Path) -> _Samples:
    from PIL import Image as Pillow

    Pillow.MAX_IMAGE_PIXELS = None  # one's own files are no bombs
    with Pillow.open(path, formats=("PNG", "JPEG")) as picture:
        if (frames := getattr(picture, "n_frames", 1)) > 1 and picture.format == "PNG":
            raise Refused("stack", f"{path} is an animation of {frames} pictures; give one picture a file")
        found = _png(path, picture) if picture.format == "PNG" else _jpeg(path, picture)
        orientation = picture.getexif().get(0x0112, 1)  # PNG may have it after the pixels
    return replace(found, orientation=orientation if orientation in TURNS else 1)


def _jpeg(path: str | Path, picture) -> _Samples:
    if picture.mode not in ("L", "RGB"):
        raise _unknown_colours(path, picture.mode)
    data = np.array(picture)
    return _Samples(data.reshape(*data.shape[:2], -1), "grey" if picture.mode == "L" else "RGB", 8, lossy="JPEG")


def _png(path: str | Path, picture) -> _Samples:
    with open(path, "rb") as handle:
        head = handle.read(26)
    bits, colour = head[24], head[25]  # of IHDR, which stands first
    key = picture.info.get("transparency")
    if bits == 16 and colour != 0:
        import imagecodecs  # Pillow keeps the high byte alone

        picture.load()
        data = imagecodecs.png_decode(Path(path).read_bytes())
        own = 3 if colour in (2, 6) else 1
        return _Samples(data, "RGB" if own == 3 else "grey", 16, alpha=own if data.shape[2] > own else None)
    data = np.array(picture)
    if colour == 3:
        palette = np.array(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        opacity = np.full(256, 255)
        if isinstance(key, bytes):
            opacity[: len(key)] = list(key)
        elif key is not None:
            opacity[key] = 0
        return _Samples(data[..., None], "palette", bits, palette, transparent=bool((opacity[data] < 255).any()))
    if colour == 0:
        if bits < 8:  # Pillow spreads 2 and 4 bits, and not one
            data = data.astype(np.uint8) // np.uint8(1 if bits == 1 else 255 // (2**bits - 1))
        keyed = key is not None and bool((data == key).any())
        return _Samples(data[..., None], "grey", bits, transparent=keyed, spread=bits < 8)
    keyed = colour == 2 and key is not None and bool((data == np.array(key)).all(axis=-1).any())
    model, alpha = ("grey", 1) if colour == 4 else ("RGB", 3 if colour == 6 else None)
    return _Samples(data, model, bits, alpha=alpha, transparent=keyed)


def _unknown_colours(path: str | Path, name: str) -> Refused:
    return Refused(
        "colour-model",
        f"{path} is in the colour model {name}, whose colours depend on more than the file; convert it to RGB or grey",
    )


# ---------------------------------------------------------------- TIFF


def _tiff(path: str | Path) -> _Samples:
    import tifffile

    with tifffile.TiffFile(path) as file:
        every = cast("list[tifffile.TiffPage]", list(file.pages))  # frames are asked for
        pages = [p for p in every if not p.is_reduced] or every  # previews are no pictures of their own
        page = pages[0]
        held = file.series[0].size // max(1, page.size) if file.is_imagej or file.is_shaped else 1
        if max(len(pages), held) > 1 or page.imagedepth > 1:
            many = max(len(pages), held, page.imagedepth)
            raise Refused("stack", f"{path} is a stack of {many} pages; give one picture a file, or volumes as NIfTI")
        model = _model(path, page)
        if page.compression not in tifffile.TIFF.DECOMPRESSORS:
            name = getattr(page.compression, "name", page.compression)
            raise Refused("format", f"{path} is compressed as {name}, which is not read; save it with LZW or without")
        data = page.asarray()
        orientation = page.tags.valueof(274, 1)
        extra = [int(e) in (1, 2) for e in page.extrasamples]
        lossy, perhaps = changes_values(int(page.compression))
        bits, colours = page.bitspersample, page.colormap
        white = model == "grey" and int(page.photometric) == 0 and 262 in page.tags
        layers, axes = page.samplesperpixel, page.axes
    if axes not in ("YX", "YXS", "SYX"):
        raise Refused("dimension", f"{path} has the axes {axes}; a picture has rows, columns and perhaps channels")
    data = data[..., None] if axes == "YX" else np.moveaxis(data, 0, 2) if axes == "SYX" else data
    if data.dtype == bool:
        data = data.astype(np.uint8)
    data = data.astype(data.dtype.newbyteorder("="), copy=False)
    palette = None
    if model == "palette":
        if colours is None:
            raise ValueError("its palette is missing")
        colours = np.asarray(colours)
        palette = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8).T
    own = 3 if model == "RGB" else 1
    if layers < own:
        raise ValueError(f"{layers} samples a pixel for {model}")
    bits = bits if isinstance(bits, int) else max(bits)
    return _Samples(
        data,
        model,
        bits,
        palette,
        alpha=layers - len(extra) + extra.index(True) if any(extra) else None,
        white_is_zero=white,
        spread=data.dtype.kind == "u" and bits in (1, 2, 4) and model != "palette",
        orientation=orientation if orientation in TURNS else 1,
        lossy=lossy,
        perhaps_lossy=perhaps,
    )


# compressions of TIFF by what they do to values, for those that are read
JPEGS = (6, 7, 33007, 34892)  # both of TIFF, Bio-Formats', lossy DNG: decoded as RGB
LOSSLESS = (1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 34926, 34933, 50000, 50013, 65000, 65001, 65002)
LOSSY = {**dict.fromkeys(JPEGS, "JPEG"), 33004: "JPEG 2000", 48124: "Jetraw"}
EITHER = {
    **dict.fromkeys((33003, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((22610, 34934), "JPEG XR"),
    **dict.fromkeys((50002, 52546), "JPEG XL"),
    **dict.fromkeys((34927, 50001), "WebP"),
    34887: "LERC",
}


def changes_values(compression: int) -> tuple[str, str]:
    """The name of a TIFF's compression if it is lossy, and if it may be; "" if not. An unknown one may be."""
    known = compression in LOSSLESS or compression in LOSSY
    return LOSSY.get(compression, ""), "" if known else EITHER.get(compression, str(compression))


def _model(path: str | Path, page) -> str:
    """grey, RGB or palette, as the photometric interpretation says; without one, as libtiff guesses."""
    if 262 not in page.tags:
        return "RGB" if page.samplesperpixel in (3, 4) else "grey"
    code = int(page.photometric)
    if code == 6 and int(page.compression) in JPEGS:
        return "RGB"  # decoded as such
    known = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "grey"}
    if code not in known:
        names = {5: "CMYK", 6: "YCbCr", 8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32803: "of a colour filter"}
        raise _unknown_colours(path, names.get(code, str(code)))
    return known[code]
