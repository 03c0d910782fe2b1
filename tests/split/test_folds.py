import csv
import pathlib
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.settings.split import Split
from refold.split import folds, planned

from .conftest import DESCRIPTION, make_cases

SHARED = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "data"


def test_kfold_equals_the_published_folds(description):
    path = SHARED / "nnunetv2_hippocampus_reference.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there: the published folds are needed")
    with open(path, newline="") as handle:
        published = {row["case"]: int(row["fold"]) for row in csv.DictReader(handle)}
    assert len(published) == 260
    cases = [
        c.__class__(**{**vars(c), "case": name, "patient": name})
        for c, name in zip(make_cases([1] * 260), published, strict=True)
    ]
    made = folds.make(cases, description, Split(kind="kfold", folds=5, seed=12345))
    assert {c: f["fold"] for f in made["folds"] for c in f["test"]} == published


def test_kfold_with_two_scans_of_a_patient_names_the_patient(description):
    with pytest.raises(RefoldError, match=r"same patient in training and test: 'p0\d\d'.*split.kind: grouped"):
        folds.make(make_cases([2] * 10), description, Split(kind="kfold", folds=5))


@settings(max_examples=40, deadline=None)
@given(
    scans=st.lists(st.integers(1, 3), min_size=6, max_size=30),
    k=st.integers(2, 5),
    repeats=st.integers(1, 3),
    held=st.sampled_from([0.0, 0.15]),
    seed=st.integers(0, 2**31),
)
def test_grouped_is_sound_for_any_patients(scans, k, repeats, held, seed):
    cases = make_cases(scans, lambda n: (1000, 50 * (n % 7), n % 3))
    split = Split(folds=k, repeats=repeats, test_fraction=held, seed=seed)
    made = folds.make(cases, DESCRIPTION, split)
    patient = made["patients"]
    assert [f["fold"] for f in made["folds"]] == list(range(k * repeats))
    held_patients = {patient[c] for c in made["holdout"]}
    assert len(held_patients) == (max(1, round(len(scans) * held)) if held else 0)
    tested = defaultdict(Counter)
    for f in made["folds"]:
        train, test = ({patient[c] for c in f[side]} for side in ("train", "test"))
        assert train and test and not train & test
        assert not held_patients & (train | test)
        assert len(f["train"]) + len(f["test"]) + len(made["holdout"]) == len(cases)
        tested[f["repeat"]].update(f["test"])
    for counts in tested.values():
        assert counts == Counter({c.case: 1 for c in cases if c.case not in set(made["holdout"])})
    assert made == folds.make(cases[::-1], DESCRIPTION, split)


def test_grouped_spreads_lesions_evenly(description):
    # 20 of 40 patients have a lesion: each of 5 folds must get 4
    made = folds.make(make_cases([1] * 40, lambda n: (1000, 100, 10 * (n % 2))), description, Split(folds=5))
    assert [sum(int(c[1:4]) % 2 for c in f["test"]) for f in made["folds"]] == [4] * 5
    assert sum(made["stratified_by"]["labels present and quantile of foreground volume"].values()) == 40


def test_holdout_is_stratified_and_the_same_for_every_repeat(description):
    cases = make_cases([1] * 40, lambda n: (1000, 100, 10 * (n % 2)))
    made = folds.make(cases, description, Split(folds=2, repeats=2, test_fraction=0.2))
    assert len(made["holdout"]) == 8
    assert sum(int(c[1:4]) % 2 for c in made["holdout"]) == 4
    assert made["folds"][0]["test"] != made["folds"][2]["test"]


def test_repeat_r_uses_seed_plus_r(description):
    cases = make_cases([1] * 12)
    repeated = folds.make(cases, description, Split(kind="kfold", folds=3, repeats=2, seed=7))
    second = folds.make(cases, description, Split(kind="kfold", folds=3, seed=8))
    assert [f["test"] for f in repeated["folds"][3:]] == [f["test"] for f in second["folds"]]


def test_more_folds_than_patients_is_refused(description):
    with pytest.raises(RefoldError, match=r"split\.folds: 5 is more than the 4 patients"):
        folds.make(make_cases([3] * 4), description, Split(folds=5))
    with pytest.raises(RefoldError, match=r"split\.test_fraction: 0\.5 of 8 patients leaves 4 for 5 folds"):
        folds.make(make_cases([1] * 8), description, Split(folds=5, test_fraction=0.5))


def test_cases_as_patients_are_said(description):
    alone = replace(description, patients="case")
    assert "each case counts as its own patient" in folds.make(make_cases([1] * 6), alone, Split(folds=2))["notes"][0]


FOUR = make_cases([2, 1, 1])  # p000_s0, p000_s1, p001_s0, p002_s0
GOOD = {
    "folds": [
        {"train": ["p001_s0"], "test": ["p000_s1", "p000_s0"]},
        {"train": ["p000_s0", "p000_s1"], "test": ["p001_s0"]},
    ],
    "holdout": ["p002_s0"],
}


