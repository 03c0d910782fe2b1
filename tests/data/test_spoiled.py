"""Spoiled data sets: each refused with the right words, none leaves a half-written output."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from refold.core.errors import RefoldError

from .conftest import AFFINE, SHAPE, decathlon, label, nifti, nnunet, picture, pictures, pictures_by_number, volume

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
OUTPUTS = ("data/cases.csv", "data/dataset.json", "data/checks.json")
SPOILED = {}


def spoiled(check, *words, make=decathlon, **keys):
    """Register a function that spoils a good data set; the check that must refuse it, and the words it must say.

    Further checks may be named after a comma, when one fault shows in two ways.
    """

    def register(function):
        SPOILED[function.__name__] = (function, make, set(check.split(", ")), words, keys)
        return function

    return register


def shifted(by=(0, 0, 0), scale=(1, 1, 1)):
    affine = AFFINE.copy()
    affine[:3, :3] = affine[:3, :3] * scale
    affine[:3, 3] += by
    return affine


def entries(s, change):
    training = [dict(e) for e in s.values["training"]]
    change(training)
    s.save(training=training, numTraining=len(training))


# ---------------------------------------------------------------- pairs and files


@spoiled("missing-file", "patient002_a", "labelsTr/patient002_a.nii.gz", "the label does not exist")
def label_missing(s):
    s.label(2).unlink()


@spoiled("missing-file", "imagesTr/patient001_a.nii.gz", "the image does not exist")
def image_missing(s):
    s.image(1).unlink()


@spoiled("missing-file", "imagesTr/patient003_a.nii does")
def image_not_compressed_as_listed(s):
    s.image(3, ".nii").write_bytes(gzip.decompress(s.image(3).read_bytes()))
    s.image(3).unlink()


@spoiled("missing-file", "patient002_a_0001.nii.gz", make=nnunet)
def channel_file_missing(s):
    s.image(2, "_0001.nii.gz").unlink()


@spoiled("missing-file", "labelsTr/patient002_a.nii.gz", make=nnunet)
def nnunet_label_missing(s):
    s.label(2).unlink()


@spoiled("exclude", "no case 'patient02_a' (did you mean 'patient002_a'?)", exclude={"patient02_a": "blurred"})
def case_left_out_that_is_none(s):
    pass


@spoiled("missing-file", "imagesTr/patient002_a.nii.gz does", make=lambda folder: nnunet(folder, channels=1))
def nnunet_channel_number_missing(s):
    s.image(2, "_0000.nii.gz").rename(s.image(2))


@spoiled("channel-count", "patient001_a", "1 channel(s)", "names 3: R, G, B", make=pictures_by_number)
def nnunet_grey_picture_for_three_channels(s):
    picture(s.image(1, "_0000.png"), np.full((11, 20), 7, np.uint8) + np.eye(11, 20, dtype=np.uint8))


@spoiled("channel-count", "channel 2 is not among the 2 named", make=nnunet)
def channel_file_too_many(s):
    nifti(s.image(1, "_0002.nii.gz"), volume(99))


@spoiled("unreadable", "patient002_a", "truncated or damaged?")
def image_truncated(s):
    nifti(s.image(2), volume(2).astype(np.float64))
    whole = s.image(2).read_bytes()
    s.image(2).write_bytes(whole[:-20])


@spoiled("unreadable", "imagesTr/patient002_a.nii.gz", "damaged?")
def image_truncated_early(s):
    whole = s.image(2).read_bytes()
    s.image(2).write_bytes(whole[: len(whole) // 2])


@spoiled("unreadable", "truncated or damaged?")
def image_truncated_uncompressed(s):
    nifti(s.folder / "imagesTr/patient002_a.nii", volume(2))
    whole = s.image(2, ".nii").read_bytes()
    s.image(2, ".nii").write_bytes(whole[:-50])
    entries(s, lambda t: t[1].update(image="imagesTr/patient002_a.nii"))
    s.image(2).unlink()


@spoiled("unreadable", "0 bytes")
def label_empty_file(s):
    s.label(1).write_bytes(b"")


@spoiled("unreadable", "labelsTr/patient001_a.nii.gz", "cannot be read")
def label_is_html(s):
    s.label(1).write_text("<html>404 Not Found</html>")


@spoiled("unreadable", "cannot be read", make=pictures)
def png_truncated(s):
    whole = s.image(1, ".png").read_bytes()
    s.image(1, ".png").write_bytes(whole[: len(whole) // 2])


@spoiled("data-type", "not plain numbers")
def nifti_of_rgb_triples(s):
    rgb = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nifti(s.image(1), rgb)


@spoiled("data-type", "complex64")
def complex_image(s):
    nifti(s.image(1), volume(1).astype(np.complex64))


# ---------------------------------------------------------------- grids


@spoiled("shape", "[6, 7, 9]", "[6, 7, 8]", "labelsTr/patient001_a")
def label_of_another_shape(s):
    nifti(s.label(1), np.pad(label(1), ((0, 0), (0, 0), (0, 1))))


@spoiled("shape", "imagesTr/patient001_a_0001", "[5, 7, 8]", make=nnunet)
def channel_of_another_shape(s):
    nifti(s.image(1, "_0001.nii.gz"), volume(1)[:5])


@spoiled("spacing", "[1.0, 1.0, 2.2] mm", "[1.0, 1.0, 2.0] mm")
def label_of_another_spacing(s):
    nifti(s.label(2), label(2), shifted(scale=(1, 1, 1.1)))


@spoiled("origin", "[5.0, 0.0, 0.0] mm", "[0.0, 0.0, 0.0] mm")
def label_of_another_origin(s):
    nifti(s.label(2), label(2), shifted(by=(5, 0, 0)))


@spoiled("origin", "patient003_a_0001", make=nnunet)
def channel_of_another_origin(s):
    nifti(s.image(3, "_0001.nii.gz"), volume(4), shifted(by=(0, 0, 0.1)))


@spoiled("direction", "LAS", "RAS")
def label_flipped(s):
    nifti(s.label(2), label(2), shifted(scale=(-1, 1, 1)))


@spoiled("direction", "0.99985")
def label_turned_by_a_degree(s):
    turn = np.eye(4)
    angle = np.radians(1)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    nifti(s.label(2), label(2), turn @ AFFINE)


@spoiled("spacing-not-positive", "pixdim", "[1.0, 0.0, 2.0]")
def voxel_size_zero(s):
    patch_header(s.image(1), pixdim=[1, 1, 0, 2, 1, 1, 1, 1])


@spoiled("spacing-not-positive", "[1.0, -1.0, 2.0]")
def voxel_size_negative(s):
    patch_header(s.label(1), pixdim=[1, 1, -1, 2, 1, 1, 1, 1])


@spoiled("affine-not-finite", "NaN or infinite")
def affine_with_nan(s):
    patch_header(s.image(1), srow_x=[np.nan, 0, 0, 0])


@spoiled("spacing-not-positive", "voxel size in the affine")
def affine_with_a_zero_column(s):
    patch_header(s.image(1), srow_y=[0, 0, 0, 0])


@spoiled("affine-singular, spacing-contradicts", "lie in one plane")
def affine_in_one_plane(s):
    patch_header(s.image(1), srow_x=[1, 1, 0, 0], srow_y=[1, 1, 0, 0])


@spoiled("spacing-contradicts", "[1.0, 1.0, 1.0] mm in the sform", "[0.8, 0.8, 6.0] mm in pixdim", "patient001_a")
def sform_of_unit_voxels_without_a_qform(s):
    for path in (s.image(1), s.label(1)):
        header = {f"srow_{a}": np.eye(4)[i] for i, a in enumerate("xyz")}
        patch_header(path, sform_code=1, qform_code=0, pixdim=[1, 0.8, 0.8, 6, 1, 1, 1, 1], **header)


@spoiled("spacing-contradicts", "[1.0, 1.0, 1.0] mm in the sform", "[1.0, 1.0, 2.0] mm in pixdim", "labelsTr")
def sform_of_unit_voxels_beside_a_qform(s):
    for path in (s.image(1), s.label(1)):
        nifti(path, volume(1) if path == s.image(1) else label(1))
        patch_header(path, sform_code=2, srow_z=[0, 0, 1, 0])


@spoiled("units", "the header is in micrometres")
def header_in_micrometres(s):
    patch_header(s.image(1), xyzt_units=3)


@spoiled("units", "code of units is 5")
def header_of_unknown_units(s):
    patch_header(s.image(1), xyzt_units=5)


@spoiled("spacing", "[1.0, 1.0, 2.0] mm", "[1.0, 1.0, 2.003] mm")
def label_of_a_slightly_other_spacing(s):
    nifti(s.label(2), label(2), shifted(scale=(1, 1, 1.0015)))


@spoiled("spacing", "[0.5, 0.5, 0.5004]")
def spacing_that_adds_up_over_many_slices(s):
    affine = np.diag([0.5, 0.5, 0.5, 1])
    nifti(s.image(1), np.random.default_rng(1).integers(1, 99, (2, 2, 800)).astype(np.int16), affine)
    mask = np.zeros((2, 2, 800), np.uint8)
    mask[0, 0, 3] = 1
    nifti(s.label(1), mask, affine * [[1], [1], [1.0008], [1]])


@spoiled("shape", "[6, 7, 8], while imagesTr/patient001_a.nii.gz has [7, 8, 1]")
def flat_image_of_a_volume(s):
    image = nibabel.Nifti1Image(volume(1)[0], AFFINE)
    nibabel.save(image, s.image(1))


@spoiled("dimension", "has shape (8,)", "an image needs 2 or 3 axes")
def nifti_of_one_axis(s):
    image = nibabel.Nifti1Image(volume(1)[0, 0], AFFINE)
    nibabel.save(image, s.image(1))


@spoiled("dimension", "a label needs 2 or 3 axes")
def label_of_four_axes(s):
    nifti(s.label(1), np.stack([label(1)] * 2, axis=-1))


@spoiled("mask-colours", "#000000 (214 pixels), #ff0000 (6 pixels)", '{nucleus: "#rrggbb"}', make=pictures)
def mask_in_colours(s):
    in_colours(s, 1)


@spoiled("mask-colours", "dataset.colours does not name: #ff0000 (6", make=pictures, colours={"nucleus": "#00ff00"})
def mask_in_other_colours(s):
    in_colours(s, 1)


@spoiled(
    "colours",
    "names 'cell'; dataset.json declares",
    "'nucleus' has no colour",
    make=pictures,
    colours={"cell": "#ff0000"},
)
def colour_of_no_label(s):
    pass


@spoiled("colours", "for pictures; the labels of volumes are values", colours={"organ": "#ff0000", "lesion": [0, 9, 0]})
def colours_of_volumes(s):
    pass


@spoiled(
    "colours, label-undeclared",
    "the colour #ff0000 stands twice",
    colours={"organ": "#FF0000", "lesion": [255, 0, 0]},
    make=pictures,
)
def colour_of_two_labels(s):
    s.save(labels={"0": "background", "1": "organ", "2": "lesion"})


@spoiled(
    "colours", "grey 255 is the colour of label 1 and", colours={"organ": "#ffffff", "lesion": "#00ff00"}, make=pictures
)
def colour_that_is_another_value(s):
    s.save(labels={"0": "background", "1": "organ", "255": "lesion"})


@spoiled("white-is-zero", "patient002_a", "dataset.pixels: shown", make=lambda f: pictures(f, ".tif"))
def mask_white_is_zero(s):
    mask = np.zeros((12, 20), np.uint8)
    mask[2:5, 3:7] = 255
    tifffile.imwrite(s.label(2, ".tif"), mask, photometric="miniswhite")


@spoiled("lossy-label", "labelsTr/patient001_a.png", "compressed as JPEG", make=pictures)
def mask_is_a_jpeg(s):
    mask = np.zeros((11, 20), np.uint8)
    mask[2:5, 3:7] = 255
    Pillow.fromarray(mask).save(s.label(1, ".png"), format="JPEG")


@spoiled("lossy-label", "labelsTr/patient002_a.jpg is a JPEG", make=pictures)
def mask_named_jpeg(s):
    entries(s, lambda t: t[1].update(label="labelsTr/patient002_a.jpg"))


@spoiled("lossy-label, few-cases", "labelsTr/patient002_a.jpeg is a JPEG", make=nnunet)
def nnunet_of_jpegs(s):
    for i in (1, 2, 3):
        (s.folder / f"imagesTr/patient00{i}_a_0000.jpeg").write_bytes(b"")
    s.save(file_ending=".jpeg", numTraining=0)


@spoiled("colour-model", "patient001_a", "colour model CMYK", make=lambda f: pictures(f, ".tif"))
def picture_of_inks(s):
    Pillow.fromarray(np.random.default_rng(1).integers(0, 256, (11, 20, 4), np.uint8), "CMYK").save(s.image(1, ".tif"))


@spoiled("stack", "stack of 3 pages", make=lambda f: pictures(f, ".tif"))
def stack_of_pictures(s):
    tifffile.imwrite(s.image(1, ".tif"), np.zeros((3, 11, 20), np.uint8), photometric="minisblack")


def tagged(path, orientation, data):
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    Pillow.fromarray(data).save(path, exif=tags)


@spoiled(
    "orientation-tag", "the tag of its orientation is 1, that of imagesTr/patient001_a.png 3", "both", make=pictures
)
def picture_upside_down(s):
    tagged(s.image(1, ".png"), 3, np.random.default_rng(1).integers(0, 256, (11, 20, 3), np.uint8))


@spoiled("orientation-tag", "their shapes fit as they are stored", make=pictures)
def picture_turned_and_mask_on_its_pixels(s):
    tagged(s.image(1, ".png"), 6, np.random.default_rng(1).integers(0, 256, (11, 20, 3), np.uint8))


@spoiled("shape", "[20, 11], while imagesTr/patient001_a.png has [11, 20]", make=pictures, pixels="shown")
def picture_turned_as_is_said(s):
    picture_turned_and_mask_on_its_pixels(s)


def in_colours(s, number):
    mask = np.zeros((10 + number, 20, 3), np.uint8)
    mask[2:5, 3:5, 0] = 255
    picture(s.label(number, ".png"), mask)


@spoiled("dimension", "tensorImageSize is 2D", "a volume of shape [6, 7, 8]")
def dimension_contradicts(s):
    s.save(tensorImageSize="2D")


@spoiled("mixed-dimension", "beside pictures")
def pictures_among_volumes(s):
    extra = pictures(s.folder / "more").values["training"][:1]
    entries(s, lambda t: t.extend({k: "more/" + v for k, v in e.items()} for e in extra))
    picture(s.folder / "more/imagesTr/patient001_a.png", np.arange(220, dtype=np.uint8).reshape(11, 20))
    mask = np.zeros((11, 20), np.uint8)
    mask[2:4, 2:4] = 1
    picture(s.folder / "more/labelsTr/patient001_a.png", mask)
    (s.folder / "more/labelsTr/patient001_a.png").rename(s.folder / "more/labelsTr/patient009_b.png")
    entries(s, lambda t: t[-1].update(label="more/labelsTr/patient009_b.png"))


# ---------------------------------------------------------------- voxels


@spoiled("channel-count", "2 channel(s); dataset.json names 1: M0", "patient002_a")
def channels_differ_between_cases(s):
    nifti(s.image(2), volume(2, channels=2))


@spoiled(
    "channel-count", "the picture is in colour: 3 channel(s) (palette, 8 bits)", make=lambda f: pictures(f, ".tif", 1)
)
def palette_of_colours(s):
    data = Pillow.fromarray(np.random.default_rng(1).integers(0, 256, (11, 20, 3), np.uint8)).quantize(64)
    data.save(s.image(1, ".tif"))


@spoiled("channel-count", "1 channel(s) (grey, 8 bits); dataset.json names 3", make=pictures)
def one_grey_picture_among_rgb(s):
    picture(s.image(1, ".png"), np.random.default_rng(1).integers(0, 255, (11, 20)).astype(np.uint8))


@spoiled("image-not-finite", "2 of 336 voxels are NaN or infinite")
def image_with_nan_and_infinity(s):
    data = volume(1).astype(np.float32)
    data[0, 0, 0], data[1, 1, 1] = np.nan, np.inf
    nifti(s.image(1), data)


@spoiled("image-beyond-single", "3 voxels are beyond 1e+36", "patient002_a", "to 3e+300")
def image_beyond_single_precision(s):
    data = volume(2).astype(np.float64)
    data[0, 0, :3] = [1e39, -1e100, 3e300]
    nifti(s.image(2), data)


@spoiled("image-beyond-single", "patient002_a", "go from 1e-50")
def image_below_single_precision(s):
    data = volume(2) * 1e-50
    data[0, 0, 0] = 1e-50
    nifti(s.image(2), data)


@spoiled("constant-image", "every voxel is 1e+09")
def image_constant_in_single_precision(s):
    nifti(s.image(2), 1e9 + volume(2) % 5)


@spoiled("constant-image", "every voxel is 7")
def image_constant(s):
    nifti(s.image(2), np.full(SHAPE, 7, np.int16))


@spoiled("label-undeclared", "values that are not declared: 3", "declared are 0, 1, 2")
def label_value_undeclared(s):
    data = label(1)
    data[0, 0, :2] = 3
    nifti(s.label(1), data)


@spoiled("label-undeclared", "-1")
def label_value_negative(s):
    data = label(1).astype(np.int16)
    data[0, 0, 0] = -1
    nifti(s.label(1), data)


@spoiled("label-undeclared", "declared are 0, 255", make=pictures)
def mask_of_ones(s):
    mask = np.zeros((11, 20), np.uint8)
    mask[2:5, 3:9] = 1
    picture(s.label(1, ".png"), mask)


@spoiled("label-not-integer", "2 voxels are no whole numbers: 0.998000026, 1.00002003")
def label_nearly_interpolated(s):
    data = label(1).astype(np.float32)
    data[0, 0, 0], data[0, 0, 1] = 0.998, 1.00002
    nifti(s.label(1), data)


def noisy(s, change):
    mask = np.zeros((64, 80), np.uint8)
    mask[20:45, 13:60] = 255
    picture(s.image(1, ".png"), np.random.default_rng(1).integers(0, 256, (64, 80, 3), np.uint8))
    picture(s.label(1, ".png"), change(mask))


def through_jpeg(mask, quality):
    packed = io.BytesIO()
    Pillow.fromarray(mask).save(packed, "JPEG", quality=quality)
    return np.array(Pillow.open(packed))


@spoiled("label-noise", "between the declared 0, 255", "lossy compression (JPEG)", make=pictures)
def mask_through_jpeg(s):
    noisy(s, lambda mask: through_jpeg(mask, 75))


@spoiled("label-noise", "between the declared 0, 255", "lossy compression (JPEG)", make=pictures)
def mask_through_much_jpeg(s):
    noisy(s, lambda mask: through_jpeg(mask, 20))


@spoiled("label-noise", "lossy compression (JPEG)", make=pictures)
def mask_whose_background_jpeg_made_1(s):
    noisy(s, lambda mask: through_jpeg(mask, 40))


@spoiled("label-noise", "traces of lossy compression", make=lambda f: pictures(f, ".tif"))
def mask_through_lossy_webp(s):
    import tifffile

    mask = np.zeros((64, 80, 3), np.uint8)
    mask[20:45, 13:60] = 255
    how = {"photometric": "rgb", "compression": "webp", "compressionargs": {"lossless": False, "level": 40}}
    tifffile.imwrite(s.label(1, ".tif"), mask, **how)
    picture(s.image(1, ".tif"), np.random.default_rng(1).integers(0, 256, (64, 80, 3), np.uint8))


@spoiled("label-noise", "or of interpolation", make=pictures)
def mask_interpolated(s):
    noisy(s, lambda mask: np.array(Pillow.fromarray(mask[::3, ::3]).resize((80, 64), Pillow.Resampling.BICUBIC)))


@spoiled("label-undeclared", "values that are not declared: 10, 20, 30, 40, 50, 60", make=pictures)
def mask_with_a_number_each_object(s):
    def numbered(mask):
        for i in range(1, 8):
            mask[8 * i : 8 * i + 2, 8 * i : 8 * i + 2] = 10 * i
        return mask

    noisy(s, numbered)


@spoiled("label-undeclared", "1728 voxels have values that are not declared: 2, 3, 4, 6, 7, 8 and 21 more")
def most_organs_of_an_atlas_undeclared(s):
    """Thirty blocks of 4 x 4 x 4 voxels, all of values close to a declared one."""
    s.save(labels={"0": "background", "1": "a", "5": "b", "30": "c"})
    for i in (1, 2, 3):
        data = np.zeros((30, 25, 6), np.uint8)
        for v in range(1, 31) if i == 1 else (1, 5, 30):
            x, y = 5 * ((v - 1) // 5), 5 * ((v - 1) % 5)
            data[x : x + 4, y : y + 4, 1:5] = v
        nifti(s.label(i), data)
        nifti(s.image(i), np.random.default_rng(i).integers(1, 1000, data.shape).astype(np.int16))


@spoiled("label-not-integer", "1 voxels are no whole numbers: 0.5")
def label_interpolated(s):
    data = label(1).astype(np.float32)
    data[0, 0, 0] = 0.5
    nifti(s.label(1), data)


@spoiled("label-not-finite", "1 of 336 voxels are NaN")
def label_with_nan(s):
    data = label(1).astype(np.float32)
    data[0, 0, 0] = np.nan
    nifti(s.label(1), data)


@spoiled("image-is-label", "the same voxels as its label")
def image_is_label(s):
    nifti(s.image(1), label(1))


@spoiled("no-foreground", "no label of the 3 holds a foreground voxel")
def no_foreground_at_all(s):
    for i in (1, 2, 3):
        nifti(s.label(i), np.zeros(SHAPE, np.uint8))


@spoiled("duplicate-image", "patient003_a", "the same image as case patient001_a", "another label")
def image_under_two_names(s):
    # of another type, compressed otherwise: still the same voxels
    nifti(s.folder / "imagesTr/patient003_a.nii.gz", volume(1).astype(np.float32))
    nifti(s.label(3), label(2))


@spoiled("duplicate-image", "the same image as case patient001_a", "the same label", patient_pattern=r"^(patient\d+)")
def image_under_two_patients(s):
    s.image(2).write_bytes(s.image(1).read_bytes())
    s.label(2).write_bytes(s.label(1).read_bytes())


# ---------------------------------------------------------------- dataset.json


@spoiled("dataset-json", "dataset.json is missing")
def no_dataset_json(s):
    (s.folder / "dataset.json").unlink()


@spoiled("dataset-json", "is not valid JSON")
def dataset_json_cut(s):
    whole = (s.folder / "dataset.json").read_text()
    (s.folder / "dataset.json").write_text(whole[: len(whole) // 2])


@spoiled("dataset-json", "the key '1' stands twice")
def label_key_twice(s):
    whole = (s.folder / "dataset.json").read_text()
    (s.folder / "dataset.json").write_text(whole.replace('"1": "organ"', '"1": "organ", "1": "other"'))


@spoiled("few-cases, dataset-json", "is no list")
def training_is_no_list(s):
    s.save(training={"image": "a"}, numTraining=0)


@spoiled("few-cases", "1 usable case(s) are listed")
def one_case(s):
    entries(s, lambda t: t.__delitem__(slice(1, None)))


@spoiled("entry", "entry 2 of `training` has no label")
def entry_without_label(s):
    entries(s, lambda t: t[1].pop("label"))


@spoiled("entry", "entry 2 of `training` has no image")
def entry_without_image(s):
    entries(s, lambda t: t[1].pop("image"))


@spoiled("outside-path", "../secret.nii.gz leads out of the data set's folder")
def entry_outside(s):
    entries(s, lambda t: t[1].update(image="../secret.nii.gz"))


@spoiled("outside-path", "/etc/secret.nii.gz")
def entry_absolute(s):
    entries(s, lambda t: t[1].update(image="/etc/secret.nii.gz"))


@spoiled("format", "imagesTr/patient002_a.gipl has an unknown format")
def entry_of_unknown_format(s):
    entries(s, lambda t: t[1].update(image="imagesTr/patient002_a.gipl"))


@spoiled("format, few-cases", "`file_ending` is '.gipl'", make=nnunet)
def nnunet_of_unknown_format(s):
    s.save(file_ending=".gipl", numTraining=0)


@spoiled("duplicate-case", "the same case name as patient001_a")
def case_listed_twice(s):
    entries(s, lambda t: t.append(dict(t[0])))


@spoiled("duplicate-case", "the same case name as PATIENT001_A")
def case_names_differ_only_in_case(s):
    nifti(s.folder / "imagesTr/PATIENT001_A.nii.gz", volume(50))
    nifti(s.folder / "labelsTr/PATIENT001_A.nii.gz", label(50))
    upper = "PATIENT001_A.nii.gz"
    entries(s, lambda t: t.append({"image": f"imagesTr/{upper}", "label": f"labelsTr/{upper}"}))


@spoiled("case-name", "'patient 2;rm' is no safe name")
def case_name_unsafe(s):
    entries(s, lambda t: t[1].update(label="labelsTr/patient 2;rm.nii.gz"))


@spoiled("labels", "labels are not declared")
def labels_missing(s):
    del s.values["labels"]
    s.save()


@spoiled("labels", "no label has the value 0", "[1, 2]")
def labels_without_background(s):
    s.save(labels={"1": "organ", "2": "lesion"})


@spoiled("labels", "only the background is declared")
def labels_of_background_only(s):
    s.save(labels={"0": "background"})


@spoiled("labels", "two labels are named 'organ'")
def label_names_twice(s):
    s.save(labels={"0": "background", "1": "organ", "2": "organ"})


@spoiled("labels", "region of several values [1, 2]", make=nnunet)
def labels_as_regions(s):
    s.save(labels={"background": 0, "whole": [1, 2], "organ": 1, "lesion": 2})


@spoiled("labels", "the `ignore` label of nnU-Net is not supported", make=nnunet)
def labels_with_ignore(s):
    s.save(labels={"background": 0, "organ": 1, "lesion": 2, "ignore": 3})


@spoiled("labels", "which is no whole number", make=nnunet)
def label_value_no_number(s):
    s.save(labels={"background": 0, "organ": 1, "lesion": 2, "other": "three"})


@spoiled("channel-names", "`modality` does not name the channels")
def modality_missing(s):
    del s.values["modality"]
    s.save()


@spoiled("channel-names", "{'1': 'T1'}")
def modality_does_not_start_at_zero(s):
    s.save(modality={"1": "T1"})


# ---------------------------------------------------------------- patients


@spoiled("no-patient", "case patient003_a does not match dataset.patient_pattern", patient_pattern=r"^(patient00[12])")
def patient_does_not_match(s):
    pass


@spoiled("one-patient", "all 3 cases belong to patient pat", patient_pattern=r"^(pat)")
def one_patient(s):
    pass


@spoiled("no-patient", "case patient003_a does not stand in dataset.patient_table", patient_table="table.csv")
def patient_table_lacks_a_case(s):
    Path("table.csv").write_text("case,patient\npatient001_a,x\npatient002_a,y\n")


@spoiled("patient-table", "has the columns ['case', 'subject']", patient_table="table.csv")
def patient_table_lacks_a_column(s):
    Path("table.csv").write_text("case,subject\npatient001_a,x\n")


@spoiled("patient-table", "has two patients, x and z", patient_table="table.csv")
def patient_table_contradicts_itself(s):
    Path("table.csv").write_text("case,patient\npatient001_a,x\npatient002_a,y\npatient003_a,y\npatient001_a,z\n")


@spoiled("patient-table", "cannot be read", patient_table="table.csv")
def patient_table_missing(s):
    pass


# ---------------------------------------------------------------- the tests


def patch_header(path: Path, **fields) -> None:
    """Write header fields as they are, past nibabel's own checks."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    header = nibabel.Nifti1Header(bytes(raw[:348]), check=False)
    for key, value in fields.items():
        header[key] = value
    raw[:348] = header.binaryblock
    path.write_bytes(gzip.compress(bytes(raw)))


