"""A real Chromium that opens a report from disk and notes what a reader would not forgive."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from refold.cli.debian import Unavailable, install

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = (1280, 900), (375, 800)


def executable() -> str:
    """Where Chromium is; on a bare machine Debian's is installed. Raises `Unavailable` with the reason."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        install({"chromium": "chromium"}, "Chromium")
        found = shutil.which("chromium")
    return found


@contextmanager
def chromium() -> Iterator[Any]:
    """A Playwright browser. Raises `Unavailable` where there is none, or no Playwright."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Unavailable("the Python package playwright is not installed (make test installs it)") from None
    # Chromium's sandbox does not start as root, and a container often has no /dev/shm to speak of
    switches = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=switches)
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A report as it is seen. ``faults``: errors of scripts, messages on the console, dialogs. ``asked``: what was
    asked of the network, or of the disk besides the report. ``before``: a script that runs before the page's own."""

    def __init__(
        self,
        browser: Any,
        file: Path,
        size: tuple[int, int] = DESK,
        anchor: str = "",
        before: str = "",
        **options: Any,
    ):
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.faults.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        address = file.as_uri()
        self.page.on("request", lambda r: self.asked.append(r.url) if not _own(r.url, address) else None)
        if before:
            self.page.add_init_script(before)
        self.page.goto(address + anchor)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def part(self, name: str) -> Any:
        """A part of the viewer, by its ``data-part``."""
        return self.page.locator(f'[data-part="{name}"]').first

    def ready(self) -> None:
        """Scroll to the viewer and wait until it has drawn a case."""
        self.page.locator("#viewer").scroll_into_view_if_needed()
        self.page.wait_for_function(DRAWN)

    def settled(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.page.wait_for_function(DRAWN)

    def state(self) -> dict[str, Any]:
        """What the viewer shows."""
        self.settled()
        return self.page.evaluate("() => structuredClone(caseViewer.state)")


DRAWN = (
    "() => document.querySelector('[data-part=\"shown\"]').textContent && "
    "!document.getElementById('viewer-box').hasAttribute('aria-busy')"
)


def _own(url: str, address: str) -> bool:
    return url.partition("#")[0] == address or url.startswith(("data:", "blob:"))
