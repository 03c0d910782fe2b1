"""What the report says in words must be what was done."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from refold.core.language import plural
from refold.evaluate.metrics import METRICS
from refold.experiment.reading import validate
from refold.report import cells, figures, inputs, tables
from refold.report.export import Kept
from refold.report.prose import papers, split, train, writing
from refold.report.sections import cautions, comparison, dataset, finding, folds, parameters, words
from refold.settings.train import Loss

LOSSES = ["dice_loss", "generalised_dice", "focal", "tversky", "focal_tversky", "boundary", "cldice"]


@pytest.fixture(scope="module")
def experiment(volumes):
    return inputs.read(volumes.methods, volumes.folds, volumes.folders)


def changed(experiment, **sections):
    values = {
        "dataset": {"name": "toy", "source": "raw"},
        "methods": {"unet": {"kind": "unet"}, "otsu": {"kind": "threshold"}},
    }
    return replace(experiment, params=validate(values | sections))


def text(experiment) -> str:
    return " ".join(paragraph for _, paragraph in words.methods(experiment).paragraphs)


def test_references_are_numbered_as_mentioned(experiment):
    prose = words.methods(experiment)
    mentioned = [
        int(n) for _, p in prose.paragraphs for group in re.findall(r" \[([\d, ]+)\]", p) for n in group.split(", ")
    ]
    first = list(dict.fromkeys(mentioned))
    assert first == list(range(1, len(prose.references()) + 1))
    assert "\0" not in text(experiment)


@pytest.mark.parametrize(
    "sections, there, absent",
    [
        ({"train": {"optimizer": "sgd", "schedule": "polynomial"}}, "Nesterov momentum 0.99", "AdamW"),
        ({"train": {"optimizer": "muon"}}, "for all other weights, weight decay 0.0001", "AdamW, weight"),
        ({"train": {"loss": {"kind": "ce"}}}, "to minimise cross-entropy.", "Dice loss"),
        ({"train": {"loss": {"kind": "tversky"}}}, "weights 0.3 for false positives and 0.7", "cross-entropy"),
        ({"train": {"loss": {"kind": "tversky"}}}, "false negatives) (over the whole batch).", "cross-entropy"),
        ({"train": {"loss": {"kind": "boundary"}}}, "whose share rose from 0 to 0.5", "over the whole batch"),
        (
            {"train": {"loss": {"kind": "cldice", "cldice_weight": 0.3}}},
            "the shares 0.7 and 0.3 (soft skel",
            "cross-entropy",
        ),
        (
            {"train": {"loss": {"kind": "focal", "class_weights": [1, 2, 3]}}},
            "(gamma 2) with class weights 1, 2 and 3.",
            "Dice loss",
        ),
        ({"augment": {"channel_dropout": {"p": 0.1}}}, "channels set to 0, each by itself", "(p = 0)"),
        ({"train": {"epochs": 7, "validation_fraction": 0.0}}, "7 epochs", "inner validation"),
        (
            {"train": {"early_stopping": 3, "validate_every": 1}},
            "stopped early after 3 inner validations",
            "fixed beforehand",
        ),
        ({"train": {"averaging": 0}}, "AdamW", "moving average"),
        ({"train": {"warmup_epochs": 0}}, "started at 0.003", "rose over"),
        ({"predict": {"mirror_axes": ["x", "z"], "tile": "whole"}}, "mirror images along x and z", "tiles overlapped"),
        ({"augment": {"rotation": {"p": 0}}}, "scaling by 0.7 to 1.4 (p = 0.2)", "rotation"),
        (
            {"split": {"kind": "kfold", "seed": 12345}},
            "KFold of scikit-learn (shuffled, seed 12345)",
            "StratifiedGroupKFold",
        ),
        ({"evaluate": {"confidence": 0.9, "nsd_tolerance": 2.5}}, "90 % studentised bootstrap", "95 % studentised"),
        ({"evaluate": {"interval": "percentile"}}, "95 % percentile bootstrap", "studentised"),
        ({"evaluate": {"test": "permutation"}}, "a permutation test of their signs", "Wilcoxon"),
        ({"preprocess": {"crop_nonzero": False}}, "resampled to 1 x 1.2 x 2 mm", "cropped to the box"),
    ],
)
def test_methods_follow_the_parameters(experiment, sections, there, absent):
    said = text(changed(experiment, **sections))
    assert there in said
    assert absent not in said


@pytest.mark.parametrize("kind", Loss.model_fields["kind"].annotation.__args__)
def test_every_loss_has_words_a_source_and_its_parameters(experiment, kind):
    """Batch or case is no choice for cross-entropy, focal, boundary and generalised Dice loss."""
    sources = {
        "ce": [],
        "dice": ["dice_loss"],
        "ce_dice": ["dice_loss"],
        "focal": ["focal"],
        "focal_dice": ["focal", "dice_loss"],
        "tversky": ["tversky"],
        "focal_tversky": ["focal_tversky"],
        "generalised_dice": ["generalised_dice"],
        "boundary": ["generalised_dice", "boundary"],
        "cldice": ["dice_loss", "cldice"],
    }[kind]
    said = {}
    for batch in (True, False):
        loss = {"kind": kind, "batch_dice": batch, "focal_gamma": 1.25, "tversky_gamma": 1.75, "cldice_iterations": 7}
        prose = words.methods(changed(experiment, train={"loss": loss}))
        (said[batch],) = (text for title, text in prose.paragraphs if title == "Training")
        cited = {key: text for key, text in papers.REFERENCES.items() if key in prose.cited}
        assert [key for key in cited if key in LOSSES] == [key for key in LOSSES if key in sources]
        assert set(cited.values()) <= set(prose.references())
    by_choice = kind not in ("ce", "focal", "generalised_dice", "boundary")
    assert ("over the whole batch" in said[True]) == by_choice
    assert "over the whole batch" not in said[False]
    assert ("gamma 1.25" in said[True]) == (kind in ("focal", "focal_dice"))
    assert ("gamma 1.75" in said[True]) == (kind == "focal_tversky")
    assert ("in 7 steps" in said[True]) == (kind == "cldice")


def test_plan_and_size_come_from_the_card(experiment):
    assert "2 resolutions, a patch of 16 x 16 x 16 voxels (planned" in text(experiment)
    assert "12,345 parameters" in text(experiment)


@pytest.mark.parametrize(
    "folds, repeats, ran, expected",
    [
        (5, 1, 5, "5-fold cross-validation, split by patient"),
        (5, 1, 2, "folds 0 and 1 of 5-fold cross-validation, split by patient"),
        (3, 2, 6, "3-fold cross-validation repeated 2 times, split by patient"),
        (1, 1, 1, "one training and test split by patient"),
    ],
)
def test_evaluation_in_words(experiment, folds, repeats, ran, expected):
    splits = {
        **experiment.splits,
        "folds": [{"fold": i, "repeat": i // folds, "train": [], "test": []} for i in range(folds * repeats)],
    }
    assert split.evaluation(replace(experiment, splits=splits, folds=[str(i) for i in range(ran)])) == expected


def test_repeats_are_a_caution(experiment):
    doubled = [
        *experiment.splits["folds"],
        *({**f, "fold": f["fold"] + 3, "repeat": 1} for f in experiment.splits["folds"]),
    ]
    repeated = replace(experiment, splits={**experiment.splits, "folds": doubled}, folds=[str(i) for i in range(6)])
    assert any("drawn 2 times" in c.text for c in cautions.collect(repeated))
    # of the first repeat alone nothing is said twice, and no case was left untested
    once = replace(repeated, folds=["0", "1", "2"])
    assert not any("drawn 2 times" in c.text for c in cautions.collect(once))
    (few,) = [c for c in cautions.collect(once) if c.text.startswith("Only 3 folds of 6")]
    assert "never tested" not in few.text and not few.serious


def test_cases_that_were_never_tested_are_counted(experiment):
    (few,) = [c for c in cautions.collect(replace(experiment, folds=["0", "2"])) if c.text.startswith("Only 2 folds")]
    left = len(experiment.fold("1")["test"])
    assert f"(0 and 2): {left} of {len(experiment.cases)} cases were never tested" in few.text and few.serious
    assert not any("drawn 2 times" in c.text for c in cautions.collect(experiment))


def test_case_as_patient_is_a_serious_caution_told_once(experiment):
    description = replace(experiment.description, patients="case")
    checks = {
        "errors": [],
        "warnings": [{"check": "each-case-a-patient", "case": "", "file": "", "message": "its own patient"}],
    }
    found = cautions.collect(replace(experiment, description=description, checks=checks))
    told = [c for c in found if "its own patient" in c.text]
    assert len(told) == 1 and told[0].serious


def test_what_was_fitted(experiment):
    assert any("only" in t and "learning curves" in t for t in cautions.fitted(experiment))
    stopped = changed(experiment, train={"early_stopping": 2})
    assert any("decided when to stop" in t for t in cautions.fitted(stopped))


def test_networks_trained_in_several_ways_say_what_was_fitted_once(experiment):
    """Also with values that are lists: a network's own class weights once stopped the report."""
    ways = {
        "unet": {"kind": "unet", "train": {"loss": {"class_weights": [1, 2]}}},
        "otsu": {"kind": "unet", "train": {"seed": 2, "patch": [32, 32]}},
    }
    told = cautions.fitted(changed(experiment, methods=ways))
    assert sum("learning curves" in t for t in told) == 1


