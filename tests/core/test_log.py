import io
import logging
import sys

import pytest

from refold.core import log


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (95, "1 min 35 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (4000, "1 h 06 min"),
        (90000, "25 h 00 min"),
    ],
)
def test_duration(seconds, text):
    assert log.duration(seconds) == text


class Clock:
    """A clock that a test turns."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(log.time, "monotonic", lambda: self.now)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _messages(text: str) -> list[str]:
    return [line.split(" INFO ", 1)[1] for line in text.splitlines()]


def test_progress_without_a_terminal_writes_a_line_now_and_then(monkeypatch, capsys):
    clock, seen = Clock(monkeypatch), []
    for item in log.progress("abcd", "cases", every=10):
        seen.append(item)
        clock.now += 6
    assert seen == list("abcd")
    err = capsys.readouterr().err
    assert "\r" not in err
    # after 6 s nothing; after 12 s a line; after 18 s nothing; the last always
    assert _messages(err) == ["cases: 2/4, 12 s so far, 12 s left", "cases: 4/4, 24 s so far, 0 s left"]


def test_quick_work_is_one_line(monkeypatch, capsys):
    Clock(monkeypatch)
    assert list(log.progress([1, 2, 3], "cases")) == [1, 2, 3]
    assert _messages(capsys.readouterr().err) == ["cases: 3/3, 0 s so far, 0 s left"]


def test_nothing_to_do_says_nothing(capsys):
    assert list(log.progress([], "cases")) == []
    assert capsys.readouterr().err == ""


def test_progress_of_a_generator_needs_its_length(monkeypatch, capsys):
    Clock(monkeypatch)
    assert list(log.progress((i for i in range(2)), "cases", total=2)) == [0, 1]
    assert _messages(capsys.readouterr().err) == ["cases: 2/2, 0 s so far, 0 s left"]


def test_progress_on_a_terminal_rewrites_one_line(monkeypatch):
    clock, terminal = Clock(monkeypatch), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in log.progress(range(3), "cases"):
        clock.now += 1
    shown = terminal.getvalue()
    assert shown.count("\n") == 1 and shown.endswith("\n")
    parts = [p.strip() for p in shown.split("\r")[1:]]
    assert parts == [f"cases: {i}/3, {i} s so far, {3 - i} s left" for i in (1, 2, 3)]
    assert len({len(p) for p in shown.rstrip("\n").split("\r")[1:]}) == 1  # a shorter text covers a longer one


def test_progress_of_bytes_goes_on_from_what_was_there(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    blocks = [bytes(2_000_000)] * 3
    for _ in log.progress(blocks, "Task.tar", total=10_000_000, size=len, done=4_000_000):
        clock.now += 10
    assert _messages(capsys.readouterr().err) == [
        "Task.tar: 6/10 MB, 10 s so far, 20 s left",
        "Task.tar: 8/10 MB, 20 s so far, 10 s left",
        "Task.tar: 10/10 MB, 30 s so far, 0 s left",
    ]


def test_progress_of_bytes_without_a_known_end(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    for _ in log.progress([bytes(3_000_000)] * 3, "Task.tar", size=len):
        clock.now += 6
    assert _messages(capsys.readouterr().err) == ["Task.tar: 6 MB, 12 s so far"]


def test_what_breaks_off_ends_its_line_on_a_terminal(monkeypatch):
    clock, terminal = Clock(monkeypatch), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    def blocks():
        yield bytes(1_000_000)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        for _ in log.progress(blocks(), "Task.tar", total=2_000_000, size=len):
            clock.now += 1
    line, end = terminal.getvalue().split("\n")
    assert line.strip() == "Task.tar: 1/2 MB, 1 s so far, 1 s left" and not end


def test_the_logger_writes_to_the_present_standard_error(capsys, monkeypatch):
    log.get().info("one")
    other = io.StringIO()
    monkeypatch.setattr(sys, "stderr", other)
    log.get().warning("two")
    assert _messages(capsys.readouterr().err) == ["one"]
    assert other.getvalue().rstrip().endswith("WARNING two")
    own = [h for h in log.get().handlers if isinstance(h, log._StandardError)]  # pytest adds its own
    assert len(own) == 1 and log.get() is logging.getLogger("refold")