def left(project: Path) -> list[str]:
    """Everything in the project but what the test itself put there."""
    names = (str(p.relative_to(project)) for p in project.rglob("*") if p.is_file())
    own = ("table.csv", "results/.params/dataset.json", "results/.data/place.json")
    return sorted(n for n in names if n not in own)


def test_there_are_enough():
    checks = set().union(*(s[2] for s in SPOILED.values()))
    assert len(SPOILED) >= 60 and len(checks) >= 30


@pytest.mark.parametrize("name", SPOILED)
def test_refused(name, tmp_path, project, catalogue, capsys):
    spoil, make, checks, words, keys = SPOILED[name]
    source = make(tmp_path / "source")
    spoil(source)
    for stale in OUTPUTS:  # of an earlier run: must not be taken for this one's
        (project / stale).parent.mkdir(exist_ok=True)
        (project / stale).write_text("stale")
    with pytest.raises(RefoldError) as caught:
        catalogue(source.folder, **keys)
    written = json.loads((project / "logs/data/checks.json").read_text())
    assert {e["check"] for e in written["errors"]} == checks
    said = " ".join(f"{e['check']} {e['case']} {e['file']} {e['message']}" for e in written["errors"])
    assert all(w in said for w in words), said
    assert all(e["action"] for e in written["errors"])
    table = capsys.readouterr().err
    for check in checks:
        assert check in table or check in str(caught.value) or "dataset.json" in str(caught.value)
    assert left(project) == ["logs/data/checks.json"]


