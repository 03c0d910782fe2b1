"""One picture in many kinds of files is one array, whoever wrote it."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageOps

from refold.core.errors import RefoldError
from refold.imaging import images, pictures
from refold.imaging.dataset import Description, Labels, Rule

RANDOM = np.random.default_rng(7)
ROWS, COLUMNS = 6, 10
GREY = RANDOM.integers(0, 256, (ROWS, COLUMNS), np.uint8)
CAMERA = RANDOM.integers(0, 4096, (ROWS, COLUMNS, 3), np.uint16)  # 12 bits in 16
RGB = (CAMERA >> 4).astype(np.uint8)
ALPHA = np.full((ROWS, COLUMNS), 255, np.uint8)
BITS = RANDOM.random((ROWS, COLUMNS)) < 0.5
FEW = RANDOM.integers(0, 4, (ROWS, COLUMNS), np.uint8)
COLOURS = np.array([[0, 0, 0], [250, 10, 20], [30, 240, 40], [50, 60, 230]], np.uint8)
GREYS = np.repeat(np.array([[0], [80], [160], [255]], np.uint8), 3, axis=1)


def tiff(path, data, photometric, order="<", planar=False, lzw=False, bits=None, extra=(), **tags):
    """A TIFF of one strip, made by hand. data: (rows, columns[, samples]); ``bits`` under 8 or 12 are packed."""
    data = data[..., None] if data.ndim == 2 else data
    rows, columns, samples = data.shape
    layers = [data[..., i : i + 1] for i in range(samples)] if planar else [data]
    kind = {"u": 1, "i": 2, "f": 3, "b": 1}[data.dtype.kind]
    bits = bits or 8 * data.dtype.itemsize
    if bits in (1, 2, 4, 12):

        def row(line):
            text = "".join(f"{v:0{bits}b}" for v in line.ravel().astype(int))
            return int((text := text + "0" * (-len(text) % 8)), 2).to_bytes(len(text) // 8, "big")

        strips = [b"".join(row(line) for line in layer) for layer in layers]
    else:
        strips = [layer.astype(layer.dtype.newbyteorder(order)).tobytes() for layer in layers]
    strips = [literal_lzw(s) if lzw else s for s in strips]
    entries = {256: (4, [columns]), 257: (4, [rows]), 258: (3, [bits] * samples), 259: (3, [5 if lzw else 1]),
               262: (3, [photometric]), 273: (4, None), 277: (3, [samples]), 278: (4, [rows]),
               279: (4, [len(s) for s in strips]), 284: (3, [1 + planar]), 339: (3, [kind] * samples)}  # fmt: skip
    entries |= {338: (3, list(extra))} if extra else {}
    entries |= {int(k[1:]): (3, v if isinstance(v, list) else [v]) for k, v in tags.items()}
    entries = {k: v for k, v in sorted(entries.items()) if v[1] != [None]}
    place = 8 + 2 + 12 * len(entries) + 4
    sizes = {k: {3: 2, 4: 4}[t] * len(v if v is not None else strips) for k, (t, v) in entries.items()}
    where = {}
    for tag, size in sizes.items():
        if size > 4:
            where[tag], place = place, place + size
    starts = [place + sum(map(len, strips[:i])) for i in range(len(strips))]
    head = struct.pack(order + "2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(entries))
    tail = b""
    for tag, (code, values) in entries.items():
        values = starts if values is None else values
        packed = struct.pack(f"{order}{len(values)}{'H' if code == 3 else 'I'}", *values)
        head += struct.pack(order + "HHI", tag, code, len(values))
        head += struct.pack(order + "I", where[tag]) if tag in where else packed.ljust(4, b"\0")
        tail += packed if tag in where else b""
    path.write_bytes(head + bytes(4) + tail + b"".join(strips))


def literal_lzw(data):
    codes = [c for i in range(0, len(data), 200) for c in (256, *data[i : i + 200])] + [257]
    text = "".join(f"{c:09b}" for c in codes)
    return int((text := text + "0" * (-len(text) % 8)), 2).to_bytes(len(text) // 8, "big")


def png(path, data, colour, bits=8, before=(), after=()):
    """A PNG made by hand. data: (rows, columns[, samples]); before, after: further chunks around the pixels."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows, columns = data.shape[:2]
    lines = []
    for line in data:
        if bits < 8:
            text = "".join(f"{v:0{bits}b}" for v in line.ravel().astype(int))
            text += "0" * (-len(text) % 8)
            lines.append(b"\0" + int(text, 2).to_bytes(len(text) // 8, "big"))
        else:
            lines.append(b"\0" + line.astype(f">u{bits // 8}").tobytes())
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, bits, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"".join(lines)))
    chunks = [head, *(chunk(*c) for c in before), body, *(chunk(*c) for c in after), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def palette(colours):
    return ((b"PLTE", colours.tobytes()),)


def pillow(path, data, mode=None, colours=None, **options):
    picture = Pillow.fromarray(data, mode) if mode != "P" else Pillow.fromarray(data)
    if colours is not None:
        picture.putpalette(colours.tobytes())
    picture.save(path, **options)


def with_alpha(data, value=None):
    top = np.iinfo(data.dtype).max
    return np.dstack([data, np.full(data.shape[:2], top if value is None else value, data.dtype)])


def colour_map(colours, entries=256):
    return [v for c in range(3) for v in (*(int(x) * 257 for x in colours[:, c]), *([0] * (entries - len(colours))))]


def invert(data):
    return np.iinfo(data.dtype).max - data


WIDE = np.iinfo(np.uint16).max
SIGNED = RANDOM.integers(-3000, 3000, (ROWS, COLUMNS), np.int16)
REAL = RANDOM.normal(0, 100, (ROWS, COLUMNS)).astype(np.float32)
HALF = (GREY.astype(np.uint16) * 16 + 5) % 4096
FIVE = RANDOM.integers(0, 256, (ROWS, COLUMNS, 5), np.uint8)

# what it is, its file's ending, how it is written, the array wanted (rows, columns, channels)
KINDS = []


def kind(name, ending, write, wanted):
    KINDS.append(pytest.param(ending, write, wanted, id=name))


# ---- grey of 8 bits
kind("png-pillow", ".png", lambda p: pillow(p, GREY), GREY)
kind("png-hand", ".png", lambda p: png(p, GREY, 0), GREY)
kind("png-grey-alpha", ".png", lambda p: pillow(p, with_alpha(GREY), "LA"), GREY)
kind("png-grey-half-transparent", ".png", lambda p: png(p, with_alpha(GREY, 9), 4), GREY)
kind("png-grey-as-rgb", ".png", lambda p: pillow(p, np.dstack([GREY] * 3)), GREY)
kind("png-grey-as-rgba", ".png", lambda p: pillow(p, with_alpha(np.dstack([GREY] * 3))), GREY)
kind("png-palette-by-pillow", ".png", lambda p: Pillow.fromarray(GREY).convert("P").save(p), GREY)
for name in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
    options = {"compression": name} if name else {}
    kind(f"tiff-pillow-{name}", ".tif", lambda p, o=options: pillow(p, GREY, **o), GREY)
    white = {"tiffinfo": {262: 0}} | options
    kind(f"tiff-pillow-white-is-zero-{name}", ".tif", lambda p, o=white: pillow(p, GREY, **o), GREY)
    kind(f"tiff-pillow-grey-alpha-{name}", ".tif", lambda p, o=options: pillow(p, with_alpha(GREY), "LA", **o), GREY)
    kind(f"tiff-pillow-as-rgb-{name}", ".tiff", lambda p, o=options: pillow(p, np.dstack([GREY] * 3), **o), GREY)
for order in "<>":
    for lzw in (False, True):
        o = {"order": order, "lzw": lzw}
        kind(f"tiff-hand-{order}{lzw}", ".tif", lambda p, o=o: tiff(p, GREY, 1, **o), GREY)
        kind(f"tiff-hand-white-{order}{lzw}", ".tif", lambda p, o=o: tiff(p, invert(GREY), 0, **o), GREY)
        kind(
            f"tiff-hand-alpha-{order}{lzw}",
            ".tif",
            lambda p, o=o: tiff(p, with_alpha(GREY, 3), 1, extra=[2], **o),
            GREY,
        )
        greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)[::-1]
        o |= {"t320": colour_map(greys)}
        kind(f"tiff-hand-palette-{order}{lzw}", ".tif", lambda p, o=o: tiff(p, invert(GREY), 3, **o), GREY)
