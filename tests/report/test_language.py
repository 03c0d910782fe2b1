"""The report in Chinese: nothing is left in English, and no other report is touched by it."""

from __future__ import annotations

import ast
import json
import re
import string
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest
from jinja2 import Environment, nodes

from refold.core.files import read_csv
from refold.core.language import Catalogue, _, joined, listed, plural, speaking
from refold.experiment import descriptions
from refold.experiment.params import KINDS, Params
from refold.report import inputs, page, templates, translations
from refold.report.sections import dataset, viewer, words
from refold.settings.base import Section
from refold.settings.report import Report
from tests.report.test_page import VOID, parse

LANGUAGES = [name for name in Report.model_fields["language"].annotation.__args__ if name != "en"]
SOURCES = ("evaluate/metrics", "report", "report/prose", "report/sections", "compare", "core/language.py")
TEMPLATES = sorted(path for room in ("report", "compare") for path in (templates.HERE.parent / room).rglob("*.j2"))


def called(name: str, arguments: list[object]) -> list[str]:
    """Keys of the catalogue that a call asks for, where they are written out."""
    if name in ("_", "N_") and arguments and isinstance(arguments[0], str):
        return [arguments[0]]
    if name == "plural" and len(arguments) > 1 and isinstance(arguments[1], str):
        return [f"{{n}} {arguments[1]}"]
    return []


def in_sources() -> set[str]:
    found = set()
    root = templates.HERE.parent
    files = [f for s in SOURCES for f in ([root / s] if s.endswith(".py") else sorted((root / s).glob("*.py")))]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                arguments = [a.value if isinstance(a, ast.Constant) else a for a in node.args]
                found.update(called(node.func.id, arguments))
    return found


def in_templates() -> set[str]:
    found = set()
    for path in TEMPLATES:
        tree = Environment().parse(path.read_text(encoding="utf-8"))
        for node in tree.find_all(nodes.Call):
            if isinstance(node.node, nodes.Name):
                arguments = [a.value if isinstance(a, nodes.Const) else a for a in node.args]
                found.update(called(node.node.name, arguments))
    return found


def in_parameters() -> set[str]:
    sections = [f.annotation for f in Params.model_fields.values() if isinstance(f.annotation, type)]
    known = [*(s for s in sections if issubclass(s, Section)), *KINDS.values()]
    return {text for section in known for text in descriptions.all_of(section).values() if text}


def placeholders(text: str) -> set[tuple[str, str]]:
    """(name, format) of each; a text that is no format, such as one with JSON in it, has none."""
    try:
        return {(name, spec) for _text, name, spec, _how in string.Formatter().parse(text) if name is not None}
    except ValueError:
        return set()


def translated(made, name="zh"):
    e = inputs.read(made.methods, made.folds, made.folders)
    report = e.params.report.model_copy(update={"language": name})
    return replace(e, params=e.params.model_copy(update={"report": report}))


@cache
def rendered(made, name="zh") -> str:
    """The page of an experiment that no test here changes."""
    return page.render(translated(made, name)).html


@pytest.fixture(scope="module", params=["volumes", "pictures", "held_out"])
def made(request):
    return request.getfixturevalue(request.param)


# ---------------------------------------------------------------- the catalogue


def test_languages_are_those_of_the_parameter():
    assert translations.known() == ["en", *LANGUAGES]


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_text_is_translated_and_no_other(name):
    texts = translations.catalogue(name).texts
    used = in_sources() | in_templates() | in_parameters()
    assert len(in_templates()) > 150 and len(in_sources()) > 300 and len(in_parameters()) > 150
    assert sorted(used - set(texts)) == []
    assert sorted(set(texts) - used) == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_translations_have_the_placeholders_of_their_text(name):
    for text, said in translations.catalogue(name).texts.items():
        assert placeholders(said) == placeholders(text), text
        assert re.findall("<[^>]*>", said) == re.findall("<[^>]*>", text), text


def test_scripts_hold_no_words():
    """What they say comes as JSON: all that a script names is given, and all that is given is named."""
    shown = templates.script(templates.PAGE)
    assert set(re.findall(r"\bsaid\.(\w+)", shown)) == set(templates.SAID)
    scripts = "".join(templates.script(name) for name in (*templates.VIEWER, templates.PAGE))
    texts = [text for text in (*templates.SAID.values(), *viewer.TEXT.values()) if " " in text.strip()]
    assert len(texts) > 10 and not [text for text in texts if text in scripts]


def test_what_scripts_say_is_translated(volumes):
    text = rendered(volumes)
    assert json.loads(re.search('<script type="application/json" id="said">(.*?)</script>', text)[1]) == {
        "sort": "按此列排序"
    }
    index = json.loads(re.search('<script type="application/json" id="viewer-index">(.*?)</script>', text)[1])
    assert [index["text"][key] for key in ("comma", "colon", "semicolon", "stop")] == ["、", "：", "；", "。"]


