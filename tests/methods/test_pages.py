"""Every kind has its page, its row in the table of all, and its entry in the example of all."""

import re
from pathlib import Path

import pytest

from refold.experiment.params import KINDS
from refold.experiment.reading import load

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs/reference/methods.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_page_and_a_row(kind):
    page = (ROOT / f"docs/reference/methods/{kind}.md").read_text()
    assert page.startswith(f"# {kind}\n")
    for part in (
        "## What it does",
        "**Source.**",
        f"../params.md#kind-{kind}",
        "## When to use it",
        "## What it costs",
    ):
        assert part in page
    sort = "network" if KINDS[kind].network else "classical" if KINDS[kind].trained else "made from others"
    sort = "from elsewhere" if kind == "external" else sort
    assert f"| [{kind}](methods/{kind}.md) | {sort} | " in TABLE
    if KINDS[kind].trained:
        assert re.search(rf"(?m)^\| `{kind}` \| ", TABLE), "no row in the table of costs"


def test_there_is_no_page_without_its_kind():
    assert {p.stem for p in (ROOT / "docs/reference/methods").glob("*.md")} == set(KINDS)


def test_the_example_has_them_all():
    params = load(ROOT / "examples/methods.yaml")
    # what another program made is not at hand
    assert {m.kind for m in params.methods.values()} == set(KINDS) - {"external"}