# ---- colours of 8 and 16 bits
kind("rgb-png", ".png", lambda p: pillow(p, RGB), RGB)
kind("rgba-png", ".png", lambda p: pillow(p, with_alpha(RGB, 7)), RGB)
kind("rgb16-png", ".png", lambda p: png(p, CAMERA, 2, 16), CAMERA)
kind("rgba16-png", ".png", lambda p: png(p, with_alpha(CAMERA, 7), 6, 16), CAMERA)
kind(
    "rgb16-png-colour-key",
    ".png",
    lambda p: png(p, CAMERA, 2, 16, [(b"tRNS", CAMERA[0, 0].astype(">u2").tobytes())]),
    CAMERA,
)
kind("palette-png", ".png", lambda p: png(p, FEW, 3, 2, palette(COLOURS)), COLOURS[FEW])
kind("palette-png-pillow", ".png", lambda p: pillow(p, FEW, "P", COLOURS), COLOURS[FEW])
kind("palette-tiff", ".tif", lambda p: pillow(p, FEW, "P", COLOURS), COLOURS[FEW])
kind("palette-tiff-lzw", ".tif", lambda p: pillow(p, FEW, "P", COLOURS, compression="tiff_lzw"), COLOURS[FEW])
kind("palette-tiff-4-bits", ".tif", lambda p: tiff(p, FEW, 3, bits=4, t320=colour_map(COLOURS, 16)), COLOURS[FEW])
for what in (RGB, CAMERA):
    for order in "<>":
        for planar in (False, True):
            for lzw in (False, True):
                o, n = {"order": order, "planar": planar, "lzw": lzw}, f"{what.dtype}{order}{planar}{lzw}"
                kind(f"tiff-hand-rgb-{n}", ".tif", lambda p, a=what, o=o: tiff(p, a, 2, **o), what)
                kind(
                    f"tiff-hand-rgba-{n}",
                    ".tif",
                    lambda p, a=what, o=o: tiff(p, with_alpha(a, 9), 2, extra=[2], **o),
                    what,
                )
                kind(
                    f"tiff-hand-rgbx-{n}",
                    ".tif",
                    lambda p, a=what, o=o: tiff(p, with_alpha(a, 9), 2, extra=[0], **o),
                    what,
                )
    for compression in (None, "zlib", "lzw", "packbits", "zstd", "lzma"):
        for planar in ("contig", "separate"):
            for predictor in (False, True) if compression not in (None, "packbits") else (False,):
                o = {"compression": compression, "predictor": predictor, "photometric": "rgb", "planarconfig": planar}
                n, a = (
                    f"{what.dtype}-{compression}-{planar}-{predictor}",
                    what if planar == "contig" else np.moveaxis(what, 2, 0),
                )
                kind(f"tifffile-rgb-{n}", ".tif", lambda p, a=a, o=o: tifffile.imwrite(p, a, **o), what)