def test_many_warnings_of_one_check_are_one():
    entries = [{"check": "empty-label", "case": f"c{i}", "message": f"label of c{i} is empty"} for i in range(30)]
    (one,) = cautions._gathered("data", entries)
    assert one.text == "Empty label (30 times). The first: label of c0 is empty"
    assert len(one.cases) == 30 and one.named.endswith("and 18 more")


@pytest.mark.parametrize(
    "value, digits, expected",
    [(0.12345, 4, "0.1235"), (-0.00001, 4, "0.0000"), (-1.5, 2, "-1.50"), (math.nan, 4, "–"), (9.0, 0, "9")],
)
def test_numbers(value, digits, expected):
    assert cells.shown(value, digits) == expected


@pytest.mark.parametrize(
    "better, expected",
    [("a", "unet better"), ("b", "otsu better"), ("neither", "no clear difference"), ("", "not tested")],
)
def test_verdict(better, expected):
    assert comparison.verdict({"method_a": "unet", "method_b": "otsu", "better": better}) == expected


def test_small_p():
    assert cells.p_value(0.00009).text == "< 0.0001"
    assert cells.p_value(0.00012).text == "0.0001"
    assert cells.p_value(math.nan).text == "–"


def test_flat():
    value = {"a": {"b": 1, "c": [1, 2.5]}, "d": None, "e": [{"f": True}], "g": {}}
    assert parameters.flat(value) == [("a.b", "1"), ("a.c", "[1, 2.5]"), ("d", "null"), ("e.0.f", "true"), ("g", "{}")]


