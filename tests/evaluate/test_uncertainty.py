import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.evaluate.metrics import METRICS, REGISTRY, compute
from refold.evaluate.pair import pairs
from refold.evaluate.structures import Structure
from refold.evaluate.uncertainty import Histograms, entropies, expected_calibration_error, risk_coverage, selection
from refold.imaging import images
from tests.evaluate.conftest import AFFINE
from tests.evaluate.test_aggregate import aggregate, rows

PROBABILITY = [m for m in METRICS if REGISTRY[m].group == "probabilities"]


def some(shape=(14, 12, 10), seed=0):
    """Truth, prediction and 8-bit probabilities of two labels."""
    random = np.random.default_rng(seed)
    p = random.dirichlet([2, 0.5, 0.4], shape)
    q = np.rint(p[..., 1:] * 255).astype(np.uint8)
    q[(q % 51 == 0) & (q > 0) & (q < 255)] += (
        1  # no level on the border of two bins, which scikit-learn closes otherwise
    )
    truth = random.integers(0, 3, shape).astype(np.uint8)
    truth[:4] = 0
    return truth, p.argmax(-1).astype(np.uint8), q


def test_metrics_equal_scikit_learn():
    truth, prediction, q = some()
    for i, pair in enumerate(
        pairs(truth, prediction, [Structure("a", (1,)), Structure("b", (2,))], (1, 1, 1), 1.0, 0.5, q, 100.0)
    ):
        y, p = (truth == i + 1).ravel(), q[..., i].ravel() / 255
        got = compute(pair)
        assert got["brier"] == pytest.approx(brier_score_loss(y, p))
        share, mean = calibration_curve(y, p, n_bins=10)
        weights = np.histogram(p, np.linspace(0, 1, 11))[0]
        assert got["ece"] == pytest.approx(np.sum(np.abs(share - mean) * weights[weights > 0]) / len(p))
        here = p[q[..., i].ravel() >= 3]
        assert got["entropy"] == pytest.approx(np.mean(stats.entropy([here, 1 - here], base=2)))


def test_the_box_is_in_mm_about_the_truth():
    truth, q = np.zeros((12, 12, 12), np.uint8), np.zeros((12, 12, 12, 1), np.uint8)
    prediction = truth.copy()
    truth[5, 5, 5], prediction[5, 5, 6] = 1, 1
    (pair,) = pairs(truth, prediction, [Structure("a", (1,))], (1.0, 2.0, 4.0), 1.0, 0.5, q, 4.0)
    # 1 + 2 x 4 voxels, 1 + 2 x 2, 1 + 2 x 1
    assert pair.uncertainty.reliability()[0].sum() == 9 * 5 * 3
    assert compute(pair)["brier"] == pytest.approx(1 / 135)


def test_a_far_false_positive_makes_no_calibration_better():
    truth, q = np.zeros((40, 12, 12), np.uint8), np.zeros((40, 12, 12, 1), np.uint8)
    truth[4:8, 4:8, 4:8] = 1
    q[3:7, 4:8, 4:8] = 200  # unsure and shifted
    near = (q[..., 0] > 127).astype(np.uint8)
    far, more = near.copy(), q.copy()
    far[36:38, 5:7, 5:7], more[36:38, 5:7, 5:7] = 1, 255
    one, other = (
        compute(next(pairs(truth, p, [Structure("a", (1,))], (1, 1, 1), 1.0, 0.5, s, 2.0)))
        for p, s in ((near, q), (far, more))
    )
    # about the truth nothing is different; a box about both masks would have four times the easy background
    assert (one["ece"], one["brier"]) == (other["ece"], other["brier"])
    assert one["ece"] > 0.03 and one["brier"] > 0.03


def test_calibration_has_no_value_where_the_truth_is_empty():
    nothing, q = np.zeros((8, 8), np.uint8), np.full((8, 8, 1), 90, np.uint8)
    some = nothing.copy()
    some[2:4, 2:4] = 1
    (pair,) = pairs(nothing, some, [Structure("a", (1,))], (1, 1), 1.0, 0.5, q)
    got = compute(pair)
    assert math.isnan(got["ece"]) and math.isnan(got["brier"]) and got["entropy"] > 0
    assert pair.uncertainty.reliability().sum() == 0


def test_a_region_has_the_sum_of_its_labels():
    truth, prediction, q = some()
    (pair,) = pairs(truth, prediction, [Structure("both", (1, 2))], (1, 1, 1), 1.0, 0.5, q, 100.0)
    p = np.minimum(q.astype(int).sum(-1), 255) / 255
    assert compute(pair)["brier"] == pytest.approx(brier_score_loss(truth.ravel() > 0, p.ravel()))


def test_entropy_needs_no_truth_and_calibration_has_none_without_masks():
    nothing, q = np.zeros((4, 4), np.uint8), np.full((4, 4, 1), 51, np.uint8)
    (pair,) = pairs(nothing, nothing, [Structure("a", (1,))], (1, 1), 1.0, 0.5, q)
    got = {m: v for m, v in compute(pair).items() if m in PROBABILITY}
    assert got == pytest.approx({"ece": math.nan, "brier": math.nan, "entropy": 0.721928}, nan_ok=True, abs=1e-6)
    (pair,) = pairs(nothing, nothing, [Structure("a", (1,))], (1, 1), 1.0, 0.5, q * 0)
    assert compute(pair)["entropy"] == 0
    assert not set(PROBABILITY) & set(compute(next(pairs(nothing, nothing, [Structure("a", (1,))], (1, 1), 1.0))))


