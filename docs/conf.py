"""Sphinx: the site of the documentation. `make docs` builds it; a link or an anchor that leads nowhere is an error."""

from pathlib import Path
from posixpath import normpath

ROOT = Path(__file__).resolve().parents[1]

project = "refold"
copyright = "The refold maintainers"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/**/*.md"]
# Whole folders, so that data and results are not even looked through.
exclude_patterns = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "docs"] + ["docs/_site"]
nitpicky = True
myst_heading_anchors = 4  # the anchors that the hosts of repositories give headings
html_theme = "furo"
html_title = "refold"
html_copy_source = False

# The shelves, in the order of docs/index.md.
SHELVES = {
    "Start": "index start/own-data start/reading",
    "How to": "how-to/dvc how-to/cluster how-to/verify how-to/compare how-to/release",
    "Reference": "reference/data reference/preprocess reference/split reference/train reference/augment "
    "reference/losses reference/predict reference/evaluate reference/report reference/methods reference/params "
    "reference/outputs reference/phantom",
    "Explanation": "explanation/reproducibility explanation/benchmarks explanation/decisions",
    "The project": "../CONTRIBUTING ../CHANGELOG",
}


def _contents(app, name: str, source: list[str]) -> None:
    """The site's tables of contents; in the pages, as a host of repositories shows them, they would be noise."""
    if name == root_doc:
        for title, pages in SHELVES.items():
            names = "\n".join(normpath(f"docs/{page}") for page in pages.split())
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{names}\n```\n"
    elif name == "docs/reference/methods":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\nmethods/*\n```\n"


def setup(app) -> None:
    app.connect("source-read", _contents)
