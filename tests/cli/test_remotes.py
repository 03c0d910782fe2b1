"""A colleague's clone: pull through a real SSH server, mark as fresh, change one parameter."""

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.projects import Project

pytestmark = pytest.mark.slow


def program() -> str:
    """Path of sshd, installed where that is possible; skips the test where it is not."""
    for attempt in range(2):
        found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        if found:
            return found
        if attempt or os.geteuid() or not shutil.which("apt-get"):
            break
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 300}
        subprocess.run(["apt-get", "update"], check=False, **quiet)
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "openssh-server"]
        subprocess.run(install, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, **quiet)
    pytest.skip("no sshd here, and it cannot be installed (apt-get as root is wanted)")


@pytest.fixture
def server(tmp_path):
    """Port and private key of an SSH server on loopback that lets this user in."""
    sshd, folder = program(), tmp_path / "sshd"
    folder.mkdir()
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True, timeout=60)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd of Debian drops its rights
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "config"], stderr=log, stdin=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield port, folder / "user"
    finally:
        process.terminate()
        process.wait(timeout=30)


def wanted(project: Project) -> dict[str, int]:
    """Jobs that a dry run wants, by rule."""
    out = project.snakemake("--dry-run").stdout
    table = re.findall(r"(?m)^(\w+) +(\d+)$", out.partition("Job stats:")[2].partition("Reasons")[0])
    return {rule: int(n) for rule, n in table if rule not in ("total", "all")}


def test_a_clone_pulls_over_ssh_and_trains_only_after_a_change(recorded, server, tmp_path):
    port, key = server
    project = recorded.copy(tmp_path / "project")
    project.dvc("remote", "add", "--default", "lab", f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path}/shelf")
    project.dvc("remote", "modify", "lab", "allow_agent", "false")
    project.commit("a remote")
    project.dvc("remote", "modify", "--local", "lab", "keyfile", str(key))
    project.dvc("push")
    assert any((tmp_path / "shelf").rglob("*"))

    project.git("clone", "--quiet", str(project.folder), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", project.env)
    clone.dvc("remote", "modify", "--local", "lab", "keyfile", str(key))
    clone.dvc("pull")
    assert clone.outs() == project.outs()
    clone.refold("sync")
    assert wanted(clone) == {} and clone.ran() == set()
    assert "nothing: what is here is fresh and on record" in clone.refold("status").stdout

    clone.edit(train={"learning_rate": 0.001})
    after = {"train_network": 2, "predict_fold": 2, "evaluate_fold": 2, "tables": 1, "report_html": 1}
    assert wanted(clone) == after
    shutil.rmtree(clone.folder / ".snakemake")
    assert wanted(clone).items() >= after.items()
    status = clone.refold("status").stdout
    assert "params.yaml: train modified" in status and "next: `snakemake`, then `refold record`" in status