kind(
    "tifffile-tiles",
    ".tif",
    lambda p: tifffile.imwrite(p, CAMERA, photometric="rgb", tile=(16, 16), compression="lzw"),
    CAMERA,
)
kind(
    "tifffile-big",
    ".tif",
    lambda p: tifffile.imwrite(p, CAMERA, photometric="rgb", bigtiff=True, byteorder=">"),
    CAMERA,
)
kind("tiff-without-photometric-rgb", ".tif", lambda p: tiff(p, RGB, None), RGB)
kind("tiff-without-photometric-grey", ".tif", lambda p: tiff(p, GREY, None), GREY)
# ---- other depths
DEEP = CAMERA[..., 0]
kind("grey16-png", ".png", lambda p: pillow(p, DEEP), DEEP)
kind("grey16-alpha-png", ".png", lambda p: png(p, with_alpha(DEEP), 4, 16), DEEP)
for lzw in (False, True):
    kind(f"grey16-tiff-{lzw}", ".tif", lambda p, z=lzw: tiff(p, DEEP, 1, lzw=z), DEEP)
    kind(f"grey16-white-tiff-{lzw}", ".tif", lambda p, z=lzw: tiff(p, invert(DEEP), 0, lzw=z), DEEP)
    kind(f"signed-tiff-{lzw}", ".tif", lambda p, z=lzw: tiff(p, SIGNED, 1, ">", lzw=z), SIGNED)
    kind(f"float-tiff-{lzw}", ".tif", lambda p, z=lzw: tiff(p, REAL, 1, lzw=z), REAL)
    kind(f"five-channels-{lzw}", ".tif", lambda p, z=lzw: tiff(p, FIVE, 1, lzw=z, extra=[0] * 4), FIVE)
