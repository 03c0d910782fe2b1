"""The page as a reader's program sees it: whole, closed to the network, escaped, and equal to the tables."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import nibabel
import pytest

from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import number, read_csv, read_json, sha256_file, sha256_json, write_csv
from refold.imaging.images import read as read_image
from refold.imaging.place import Place
from refold.report import inputs, page
from refold.report.sections import comparison

VOID = {"meta", "br", "hr", "img", "input", "link", "image", "use", "path", "rect", "circle"}
ROOT = Path(__file__).resolve().parents[2]


class Reader(HTMLParser):
    """Collects what the tests ask for, and fails on tags that do not match."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.tables: list[list[list[str]]] = []
        self.anchors: list[str] = []
        self.words: list[str] = []
        self._cell: list[str] | None = None
        self._small = 0

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if len(found) < len(attrs):
            raise AssertionError(f"<{tag}> has an attribute twice: {attrs}")
        if "id" in found:
            self.ids.append(found["id"])
        if (link := found.get("href", "")).startswith("#"):
            self.links.append(link[1:])
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
            self.anchors.append(found.get("id", ""))
        if tag in ("td", "th"):
            self._cell = []
        if tag == "small":
            self._small += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1:]}> at {self.getpos()}"
        self.open.pop()
        if tag in ("td", "th"):
            self.tables[-1][-1].append("".join(self._cell).strip())
            self._cell = None
        if tag == "small":
            self._small -= 1

    def handle_data(self, data):
        if self._cell is not None and not self._small:
            self._cell.append(data)
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def table(self, *columns: str) -> list[dict[str, str]]:
        """The first table with these columns, rows as dictionaries."""
        for rows in self.tables:
            if rows and set(columns) <= set(rows[0]):
                return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
        raise AssertionError(f"no table has the columns {columns}")


def render(made) -> str:
    return page.render(inputs.read(made.methods, made.folds, made.folders)).html