def test_units_of_volumes_and_pictures():
    """Bits are bits in a picture too."""
    units = {name: (tables.unit(name, 3), tables.unit(name, 2)) for name in METRICS}
    assert {n: u for n, u in units.items() if u != ("", "")} == {
        **dict.fromkeys(("hd95", "hd95_penalised", "assd"), ("mm", "px")),
        **dict.fromkeys(("volume", "volume_error"), ("ml", "px")),
        "entropy": ("bit", "bit"),
    }
    assert tables.unit("of_another_version", 3) == "" and tables.metric("of_another_version").digits == 4


def test_every_point_is_drawn_and_named(experiment):
    drawing = figures.strip(experiment, experiment.scored, "hd95", "HD95", "mm", 2, "x").inline()
    defined = sum(not math.isnan(s.value(part, "hd95")) for s in experiment.scored for part in experiment.parts)
    assert drawing.count("<title>") == defined == drawing.count('<a href="#case-')
    assert "(3 not defined)" in drawing


def test_figures_take_the_colours_of_the_page(experiment):
    drawing = figures.strip(experiment, experiment.scored, "dice", "Dice", "", 4, "x").inline()
    assert "var(--series-0)" in drawing and "var(--ink)" in drawing
    assert not re.search(r"(fill|stroke): ?#[0-9a-f]{6}", drawing)


def test_figures_for_papers_have_colours_of_their_own(experiment):
    scored = [s for s in experiment.scored if s.method == "unet"]
    row = next(r for r in experiment.agreement if r["method"] == "unet")
    drawing = figures.bland_altman(scored, row["label"], row, 0, "ml", 3, "x")
    svg = drawing.standalone()
    assert svg.startswith("<svg") and 'xmlns="http://www.w3.org/2000/svg"' in svg and "case:" not in svg
    assert figures.LIGHT[figures.SERIES[0]] in svg and not re.search("#0[1-4]0[0-3][0-9a-f]{2}", svg)
    assert f"<title>{drawing.alt.split(' by case')[0][:20]}" in svg
    ElementTree.fromstring(svg)
    pdf = drawing.pdf()
    assert pdf.startswith(b"%PDF") and b"CreationDate" not in pdf
    # the stand-ins are nearly black; nothing of the figure keeps them
    again = drawing._svg()
    assert not re.search("#0[1-4]0[0-3][0-9a-f]{2}", again)


