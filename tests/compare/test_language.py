"""A comparison in the language of the first run's report."""

from __future__ import annotations

import json

from refold.compare import page
from refold.core.files import read_csv
from tests.compare.conftest import BOTH, MISSED, write
from tests.report.test_language import Shown, english
from tests.report.test_page import parse

A = {"c1": {"x": 0.5, "y": 0.6}, "c2": {"x": 0.7, "y": BOTH}, "c3": {"x": 0.8, "y": 0.4}}
B = {"c1": {"x": 0.4, "y": 0.6}, "c2": {"x": 0.9, "y": MISSED}, "c3": {"x": 0.8, "y": 0.7}}
ZH = {"report": {"language": "zh"}}


def texts(html: str, names: list[str]) -> list[str]:
    shown = Shown()
    shown.feed(html)
    return [run for text in shown.texts for run in english(text, names)]


def test_the_page_speaks_as_the_first_run_does(tmp_path, project):
    """With pictures and without, with another split, other cases, patients and settings: nothing is left in English."""
    first = write(tmp_path / "first", {"m": A}, params=ZH, pictured=True)
    others = [
        write(tmp_path / "same", {"m": B}, pictured=True),
        write(tmp_path / "apart", {"m": B}, params={"evaluate": {"confidence": 0.9, "nsd_tolerance": 2.0}}, run=(0,)),
        write(
            tmp_path / "far",
            {"m": B | {"c9": B["c1"]}, "k": A},
            patients={"c1": "p", "c2": "p", "c3": "q", "c9": "r"},
            voxels=90,
            sha="ff",
            folds=3,
        ),
    ]
    out = tmp_path / "out/p.html"
    told, _ = page.compare([str(f) for f in (first, *others)], [], str(out), project)
    html = out.read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in html
    names = [str(f) for f in (first, *others)]
    assert texts(html, names) == []
    text = parse(html).text
    assert "平均 Dice 为 0.6667（A (first)）和 " in text and "没有图片：" in text and "只测试了 2 名患者" in text
    # what programs read, and the terminal, are in English whatever the page
    assert "careful: Only 2 patients" in told and "minus A" in told
    assert "cross-validation" in {r["set"] for r in read_csv(out.with_name("p.metrics.csv"))}


def test_a_later_run_does_not_change_the_language(tmp_path, project):
    first, second = write(tmp_path / "a", {"m": A}), write(tmp_path / "b", {"m": B}, params=ZH)
    page.compare([str(first), str(second)], [], str(tmp_path / "p.html"), project)
    html = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in html and "What was compared" in html
    assert len(texts(html, [])) > 40


def test_a_run_from_a_later_version_in_an_unknown_language_is_told_in_english(tmp_path, project):
    first, second = write(tmp_path / "a", {"m": A}), write(tmp_path / "b", {"m": B})
    stamp = first / "results/.params/report.json"
    stamp.write_text(json.dumps({"language": "xx"}))
    page.compare([str(first), str(second)], [], str(tmp_path / "p.html"), project)
    assert '<html lang="en">' in (tmp_path / "p.html").read_text(encoding="utf-8")