@pytest.mark.parametrize("name", ["label_missing", "no_dataset_json"])
def test_refused_by_the_command(name, tmp_path, project, stamp):
    spoil, make, _, _, keys = SPOILED[name]
    source = make(tmp_path / "source")
    spoil(source)
    stamp(source.folder, **keys)
    command = [sys.executable, "-m", "refold.data", "catalogue", "--processes", "2"]
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    if name == "label_missing":
        heads = next(line for line in done.stderr.splitlines() if line.startswith("check "))
        assert all(h in heads for h in ("case", "file", "what is wrong", "what to do"))
        row = next(line for line in done.stderr.splitlines() if line.startswith("missing-file"))
        assert "patient002_a" in row and "labelsTr/patient002_a.nii.gz" in row and "the label does not exist" in row
    assert left(project) == ["logs/data/checks.json"]


def test_all_problems_at_once(tmp_path, project, catalogue, capsys):
    source = decathlon(tmp_path / "source")
    label_missing(source)
    image_with_nan_and_infinity(source)
    source.image(3).write_bytes(b"")
    entries(source, lambda t: t.append({"image": "imagesTr/x.nii.gz"}))
    with pytest.raises(RefoldError, match=r"4 errors in 4 cases of 3"):
        catalogue(source.folder)
    table = capsys.readouterr().err
    assert all(c in table for c in ("missing-file", "image-not-finite", "unreadable", "entry"))


def test_the_outcome_does_not_depend_on_processes(tmp_path, project, catalogue):
    source = decathlon(tmp_path / "source", count=6)
    label_value_undeclared(source)
    image_constant(source)
    written = []
    for processes in ("1", "3"):
        with pytest.raises(RefoldError):
            catalogue(source.folder, "--processes", processes)
        written.append((project / "logs/data/checks.json").read_bytes())
    assert written[0] == written[1]