def test_volumes_of_every_case_are_drawn(experiment):
    scored = [s for s in experiment.scored if s.method == "otsu"]
    row = next(r for r in experiment.agreement if r["method"] == "otsu")
    drawing = figures.bland_altman(scored, row["label"], row, 1, "ml", 3, "x").inline()
    assert drawing.count('<a href="#case-') == len(scored)


def test_losses_of_different_kinds_have_figures_of_their_own(experiment):
    """The training minimises the sum of two losses, the inner validation measures one of them."""
    kept = Kept()
    folds.drawings(experiment, kept)
    drawings = {d.name: d.figure.axes[0] for d in kept.drawings}
    assert {name: axes.get_title(loc="left") for name, axes in drawings.items()} == {
        "curve-0-loss": "Training: cross-entropy + soft Dice loss",
        "curve-0-validation-loss": "Inner validation: cross-entropy",
        "curve-0-dice": "Inner validation: Dice",
    }
    columns = ("loss", "validation_loss", "validation_dice")
    for column, axes in zip(columns, drawings.values(), strict=True):
        assert len(axes.lines) == len(experiment.folds)
        for fold, line in zip(experiment.folds, axes.lines, strict=True):
            known = [r for r in experiment.histories["unet", fold] if not math.isnan(r[column])]
            assert line.get_xdata().tolist() == [r["epoch"] for r in known]
            assert line.get_ydata().tolist() == [r[column] for r in known]


@pytest.mark.parametrize("kind", Loss.model_fields["kind"].annotation.__args__)
def test_every_loss_has_a_short_name(kind):
    assert 0 < len(f"Training: {train.loss(Loss(kind=kind))}") < 48
    assert train.loss(Loss(kind=kind, class_weights=[1, 2])) == f"{train.loss(Loss(kind=kind))}, weighted"


@pytest.mark.parametrize(
    "number, interval, said, serious",
    [
        (11, "studentised", "no interval of so few can be trusted", True),
        (11, "percentile", "no interval of so few can be trusted", True),
        (12, "studentised", "are too narrow where a few cases fail", False),
        (39, "studentised", "are too narrow where a few cases fail", False),
        (40, "studentised", None, None),
        (19, "percentile", "percentile intervals of so few are too narrow", True),
        (49, "percentile", "percentile intervals of so few are too narrow", True),
        (50, "percentile", None, None),
    ],
)
def test_few_patients_mean_what_the_simulation_says(number, interval, said, serious):
    """docs/reference/evaluate.md: of 12 to 40 patients, studentised intervals hold unless cases fail, others less."""
    found = cautions.few_patients(number, interval)
    assert found is None if said is None else (said in found.text and found.serious is serious)


def test_the_level_of_tests_follows_that_of_intervals(experiment):
    assert [writing.alpha(c) for c in (0.95, 0.9, 0.99, 0.8, 0.999)] == ["0.05", "0.1", "0.01", "0.2", "0.001"]
    told = text(changed(experiment, evaluate={"confidence": 0.9}))
    assert (
        "90 % studentised bootstrap intervals" in told
        and "where the corrected p was under 0.1 and the mean difference pointed the same way." in told
    )
    assert "two-sided" in told and "within each metric and label" in told


def test_how_intervals_were_worked_out_is_told_as_it_was(experiment):
    told = text(experiment)
    assert (
        "Of fewer than 8 patients they are Student's t intervals" in told and "Intervals of counts are Wilson's" in told
    )
    assert "Student's t" not in text(changed(experiment, evaluate={"interval": "percentile"}))


def ranked(experiment, *order: str):
    """The same experiment, its methods ranked in this order."""
    ranks = [r | {"rank": order.index(r["method"]) + 1} for r in experiment.ranks]
    return replace(experiment, ranks=ranks)


def test_methods_stand_in_the_order_of_their_ranks(experiment):
    """The mean Dice leaves out rightly empty cases, so that a method with false positives may have the higher one."""
    assert (
        finding.ranking(experiment)[0][0]
        == comparison.by_method(experiment, "cross-validation").rows[0].cells[0].text
        == "unet"
    )
    assert not any("order of their ranks" in c.text for c in cautions.collect(experiment))
    other = ranked(experiment, "otsu", "unet")
    assert finding.ranking(other)[0][0] == finding.finding(other)["method"] == "otsu"
    table = comparison.by_method(other, "cross-validation")
    assert table.rows[0].cells[0].text == "otsu" and "Dice minus otsu’s" in table.columns
    (caution,) = [c for c in cautions.collect(other) if "order of their ranks" in c.text]
    assert caution.text.endswith("the order is unet and otsu.")


