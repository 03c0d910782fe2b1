import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.evaluate.__main__ import main
from refold.evaluate.pair import pairs
from refold.evaluate.structures import Structure, structures
from refold.imaging.dataset import Labels
from refold.settings.evaluate import Evaluate
from tests.evaluate.test_aggregate import aggregate, rows

LABELS = Labels((0, 1, 2, 4), ("background", "core", "oedema", "enhancing"))


def test_labels_then_regions():
    wanted = Evaluate(
        regions={"whole": ["oedema", "core", "enhancing"], "tumour_core": ["enhancing", "core"]},
        lesions=["whole", "core"],
    )
    assert structures(LABELS, wanted) == (
        Structure("core", (1,), True), Structure("oedema", (2,)), Structure("enhancing", (3,)),
        Structure("whole", (1, 2, 3), True),
        Structure("tumour_core", (1, 3)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"regions": {"core": ["oedema"]}}, r"evaluate\.regions\.core: the name is taken"),
        ({"regions": {"mean": ["oedema"]}}, r"evaluate\.regions\.mean: the name is taken"),
        ({"regions": {"all": ["tumor"]}}, r"evaluate\.regions\.all: no label 'tumor'; the data's labels are core, oed"),
        ({"regions": {"all": ["background"]}}, r"evaluate\.regions\.all: no label 'background'"),
        ({"lesions": ["lesion"]}, r"evaluate\.lesions: no label 'lesion'; the data's labels are core, oedema, enh"),
        ({"lesions": ["x"], "regions": {"all": ["core"]}}, r"enhancing and the regions all"),
    ],
)
def test_unknown_names_are_refused(values, message):
    with pytest.raises(RefoldError, match=message):
        structures(LABELS, Evaluate(**values))


def test_a_region_is_the_union_of_its_labels():
    random = np.random.default_rng(3)
    truth, prediction = random.integers(0, 4, (2, 9, 8, 7)).astype(np.uint8)
    truth[truth == 2] = 0  # a label that is absent from the truth
    found = list(
        pairs(truth, prediction, [Structure("a", (1, 2)), Structure("b", (2,)), Structure("c", (2, 3))], (1, 1, 1), 1.0)
    )
    for pair, members in zip(found, ((1, 2), (2,), (2, 3)), strict=True):
        t, p = np.isin(truth, members), np.isin(prediction, members)
        assert (pair.tp, pair.fp, pair.fn, pair.tn) == ((t & p).sum(), (p & ~t).sum(), (t & ~p).sum(), (~t & ~p).sum())


def test_regions_and_lesions_in_the_tables(project):
    project.stamp(regions={"whole": ["organ", "lesion"]}, lesions=["lesion"])
    swapped = project.truth["c2"].copy()
    swapped[project.truth["c2"] == 1], swapped[project.truth["c2"] == 2] = 2, 1
    nothing = np.zeros_like(swapped)
    for method, changed in (("good", {}), ("bad", {"c2": swapped, "c0": nothing})):
        for fold in ("0", "1"):
            project.predict(method, fold, 0.0, **changed)
            project.evaluate(method, fold)
    aggregate("0", "1")
    # organ and lesion exchanged: the whole is right, its parts are not
    dice = {r["label"]: float(r["value"]) for r in rows("cases", method="bad", case="c2", metric="dice")}
    assert dice == {"organ": 0, "lesion": 0, "whole": 1}
    (mean,) = rows("summary", method="bad", label="mean", metric="dice", fold="all")
    (whole,) = rows("summary", method="bad", label="whole", metric="dice", fold="all")
    assert (mean["mean"], whole["mean"]) == ("0.600000", "0.800000")
    # two labels of c0 are missed; the region is counted by itself
    assert (mean["n_missed"], whole["n_missed"]) == ("2", "1")
    assert {r["label"] for r in rows("cases", metric="lesion_f1")} == {"lesion"}
    (f1,) = rows("comparisons", label="lesion", metric="lesion_f1")
    assert float(f1["difference"]) > 0
    assert rows("comparisons", label="organ", metric="lesion_f1") == []
    assert {r["label"] for r in rows("ranks", metric="dice")} == {"organ", "lesion", "whole", "mean"}


def test_a_region_of_no_such_label_leaves_nothing(project):
    project.predict("good", "0", 0.0)
    project.stamp(regions={"all": ["liver"]})
    with pytest.raises(RefoldError, match=r"evaluate\.regions\.all: no label 'liver'"):
        main(["fold", "--method", "good", "--fold", "0"])
    assert not (project.root / "results/metrics").exists()
