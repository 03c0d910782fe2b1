"""Where the tests' own Slurm is not started."""

import os

import pytest

from refold.cli import cluster


@pytest.fixture(autouse=True)
def nothing_is_started(monkeypatch, tmp_path):
    monkeypatch.delenv("SLURM_CONF", raising=False)
    monkeypatch.setattr(cluster, "CONF", tmp_path / "etc" / "slurm.conf")
    monkeypatch.setattr(cluster.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(cluster.socket, "gethostbyname", lambda name: "127.0.0.1")
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 0)
    monkeypatch.setattr(cluster, "install", lambda *_: pytest.fail("went on to install Slurm"))


def test_another_slurm_is_configured():
    cluster.CONF.parent.mkdir()
    cluster.CONF.write_text("ClusterName=real\n")
    with pytest.raises(cluster.Unavailable, match=r"another Slurm is configured.*slurm\.conf"):
        cluster.Cluster().__enter__()
    assert cluster.CONF.read_text() == "ClusterName=real\n"


def test_another_slurm_is_in_the_environment(monkeypatch):
    monkeypatch.setenv("SLURM_CONF", "/opt/site.conf")
    with pytest.raises(cluster.Unavailable, match=r"/opt/site\.conf"):
        cluster.Cluster().__enter__()


def test_not_root(monkeypatch):
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 1000)
    with pytest.raises(cluster.Unavailable, match="root"):
        cluster.Cluster().__enter__()


def test_what_a_killed_test_run_left_is_removed_and_no_other_process_touched(tmp_path):
    left = tmp_path / f"{cluster.PREFIX}left"
    (left / "munge").mkdir(parents=True)
    (left / "slurm.conf").touch()
    (left / "slurmd.pid").write_text(str(os.getpid()))  # the number of a dead daemon belongs to another process now
    cluster.CONF.parent.mkdir()
    cluster.CONF.symlink_to(left / "slurm.conf")
    cluster.Cluster()._leftover()
    assert not left.exists() and not cluster.CONF.is_symlink()
