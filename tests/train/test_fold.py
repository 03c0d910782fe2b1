import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.imaging import store
from refold.imaging.dataset import Description, Labels
from refold.train.fold import inner_validation, open_fold

PATIENTS = {f"p{i}_scan{s}": f"p{i}" for i in range(10) for s in (1, 2)}


def test_inner_validation_takes_whole_patients():
    held = inner_validation(sorted(PATIENTS), PATIENTS, 0.2, 1, 0)
    assert len(held) == 4 and len({PATIENTS[c] for c in held}) == 2
    assert held == inner_validation(sorted(PATIENTS), PATIENTS, 0.2, 1, 0)
    assert any(held != inner_validation(sorted(PATIENTS), PATIENTS, 0.2, 1, k) for k in range(1, 5))
    assert inner_validation(sorted(PATIENTS), PATIENTS, 0.0, 1, 0) == []


def test_inner_validation_of_everyone_is_refused():
    with pytest.raises(RefoldError, match="validation_fraction"):
        inner_validation(["p0_scan1"], PATIENTS, 0.5, 1, 0)


def _open(stored, tmp_path, number=0, normalisation="ct", **changed):
    splits = {
        "folds": [{"fold": 0, "train": ["case0", "case1", "case2"], "test": ["case3"]}],
        "patients": {f"case{i}": f"case{i}" for i in range(6)},
    }
    description = Description("t", "raw", 3, ("CT",), ("CT",), Labels((0, 1, 2), ("background", "a", "b")), "case")
    hashes = {f"case{i}": {"sha256": sha256_file(store.path(stored, f"case{i}"))} for i in range(6)}
    fingerprint = {"normalisation": [normalisation], "cases": {**hashes, **changed}}
    return open_fold("m", number, stored, splits, description, fingerprint, 0.4, 1, tmp_path / "c", "k")


def test_statistics_come_from_the_cases_that_teach_alone(stored, tmp_path):
    with _open(stored, tmp_path) as fold:
        assert len(fold.training) == 2 and len(fold.validation) == 1
        assert set(fold.training) | set(fold.validation) == {"case0", "case1", "case2"}
        pooled = np.concatenate([s.intensities for s in fold.training.values()])[:, 0]
        assert fold.statistics.mean[0] == pytest.approx(pooled.mean(), rel=1e-5)
        image = fold.image(fold.training[sorted(fold.training)[0]])
        assert image.max() <= (fold.statistics.p99_5[0] - fold.statistics.mean[0]) / fold.statistics.sd[0] + 1e-4
        counts = sum(np.bincount(s.label[...].ravel(), minlength=3) for s in fold.training.values())
        assert fold.priors() == pytest.approx((counts / counts.sum()).tolist())


def test_an_unknown_fold_is_named(stored, tmp_path):
    with pytest.raises(RefoldError, match="no fold 3"), _open(stored, tmp_path, 3):
        pass


def test_a_stored_case_that_was_changed_is_refused(stored, tmp_path):
    with (
        pytest.raises(RefoldError, match=r"case1\.h5 is not what its job wrote"),
        _open(stored, tmp_path, case1={"sha256": "0"}),
    ):
        pass


def _without(stored, case, label):
    """Store a case without one of its labels."""
    with store.open(stored, case) as old:
        image, labels, record, intensities = old.image[...], old.label[...], old.record, np.asarray(old.intensities)
        points = {i: old.foreground(i) for i in old.labels if i != label}
    labels[labels == label] = 0
    store.write(stored, case, image, labels, points, intensities, record)


def test_labels_that_no_teaching_case_shows(stored, tmp_path):
    with _open(stored, tmp_path) as fold:
        assert fold.unseen() == []
        taught, (held,) = list(fold.training), fold.validation
    for case in taught:
        _without(stored, case, 2)
    with _open(stored, tmp_path) as fold:
        assert fold.unseen() == [
            "no training case shows 'b': this fold could not learn it; the inner validation shows 'b', which teaches "
            "nothing"
        ]
    _without(stored, held, 2)
    with _open(stored, tmp_path) as fold:
        assert fold.unseen() == ["no training case shows 'b': this fold could not learn it"]
    _without(stored, taught[0], 1)
    with _open(stored, tmp_path) as fold:
        assert fold.unseen() == ["no training case shows 'b': this fold could not learn it"]
    _without(stored, taught[1], 1)
    with _open(stored, tmp_path) as fold:
        assert fold.unseen() == [
            "no training case shows any of 'a', 'b': this fold could not learn them; the inner validation shows 'a', "
            "which teaches nothing"
        ]