def test_own_file(description, split_file):
    made = folds.make(FOUR, description, split_file(GOOD))
    assert made["folds"][0] == {"fold": 0, "repeat": 0, "train": ["p001_s0"], "test": ["p000_s0", "p000_s1"]}
    assert made["holdout"] == ["p002_s0"]


SECOND = GOOD["folds"][1]


def first(train, test):
    return {"folds": [{"train": train, "test": test}, SECOND]}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (first(["p001_s0", "p000_s1"], ["p000_s0"]), "same patient in training and test: 'p000'"),
        (first(["nobody"], ["p000_s0", "p000_s1"]), "has no case 'nobody'"),
        ({"holdout": []}, "leaves out 'p002_s0'"),
        (first(["p001_s0"], ["p000_s0", "p000_s0", "p000_s1"]), "listed more than once: 'p000_s0'"),
        (first(["p001_s0", "p002_s0"], ["p000_s0", "p000_s1"]), "held-out set: 'p002'"),
        (first(["p001_s0"], []), "no test case"),
        ({"folds": [SECOND]}, "mine.json has 1; set split.folds: 1"),
        ({"folds": []}, "has no fold"),
        ({"folds": [{"train": ["p001_s0"]}, SECOND]}, "fold 0 must have the keys train and test"),
        ({"folds": [{"test": ["p001_s0"], "val": ["p001_s0"]}, SECOND]}, "fold 0 must have the keys train and test"),
        ({"folds": [["p001_s0"], SECOND]}, "fold 0 must have the keys train and test"),
        (first(["p001_s"], ["p000_s0", "p000_s1"]), "did you mean 'p001_s0'?"),
        ({"folds": "all"}, '"folds":'),
        ({"holdout": "p002_s0"}, "a list of case ids"),
        ({"hold_out": []}, "unknown key 'hold_out'"),
    ],
)
def test_damaged_files_are_refused(description, split_file, changed, message):
    with pytest.raises(RefoldError) as caught:
        folds.make(FOUR, description, split_file({**GOOD, **changed}))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"folds": [{"train": ["p000_s0", "p000_s1"], "test": ["p002_s0", "p001_s0"]}]},
        {"train": ["p000_s1", "p000_s0"], "test": ["p001_s0", "p002_s0"]},
        {"test": ["p001_s0", "p002_s0"]},
        [{"train": ["p000_s0", "p000_s1"], "val": ["p001_s0", "p002_s0"]}],
    ],
)
def test_one_training_and_test_split(given, description, split_file):
    chosen = split_file(given, folds=1)
    made = folds.make(FOUR, description, chosen)
    assert made["folds"] == [{"fold": 0, "repeat": 0, "train": ["p000_s0", "p000_s1"], "test": ["p001_s0", "p002_s0"]}]
    (note,) = made["notes"]
    assert "2 cases of 2 patients are tested, 2 cases of 1 patients trained on alone" in note
    assert "never tested" not in note
    planned.check(chosen, 3)
    with pytest.raises(RefoldError, match=r"split\.folds: 5, but .*mine\.json has 1; set split\.folds: 1"):
        planned.check(chosen.model_copy(update={"folds": 5}), 3)


def test_one_split_beside_a_held_out_set(description, split_file):
    made = folds.make(FOUR, description, split_file({"test": ["p001_s0"], "holdout": ["p002_s0"]}, folds=1))
    assert made["folds"][0]["train"] == ["p000_s0", "p000_s1"]
    assert made["holdout"] == ["p002_s0"]


def test_the_rest_is_not_trained_on_where_it_holds_a_tested_patient(description, split_file):
    with pytest.raises(RefoldError, match="same patient in training and test: 'p000'"):
        folds.make(FOUR, description, split_file({"test": ["p000_s0"]}, folds=1))


def test_the_folds_of_a_file_are_known_again_however_they_are_written(description, split_file):
    made = folds.make(FOUR, description, split_file(GOOD))
    again = {key: GOOD[key] for key in sorted(GOOD, reverse=True)}
    again["folds"] = [{"test": f["test"][::-1], "train": f["train"][::-1]} for f in GOOD["folds"]]
    assert folds.make(FOUR, description, split_file(again))["given"] == made["given"]
    turned = folds.make(FOUR, description, split_file({**GOOD, "folds": GOOD["folds"][::-1]}))
    assert turned["given"] != made["given"]
    assert "given" not in folds.make(FOUR, description, Split(kind="kfold", folds=2))