def test_entropies_by_hand():
    h = entropies()
    assert len(h) == 256 and h[0] == h[255] == 0
    assert h[51] == pytest.approx(-(0.2 * math.log2(0.2) + 0.8 * math.log2(0.8)))


def test_the_sum_of_cases_is_calibrated_where_truth_is_drawn_from_it():
    random = np.random.default_rng(2)
    total = 0
    for _ in range(40):
        q = random.integers(0, 256, (16, 16, 8)).astype(np.uint8)
        truth = random.random(q.shape) < q / 255
        total = total + Histograms.of(q, (slice(None),) * 3, truth).reliability()
    # about 8000 voxels a bin: standard error under 0.006
    assert expected_calibration_error(total) < 0.01
    assert total[0].sum() == 40 * 2048
    over = total.copy()
    over[1] = np.minimum(over[1] + 0.2 * 255 * over[0], 255 * over[0])
    assert expected_calibration_error(over) > 0.15


def test_risk_coverage_by_hand():
    doubt, risk = np.array([0.3, 0.1, 0.2, 0.4]), np.array([0.6, 0.1, 0.3, 1.0])
    assert risk_coverage(doubt, risk) == pytest.approx([0.1, 0.2, 1 / 3, 0.5])
    # all alike: chance at every coverage
    assert risk_coverage(np.zeros(4), risk) == pytest.approx([0.5] * 4)


def test_selection_by_hand():
    dice, entropy = np.array([0.9, 0.7, 0.4, np.nan]), np.array([0.1, 0.2, 0.3, 0.9])
    table = pd.DataFrame({("a", "dice"): dice, ("a", "entropy"): entropy, ("b", "dice"): dice})
    (row,) = selection("cross-validation", "unet", table)
    risk = [0.1, (0.1 + 0.3) / 2, (0.1 + 0.3 + 0.6) / 3]
    assert {k: row[k] for k in ("label", "n", "aurc", "aurc_best", "aurc_random", "gain", "spearman")} == pytest.approx(
        {
            "label": "a", "n": 3, "aurc": np.mean(risk), "aurc_best": np.mean(risk), "aurc_random": 1 / 3, "gain": 1,
            "spearman": 1,
        }
    )  # fmt: skip
    table["a", "entropy"] = 0.5
    (row,) = selection("cross-validation", "unet", table)
    assert row["gain"] == pytest.approx(0) and math.isnan(row["spearman"])


def kept(project, method, fold):
    """Probabilities beside the predictions of a fold: of the truth 0.9, but of what was predicted wrongly 0.6."""
    folder = project.root / f"results/predictions/{method}/fold-{fold}"
    about = seals.read(folder / "predictions.json")
    for case, entry in about["cases"].items():
        path = folder / f"probabilities/{case}.nii.gz"
        predicted = np.searchsorted([0, 2, 5], images.read(folder / f"{case}.nii.gz", label=True).data)
        sure = np.where(predicted == project.truth[case], 0.9, 0.6)
        with images.probability_writer(path, predicted.shape, 2, AFFINE) as write:
            for label in (1, 2):
                write(np.where(predicted == label, sure, (1 - sure) / 2))
        entry["probabilities"] = {"file": f"probabilities/{case}.nii.gz", "sha256": sha256_file(path)}
    seals.write(folder / "predictions.json", about)
    return folder


def test_tables_of_calibration_and_uncertainty(project):
    for fold, wrong in (("0", 0.2), ("1", 0.6)):
        for method in ("good", "bad"):
            project.predict(method, fold, wrong)
            if method == "good":
                kept(project, method, fold)
            project.evaluate(method, fold)
    aggregate("0", "1")
    assert {r["method"] for r in rows("calibration")} == {r["method"] for r in rows("uncertainty")} == {"good"}
    table = rows("calibration", label="organ")
    assert [r["bin"] for r in table] == [str(i) for i in range(10)]
    # within 5 mm lies the whole of such small images
    assert sum(int(r["n"]) for r in table) == 5 * 6 * 5 * 4
    top = table[9]
    assert float(top["probability"]) == pytest.approx(230 / 255, abs=1e-6) and top["frequency"] == "1.000000"
    assert table[8]["n"] == "0" and table[8]["frequency"] == "nan"
    (row,) = rows("uncertainty", label="mean")
    assert row["n"] == "5" and float(row["gain"]) > 0.5
    assert {r["metric"] for r in rows("summary", method="good", label="mean")} >= set(PROBABILITY)
    assert not {r["metric"] for r in rows("summary", method="bad")} & set(PROBABILITY)


@pytest.mark.parametrize("damage", ["missing", "other", "cut"])
def test_damaged_probabilities_are_refused(project, damage):
    project.predict("good", "0", 0.1)
    folder = kept(project, "good", "0")
    path = folder / "probabilities/c0.nii.gz"
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        path.write_bytes((folder / "probabilities/c1.nii.gz").read_bytes())
    else:
        path.write_bytes(path.read_bytes()[:-20])
        about = seals.read(folder / "predictions.json")
        about["cases"]["c0"]["probabilities"]["sha256"] = sha256_file(path)
        seals.write(folder / "predictions.json", about)
    message = {
        "missing": "c0.nii.gz is missing",
        "other": "is not what the predict phase wrote",
        "cut": "cannot be read",
    }
    with pytest.raises(RefoldError, match=message[damage]):
        project.evaluate("good", "0")