kind("packed-12-bits", ".tif", lambda p: tiff(p, DEEP, 1, bits=12), DEEP)
for bits in (1, 2, 4):
    low = (RANDOM.integers(0, 2**bits, (ROWS, COLUMNS))).astype(np.uint8)
    high = (2**bits - 1 - low).astype(np.uint8)
    shades, o = low * np.uint8(255 // (2**bits - 1)), {"bits": bits}
    kind(f"png-{bits}-bits", ".png", lambda p, a=low, o=o: png(p, a, 0, **o), shades)
    kind(f"tiff-{bits}-bits", ".tif", lambda p, a=low, o=o: tiff(p, a, 1, **o), shades)
    kind(f"tiff-{bits}-bits-white", ".tif", lambda p, a=high, o=o: tiff(p, a, 0, **o), shades)
for compression in ("raw", "tiff_lzw", "packbits", "group3", "group4", "tiff_adobe_deflate"):
    for photometric in (0, 1):
        o = {"compression": compression, "tiffinfo": {262: photometric}}
        kind(f"fax-{compression}-{photometric}", ".tif", lambda p, o=o: pillow(p, BITS, **o), BITS * np.uint8(255))


@pytest.mark.parametrize(("ending", "write", "wanted"), KINDS)
def test_one_picture_in_many_kinds_of_files(tmp_path, ending, write, wanted):
    path = tmp_path / f"a{ending}"
    write(path)
    wanted = wanted if wanted.ndim == 3 else wanted[..., None]
    image = images.read(path, rule=Rule(channels=wanted.shape[2]))
    np.testing.assert_array_equal(image.data.swapaxes(0, 1), wanted)
    assert image.data.dtype == wanted.dtype and image.data.dtype.isnative


# Pillow does not read five channels, or a TIFF that says nothing of its colours; unnamed fourth layers confuse it
UNREAD = ("five-channels", "tiff-without-photometric", "tiff-hand-rgbx")
SHOWN = [k for k in KINDS if k.values[2].dtype == np.uint8 and not k.id.startswith(UNREAD)]


@pytest.mark.parametrize(("ending", "write", "wanted"), SHOWN)
def test_pillow_shows_the_same(tmp_path, ending, write, wanted):
    """An independent reader, for what it reads: 8 bits."""
    path, colour = tmp_path / f"a{ending}", wanted.ndim == 3
    write(path)
    with open(path, "rb") as handle, Pillow.open(handle) as picture:  # by name it scrambles some
        shown = np.array(picture.convert("RGB" if colour else "L"))
    data = images.read(path, rule=Rule(channels=3 if colour else 1)).data.swapaxes(0, 1)
    np.testing.assert_array_equal(data if colour else data[..., 0], shown)


# ---------------------------------------------------------------- turned pictures


def exif(orientation):
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    return tags


def turned(path, orientation, colour):
    data = RGB if colour else GREY
    if path.name.startswith("lzw"):
        tiff(path, data, 2 if colour else 1, lzw=True, t274=orientation)
    elif path.suffix == ".tif":
        tiff(path, data, 2 if colour else 1, t274=orientation)
    elif path.name.startswith("late"):  # after the pixels, where PNG allows it
        png(path, data, 2 if colour else 0, after=[(b"eXIf", exif(orientation).tobytes().removeprefix(b"Exif\0\0"))])
    else:
        Pillow.fromarray(data).save(path, exif=exif(orientation), **({"quality": 100} if path.suffix == ".jpg" else {}))


@pytest.mark.parametrize("name", ["raw.tif", "lzw.tif", "a.png", "late.png", "a.jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("colour", [False, True])
def test_a_picture_stands_as_its_tag_says(tmp_path, name, orientation, colour):
    path = tmp_path / name
    turned(path, orientation, colour)
    with open(path, "rb") as handle, Pillow.open(handle) as picture:
        upright = np.array(ImageOps.exif_transpose(picture))
        if path.suffix == ".tif":  # Pillow turns these itself when it loads them
            upright = np.array(picture)
    image = images.read(path)
    np.testing.assert_array_equal(image.data.swapaxes(0, 1).squeeze(), upright)
    assert image.about.orientation == orientation
    by_hand = {3: (GREY if not colour else RGB)[::-1, ::-1], 6: np.rot90(RGB if colour else GREY, -1)}
    if orientation in by_hand and path.suffix != ".jpg":
        np.testing.assert_array_equal(upright, by_hand[orientation])
    stored = images.read(path, rule=Rule(pixels="stored")).data
    assert stored.shape[:2] == (COLUMNS, ROWS)
    if path.suffix != ".jpg":
        np.testing.assert_array_equal(stored.swapaxes(0, 1).squeeze(), RGB if colour else GREY)


# ---------------------------------------------------------------- channels


def channels(path, wanted):
    return images.read(path, rule=Rule(channels=wanted)).data.swapaxes(0, 1)


def test_four_channels_are_four_where_four_are_declared(tmp_path):
    four = FIVE[..., :4]
    for name, photometric, extra in (
        ("plain", 1, [0, 0, 0]),
        ("rgbx", 2, [0]),
        ("rgba", 2, [2]),
        ("premultiplied", 2, [1]),
    ):
        path = tmp_path / f"{name}.tif"
        tiff(path, four, photometric, extra=extra)
        np.testing.assert_array_equal(channels(path, 4), four)
        assert ("transparency is read" in images.read(path, rule=Rule(channels=4)).about.changed) == (
            name in ("rgba", "premultiplied")
        )
    path = tmp_path / "a.png"
    pillow(path, four)
    np.testing.assert_array_equal(channels(path, 4), four)
    np.testing.assert_array_equal(channels(path, 3), four[..., :3])
    assert images.read(path, rule=Rule(channels=3)).about.left_out == "transparency"
    assert images.read(tmp_path / "rgbx.tif", rule=Rule(channels=3)).about.left_out == "1 channel beside RGB"
    assert channels(tmp_path / "plain.tif", 3).shape[2] == 4  # and the checks refuse it


def test_an_opaque_picture_leaves_nothing_out(tmp_path):
    for ending in (".png", ".tif"):
        pillow(tmp_path / f"a{ending}", with_alpha(RGB))
        assert images.read(tmp_path / f"a{ending}").about.left_out == ""
    png(tmp_path / "b.png", FEW, 3, 2, [*palette(COLOURS), (b"tRNS", bytes([255, 255, 0]))])
    assert images.read(tmp_path / "b.png").about.left_out == "transparency"
    png(tmp_path / "c.png", FEW, 3, 2, [*palette(COLOURS), (b"tRNS", bytes([255, 255]))])
    assert images.read(tmp_path / "c.png").about.left_out == ""


def test_colour_stays_colour_where_one_channel_is_declared(tmp_path):
    pillow(tmp_path / "a.tif", FEW, "P", COLOURS)
    assert channels(tmp_path / "a.tif", 1).shape[2] == 3
    png(tmp_path / "b.png", FEW, 3, 2, palette(GREYS))  # a picture in colour that happens to show greys alone
    assert channels(tmp_path / "b.png", 3).shape[2] == 3 and channels(tmp_path / "b.png", 1).shape[2] == 1


@pytest.mark.parametrize(
    ("photometric", "samples", "name"),
    [(5, 4, "CMYK"), (8, 3, "CIE L"), (6, 3, "YCbCr"), (32803, 1, "of a colour filter")],
)
@pytest.mark.parametrize("lzw", [False, True])
def test_colours_that_need_more_than_the_file_are_refused(tmp_path, photometric, samples, name, lzw):
    tiff(tmp_path / "a.tif", FIVE[..., :samples], photometric, lzw=lzw)
    with pytest.raises(
        RefoldError, match=rf"a\.tif is in the colour model {name}.*convert it to RGB or grey"
    ) as caught:
        images.read(tmp_path / "a.tif")
    assert caught.value.check == "colour-model"


def test_a_cmyk_jpeg_is_refused(tmp_path):
    Pillow.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(RefoldError, match="colour model CMYK"):
        images.read(tmp_path / "a.jpg")


def test_stacks_are_refused_however_they_are_stored(tmp_path):
    stack = np.zeros((3, 4, 5), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", stack, imagej=True)
    tifffile.imwrite(tmp_path / "c.tif", stack, photometric="minisblack", volumetric=True, tile=(16, 16, 16))
    frames = [Pillow.fromarray(f) for f in (GREY, invert(GREY))]
    frames[0].save(tmp_path / "d.png", save_all=True, append_images=frames[1:])
    for name in ("a.tif", "b.tif", "c.tif", "d.png"):
        with pytest.raises(RefoldError, match=rf"{name[0]}\.{name[2:]} is a(n animation| stack) of \d+ p") as caught:
            images.read(tmp_path / name)
        assert caught.value.check == "stack"


def test_a_preview_is_no_second_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY[::2, ::2], subfiletype=1, photometric="minisblack", metadata=None)
        file.write(GREY, photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(images.read(tmp_path / "a.tif").data[..., 0].T, GREY)


# ---------------------------------------------------------------- JPEG


def test_a_jpeg_is_an_image_and_no_mask(tmp_path):
    smooth = np.add.outer(np.arange(64), np.arange(48)).astype(np.uint8)
    Pillow.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    Pillow.fromarray(np.dstack([smooth] * 3)).save(tmp_path / "b.jpeg", quality=95)
    Pillow.fromarray(smooth).save(tmp_path / "c.tif", compression="jpeg")
    (tmp_path / "d.png").write_bytes((tmp_path / "a.jpg").read_bytes())  # named wrongly
    for name in ("a.jpg", "b.jpeg", "c.tif", "d.png"):
        image = images.read(tmp_path / name, rule=Rule(channels=1))
        assert image.data.shape == (48, 64, 1) and image.about.lossy == "JPEG"
        assert np.abs(image.data[..., 0].T.astype(int) - smooth).max() <= 3
        with pytest.raises(RefoldError, match="compressed as JPEG, which changes values along every edge") as caught:
            images.read(tmp_path / name, label=True)
        assert caught.value.check == "lossy-label"


LOSSLESS = {1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 34926, 34933, 50000, 50013, 65000, 65001, 65002}
LOSSY = {6: "JPEG", 7: "JPEG", 33007: "JPEG", 34892: "JPEG", 33004: "JPEG 2000", 48124: "Jetraw"}
EITHER = {
    **{33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 22610: "JPEG XR", 34934: "JPEG XR"},
    **{50002: "JPEG XL", 52546: "JPEG XL", 34927: "WebP", 50001: "WebP", 34887: "LERC"},
}


def test_it_is_known_of_every_compression_that_is_read_whether_it_changes_values():
    read = {int(c) for c in tifffile.TIFF.DECOMPRESSORS}
    assert read <= LOSSLESS | LOSSY.keys() | EITHER.keys()
    for code in sorted(read | {51999}):  # the last is of no program yet
        lossy, perhaps = LOSSY.get(code, ""), EITHER.get(code, "51999" if code == 51999 else "")
        assert pictures.changes_values(code) == (lossy, perhaps), code


@pytest.mark.parametrize(
    ("compression", "lossless", "lossy", "name"),
    [
        ("jpeg2000", {"reversible": True}, {"level": 30, "reversible": False}, "JPEG 2000"),
        ("webp", {"lossless": True}, {"lossless": False, "level": 20}, "WebP"),
        ("jpegxl", {"lossless": True}, {"lossless": False, "distance": 3.0}, "JPEG XL"),
        ("lerc", {}, {"level": 9}, "LERC"),
    ],
)
def test_of_a_compression_that_may_be_lossy_the_values_decide(tmp_path, compression, lossless, lossy, name):
    wide = np.random.default_rng(3).integers(0, 256, (48, 80, 3), np.uint8)
    flat = np.dstack([np.kron(FEW, np.ones((8, 8), np.uint8))] * 3)
    for file, data, how in (("exact", wide, lossless), ("changed", wide, lossy), ("mask", flat, lossless)):
        tifffile.imwrite(
            tmp_path / f"{file}.tif", data, photometric="rgb", compression=compression, compressionargs=how
        )
    for file in ("exact", "changed"):
        image = images.read(tmp_path / f"{file}.tif", rule=Rule(channels=3))
        assert (image.about.lossy, image.about.perhaps_lossy) == ("", name)
        assert np.array_equal(image.data.swapaxes(0, 1), wide) == (file == "exact")
    np.testing.assert_array_equal(mask(tmp_path / "mask.tif", (0, 1, 2, 3)), flat[..., 0])


def test_a_coloured_jpeg_in_a_tiff_has_its_colours(tmp_path):
    flat = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    Pillow.fromarray(flat).save(tmp_path / "a.tif", compression="jpeg")
    assert np.abs(images.read(tmp_path / "a.tif").data.astype(int) - [200, 100, 50]).max() <= 3


# ---------------------------------------------------------------- masks


def mask(path, values=(), colours=(), pixels=None):
    names = ("background", "organ", "lesion", "other")[: len(values)]
    rule = Rule(Labels(tuple(values), names), None, tuple(tuple(c) for c in colours), pixels)
    return images.read(path, True, rule).data.T


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_white_is_zero_mask_needs_a_word(tmp_path, compression):
    """Stored 255 inside, which programs show black."""
    inside = np.where(BITS, 255, 0).astype(np.uint8)
    tiff(tmp_path / "a.tif", inside, 0, lzw=bool(compression))
    with pytest.raises(
        RefoldError, match=r"white is zero: programs disagree.*dataset\.pixels: shown.*stored"
    ) as caught:
        mask(tmp_path / "a.tif", (0, 255))
    assert caught.value.check == "white-is-zero"
    np.testing.assert_array_equal(mask(tmp_path / "a.tif", (0, 255), pixels="stored"), inside)
    np.testing.assert_array_equal(mask(tmp_path / "a.tif", (0, 255), pixels="shown"), 255 - inside)


@pytest.mark.parametrize(("data", "many"), [(SIGNED, False), (REAL, False), (FIVE, True)])
def test_white_is_zero_is_refused_where_it_is_unclear(tmp_path, data, many):
    tiff(tmp_path / "a.tif", data, 0, extra=[0] * 4 if many else ())
    with pytest.raises(RefoldError, match="clear for one grey channel of unsigned numbers alone"):
        images.read(tmp_path / "a.tif")
    stored = images.read(tmp_path / "a.tif", rule=Rule(pixels="stored")).data
    np.testing.assert_array_equal(stored.swapaxes(0, 1).squeeze(), data)


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0, 1, 255)])
def test_white_of_one_bit_is_the_value_that_is_declared(tmp_path, values):
    pillow(tmp_path / "a.png", BITS)
    pillow(tmp_path / "a.tif", BITS, compression="group4")
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(mask(tmp_path / name, values), BITS * np.uint8(values[1]))
        np.testing.assert_array_equal(mask(tmp_path / name), BITS)  # nothing is declared


@pytest.mark.parametrize(("values", "factor"), [((0, 1, 2, 3), 1), ((0, 85, 170, 255), 85)])
def test_two_bits_hold_the_values_or_the_shades_that_are_declared(tmp_path, values, factor):
    png(tmp_path / "a.png", FEW, 0, 2)
    tiff(tmp_path / "a.tif", FEW, 1, bits=2)
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(mask(tmp_path / name, values), FEW * np.uint8(factor))


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_palettes_of_masks(tmp_path, ending):
    """Coloured: the indices count. Grey: the greys, unless the indices are declared alone."""
    pillow(tmp_path / f"a{ending}", FEW, "P", COLOURS)
    np.testing.assert_array_equal(mask(tmp_path / f"a{ending}", (0, 1, 2, 3)), FEW)
    pillow(tmp_path / f"b{ending}", FEW, "P", GREYS)
    np.testing.assert_array_equal(mask(tmp_path / f"b{ending}", (0, 80, 160, 255)), GREYS[FEW][..., 0])
    np.testing.assert_array_equal(mask(tmp_path / f"b{ending}", (0, 1, 2, 3)), FEW)


ROOMS = np.pad(FEW, 1)  # indices 0 to 3


def without_a_palette(path, data, how):
    """As Pillow writes it where no palette was set: one black entry in a PNG, 256 in a TIFF."""
    picture = Pillow.new("P", data.shape[::-1])
    picture.putdata(data.ravel().tolist())
    (Pillow.fromarray(data, "P") if how == "fromarray" else picture).save(path)


@pytest.mark.parametrize(("ending", "labels"), [(".png", 2), (".tif", 4)])
@pytest.mark.parametrize("how", ["fromarray", "new"])
def test_a_palette_that_was_never_set_hides_no_label(tmp_path, ending, labels, how):
    path, values, data = tmp_path / f"a{ending}", tuple(range(labels)), np.minimum(ROOMS, labels - 1)
    without_a_palette(tmp_path / f"whole{ending}", np.full_like(ROOMS, 1), how)
    np.testing.assert_array_equal(mask(tmp_path / f"whole{ending}", (0, 1)), 1)
    without_a_palette(path, data, how)
    np.testing.assert_array_equal(mask(path, values), data)
    np.testing.assert_array_equal(mask(path), data)  # nothing is declared
    told = {
        ".png": "whose palette has no colour for the index 1",
        ".tif": r"whose palette has one colour \(#000000\) for the indices 0, 1, 2, 3",
    }[ending]
    with pytest.raises(RefoldError, match=f"{path.name} is a mask {told}, so dataset.colours cannot tell its labels"):
        mask(path, values, table()[:labels])
    if ending == ".tif":
        why = "and of its indices 0, 1, 2, 3 not all are declared: 0, 85, 170, 255; save it"
        with pytest.raises(RefoldError, match=f"{told}, {why}") as caught:
            mask(path, (0, 85, 170, 255))
        assert caught.value.check == "mask-colours"


def test_labels_that_pillow_cut_off_are_not_taken_for_one(tmp_path):
    """Where no palette is set it writes one bit, and whatever is not 0 is 1."""
    without_a_palette(tmp_path / "a.png", ROOMS, "fromarray")
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "a.png")), ROOMS > 0)
    told = r"no colour for the index 1, in 1 bit: labels over 1 may have been cut off .* save it as grey values"
    with pytest.raises(RefoldError, match=told) as caught:
        mask(tmp_path / "a.png", (0, 1, 2, 3))
    assert caught.value.check == "mask-colours"


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_greys_that_stand_twice_in_a_palette_merge_no_labels(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    twice = np.repeat(np.array([[0], [1], [1], [2]], np.uint8), 3, axis=1)
    pillow(path, ROOMS, "P", twice)
    np.testing.assert_array_equal(mask(path, (0, 1, 2, 3)), ROOMS)
    with pytest.raises(RefoldError, match=r"has one colour \(#010101\) for the indices 1, 2, and of its indices 0, 1"):
        mask(path, (0, 1, 2))
    pillow(path, np.where(ROOMS == 2, 1, ROOMS), "P", twice)  # where one of the two is in use, greys tell all
    np.testing.assert_array_equal(mask(path, (0, 1, 2)), np.array([0, 1, 1, 2])[ROOMS])
    white = (("#000000",), ("#010101",), ("#020202",))
    pillow(path, ROOMS, "P", twice)  # what a table names may stand twice
    np.testing.assert_array_equal(mask(path, (0, 5, 7), white), np.array([0, 5, 5, 7])[ROOMS])


def test_a_mask_of_one_value_whose_palette_has_that_colour_alone(tmp_path):
    """As programs that shrink palettes leave it."""
    for grey in (0, 255):
        png(tmp_path / "a.png", np.zeros((4, 5), np.uint8), 3, 8, palette(np.full((1, 3), grey, np.uint8)))
        np.testing.assert_array_equal(mask(tmp_path / "a.png", (0, 255)), grey)
        np.testing.assert_array_equal(mask(tmp_path / "a.png", (0, 1), (("#000000",), ("#ffffff",))), grey // 255)


def test_an_index_without_a_colour_is_not_black(tmp_path):
    png(tmp_path / "a.png", FEW, 3, 8, palette(COLOURS[:3]))
    np.testing.assert_array_equal(mask(tmp_path / "a.png", (0, 1, 2, 3)), FEW)  # of a coloured palette indices count
    with pytest.raises(RefoldError, match=r"no colour for the index 3, so dataset\.colours cannot tell its labels"):
        mask(tmp_path / "a.png", (0, 3, 7), (("#000000",), ("#fa0a14",), ("#1ef028",)))
    with pytest.raises(RefoldError, match=r"a\.png has no colour for the index 3 in its palette of 3; save") as caught:
        images.read(tmp_path / "a.png")
    assert caught.value.check == "colour-model"


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_three_equal_channels_are_one_mask(tmp_path, ending):
    pillow(tmp_path / f"a{ending}", np.dstack([FEW] * 3))
    pillow(tmp_path / f"b{ending}", with_alpha(np.dstack([FEW] * 3)))
    for name in "ab":
        np.testing.assert_array_equal(mask(tmp_path / f"{name}{ending}", (0, 1, 2, 3)), FEW)


TABLE = ((), ("#fa0a14",), ("#1ef028",), ("#323ce6",))


def table(black="#000000"):
    return ((black,), *TABLE[1:])


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_colours_of_a_mask_by_the_table(tmp_path, ending):
    wanted = np.array([0, 3, 7, 255])[FEW]
    pillow(tmp_path / f"rgb{ending}", COLOURS[FEW])
    pillow(tmp_path / f"rgba{ending}", with_alpha(COLOURS[FEW]))
    pillow(tmp_path / f"palette{ending}", FEW, "P", COLOURS)
    deep = COLOURS[FEW].astype(np.uint16) * 257
    png(tmp_path / "deep.png", deep, 2, 16) if ending == ".png" else tiff(tmp_path / "deep.tif", deep, 2)
    for name in ("rgb", "rgba", "palette", "deep"):
        np.testing.assert_array_equal(mask(tmp_path / f"{name}{ending}", (0, 3, 7, 255), table()), wanted)
    one = np.where(FEW == 1, 3, 0)  # two colours mean the background
    several = (("#000000", "#1ef028", "#323ce6"), ("#fa0a14",))
    np.testing.assert_array_equal(mask(tmp_path / f"rgb{ending}", (0, 3), several), one)


def test_white_as_the_colour_of_a_label(tmp_path):
    white = (("#000000",), ("#ffffff",))
    pillow(tmp_path / "grey.png", BITS * np.uint8(255))
    pillow(tmp_path / "rgb.png", np.dstack([BITS * np.uint8(255)] * 3))
    pillow(tmp_path / "bits.png", BITS)
    for name in ("grey", "rgb", "bits"):
        np.testing.assert_array_equal(mask(tmp_path / f"{name}.png", (0, 1), white), BITS)


def test_colours_without_a_table_are_told(tmp_path):
    data = np.zeros((4, 5, 3), np.uint8)
    data[0, :3], data[1, 0] = (255, 0, 0), (0, 255, 0)
    pillow(tmp_path / "a.png", data)
    with pytest.raises(RefoldError) as caught:
        mask(tmp_path / "a.png", (0, 1, 2))
    assert caught.value.check == "mask-colours"
    assert (
        "is a mask in 3 colours, not in label values: #000000 (16 pixels), #ff0000 (3 pixels), #00ff00 (1 pixel). "
        'Say in params.yaml which colour is which label: `dataset: {colours: {organ: "#rrggbb", lesion: "#rrggbb"}}`'
    ) in str(caught.value)
    with pytest.raises(RefoldError, match=r"colours that dataset\.colours does not name: #00ff00 \(1 pixel\)$"):
        mask(tmp_path / "a.png", (0, 1), (("#000000",), ("#ff0000",)))


def test_a_coloured_mask_after_jpeg_is_told(tmp_path):
    wide = np.kron(COLOURS[FEW], np.ones((8, 8, 1), np.uint8))
    packed = io.BytesIO()
    Pillow.fromarray(wide).save(packed, "JPEG")
    Pillow.open(packed).save(tmp_path / "a.png")
    with pytest.raises(RefoldError, match=r"and \d+ more; so many come from lossy compression \(JPEG\), smooth edges"):
        mask(tmp_path / "a.png", (0, 1, 2, 3), table())


def test_a_mask_of_several_channels_is_refused(tmp_path):
    tiff(tmp_path / "a.tif", FIVE[..., :2], 1, extra=[0])
    with pytest.raises(RefoldError, match="2 channels that differ: a mask needs one channel") as caught:
        mask(tmp_path / "a.tif", (0, 1))
    assert caught.value.check == "dimension"


# ---------------------------------------------------------------- what is written, and the description


def test_predictions_are_written_in_the_colours_of_the_table(tmp_path):
    description = Description(
        "a", "raw", 2, ("R", "G", "B"), (), Labels((0, 3, 7, 255), ("b", "x", "y", "z")), "case", colours=table()
    )
    values = np.array([0, 3, 7, 255], np.uint8)[FEW].T
    images.write_label(tmp_path / "a.png", values, np.eye(3), description.rule())
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "a.png")).T, values)  # the indices
    np.testing.assert_array_equal(np.array(Pillow.open(tmp_path / "a.png").convert("RGB")), COLOURS[FEW])
    np.testing.assert_array_equal(images.read(tmp_path / "a.png", True, description.rule()).data, values)
    first = (tmp_path / "a.png").read_bytes()
    images.write_label(tmp_path / "a.png", np.ascontiguousarray(values), np.eye(3), description.rule())
    assert (tmp_path / "a.png").read_bytes() == first
    large = Description("a", "raw", 2, (), (), Labels((0, 300), ("b", "x")), "case", colours=table()[:2])
    images.write_label(tmp_path / "b.png", values.astype(np.uint16) * 0 + 300, np.eye(3), large.rule())
    assert (images.read(tmp_path / "b.png", True, large.rule()).data == 300).all()


def test_the_rule_of_a_description():
    labels = Labels((0, 255), ("background", "x"))
    about = Description(
        "a", "raw", 2, ("R", "G", "B"), (), labels, "case", colours=(("#000000",), ("#ff0000",)), pixels="stored"
    )
    assert about.rule() == Rule(labels, 3, about.colours, "stored")
    assert about.rule(3).channels == 1 and about.rule(2).channels is None
    assert about.rule(values=(0, 1)).labels == Labels((0, 1), ("background", "x"))
