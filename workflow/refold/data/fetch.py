"""Bringing a data set to ``data/raw/<name>``: made, downloaded or unpacked, and there as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pooch
import requests

from refold.core import log
from refold.core.errors import RefoldError
from refold.core.files import sha256_file, write_json
from refold.data import archives, layout
from refold.settings.dataset import Dataset

BASE_URL = "https://msd-for-monai.s3-us-west-2.amazonaws.com/"
BASE_VARIABLE = "REFOLD_MSD_URL"
MD5 = {
    "Task01_BrainTumour": "240a19d752f0d9e9101544901065d872",
    "Task02_Heart": "06ee59366e1e5124267b774dbd654057",
    "Task03_Liver": "a90ec6c4aa7f6a3d087205e23d4e6397",
    "Task04_Hippocampus": "9d24dba78a72977dbd1d2e110310f31b",
    "Task05_Prostate": "35138f08b1efaef89d7424d2bcc928db",
    "Task06_Lung": "8afd997733c7fc0432f71255ba4e52dc",
    "Task07_Pancreas": "4f7080cfca169fa8066d17ce6eb061e4",
    "Task08_HepaticVessel": "641d79e80ec66453921d997fbf12a29c",
    "Task09_Spleen": "410d4a301da4e5b2f6f86ec3ddba524e",
    "Task10_Colon": "bad7a188931dc2f6acf72b08eb6202d0",
}
CACHE = ".archives"
BLOCK = 1 << 13  # what a dropped connection may lose at most
WAIT = 1.0  # seconds after the first failure
TIMEOUT = (15, 60)  # seconds to connect, and without a byte
OFFLINE = "without internet access, set dataset.source to a local folder or archive of this task"


def fetch(dataset: Dataset, raw: str | Path = layout.RAW) -> Path:
    """Make, download or unpack a data set.

    Returns:
        The folder with dataset.json: ``raw/<name>``, or the source folder itself, of which nothing is copied.

    Raises:
        RefoldError: the source is missing, the download failed for good or has another checksum, the archive is
            unsafe or damaged or holds no dataset.json. ``raw/<name>`` is then as it was before.
    """
    raw = Path(raw)
    kind = layout.kind(dataset)
    target = layout.root(dataset, raw)
    if kind == "folder":
        log.get().info(f"{target} is read in place; nothing to fetch")
        return target
    archive = download(dataset.name, raw / CACHE) if kind == "decathlon" else layout.archive(dataset)
    with whole_folder(target) as folder:
        if archive is None:
            from refold.data import phantom

            log.get().info(f"making the phantom of {dataset.phantom.patients} patients")
            phantom.generate(dataset.phantom, folder)
        else:
            log.get().info(f"unpacking {archive}")
            before = sha256_file(archive) if kind == "archive" else None
            archives.unpack(archive, folder)
            if before:  # beside the data, so that DVC keeps it with them
                write_json(folder / layout.UNPACKED, {"archive": before})
        if not (folder / "dataset.json").is_file():
            inside = ", ".join(sorted(p.name for p in folder.iterdir())[:8])
            raise RefoldError(
                f"{archive} holds no dataset.json, neither at its top nor in its only folder (it holds {inside}); "
                "wanted is a data set as in docs/reference/data.md"
            )
    log.get().info(f"{target} is ready")
    return target


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give an empty temporary folder that takes the place of ``target`` if the block succeeds and vanishes if not.

    What an earlier, killed run left is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".tmp-{target.name}="  # no name of a data set holds `=`, so this is nobody else's
    for stale in target.parent.glob(prefix + "*"):
        shutil.rmtree(stale)
    workplace = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        new = workplace / "new"
        new.mkdir()
        yield new
        if target.is_dir():
            os.rename(target, workplace / "old")
        os.rename(new, target)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


# ---------------------------------------------------------------- download


def download(task: str, cache: str | Path) -> Path:
    """The archive of a Decathlon task, from ``cache`` if it is there with the right checksum, else downloaded.

    Raises:
        RefoldError: unreachable, refused, or another file than the Decathlon's.
    """
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    for stale in cache.glob("tmp*"):  # pooch's, of a killed run
        stale.unlink()
    base = os.environ.get(BASE_VARIABLE) or BASE_URL
    url = base.rstrip("/") + f"/{task}.tar"
    pooch.get_logger().setLevel("WARNING")
    archive, part = cache / f"{task}.tar", cache / f"{task}.tar.part"
    anew = False
    while True:
        downloader = Resuming(part)
        try:
            pooch.retrieve(url, f"md5:{MD5[task]}", archive.name, cache, downloader=downloader)
        except ValueError as error:  # pooch's word for a wrong checksum
            if "hash" not in str(error):
                raise
            got = pooch.file_hash(str(part), alg="md5") if part.exists() else "another one"
            size = part.stat().st_size if part.exists() else 0
            part.unlink(missing_ok=True)
            if downloader.continued and not anew:
                log.get().warning(f"{task}: the pieces of the continued download do not fit; it starts anew")
                anew = True
                continue
            raise RefoldError(
                f"{url} is not the archive of {task}: its md5 is {got} ({size} bytes), the Decathlon's is {MD5[task]}; "
                f"check the address ({BASE_VARIABLE} names a mirror), or {OFFLINE}"
            ) from None
        except OSError as error:
            raise RefoldError(f"{cache} cannot be written: {error}") from None
        part.unlink(missing_ok=True)
        return archive


class _Again(Exception):
    """A failure that may pass."""


class Resuming:
    """A downloader for pooch that continues where an earlier one stopped.

    Bytes go to ``part``, which survives a failure or a kill, and are asked for from its end on (HTTP Range). A server
    that ignores ranges starts over. The checksum, not an ETag, decides in the end whether the pieces fit.

    Args:
        part: the partial file.
        attempts: how many failures in a row, without a block gained, end it.
        wait: seconds after the first failure; doubled after each further one, at most a minute.
    """

    def __init__(self, part: Path, attempts: int = 6, wait: float | None = None):
        self.part = part
        self.attempts = attempts
        self.wait = WAIT if wait is None else wait
        self.continued = False

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        farthest, failures = self._have(), 0
        if farthest:
            log.get().info(f"continuing {url} after {farthest / 1e6:.1f} MB")
        else:
            log.get().info(f"downloading {url}")
        while True:
            try:
                self._get(url)
                break
            except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema,
                    requests.exceptions.InvalidSchema) as error:  # fmt: skip
                raise RefoldError(f"{url} is no address ({error}); check {BASE_VARIABLE}") from None
            except (requests.RequestException, _Again) as error:
                failures = 0 if self._have() > farthest else failures + 1
                farthest = max(farthest, self._have())
                if failures >= self.attempts:
                    raise RefoldError(
                        f"{url} cannot be downloaded: {error}; given up after {failures} attempts "
                        f"({self._have() / 1e6:.1f} MB are kept and continued next time); {OFFLINE}"
                    ) from None
                pause = min(60.0, self.wait * 2 ** max(0, failures - 1))
                log.get().warning(f"{url}: {error}; trying again in {pause:g} s")
                time.sleep(pause)
        os.unlink(output_file)
        try:
            os.link(self.part, output_file)  # part stays until the checksum is verified: a kill costs no download
        except OSError:
            os.replace(self.part, output_file)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _get(self, url: str) -> None:
        have = self._have()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            code, extent = answer.status_code, answer.headers.get("Content-Range", "")
            if code == 416 and extent == f"bytes */{have}":
                self.continued = True
                return  # nothing is missing
            if code == 416 or (code == 206 and not extent.startswith(f"bytes {have}-")):
                self.part.unlink()
                raise _Again("the server has no continuation for what is here")
            if code >= 500 or code in (408, 425, 429):
                raise _Again(f"the server answers {code} {answer.reason}")
            if code not in (200, 206):
                raise RefoldError(f"{url}: the server answers {code} {answer.reason}; check the address, or {OFFLINE}")
            start = have if code == 206 else 0
            self.continued |= start > 0
            length = answer.headers.get("Content-Length", "")
            total = start + int(length) if length.isdigit() else None
            blocks = answer.iter_content(BLOCK)
            with open(self.part, "ab" if start else "wb") as handle:
                for block in log.progress(blocks, self.part.stem, total, size=len, done=start):
                    handle.write(block)
        if total is not None and self._have() != total:
            raise _Again(f"the connection ended after {self._have()} of {total} bytes")
