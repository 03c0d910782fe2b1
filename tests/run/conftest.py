import pytest

from refold.run import pins


@pytest.fixture
def processor(monkeypatch):
    """Pretend to be another processor."""

    def be(flags: str, architecture: str = "x86_64", name: str = "Some processor"):
        monkeypatch.setattr(pins, "cpuinfo", lambda: {"flags": flags, "model name": name})
        monkeypatch.setattr(pins.platform, "machine", lambda: architecture)

    return be