def test_few_patients_are_told_by_evaluation(held_out):
    """Those of the folds do not make the held-out set larger."""
    e = inputs.read(held_out.methods, held_out.folds, held_out.folders)
    found = {c.where: c.text for c in cautions.collect(e) if "no interval of so few" in c.text}
    folds = {"evaluation, cross-validation": e.fold_numbers, "evaluation, holdout": ["holdout"]}
    patients = {
        w: plural(len({e.cases[c].patient for f in f_ for c in e.fold(f)["test"]}), "patient")
        for w, f_ in folds.items()
    }
    assert len(set(patients.values())) == 2
    assert found == {w: f"Only {n} tested: no interval of so few can be trusted." for w, n in patients.items()}


def test_one_official_split_is_no_cross_validation(experiment):
    one = replace(experiment, splits={**experiment.splits, "folds": experiment.splits["folds"][:1]}, folds=["0"])
    said = text(changed(one, split={"kind": "file", "file": "x.json", "folds": 1}))
    assert "Evaluation: one training and test split by patient." in said
    assert "Training and test cases were given by a file." in said and "Folds" not in said.replace(
        "Folds were drawn", ""
    )


def test_lesions_of_a_region_and_repeats_are_told(experiment):
    organ = experiment.labels[0]
    row = {"set": "cross-validation", "method": "unet", "size": "all", "ci_low": 0.8, "ci_high": 0.95, "share": 63 / 71}
    counts = [
        row | {"label": "tumour", "measure": "lesion_sensitivity", "count": 63.0, "of": 71.0},
        row | {"label": organ, "measure": "false_positive", "count": 5.0, "of": 7.0},
    ]
    evaluate = {"regions": {"tumour": list(experiment.labels)}, "lesions": ["tumour"]}
    e = replace(changed(experiment, evaluate=evaluate), counts=counts)
    assert finding.failed(e, "cross-validation", "unet") == (
        f"found 63 of 71 lesions labelled tumour (80 % to 95 %) and marked {organ} in 5 of 7 cases without it "
        "(80 % to 95 %)"
    )
    assert {t["title"]: t["value"] for t in finding.failure_tiles(e, "unet")} == {
        "Lesions found": "63 of 71", "False positives": "5 of 7",
    }  # fmt: skip
    doubled = [*e.splits["folds"], *({**f, "fold": f["fold"] + 3, "repeat": 1} for f in e.splits["folds"])]
    twice = replace(e, splits={**e.splits, "folds": doubled}, folds=[str(i) for i in range(6)])
    assert finding.failed(twice, "cross-validation", "unet") == (
        "found 63 of 71 lesions labelled tumour, each repeat counted (80 % to 95 %) and "
        f"marked {organ} in 5 of 7 predictions of cases without it (80 % to 95 %)"
    )
    assert finding.failure_tiles(twice, "unet")[0]["small"] == f"{organ}, 80 % to 95 %, in 2 repeats"


@pytest.mark.parametrize(
    ("voxel", "digits"),
    [
        (1.0, {"hd95": 2, "volume": 3, "dice": 4}),
        (0.15, {"hd95": 2, "assd": 2, "volume_error": 5}),
        (0.04, {"hd95_penalised": 3, "volume": 7}),
        (3.25e-5, {"hd95": 6, "ece": 4}),
        (5.0, {"hd95": 2, "volume": 3}),
    ],
)
def test_small_voxels_have_more_decimals(voxel, digits):
    assert {name: tables.decimals(name, voxel) for name in digits} == digits


def test_spacing_is_told_in_the_order_in_which_volumes_are_processed():
    assert dataset._canonical((3.0, 1.0, 2.0), "SLA") == (1.0, 2.0, 3.0)
    assert dataset._canonical((1.0, 1.2, 2.0), "LAS") == (1.0, 1.2, 2.0)
    assert dataset._canonical((5, 6), "XY") == (5, 6)


def test_an_interval_that_is_not_known_is_told_so(experiment):
    """As of one case: it once read 'not defined to not defined'."""
    unknown = [r | {"ci_low": math.nan, "ci_high": math.nan} for r in experiment.summary]
    assert finding.finding(replace(experiment, summary=unknown))["interval"] == "not known"
    assert re.fullmatch(r"0\.\d{4} to 0\.\d{4}", finding.finding(experiment)["interval"])