def parse(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == [], f"never closed: {reader.open}"
    return reader


@pytest.fixture(scope="module", params=["volumes", "pictures", "held_out"])
def made(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def texts():
    return {}


@pytest.fixture
def text(made, texts):
    if made.root not in texts:
        texts[made.root] = render(made)
    return texts[made.root]


@pytest.fixture
def reader(text):
    return parse(text)


@pytest.fixture
def copy(volumes, tmp_path):
    """A copy of the 3-D experiment that a test may spoil."""
    shutil.copytree(volumes.root, tmp_path / "x")
    copied = type(volumes)(tmp_path / "x", dict.fromkeys(volumes.methods), volumes.folds)
    return copied


def test_anchors_lead_somewhere(reader):
    assert len(set(reader.ids)) == len(reader.ids), "an id stands twice"
    assert reader.links
    assert set(reader.links) <= set(reader.ids)


def test_pictures_have_words(reader):
    for tag, attrs in reader.tags:
        if tag == "img":
            assert attrs.get("alt")
        if tag == "svg":
            assert attrs.get("role") in ("img", "group") and attrs.get("aria-label"), attrs
        if tag == "input":
            assert attrs["type"] in ("checkbox", "search", "range")


def test_headings_descend_by_one(reader):
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_opens_offline(text, reader):
    for tag, attrs in reader.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for key in ("src", "href", "xlink:href", "srcset", "action", "poster"):
            assert attrs.get(key, "#").startswith(("#", "data:image/png;base64,")), (tag, attrs)
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text and "http:" not in text and "https:" not in text
    assert "fetch(" not in text and "XMLHttpRequest" not in text


def test_no_place_of_this_machine(text, made):
    assert str(made.root) not in text
    assert str(Path.home()) not in text
    assert "given in params.yaml" in text  # dataset.source


def test_small(text):
    assert len(text) < 1_500_000


def test_same_bytes(volumes, tmp_path):
    found = []
    for i, seed in enumerate(("0", "12345")):
        out = tmp_path / f"{i}.html"
        command = [sys.executable, "-m", "refold.report", *volumes.arguments()[:-1], str(out)]
        environment = {
            "PYTHONPATH": str(ROOT / "workflow"),
            "PYTHONHASHSEED": seed,
            "PATH": "",
            "HOME": str(tmp_path),
            "SOURCE_DATE_EPOCH": str(10**9 * i),
        }
        subprocess.run(command, check=True, env=environment, cwd=tmp_path, capture_output=True)
        found.append(out.read_bytes())
    assert found[0] == found[1]
    assert found[0].decode() == render(volumes)


def test_names_are_escaped(volumes, texts):
    text = texts.get(volumes.root) or render(volumes)
    assert "<script>alert" not in text
    assert text.count("<script>") == 1  # the report's own
    assert "organ <i>" not in text and "Toy <b>" not in text and "<fell>" not in text
    reader = parse(text)
    assert "scan_<script>alert(1)<!--" in reader.text
    assert "scan_é海" in reader.text
    assert "Toy <b>&</b> ünïcode 海马" in reader.text
    assert "otsu <fell> back" in reader.text


# ---------------------------------------------------------------- numbers


def shown(value: str, digits: int) -> str:
    return "–" if math.isnan(float(value)) else f"{float(value):.{digits}f}"


def test_every_case_equals_the_csv(made, reader):
    labels = read_json(made.folders.data / "dataset.json")["labels"][1:]
    unit = "mm" if len(labels) > 1 else "px"
    values = {
        (r["case"], r["method"], r["fold"], r["label"], r["metric"]): r["value"]
        for r in read_csv(made.folders.results / "metrics/cases.csv")
    }
    rows = reader.table("Case", "Method", "Fold", f"Dice {labels[0]['name']}")
    assert len(rows) == len({key[:3] for key in values})
    for row in rows:
        key = (row["Case"], row["Method"], row["Fold"].replace("held out", "holdout"))
        for label in (x["name"] for x in labels):
            assert row[f"Dice {label}"] == shown(values[*key, label, "dice"], 4)
            assert row[f"HD95 {label} ({unit})"] == shown(values[*key, label, "hd95"], 2)
        known = [v for x in labels if not math.isnan(v := float(values[*key, x["name"], "dice"]))]
        if len(labels) > 1:
            assert row["Mean Dice"] == shown(str(sum(known) / len(known)) if known else "nan", 4)
    worst = [row.get("Mean Dice") or row[f"Dice {labels[0]['name']}"] for row in rows]
    defined = [float(w) for w in worst if w != "–"]
    assert defined == sorted(defined)
    assert worst[len(defined) :] == ["–"] * (len(worst) - len(defined))


TITLES = {
    "dice": ("Dice", 4),
    "nsd": ("NSD", 4),
    "hd95": ("HD95", 2),
    "assd": ("ASSD", 2),
    "hd95_penalised": ("HD95, penalised", 2),
    "iou": ("IoU", 4),
    "f1": ("F1", 4),
    "precision": ("Precision", 4),
    "recall": ("Recall", 4),
    "volume": ("Predicted volume", 3),
    "volume_error": ("Volume error", 3),
    "lesion_sensitivity": ("Lesion sensitivity", 4),
    "lesion_precision": ("Lesion precision", 4),
    "lesion_f1": ("Lesion F1", 4),
    "lesions_missed": ("Lesions missed", 2),
    "lesions_false_positive": ("False positive lesions", 2),
    "panoptic_quality": ("Panoptic quality", 4),
    "ece": ("Calibration error", 4),
    "brier": ("Brier score", 4),
    "entropy": ("Entropy", 4),
}


def test_tables_equal_the_summary(made, reader):
    summary = [r for r in read_csv(made.folders.results / "metrics/summary.csv") if r["fold"] == "all"]
    # a mean over the volumes of different labels, or over the one label with lesions, says nothing
    empty = ("volume", "volume_error", "lesion", "panoptic")
    summary = [r for r in summary if r["label"] != "mean" or not r["metric"].startswith(empty)]
    assert len(made.folds) < 3 or {"volume", "lesion_f1"} <= {r["metric"] for r in summary}
    titled = {title: name for name, (title, _) in TITLES.items()}
    rows = {
        (r["Evaluation"], titled[r["Metric"].split(" (")[0]], r["Method"], r["Label"]): r
        for r in reader.table("Evaluation", "Metric", "SD")
    }
    assert len(rows) == len(summary)
    for r in summary:
        label = "mean of labels" if r["label"] == "mean" else r["label"]
        row, digits = rows[r["set"], r["metric"], r["method"], label], TITLES[r["metric"]][1]
        for column, key in (
            ("Mean", "mean"),
            ("CI low", "ci_low"),
            ("CI high", "ci_high"),
            ("SD", "sd"),
            ("Median", "median"),
            ("Min", "min"),
            ("Max", "max"),
        ):
            assert float(row[column].replace("–", "nan")) == pytest.approx(
                round(float(r[key]), digits), abs=1e-9, nan_ok=True
            )
        assert (row["n"], row["Not defined"]) == (r["n"], r["n_nan"])


def test_folds_equal_the_summary(made, reader):
    names = {x["name"] for x in read_json(made.folders.data / "dataset.json")["labels"][1:]}
    rows = {(r["Method"], r["Label"]): r for r in reader.table("Method", "Label", "All folds")}
    for r in read_csv(made.folders.results / "metrics/summary.csv"):
        if r["metric"] != "dice" or (r["label"] == "mean" and len(names) == 1):
            continue
        column = {"all": "All folds"}.get(r["fold"], f"Fold {r['fold']}") if r["set"] != "holdout" else "Held out"
        label = "mean of labels" if r["label"] == "mean" else r["label"]
        assert rows[r["method"], label][column] == shown(r["mean"], 4)


def of_counts(made, **wanted) -> list[dict[str, str]]:
    rows = read_csv(made.folders.results / "metrics/counts.csv")
    return [r for r in rows if all(r[k] == v for k, v in wanted.items())]


def test_failures_stand_beside_how_many_could_fail(volumes, texts):
    """A label can be missed where it is, and falsely found where it is not: never of all predictions."""
    reader = parse(texts.get(volumes.root) or render(volumes))
    rows = {(r["Method"], r["Label"]): r for r in reader.table("Missed", "False positives")}
    for measure, column in (("missed", "Missed"), ("false_positive", "False positives")):
        for r in of_counts(volumes, measure=measure):
            assert rows[r["method"], r["label"]][column] == (f"{r['count']} of {r['of']}" if int(r["of"]) else "–")
    # of nine cases two have no läsion; one of those that have it was missed
    assert rows["otsu", "läsion"]["False positives"] == "1 of 2" and rows["unet", "läsion"]["Missed"] == "1 of 7"
    assert rows["unet", "organ <i>"]["False positives"] == "–"


def test_the_top_of_the_page_tells_failures_and_lesions(volumes, texts):
    text = (texts.get(volumes.root) or render(volumes)).replace("&nbsp;", " ")
    tiles = re.findall(r'<div><dt>(.*?)</dt><dd class="value">(.*?)</dd><dd><small>(.*?)</small></dd></div>', text)
    known = {title: (value, small) for title, value, small in tiles}
    # two labels can be missed, one can be falsely found; shares and ends as in counts.csv
    assert known["Labels missed"] == ("1 of 16", "over 2 labels")
    assert known["False positives"] == ("0 of 2", "läsion, 0 % to 50 %")
    assert known["Lesions found"] == ("17 of 20", "läsion, 42 % to 92 %")
    row = next(
        r
        for r in read_csv(volumes.folders.results / "metrics/summary.csv")
        if (r["method"], r["fold"], r["label"], r["metric"]) == ("unet", "all", "mean", "hd95_penalised")
    )
    # the plain HD95 leaves out what was missed
    assert known["HD95, penalised (mm)"][0] == shown(row["mean"], 2) and "HD95 (mm)" not in known
    assert (
        "It found 17 of 20 lesions (42 % to 92 %), marked läsion in 0 of 2 cases without it (0 % to 50 %) and missed "
        "läsion in 1 of 7 cases that have it (7 % to 57 %)."
    ) in parse(text).text


def test_distances_have_their_own_n(volumes):
    """Where a mask is empty there is a Dice of 0 and no distance."""
    e = inputs.read(volumes.methods, volumes.folds, volumes.folders)
    differ = set()
    for row in comparison.by_method(e, "cross-validation").rows:
        method, label, n, *cells = row.cells
        label = "mean" if label.text == "mean of labels" else label.text
        small = {c: cell.small for c, cell in zip(("dice", "gap", "nsd", "hd95"), cells, strict=False)}
        counts = {m: int(e.row("cross-validation", method.text, label, m)["n"]) for m in ("dice", "nsd", "hd95")}
        assert int(n.text) == counts["dice"] and "n " not in small["dice"]
        for metric in ("nsd", "hd95"):
            own = f", n {counts[metric]}" if counts[metric] != counts["dice"] else ""
            differ |= {(method.text, label)} if own else set()
            assert small[metric].endswith(own) and small[metric].count("n ") == bool(own)
    assert {("unet", "läsion"), ("otsu", "läsion")} <= differ


def test_differences_equal_the_csv(volumes, texts):
    reader = parse(texts.get(volumes.root) or render(volumes))
    words = {"Dice": "dice", "NSD": "nsd", "HD95, penalised (mm)": "hd95_penalised"}
    rows = {(r["Methods"], words[r["Metric"]], r["Label"]): r for r in reader.table("Methods", "p (Holm)")}
    csv = read_csv(volumes.folders.results / "metrics/comparisons.csv")
    assert len(rows) == len(csv)
    for r in csv:
        label = "mean of labels" if r["label"] == "mean" else r["label"]
        row = rows[f"{r['method_a']} minus {r['method_b']}", r["metric"], label]
        assert float(row["Mean difference"]) == pytest.approx(
            float(r["difference"]), abs=0.5 * 10 ** -TITLES[r["metric"]][1]
        )
        assert row["p"] == "< 0.0001" and row["p (Holm)"] == shown(r["p_holm"], 4)
        # HD95 is better where lower: a negative difference speaks for the first
        wanted = r["method_a"] if (float(r["difference"]) > 0) == (r["metric"] != "hd95_penalised") else r["method_b"]
        assert row["Verdict"] == (f"{wanted} better" if float(r["p_holm"]) < 0.05 else "no clear difference")


def test_ranks_equal_the_csv(volumes, texts):
    reader = parse(texts.get(volumes.root) or render(volumes))
    words = {"Dice": "dice", "NSD": "nsd", "HD95, penalised (mm)": "hd95_penalised"}
    rows = {(words[r["Metric"]], r["Method"]): r for r in reader.table("Ranks in bootstrap samples", "Best, %")}
    csv = [r for r in read_csv(volumes.folders.results / "metrics/ranks.csv") if r["label"] == "mean"]
    assert len(rows) == len(csv)
    for r in csv:
        row = rows[r["metric"], r["method"]]
        assert float(row["Rank"]) == float(r["rank"])
        assert row["Ranks in bootstrap samples"] == f"{float(r['rank_low']):g} to {float(r['rank_high']):g}"
        assert (row["Same rank, %"], row["Best, %"]) == ("88", "25")


def equal(text: str, value: str, digits: int = 4) -> bool:
    return text == shown(value, digits) or (float(text) == 0 and round(float(value), digits) == 0)


def by_part(made, name: str) -> dict[tuple[str, str, str], dict[str, str]]:
    return {(r["set"], r["method"], r["label"]): r for r in read_csv(made.folders.results / f"metrics/{name}.csv")}


def part(row: dict[str, str]) -> tuple[str, str, str]:
    label = "mean" if row["Label"] == "mean of labels" else row["Label"]
    return row.get("Evaluation", "cross-validation"), row["Method"], label


def test_volumes_equal_the_csv(made, reader):
    csv = by_part(made, "agreement")
    unit = "ml" if len(read_json(made.folders.data / "dataset.json")["labels"]) > 2 else "px"
    rows = reader.table("Pearson’s r", "Lin’s concordance")
    assert len(rows) == len(csv)
    for row in rows:
        r = csv[part(row)]
        for column, key in (("Bias", "bias"), ("Lower limit", "lower"), ("Upper limit", "upper")):
            assert equal(row[f"{column} ({unit})"], r[key], 3)
        assert equal(row["Pearson’s r"], r["pearson"]) and equal(row["Lin’s concordance"], r["concordance"])


def test_calibration_and_uncertainty_equal_the_csv(made, reader):
    csv = by_part(made, "uncertainty")
    summary = {
        (r["set"], r["method"], r["label"], r["metric"]): r
        for r in read_csv(made.folders.results / "metrics/summary.csv")
        if r["fold"] == "all"
    }
    rows = reader.table("Calibration error (ECE)", "Gain")
    assert len(rows) == len(csv) and {r["Method"] for r in rows} == {"unet"}
    for row in rows:
        r = csv[part(row)]
        assert equal(row["Entropy and risk, Spearman"], r["spearman"]) and equal(row["Gain"], r["gain"])
        assert equal(row["Risk by entropy (AURC)"], r["aurc"]) and equal(row["Risk by chance"], r["aurc_random"])
        assert equal(row["Calibration error (ECE)"], summary[*part(row), "ece"]["mean"])
        assert equal(row["Brier score"], summary[*part(row), "brier"]["mean"])


def test_lesions_are_counted_all_together_and_scan_by_scan(volumes, texts):
    reader = parse(texts.get(volumes.root) or render(volumes))
    rows = reader.table("F1 per scan", "Panoptic quality (IoU ≥ 0.1)")
    assert [(r["Method"], r["Label"]) for r in rows] == [("unet", "läsion"), ("otsu", "läsion")]
    assert all(
        (r["Lesions found"], r["Predicted lesions that are true positives"]) == ("17 of 20", "17 of 23") for r in rows
    )
    for r in read_csv(volumes.folders.results / "metrics/summary.csv"):
        if r["fold"] == "all" and r["metric"] == "lesion_f1" and r["label"] != "mean":
            row = next(x for x in rows if x["Method"] == r["method"])
            assert equal(row["F1 per scan"], r["mean"])
    sizes = [list(r.values())[1:] for r in reader.table("Lesions", "Found") if r["Method"] == "unet"]
    assert sizes == [
        ["läsion", "small", "up to 0.0125 ml", "3 of 6"],
        ["läsion", "medium", "up to 0.25 ml", "6 of 6"],
        ["läsion", "large", "up to 1.5 ml", "8 of 8"],
    ]


def test_spread_equals_the_csv(volumes, texts):
    reader = parse(texts.get(volumes.root) or render(volumes))
    csv = by_part(volumes, "variance")
    rows = reader.table("Between folds", "Between seeds")
    assert len(rows) == len(csv)
    for row in rows:
        r = csv[part(row)]
        assert equal(row["Between folds"], r["sd_folds"]) and equal(row["Between seeds"], r["sd_seeds"])
        assert row["Between repeats"] == "–"


def test_methods_tell_how_far_they_are_from_the_best(volumes, texts):
    reader = parse(texts.get(volumes.root) or render(volumes))
    rows = {r["Method"]: r for r in reader.table("Dice minus unet’s") if r["Label"] == "mean of labels"}
    gap = next(
        r
        for r in read_csv(volumes.folders.results / "metrics/comparisons.csv")
        if (r["label"], r["metric"]) == ("mean", "dice")
    )
    assert (gap["method_a"], gap["method_b"]) == ("unet", "otsu")
    assert rows["unet"]["Dice minus unet’s"] == "–"
    assert float(rows["otsu"]["Dice minus unet’s"]) == pytest.approx(-float(gap["difference"]), abs=5e-5)


def test_sections_stand_in_the_order_of_a_reader(reader):
    ids = [attrs["id"] for tag, attrs in reader.tags if tag == "h2" and "id" in attrs]
    wanted = [
        "cautions",
        "methods-table",
        "cases",
        "viewer",
        "pictures",
        "folds",
        "volumes",
        "uncertainty",
        "data",
        "methods",
    ]
    assert ids == [*wanted, "parameters", "provenance"]
    assert reader.links[1 : len(ids) + 1] == ids


def test_a_method_without_probabilities_has_no_calibration(copy):
    folder = copy.folders.results / "metrics"
    for name in ("calibration", "uncertainty"):
        rows = read_csv(folder / f"{name}.csv")
        write_csv(folder / f"{name}.csv", list(rows[0]), [])
    copy.seal()
    reader = parse(render(copy))
    assert "uncertainty" not in reader.ids and set(reader.links) <= set(reader.ids)


def tex_of(folder, name):
    return (folder / f"tables/{name}.tex").read_text(encoding="utf-8")


def test_files_beside_the_report_are_what_it_shows(volumes, tmp_path):
    e = inputs.read(volumes.methods, volumes.folds, volumes.folders)
    page.write(e, tmp_path / "report.html")
    reader = parse((tmp_path / "report.html").read_text(encoding="utf-8"))
    names = {p.stem for p in (tmp_path / "tables").iterdir()}
    assert names >= {"methods-cross-validation", "failures", "all-cases", "agreement", "uncertainty", "lesions", "data"}
    for name in names:
        rows = read_csv(tmp_path / f"tables/{name}.csv")
        there = [column for column in rows[0] if not column.endswith(", beneath")]
        on_page = [[r[c] for c in there] for r in reader.table(*there)]
        assert [[r[c] for c in there] for r in rows] == on_page
        assert tex_of(tmp_path, name).count(" \\\\\n") == len(rows) + 1
    assert r"scan\_<script>alert(1)<!--" in tex_of(tmp_path, "all-cases")
    suffixes = Counter(p.suffix for p in (tmp_path / "figures").iterdir())
    assert suffixes[".svg"] == suffixes[".pdf"] > 5 and len(suffixes) == 2
    first = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    (tmp_path / "figures/old.svg").write_text("of methods that are no more")
    page.write(inputs.read(volumes.methods, volumes.folds, volumes.folders), tmp_path / "report.html")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == first


def test_finding_states_number_interval_and_n(volumes, texts):
    reader = parse(texts.get(volumes.root) or render(volumes))
    row = next(
        r
        for r in read_csv(volumes.folders.results / "metrics/summary.csv")
        if (r["method"], r["fold"], r["label"], r["metric"]) == ("unet", "all", "mean", "dice")
    )
    assert (
        f"unet, the best of 2 methods, segmented organ <i> and läsion with a mean Dice of {shown(row['mean'], 4)} "
        f"(95 % interval {shown(row['ci_low'], 4)} to {shown(row['ci_high'], 4)}; n\xa0= 9 of 9 cases, 5 patients; "
        "3-fold cross-validation, split by patient)."
    ).replace("\xa0", " ") in reader.text.replace("\xa0", " ")


def test_one_fold_is_called_one_fold(pictures, texts):
    reader = parse(texts.get(pictures.root) or render(pictures))
    assert "fold 0 of 2-fold cross-validation, split by case, each taken as its own patient" in reader.text
    assert "Only 1 fold of 2 (0)" in reader.text
    assert "best of" not in reader.text and "Differences between methods" not in reader.text


def test_one_split_and_cases_left_out(copy):
    """An official training and test split; nothing speaks of folds that were not run, or of cross-validation."""
    path = copy.folders.results / "splits.json"
    splits = seals.read(path)
    note = "one split into training and test, as mine.json gives it"
    seals.write(path, {**splits, "kind": "file", "folds": splits["folds"][:1], "holdout": [], "notes": [note]})
    hashes = seals.read(copy.folders.results / "metrics/hashes.json")
    seals.write(copy.folders.results / "metrics/hashes.json", hashes | {"split": sha256_file(path)})
    about = seals.read(copy.folders.data / "dataset.json")
    seals.write(copy.folders.data / "dataset.json", about | {"excluded": {"scan_99": "<the same patient as scan_00>"}})
    copy.folds = [0]
    reader = parse(render(copy))
    assert "one training and test split by patient" in reader.text
    assert "cross-validation" not in reader.text.lower() and "never tested" not in reader.text
    assert note in reader.text
    assert "1 more were left out" in reader.text and "1 case had been left out" in reader.text
    assert "scan_99" in reader.text and "<the same patient as scan_00>" in reader.text


def test_held_out_set_and_metric_never_defined(held_out, texts):
    reader = parse(texts.get(held_out.root) or render(held_out))
    assert "On the held-out test set, unet segmented" in reader.text
    row = next(r for r in reader.table("Method", "Label", "NSD"))
    assert row["NSD"] == "–"
    assert "nan" not in reader.text.lower().replace("antonelli", "").replace("nanno", "").split()


def test_all_undefined_dice(copy):
    folder = copy.folders.results / "metrics"
    for name, keys in (
        ("cases.csv", ("value",)),
        ("summary.csv", ("mean", "sd", "median", "min", "max", "ci_low", "ci_high")),
    ):
        rows = read_csv(folder / name)
        for row in rows:
            if row["metric"] == "dice":
                row.update(dict.fromkeys(keys, "nan"))
                if name == "summary.csv":
                    row["n"], row["n_nan"] = "0", row["n"]
        write_csv(folder / name, list(rows[0]), rows)
    copy.seal()
    reader = parse(render(copy))
    assert "No mean Dice is defined for any method" in reader.text
    assert "none can be ranked" in reader.text


def test_cautions_name_every_warning(volumes, texts):
    text = parse(texts.get(volumes.root) or render(volumes)).text
    assert "Empty label (2 times). The first: label 2 of scan_02 is empty" in text
    assert "a stratum was <small>" in text
    assert "predict, otsu, folds 0, 1 and 2" in text
    assert "Only 5 patients tested" in text
    assert "No patient is on two sides" in text


def test_parameters_are_complete(volumes, texts):
    reader = parse(texts.get(volumes.root) or render(volumes))
    values = {
        row[0]: row[1] for rows in reader.tables if rows[0][:3] == ["Key", "Value", "Meaning"] for row in rows[1:]
    }
    meanings = [
        row for rows in reader.tables if rows[0][:3] == ["Key", "Value", "Meaning"] for row in rows[1:] if not row[2]
    ]
    assert values["rotation.degrees"] == "30" and values["learning_rate"] == "0.003" and values["classes"] == "3"
    assert meanings == [], "a parameter has no description"


def test_hashes_are_shown(made, text):
    assert json.loads((made.folders.results / "metrics/hashes.json").read_text())["split"] in text


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "path",
    [
        "data/dataset.json",
        "data/cases.csv",
        "data/checks.json",
        "data/fingerprint.json",
        "results/splits.json",
        "results/metrics/cases.csv",
        "results/metrics/summary.csv",
        "results/metrics/comparisons.csv",
        "results/metrics/counts.csv",
        "results/metrics/ranks.csv",
        "results/metrics/agreement.csv",
        "results/metrics/calibration.csv",
        "results/metrics/uncertainty.csv",
        "results/metrics/variance.csv",
        "results/metrics/metrics.json",
        "results/metrics/hashes.json",
        "results/models/unet/fold-1/history.csv",
        "results/models/otsu/fold-2/card.json",
        "results/predictions/otsu/fold-0/predictions.json",
        "results/.params/train.json",
        "results/.params/methods.otsu.json",
    ],
)
def test_missing_file_is_named(copy, path):
    (copy.root / path).unlink()
    with pytest.raises(RefoldError, match=re.escape(str(copy.root / path)) + " is missing"):
        render(copy)


def test_missing_prediction_is_named(copy):
    for path in (copy.folders.results / "predictions/unet").rglob("*.nii.gz"):
        path.unlink()
    with pytest.raises(RefoldError, match=r"predictions/unet/fold-\d/scan_.*nii\.gz is missing"):
        render(copy)


def test_missing_case_is_named(copy):
    path = copy.folders.results / "metrics/cases.csv"
    rows = read_csv(path)
    write_csv(path, list(rows[0]), [r for r in rows if not (r["case"] == "scan_05" and r["method"] == "otsu")])
    copy.seal()
    with pytest.raises(RefoldError, match="no Dice of 'organ <i>' for case 'scan_05', method otsu, fold 2"):
        render(copy)


def test_leak_is_refused(copy):
    path = copy.folders.results / "splits.json"
    splits = seals.read(path)
    splits["folds"][0]["train"].append(splits["folds"][0]["test"][0])
    seals.write(path, splits)
    with pytest.raises(RefoldError, match="fold 0 has patient 'P0' on both sides"):
        render(copy)


def test_unknown_fold_is_refused(volumes):
    with pytest.raises(RefoldError, match="--folds 7"):
        inputs.read(volumes.methods, [0, 7], volumes.folders)


def test_damaged_number_is_refused(copy):
    path = copy.folders.results / "metrics/summary.csv"
    path.write_text(path.read_text().replace(number(0.0), "much", 1))
    copy.seal()
    with pytest.raises(RefoldError, match=r"summary\.csv, line \d+ is damaged"):
        render(copy)


def test_failed_run_leaves_no_report(copy):
    (copy.folders.results / "splits.json").unlink()
    command = [sys.executable, "-m", "refold.report", *copy.arguments()]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=copy.root, env={"PYTHONPATH": str(ROOT / "workflow"), "PATH": ""}
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ") and "splits.json is missing" in done.stderr
    assert not (copy.root / "report.html").exists()


def test_tables_of_another_split_are_refused(copy):
    path = copy.folders.results / "metrics/hashes.json"
    seals.write(path, seals.read(path) | {"split": "0" * 64})
    with pytest.raises(RefoldError, match=r"hashes\.json was made with another split"):
        render(copy)


def test_methods_that_failed_are_told_first(volumes):
    e = inputs.read(["unet"], volumes.folds, volumes.folders, {"otsu": "fold 1 has no metrics"})
    reader = parse(page.render(e).html)
    assert "method otsu" in reader.text
    assert "It failed and has no row in any table: fold 1 has no metrics." in reader.text
    assert all(r["Method"] == "unet" for r in reader.table("Method", "Label", "n"))


# ---------------------------------------------------------------- what was changed since


@pytest.mark.parametrize(
    ("name", "old", "new", "maker"),
    [
        ("results/metrics/summary.csv", "0.", "1.", "evaluate"),
        ("results/metrics/ranks.csv", "0.", "1.", "evaluate"),
        ("results/metrics/metrics.json", "{}", "{} ", "evaluate"),
        ("results/metrics/hashes.json", '"split": "', '"split":  "', "evaluate"),
        ("results/models/unet/fold-0/history.csv", "0.", "1.", "train"),
        ("results/models/unet/fold-0/card.json", "12345", "1234", "train"),
        ("results/predictions/otsu/fold-1/predictions.json", "fell", "rose", "predict"),
        ("results/splits.json", "a stratum", "no stratum", "split"),
        ("data/cases.csv", "scan_01,P0", "scan_01,P1", "data"),
        ("data/checks.json", "is empty", "is fine", "data"),
        ("data/dataset.json", "organ", "bone", "data"),
        ("data/fingerprint.json", "zscore", "ct", "preprocess"),
    ],
)
def test_a_file_edited_by_hand_is_refused(copy, name, old, new, maker):
    path = copy.root / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RefoldError) as error:
        inputs.read(copy.methods, copy.folds, copy.folders)
    assert str(error.value).startswith(f"{path} is not what the {maker} phase wrote (sha256 ")
    assert str(error.value).endswith(f"`snakemake --forcerun {path}` makes it again")


