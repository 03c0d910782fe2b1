"""The threshold baseline, on cases made by hand."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from refold.classical.threshold import ThresholdSegmenter, _best_assignment
from refold.core.errors import RefoldError


def levels(scale=1.0, seed=0):
    """Zero border, then three blocks of intensities about 1, 2 and 3 times ``scale``; the middle block is label 1."""
    image = np.zeros((12, 10, 8, 2), np.float32)
    label = np.zeros((12, 10, 8), np.uint8)
    noise = np.random.default_rng(seed).normal(0, 0.05, (3, 10, 8))
    for level in range(3):
        image[3 * level + 1 : 3 * level + 4, ..., 1] = scale * (level + 1 + noise)
    label[4:7] = 1
    image[..., 0] = 7
    return image, label


def test_finds_the_middle_class_whatever_the_scale():
    model = ThresholdSegmenter(classes=3, channel=1).learn([levels(1), levels(100, 1)], 2)
    assert model.assignment == [0, 1, 0]
    assert model.training_dice == pytest.approx(1)
    assert model.frequencies == [[1, 0], [0, 1], [1, 0]]
    image, label = levels(0.03, 2)
    probabilities = model.predict_proba(image)
    assert probabilities.shape == (12, 10, 8, 2) and probabilities.dtype == np.float32
    np.testing.assert_array_equal(probabilities.sum(axis=-1), 1)
    np.testing.assert_array_equal(probabilities.argmax(axis=-1), label)
    assert model.warnings == []


def test_works_on_pictures_and_in_the_order_of_a_generator():
    image, label = levels()
    flat = (pair for pair in [(image[:, :, 3], label[:, :, 3])])
    model = ThresholdSegmenter(3, 1).learn(flat, 2)
    np.testing.assert_array_equal(model.predict_proba(image[:, :, 5]).argmax(axis=-1), label[:, :, 5])


def test_a_rare_label_is_still_predicted():
    """Label frequencies would answer background: only a fifth of the brightest class is label 1."""
    image, _ = levels()
    label = np.zeros(image.shape[:3], np.uint8)
    label[7:10, :2] = 1
    model = ThresholdSegmenter(3, 1).learn([(image, label)], 2)
    assert model.assignment == [0, 0, 1]
    assert model.frequencies[2] == pytest.approx([0.8, 0.2])
    # truth 3 * 2 * 8 = 48 voxels, prediction 3 * 10 * 8 = 240, overlap 48
    assert model.training_dice == pytest.approx(2 * 48 / (48 + 240))


def test_zero_voxels_are_background_even_beside_the_darkest_class():
    image, label = levels()
    label[:] = 0
    label[1:4] = 1
    model = ThresholdSegmenter(3, 1).learn([(image, label)], 2)
    assert model.assignment == [1, 0, 0]
    assert not model.predict_proba(image).argmax(axis=-1)[image[..., 1] == 0].any()


def test_one_hot_voxel_does_not_spoil_the_thresholds():
    image, label = levels()
    model = ThresholdSegmenter(3, 1).learn([(image, label)], 2)
    image[9, 9, 7, 1] = 1e7
    wrong = model.predict_proba(image).argmax(axis=-1) != label
    assert wrong.sum() == 0


@pytest.mark.parametrize("content", [0.0, 5.0, "two values"])
def test_too_few_intensities_give_background_and_a_warning(content):
    model = ThresholdSegmenter(3, 1).learn([levels()], 2)
    image = np.zeros((6, 6, 6, 2), np.float32)
    image[..., 1] = 5 if content == "two values" else content
    if content == "two values":
        image[:3, ..., 1] = 9
    probabilities = model.predict_proba(image)
    np.testing.assert_array_equal(probabilities[..., 0], 1)
    np.testing.assert_array_equal(probabilities[..., 1], 0)
    assert len(model.warnings) == 1 and "fewer than 3" in model.warnings[0]


def test_training_leaves_out_constant_cases_and_says_so(tmp_path):
    constant = np.full((6, 6, 6, 2), 4, np.float32), np.zeros((6, 6, 6), np.uint8)
    model = ThresholdSegmenter(3, 1).learn([constant, levels()], 2)
    assert model.assignment == [0, 1, 0] and model.training_cases == 1
    assert len(model.warnings) == 1 and model.warnings[0].startswith("threshold method: training case 1: left out")
    model.save(tmp_path)
    again = ThresholdSegmenter(3, 1)
    again.load(tmp_path, {})
    assert again.warnings == []  # they stand in the card
    named = ThresholdSegmenter(3, 1).learn([constant, levels()], 2, ["anna", "berta"])
    assert named.warnings[0].startswith("threshold method: training case anna: left out")
    with pytest.raises(RefoldError, match="no training case"):
        ThresholdSegmenter(3, 1).learn([constant], 2)


def test_saved_and_loaded_model_is_the_same(tmp_path):
    model = ThresholdSegmenter(4, 1).learn([levels(), levels(5, 1)], 2)
    model.save(tmp_path / "fold-0")
    loaded = ThresholdSegmenter(3, 0)
    loaded.load(tmp_path / "fold-0", {})
    assert vars(loaded) == {k: v for k, v in vars(model).items() if k != "score"}  # that stands in the card
    image, _ = levels(2, 3)
    np.testing.assert_array_equal(loaded.predict_proba(image), model.predict_proba(image))
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again" / "model.json").read_bytes() == (tmp_path / "fold-0" / "model.json").read_bytes()


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"kind": "unet"}', '{"kind": "threshold", "classes": 3, "channel": 0, "labels": 2}']
)
def test_load_refuses_other_files(tmp_path, text):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(RefoldError, match="no threshold model"):
        ThresholdSegmenter(3, 0).load(tmp_path, {})


def test_load_refuses_an_assignment_out_of_range(tmp_path):
    path = tmp_path / "model.json"
    ThresholdSegmenter(3, 1).learn([levels()], 2).save(tmp_path)
    for wrong in ([0, 1], [0, 1, 2], [0, -1, 0], None):
        path.write_text(json.dumps({**json.loads(path.read_text()), "assignment": wrong}))
        with pytest.raises(RefoldError, match="no threshold model"):
            ThresholdSegmenter(3, 0).load(tmp_path, {})


def test_wrong_use_is_told_plainly(tmp_path):
    image, label = levels()
    with pytest.raises(RefoldError, match="channel 2 of an image with 2"):
        ThresholdSegmenter(3, 2).learn([(image, label)], 2)
    with pytest.raises(RefoldError, match="label index 2"):
        ThresholdSegmenter(3, 1).learn([(image, label)], 2).learn([(image, label + 1)], 2)
    with pytest.raises(RefoldError, match="differ in shape"):
        ThresholdSegmenter(3, 1).learn([(image, label[:-1])], 2)
    with pytest.raises(RefoldError, match="before fit"):
        ThresholdSegmenter(3, 1).predict_proba(image)
    with pytest.raises(RefoldError, match="before fit"):
        ThresholdSegmenter(3, 1).save(tmp_path)
    with pytest.raises(RefoldError, match="classes 1"):
        ThresholdSegmenter(1, 0)


def test_five_classes_find_five_levels():
    image = np.repeat(np.arange(1, 6, dtype=np.float32), 60)[:, None, None] + np.zeros((1, 4, 1), np.float32)
    label = np.repeat(np.array([0, 1, 2, 0, 3], np.uint8), 60)[:, None] + np.zeros((1, 4), np.uint8)
    model = ThresholdSegmenter(5, 0).learn([(image, label)], 4)
    assert model.assignment == [0, 1, 2, 0, 3] and model.training_dice == 1


def exhaustive(counts):
    """Over all assignments the best mean over foreground labels of the mean Dice over cases with label or prediction.

    With a class of background, if there is any; or without one, where voxels of value zero are the better background.
    """
    _, rows, labels = counts.shape
    best = {True: (-1.0, -1.0), False: (-1.0, -1.0)}
    for assignment in itertools.product(range(labels), repeat=rows - 1):
        means = []
        for label in range(labels):
            scores = []
            for table in counts:
                mine = [0] * (label == 0) + [1 + k for k, a in enumerate(assignment) if a == label]
                size = table[mine].sum() + table[:, label].sum()
                if size:
                    scores.append(2 * table[mine, label].sum() / size)
            means.append(np.mean(scores) if scores else 0.0)
        found = float(np.mean(means[1:])), float(np.mean(means))
        best[0 in assignment] = max(best[0 in assignment], found)
    background, zeros = counts[:, :, 0].any(), counts[:, 0].any()
    if best[False][0] > best[True][0] and (not background or (zeros and best[False][1] > best[True][1])):
        return best[False][0]
    return best[True][0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 4), st.integers(2, 4))
@example(8887, 3, 3, 3)  # two assignments are as good for the foreground, one of them better for the background
def test_assignment_is_the_best_of_all(seed, cases, classes, labels):
    random = np.random.default_rng(seed)
    counts = random.integers(0, 40, (cases, classes + 1, labels)) * random.integers(0, 2, (cases, classes + 1, labels))
    assignment, score = _best_assignment(counts)
    assert len(assignment) == classes
    assert score == pytest.approx(exhaustive(counts))


def spared(border=0):
    """A dark background of four intensities in five voxels, and two labels of a hundredth each in the brighter ones.

    Without the rule every class gets a label, because a spare one wins more than none.
    """
    rng = np.random.default_rng(3)
    image = rng.choice([1.0, 2.0, 3.0], (20, 20, 20), p=[0.6, 0.3, 0.1]) + rng.normal(0, 0.05, (20, 20, 20))
    label = np.zeros(image.shape, np.uint8)
    for value, level in ((1, 1), (2, 2), (3, 3)):
        where = np.flatnonzero(np.abs(image - level) < 0.5)
        label.ravel()[rng.choice(where, 80, replace=False)] = value
    image[:border] = 0
    label[:border] = 0
    return image[..., None].astype(np.float32), label


@pytest.mark.parametrize("border", [0, 4])
def test_the_whole_image_is_never_foreground(border):
    """A label for each class would have 0.03, 0.06 and 0.18; the one that wins least goes to the background."""
    cases = [spared(border)]
    model = ThresholdSegmenter(3, 0).learn(cases, 4)
    assert model.assignment == [0, 2, 3]
    image, label = cases[0]
    answer = model.predict_proba(image).argmax(-1)
    share = (answer == 0).mean()
    assert share > 0.5
    dice = [2 * ((answer == v) & (label == v)).sum() / ((answer == v).sum() + (label == v).sum()) for v in (1, 2, 3)]
    assert model.training_dice == pytest.approx(np.mean(dice)) and dice[0] == 0


def test_where_zeros_are_the_background_every_class_may_be_foreground():
    """A brain cut out, and its mask: nothing within it is background."""
    image, label = levels()
    label[:] = image[..., 1] > 0
    model = ThresholdSegmenter(3, 1).learn([(image, label)], 2)
    assert model.assignment == [1, 1, 1] and model.training_dice == 1
    # nor where no case has any background
    full = ThresholdSegmenter(2, 1).learn([(image[1:10], label[1:10])], 2)
    assert full.assignment == [1, 1]


def test_its_score_is_that_of_its_answers_on_the_training_cases():
    cases = [spared(), spared(4), levels()]
    cases[2] = (cases[2][0][..., 1:], cases[2][1])
    model = ThresholdSegmenter(3, 0).learn(cases, 4)
    sums = np.zeros(2)
    for image, label in cases:
        answer = model.predict_proba(image).argmax(-1)
        for i, answered in enumerate((answer, np.zeros_like(answer))):
            for v in range(4):
                size = (answered == v).sum() + (label == v).sum()
                sums[i] += (2 * ((answered == v) & (label == v)).sum() / size if size else 1.0) / 4
    assert (model.score.cases, model.score.where) == (3, "training cases")
    assert (model.score.total, model.score.nothing) == pytest.approx(sums)