def test_plural_and_lists_in_both_languages():
    assert [plural(n, "case") for n in (1, 2)] == ["1 case", "2 cases"]
    assert [listed(x) for x in ([], ["a"], ["a", "b", "c"])] == ["none", "a", "a, b and c"]
    with speaking(translations.catalogue("zh")):
        assert [plural(n, "case") for n in (1, 2)] == ["1 个病例", "2 个病例"]
        assert [listed(x) for x in ([], ["a"], ["a", "b", "c"])] == ["无", "a", "a、b 和 c"]
        assert joined(["a", "b"]) == "a、b"


def test_no_space_stands_between_chinese_letters():
    """Nor is one of the user's own names touched."""
    texts = {
        "{some} and {last}": "{some} 和 {last}",
        "by {what}.": "按 {what} 分层。",
        "<b>{m}</b> by {what}": "<b>{m}</b> 按 {what}",
    }
    with speaking(Catalogue(texts)):
        assert listed(["三例", "organ"]) == "三例和 organ" and listed(["organ", "四例"]) == "organ 和四例"
        assert listed(["左 肾", "右 肾"]) == "左 肾和右 肾"
        assert _("by {what}.", what="前景") == "按前景分层。" and _("by {what}.", what="T1") == "按 T1 分层。"
        assert str(templates.in_template("<b>{m}</b> by {what}", m="<i>", what="折")) == "<b>&lt;i&gt;</b> 按折"
    assert listed(["三例", "四例"]) == "三例 and 四例"


def test_a_catalogue_holds_within_alone():
    catalogue = Catalogue({"a {n}": "{n} b"})
    with speaking(catalogue):
        with speaking(None):
            assert _("a {n}", n=1) == "a 1"
        assert _("a {n}", n=1) == "1 b" and _("{braces} without values") == "{braces} without values"
    assert _("a {n}", n=1) == "a 1"
    assert list(catalogue.lacking) == ["{braces} without values"]


def test_a_failure_leaves_the_language(volumes, monkeypatch):
    def fail(*_arguments):
        raise RuntimeError

    monkeypatch.setattr(page, "context", fail)
    with pytest.raises(RuntimeError):
        page.render(translated(volumes))
    assert _("Method") == "Method"


def test_values_in_texts_with_tags_are_escaped():
    assert str(templates.in_template("<b>{method}</b> & {n}", method="<i>", n=1)) == "<b>&lt;i&gt;</b> & 1"
    assert not hasattr(templates.in_template("{method}", method="<i>"), "__html__")  # the template escapes it


# ---------------------------------------------------------------- the page


class Shown(HTMLParser):
    """All that is read or spoken on the page, but for code, keys, references and hashes."""

    def __init__(self):
        super().__init__()
        self.open: list[tuple[str, str | None]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in VOID:
            self.open.append((tag, found.get("class")))
        self.texts += [found[key] for key in ("aria-label", "title", "placeholder", "alt") if key in found]

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data):
        if not any(tag in ("script", "style", "code", "kbd") or c in ("references", "hash") for tag, c in self.open):
            self.texts.append(data)


def english(text: str, names: list[str]) -> list[str]:
    """Runs of two or more words, once code, names and terms are taken out."""
    text = re.sub(r"`[^`]*`|KFold\([^)]*\)|\[x, y, z\]", "·", text)
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "·")
    return re.findall(r"[A-Za-z][A-Za-z-]+(?:[ ,]+[A-Za-z][A-Za-z-]+)+", text)


TERMS = ["leaky ReLU", "Medical Segmentation Decathlon", "Empty label"]  # the last is a check of the data phase


def names_of(e, facts_note: str) -> list[str]:
    cautions = [w["message"] for w in e.checks["warnings"]] + e.splits["notes"]
    cautions += [w for p in e.predictions.values() for w in p["warnings"]]
    groups = [" ".join(e.description.channels), *e.description.channels]
    return [*TERMS, *cautions, *e.cases, *e.parts, *e.methods, *groups, e.params.report.title, facts_note]


def test_no_english_is_left(made):
    e = translated(made)
    shown = Shown()
    shown.feed(rendered(made))
    names = names_of(e, ".source.json is missing: the report was not made by Snakemake")
    assert [run for text in shown.texts for run in english(text, names)] == []


def test_english_would_be_found(volumes):
    shown = Shown()
    shown.feed(rendered(volumes, "en"))
    assert len([run for text in shown.texts for run in english(text, [])]) > 400


def test_what_the_split_phase_writes_is_known():
    """Its words for the strata stand in splits.json."""
    source = (templates.HERE.parent / "split/folds.py").read_text(encoding="utf-8")
    assert f'by = {{"{dataset.STRATA}": ' in source


def test_the_viewer_speaks_it_too(volumes):
    e = translated(volumes)
    with speaking(translations.catalogue("zh")):
        made = viewer.make(e)
    assert '"slice":"{plane}，第 {at} 层，共 {count} 层"' in made.index and '"name":"横断面"' in made.index
    assert made.sentence == "全部 9 个病例都在此处，每例均有所有方法的预测。" and made.unit == "体素"
    assert [text for said in json.loads(made.index)["text"].values() if (text := english(said, []))] == []