@pytest.mark.parametrize("name", ["raw/imagesTr", "raw/labelsTr", "results/predictions/otsu/fold-0"])
def test_pictures_are_drawn_from_nothing_that_was_changed(copy, name):
    """Overwritten by others that can be read just as well, as large and as old as before."""
    Place(str(copy.root / "raw")).write(copy.folders.place)
    paths = sorted((copy.root / name).glob("*.nii.gz"))
    for path in paths:
        image, stamp = read_image(path), path.stat()
        changed = image.data.copy()
        changed.flat[0] += 1
        nibabel.Nifti1Image(changed.squeeze(-1) if changed.shape[-1] == 1 else changed, image.affine).to_filename(path)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    e = inputs.read(copy.methods, copy.folds, copy.folders)
    told = r"predict phase wrote" if "predictions" in name else r"the files of case scan_.+ changed since data/cases"
    with pytest.raises(RefoldError, match=told):
        page.render(e)


def test_parameters_that_are_not_those_behind_the_tables_are_refused(copy):
    stamps = {n: read_json(copy.folders.params / f"{n}.json") for n in ("evaluate", "methods.otsu")}
    behind = copy.folders.results / "metrics/hashes.json"
    seals.write(behind, seals.read(behind) | {"params": {n: sha256_json(v) for n, v in stamps.items()}})
    inputs.read(copy.methods, copy.folds, copy.folders)
    path = copy.folders.params / "evaluate.json"
    path.write_text(json.dumps(stamps["evaluate"] | {"nsd_tolerance": 9.0}))
    with pytest.raises(RefoldError, match=r"evaluate\.json holds other parameters than the tables were made with"):
        inputs.read(copy.methods, copy.folds, copy.folders)
