"""Fetching from a real HTTP server on this machine that misbehaves as servers do."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

from refold.core.errors import RefoldError
from refold.data import fetch, layout
from refold.data.__main__ import main
from refold.run import seen
from refold.settings.dataset import Dataset

from .conftest import decathlon

TASK = "Task02_Heart"
WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


def archive_of(folder: Path, top: str = TASK) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        opened.add(folder, top)
        extra = random.Random(1).randbytes(300_000)  # so that it takes several blocks
        info = tarfile.TarInfo(f"{top}/imagesTs/noise.bin")
        info.size = len(extra)
        opened.addfile(info, io.BytesIO(extra))
        shadow = tarfile.TarInfo(f"{top}/._dataset.json")  # as macOS leaves them in the Decathlon's archives
        opened.addfile(shadow)
    return buffer.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """Serves `body`; each request takes the next word from `script`, then `good`.

    drop: closes the connection after a third of what is left. stall: the same, but never goes on. 500, 404: so.
    wrong: another file. noranges: the whole file whatever is asked. shifted: a range other than asked.
    """

    daemon_threads = True

    def __init__(self, body: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = body
        self.script: list[str] = []
        self.requests: list[tuple[str, str]] = []
        self.stop = threading.Event()

    def handle_error(self, *_):
        """A client that goes away is part of the game."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        word = server.script.pop(0) if server.script else "good"
        asked = self.headers.get("Range", "")
        server.requests.append((self.path, asked))
        self.close_connection = True
        if word.isdigit():
            self.send_error(int(word))
            return
        body = b"<html>Please log in</html>" if word == "wrong" else server.body
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and "noranges" not in word else 0
        if start >= len(body) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if word == "shifted" and start:
            start -= 1
        rest = body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if "drop" in word or word == "stall":
            self.wfile.write(rest[: len(rest) // 3])
            self.wfile.flush()
            if word == "stall":
                server.stop.wait(60)
        else:
            self.wfile.write(rest)


@pytest.fixture
def body(tmp_path):
    return archive_of(decathlon(tmp_path / "made").folder)


@pytest.fixture
def server(body, monkeypatch):
    served = Server(body)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("REFOLD_MSD_URL", f"http://127.0.0.1:{served.server_port}/decathlon")
    monkeypatch.setitem(fetch.MD5, TASK, hashlib.md5(body).hexdigest())
    monkeypatch.setattr(fetch, "WAIT", 0.0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield served
    served.stop.set()
    served.shutdown()
    served.server_close()


def get(raw):
    return fetch.fetch(Dataset(name=TASK), raw)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def assert_whole(raw, body):
    folder = raw / TASK
    assert names(folder) == ["dataset.json", "imagesTr", "imagesTs", "labelsTr"]
    assert len(json.loads((folder / "dataset.json").read_text())["training"]) == 3
    assert names(raw) == [".archives", TASK]
    assert names(raw / ".archives") == [f"{TASK}.tar"]
    assert (raw / ".archives" / f"{TASK}.tar").read_bytes() == body


def test_download(server, body, tmp_path):
    assert get(tmp_path / "raw") == tmp_path / "raw" / TASK
    assert server.requests == [(f"/decathlon/{TASK}.tar", "")]
    assert_whole(tmp_path / "raw", body)


def test_a_repeated_download_costs_nothing(server, body, tmp_path):
    get(tmp_path / "raw")
    (tmp_path / "raw" / TASK / "dataset.json").unlink()  # as Snakemake does before it runs the job again
    (tmp_path / "raw" / TASK / "leftover").write_text("of an earlier version")
    get(tmp_path / "raw")
    assert len(server.requests) == 1
    assert_whole(tmp_path / "raw", body)


def test_dropped_connections_are_continued(server, body, tmp_path):
    server.script = ["drop", "drop", "drop"]
    get(tmp_path / "raw")
    starts = [int(r[6:-1]) for _, r in server.requests[1:]]
    assert len(starts) == 3 and 0 < starts[0] < starts[1] < starts[2] < len(body)
    assert_whole(tmp_path / "raw", body)


def test_many_drops_as_long_as_something_arrives(server, body, tmp_path):
    server.script = ["drop"] * 12
    get(tmp_path / "raw")
    assert_whole(tmp_path / "raw", body)


def test_a_server_without_ranges_starts_over(server, body, tmp_path):
    server.script = ["noranges-drop", "noranges"]
    get(tmp_path / "raw")
    assert server.requests[1][1].startswith("bytes=")
    assert_whole(tmp_path / "raw", body)


def test_a_server_without_ranges_that_always_drops_is_given_up(server, tmp_path):
    server.script = ["noranges-drop"] * 50
    with pytest.raises(RefoldError, match=r"the connection|Connection|IncompleteRead"):
        get(tmp_path / "raw")
    assert len(server.requests) < 20 and not (tmp_path / "raw" / TASK).exists()


def test_a_range_other_than_asked_is_not_appended(server, body, tmp_path):
    server.script = ["drop", "shifted"]
    get(tmp_path / "raw")
    assert_whole(tmp_path / "raw", body)


def test_500_then_ok(server, body, tmp_path):
    server.script = ["500", "503", "429"]
    get(tmp_path / "raw")
    assert len(server.requests) == 4
    assert_whole(tmp_path / "raw", body)


def test_500_for_ever_is_given_up_and_says_so(server, tmp_path):
    server.script = ["500"] * 50
    with pytest.raises(RefoldError, match=r"answers 500.*given up after 6 attempts.*dataset.source"):
        get(tmp_path / "raw")
    assert len(server.requests) == 6
    assert names(tmp_path / "raw") == [".archives"] and names(tmp_path / "raw" / ".archives") == []


def test_404_is_not_tried_again(server, tmp_path):
    server.script = ["404"] * 5
    with pytest.raises(RefoldError, match="answers 404"):
        get(tmp_path / "raw")
    assert len(server.requests) == 1


def test_a_wrong_file_is_refused(server, tmp_path):
    server.script = ["wrong"] * 5
    with pytest.raises(RefoldError, match=r"is not the archive of Task02_Heart.*26 bytes"):
        get(tmp_path / "raw")
    assert names(tmp_path / "raw") == [".archives"] and names(tmp_path / "raw" / ".archives") == []


def test_a_short_file_is_refused(server, body, tmp_path):
    server.body = body[:-1000]  # truncated at its origin: the length fits, the checksum does not
    with pytest.raises(RefoldError, match="its md5 is"):
        get(tmp_path / "raw")
    assert not (tmp_path / "raw" / TASK).exists()


def test_pieces_that_do_not_fit_are_thrown_away(server, body, tmp_path):
    part = tmp_path / "raw" / ".archives" / f"{TASK}.tar.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"of another file")
    get(tmp_path / "raw")
    assert [r for _, r in server.requests] == ["bytes=15-", ""]
    assert_whole(tmp_path / "raw", body)


@pytest.mark.parametrize("more", [0, 10])
def test_a_part_that_is_complete_or_too_long(server, body, tmp_path, more):
    part = tmp_path / "raw" / ".archives" / f"{TASK}.tar.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(body + b"x" * more)
    get(tmp_path / "raw")
    assert [r for _, r in server.requests] == [f"bytes={len(body) + more}-"] + [""] * (more > 0)
    assert_whole(tmp_path / "raw", body)


def test_a_damaged_archive_in_the_cache_is_fetched_anew(server, body, tmp_path):
    get(tmp_path / "raw")
    (tmp_path / "raw" / ".archives" / f"{TASK}.tar").write_bytes(b"damaged")
    get(tmp_path / "raw")
    assert_whole(tmp_path / "raw", body)


def test_no_server_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("REFOLD_MSD_URL", "http://127.0.0.1:9/")
    monkeypatch.setattr(fetch, "WAIT", 0.0)
    with pytest.raises(RefoldError, match=r"cannot be downloaded.*set dataset.source to a local folder"):
        get(tmp_path / "raw")
    monkeypatch.setenv("REFOLD_MSD_URL", "no-address")
    with pytest.raises(RefoldError, match="check REFOLD_MSD_URL"):
        get(tmp_path / "raw")


def test_waiting_doubles(server, tmp_path, monkeypatch):
    server.script = ["500"] * 4
    waits = []
    monkeypatch.setattr(fetch, "WAIT", 1.0)
    monkeypatch.setattr(fetch.time, "sleep", waits.append)
    get(tmp_path / "raw")
    assert waits == [1, 2, 4, 8]


def start(project, code=None):
    arguments = ["-c", code] if code else ["-m", "refold.data", "fetch"]
    environment = {**os.environ, "PYTHONPATH": str(WORKFLOW)}
    return subprocess.Popen([sys.executable, *arguments], cwd=project, env=environment, stderr=subprocess.PIPE)


def wait_for(condition, process, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_killed_while_downloading_goes_on_where_it_was(server, body, project, stamp):
    stamp(name=TASK)
    server.script = ["stall"]
    (project / "data/raw" / TASK).mkdir(parents=True)  # as Snakemake does for its outputs
    part = project / "data/raw/.archives" / f"{TASK}.tar.part"
    process = start(project)
    wait_for(lambda: part.exists() and part.stat().st_size > 50_000, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = part.stat().st_size
    assert names(project / "data/raw" / TASK) == []
    main(["fetch"])
    assert server.requests[1][1] == f"bytes={kept}-"
    assert_whole(project / "data/raw", body)


STUCK = """
import time
from pathlib import Path
from refold.data import archives
from refold.data.__main__ import main
copy = archives._copy
def slow(*a):
    copy(*a)
    Path("reached").touch()
    time.sleep(60)
archives._copy = slow
main(["fetch"])
"""


def test_killed_while_unpacking_leaves_no_data_set(body, project, stamp, tmp_path):
    (tmp_path / "mine.tar").write_bytes(body)
    stamp(tmp_path / "mine.tar", name="mine")
    process = start(project, STUCK)
    wait_for((project / "reached").exists, process)
    process.kill()
    process.communicate()
    raw = project / "data/raw"
    assert not (raw / "mine").exists()
    assert len(names(raw)) == 1 and names(raw)[0].startswith(".tmp-mine=")
    main(["fetch"])
    assert names(raw) == ["mine"] and (raw / "mine/dataset.json").is_file()


# ---------------------------------------------------------------- other sources


def test_a_local_archive(body, project, stamp, tmp_path):
    (tmp_path / "mine.tar").write_bytes(body)
    stamp(tmp_path / "mine.tar", name="mine", patient_pattern=r"^(patient\d+)")
    main(["fetch"])
    main(["catalogue"])
    assert len((project / "data/cases.csv").read_text().splitlines()) == 4
    assert (tmp_path / "mine.tar").read_bytes() == body


def test_a_failure_leaves_the_former_data_set(project, stamp, tmp_path):
    (project / "data/raw/mine").mkdir(parents=True)
    (project / "data/raw/mine/dataset.json").write_text("former")
    with tarfile.open(tmp_path / "bad.tar", "w") as opened:
        opened.addfile(tarfile.TarInfo("data/readme"))
        opened.addfile(tarfile.TarInfo("../outside"))
    stamp(tmp_path / "bad.tar", name="mine")
    with pytest.raises(RefoldError, match="leads out"):
        main(["fetch"])
    assert names(project / "data/raw") == ["mine"] and names(project / "data/raw/mine") == ["dataset.json"]
    assert (project / "data/raw/mine/dataset.json").read_text() == "former"


def test_which_archive_was_unpacked_is_noted_only_when_it_was(body, project, stamp, tmp_path):
    (tmp_path / "mine.tar").write_bytes(body)
    stamp(tmp_path / "mine.tar", name="mine")
    main(["fetch"])
    found = json.loads((project / "data/raw/mine" / layout.UNPACKED).read_text())
    assert found == {"archive": hashlib.sha256(body).hexdigest()}
    notes = seen.stored(seen.ARCHIVE)
    assert notes["archive"][2] == found["archive"]
    (tmp_path / "mine.tar").write_bytes(b"no archive")
    with pytest.raises(RefoldError):
        main(["fetch"])
    assert json.loads((project / "data/raw/mine" / layout.UNPACKED).read_text()) == found
    stamp(name="phantom", phantom={"patients": 4, "size": 24})
    main(["fetch"])
    assert seen.stored(seen.ARCHIVE) == notes and not (project / "data/raw/phantom" / layout.UNPACKED).exists()


def test_an_archive_without_a_data_set(project, stamp, tmp_path):
    with tarfile.open(tmp_path / "bad.tar", "w") as opened:
        opened.addfile(tarfile.TarInfo("data/readme"))
    stamp(tmp_path / "bad.tar", name="mine")
    with pytest.raises(RefoldError, match=r"holds no dataset.json.*readme"):
        main(["fetch"])
    assert names(project / "data/raw") == []


def test_a_folder_is_read_in_place(project, stamp, tmp_path):
    source = decathlon(tmp_path / "d")
    stamp(source.folder)
    main(["fetch"])
    assert not (project / "data").exists()


def test_the_phantom(project, stamp):
    stamp(name="phantom", phantom={"patients": 4, "second_scans": 1, "size": 24})
    main(["fetch"])
    main(["catalogue"])
    rows = (project / "data/cases.csv").read_text().splitlines()
    assert len(rows) == 1 + 5
    assert len({row.split(",")[1] for row in rows[1:]}) == 4
    assert json.loads((project / "data/dataset.json").read_text())["patients"] == "phantom"


def test_the_checksums_are_those_of_all_ten_tasks():
    from refold.settings.dataset import MSD_TASKS

    assert tuple(fetch.MD5) == MSD_TASKS
    assert all(re.fullmatch("[0-9a-f]{32}", v) for v in fetch.MD5.values()) and len(set(fetch.MD5.values())) == 10
