"""Takes the pictures of the README and of docs/start/reading.md from the report of the embedded experiment.

After ``make run`` and ``make .venv/test.done``: ``.venv/bin/python docs/images/take.py``. Needs Chromium, as the tests
do.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.report.browser import Opened, chromium  # noqa: E402

# picture: where it begins (None: the top of the page), height
DESK = {
    "report": (None, 760),
    "report-methods": ("methods-table", 560),
    "report-cases": ("cases", 440),
    "report-viewer": ("viewer", 760),
    "report-folds": ("folds", 760),
    "report-volumes": ("volumes", 720),
    "report-uncertainty": ("uncertainty", 740),
}
PHONE = {"report-phone": ("viewer", 760)}


def main() -> None:
    report = ROOT / "results/report/report.html"
    if not report.is_file():
        sys.exit(f"error: {report} is missing; run `make run` first")
    with chromium() as browser:
        for pictures, width, options in ((DESK, 1100, {}), (PHONE, 375, {"color_scheme": "dark"})):
            opened = Opened(browser, report, (width, 800), **options)
            page = opened.page
            for name, (anchor, height) in pictures.items():
                page.set_viewport_size({"width": width, "height": height})
                top = "0"
                if anchor is not None:
                    top = f"document.getElementById('{anchor}').getBoundingClientRect().top + scrollY - 10"
                page.evaluate(f"scrollTo({{top: {top}, behavior: 'instant'}})")
                if anchor == "viewer":
                    opened.settled()
                page.screenshot(path=ROOT / f"docs/images/{name}.png")


if __name__ == "__main__":
    main()