def test_nnunet_s_own_splits(description, split_file):
    given = [
        {"train": ["p001_s0", "p002_s0"], "val": ["p000_s0", "p000_s1"]},
        {"train": ["p000_s0", "p000_s1"], "val": ["p001_s0", "p002_s0"]},
    ]
    made = folds.make(FOUR, description, split_file(given))
    assert [f["test"] for f in made["folds"]] == [["p000_s0", "p000_s1"], ["p001_s0", "p002_s0"]]
    assert made["notes"] == []


@pytest.mark.parametrize("text", ['{"folds": ' + "[" * 100000, "{", "\xff", '"folds"', "3", "null"])
def test_a_file_that_is_no_split(text, tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(RefoldError, match=r"mine\.json"):
        planned.read(str(path))


def test_a_split_file_that_is_missing(tmp_path):
    with pytest.raises(RefoldError, match=r"mine\.json is missing"):
        planned.read(str(tmp_path / "mine.json"))


def test_check_finds_a_case_tested_twice():
    splits = {
        "kind": "grouped",
        "holdout": [],
        "folds": [
            {"fold": 0, "repeat": 0, "train": ["p001_s0"], "test": ["p000_s0", "p000_s1"]},
            {"fold": 1, "repeat": 0, "train": ["p001_s0", "p002_s0"], "test": ["p000_s0", "p000_s1"]},
        ],
    }
    with pytest.raises(RefoldError, match="does not test each case exactly once"):
        folds.check(splits, FOUR)


def test_cases_left_out_may_stand_in_the_file(description, split_file):
    without = replace(description, excluded={"p002_s0": "blurred"})
    made = folds.make(FOUR[:3], without, split_file(GOOD))
    assert made["holdout"] == [] and "left out by dataset.exclude: 'p002_s0'" in made["notes"][0]
    assert planned.has_holdout(split_file(GOOD)) and not planned.has_holdout(split_file(GOOD), without.excluded)
    given = split_file({"train": ["p000_s0", "p000_s1"], "test": ["p001_s0", "p002_s0"]}, folds=1)
    made = folds.make(FOUR[:3], without, given)
    assert made["folds"][0]["test"] == ["p001_s0"]
    assert "1 cases that" in made["notes"][0] and "left out by dataset.exclude: 'p002_s0'" in made["notes"][0]


def rare(holders):
    """Six cases of six patients; the lesion is in those of these numbers."""
    return make_cases([1] * 6, lambda n: (1000, 100, 10 * (n in holders)))


def test_a_label_that_no_training_case_shows_is_told(description, split_file):
    given = {"train": ["p000_s0", "p001_s0", "p002_s0"], "test": ["p003_s0", "p004_s0", "p005_s0"]}
    told = lambda holders: [  # noqa: E731
        n for n in folds.make(rare(holders), description, split_file(given, folds=1))["notes"] if "no training" in n
    ]
    assert told({4, 5}) == [
        "no training case of fold 0 shows 'lesion', so no method can learn it there; 2 tested cases show it"
    ]
    assert told({1, 4}) == [] and told(set()) == []
    both = [
        {"train": [f"p00{i}_s0" for i in a], "test": [f"p00{i}_s0" for i in b]} for a, b in (("012", "34"), ("01", "2"))
    ]
    made = folds.make(rare({5}), description, split_file({"folds": both, "holdout": ["p005_s0"]}))
    assert made["notes"][-1] == "no training case of folds 0, 1 shows 'lesion', so no method can learn it there"


def test_several_labels_and_folds_are_told_as_several(description, split_file):
    """Five cases of no label, one of each and one of both; the number is that of each fold, of any of the labels."""
    shown = [(), (), (), (), (1,), (2,), (1, 2)]
    cases = make_cases([1] * 7, lambda n: (1000, *(9 * (i in shown[n]) for i in (1, 2))))
    given = [([0, 1], [2, 4]), ([0, 2], [5]), ([1, 2], [3, 5, 6]), ([2, 3], [1, 6, 4]), ([3], [0])]
    names = [{side: [f"p00{i}_s0" for i in ids] for side, ids in zip(("train", "test"), g, strict=True)} for g in given]
    notes = folds.make(cases, description, split_file({"folds": names}, folds=5))["notes"]
    any_ = "shows any of 'organ', 'lesion', so no method can learn them there"
    assert [n for n in notes if "no training" in n] == [
        f"no training case of folds 0, 1 {any_}; in each, 1 tested case shows one or more of them",
        f"no training case of folds 2, 3 {any_}; in each, 2 tested cases show one or more of them",
        f"no training case of fold 4 {any_}",
    ]


def test_one_patient_alone_with_a_label_leaves_one_fold_without(description):
    made = folds.make(rare({3}), description, Split(folds=3))
    (fold,) = [f["fold"] for f in made["folds"] if "p003_s0" in f["test"]]
    assert f"no training case of fold {fold} shows 'lesion'" in made["notes"][-1]
    assert made["notes"][-1].endswith("; 1 tested case shows it")