def test_the_page_is_whole_and_says_its_language(made):
    e = translated(made)
    reader = parse(rendered(made))
    assert dict(reader.tags)["html"] == {"lang": "zh-Hans"}
    assert set(reader.links) <= set(reader.ids)
    assert "保持原文" in reader.text
    assert all(text in reader.text for text in words.methods(e).references())  # as they were published


def test_names_are_escaped(volumes):
    text = rendered(volumes)
    assert text.count("<script>") == 1 and "<script>alert" not in text
    assert "organ <i>" not in text and "Toy <b>" not in text and "<fell>" not in text
    assert "scan_<script>alert(1)<!--" in parse(text).text


def test_the_finding(volumes):
    reader = parse(rendered(volumes))
    row = next(
        r
        for r in read_csv(volumes.folders.results / "metrics/summary.csv")
        if (r["method"], r["fold"], r["label"], r["metric"]) == ("unet", "all", "mean", "dice")
    )
    dice, low, high = (f"{float(row[k]):.4f}" for k in ("mean", "ci_low", "ci_high"))
    assert (
        f"2 种方法中表现最佳的 unet 分割 organ <i> 和 läsion 的平均 Dice 为 {dice}（95 % 置信区间 {low} 至 {high}；"
        "9 个病例中 n = 9，5 名患者；3 折交叉验证，按患者划分）。该方法找到病灶 17/20（42 % 至 92 %）、在没有 läsion "
        "的病例中误标 0/2（0 % 至 50 %）和在有 läsion 的病例中漏检 1/7（7 % 至 57 %）。作为比较：otsu "
    ) in reader.text.replace("\xa0", " ")


def test_one_report_leaves_another_as_it_is(volumes):
    first, chinese = rendered(volumes, "en"), rendered(volumes)
    assert page.render(translated(volumes, "en")).html == first
    assert page.render(translated(volumes)).html == chinese != first


def test_files_beside_the_report(volumes, tmp_path):
    """Tables speak the language; figures, for which a PDF needs a font, are those of the English report."""
    for name in ("en", "zh"):
        page.write(translated(volumes, name), tmp_path / name / "report.html")
    figures = sorted(p.name for p in (tmp_path / "en/figures").iterdir())
    assert figures == sorted(p.name for p in (tmp_path / "zh/figures").iterdir())
    for name in figures:
        assert (tmp_path / "zh/figures" / name).read_bytes() == (tmp_path / "en/figures" / name).read_bytes()
    rows = read_csv(tmp_path / "zh/tables/methods-cross-validation.csv")
    assert list(rows[0])[:2] == ["方法", "标签"] and "Dice（下方）" in rows[0]
    there, here = (read_csv(tmp_path / name / "tables/variance.csv") for name in ("en", "zh"))
    assert [list(r.values()) for r in here] == [list(r.values()) for r in there]
    for path in (tmp_path / "zh/tables").glob("*.tex"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("% ") and r"\usepackage{ctex}" in first and r"\usepackage{booktabs" in first


def test_every_kind_of_method_speaks_it(volumes):
    """Also with settings that change its words; the plan comes from a card."""
    from refold.experiment.reading import validate
    from refold.methods.base import About
    from refold.report import prose
    from refold.settings.train import Train

    given = {
        "ensemble": {"members": ["a", "b"]},
        "postprocessing": {"of": "a"},
        "missing_channels": {"of": "a", "channels": [0]},
        "prediction": {"of": "a", "predict": {"tile": "whole", "overlap": 0.25, "mirror_axes": []}},
        "external": {"folder": "x"},
    }
    settings = validate({"methods": {"a": {"kind": "unet"}, "b": {"kind": "cnn"}}}).methods
    facts = {"plan": {"patch": [16, 16], "strides": [[1, 1], [2, 2]]}, "parameters": 12345, "smoothness": 0.5}
    catalogue = translations.catalogue("zh")
    with speaking(catalogue):
        for kind, model in KINDS.items():
            one = model.model_validate({"kind": kind, **given.get(kind, {})})
            for known in ({}, facts):
                said = prose.words(one, About(lambda *keys: "", ["T1", "T2"], 3, known, Train()))
                assert re.search("[一-鿿]", said), kind
                assert english(said, ["a", "b", "leaky ReLU", "another program"]) == [], kind
    assert settings and list(catalogue.lacking) == []


def test_what_no_catalogue_has_is_told(volumes, caplog):
    """A user's own kind of method has no translation."""
    e = translated(volumes)
    with pytest.MonkeyPatch.context() as patch, caplog.at_level("WARNING", logger="refold"):
        kind = type(e.params.methods["otsu"])
        patch.setattr(kind, "words", lambda self, about: _("My own words."))
        text = page.render(e).html
    assert "My own words." in text
    assert "not translated into zh: My own words." in caplog.text
