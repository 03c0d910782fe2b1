"""A real Slurm on this one machine, for the tests: munged, slurmctld and one slurmd on loopback.

It needs root, and no service manager: the daemons are started here and stopped here. CPUs and memory are booked as on
a cluster; a job that uses more memory than it asked for is killed. There is no accounting data base, so no sacct.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from refold.cli.debian import Unavailable, command, install

PACKAGES = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client"}
CONF = Path("/etc/slurm/slurm.conf")  # the plugin takes SLURM_CONF from the environment of srun, which then looks here
PREFIX = "refold-slurm-"

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.log
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=3600
KillWait=2
CompleteWait=0
MailProg=/bin/true
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=64000 Gres=gpu:2
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60
"""


def until(condition, what: str, seconds: float = 30, every: float = 0.1):
    """The first true answer of ``condition``."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(every)
    return answer


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


class Cluster:
    """One node of 16 cores, 64 GB and 2 GPUs, all on paper only; stopped and removed when the context ends."""

    def __enter__(self) -> Cluster:
        """Raises `Unavailable` where no Slurm can be started."""
        if os.geteuid() != 0:
            raise Unavailable("only root can start Slurm's daemons")
        host = socket.gethostname().partition(".")[0]
        try:
            socket.gethostbyname(host)
        except OSError:
            raise Unavailable(f"the name of this machine, {host}, has no address") from None
        self._lock = open(Path(tempfile.gettempdir()) / "refold-slurm.lock", "w")
        try:
            try:
                until(self._locked, "", 900, 1)
            except TimeoutError:
                raise Unavailable("another test run has used Slurm for 15 minutes") from None
            self._leftover()
            install(PACKAGES, "Slurm")
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            try:
                self._start(host)
            except BaseException as error:
                for log in sorted(self.folder.rglob("*log")):
                    error.add_note(f"{log.name}: {log.read_text(errors='replace')[-2000:]}")
                self._stop()
                raise
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._lock.close()

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _leftover(self) -> None:
        """Remove the Slurm of a killed test run; refuse where another one is configured."""
        if CONF.is_symlink() and CONF.readlink().parent.name.startswith(PREFIX):
            self.folder = CONF.readlink().parent
            self._stop()
            del self.folder
        elif CONF.exists() or CONF.is_symlink() or "SLURM_CONF" in os.environ:
            raise Unavailable(f"another Slurm is configured on this machine ({os.environ.get('SLURM_CONF', CONF)})")

    def _start(self, host: str) -> None:
        munge = self.folder / "munge"
        munge.mkdir()
        for path in (self.folder, munge):
            path.chmod(0o755)
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        for path in (munge, key):
            shutil.chown(path, "munge", "munge")
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        munged = ["munged", *(f"--{option}={munge / name}" for option, name in names.items())]
        self._daemon(*munged, user="munge", group="munge", extra_groups=[])

        text = CONFIGURATION.format(host=host, folder=self.folder, ports=_free_ports(2))
        conf = self.folder / "slurm.conf"
        conf.write_text(text)
        for number in (0, 1):  # cards to be booked, with nothing behind them
            (self.folder / f"card{number}").touch()
        (self.folder / "gres.conf").write_text(f"NodeName=node Name=gpu File={self.folder}/card[0-1]\n")
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        CONF.parent.mkdir(exist_ok=True)
        CONF.symlink_to(conf)
        self._daemon("slurmctld", "-f", str(conf))
        until(lambda: "UP" in subprocess.getoutput("timeout 5 scontrol ping"), "slurmctld")
        self._daemon("slurmd", "-N", "node", "-f", str(conf))
        until(lambda: command("sinfo", "-h", "-o", "%T").strip() == "idle", "the node", 20)

    def _daemon(self, *words: str, **options) -> None:
        # an inherited pipe would keep pytest's caller waiting for as long as the daemon runs
        subprocess.run(
            words, check=True, timeout=30, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **options,
        )  # fmt: skip

    def _stop(self) -> None:
        with suppress(RuntimeError, TimeoutError, subprocess.TimeoutExpired, FileNotFoundError):
            if (self.folder / "slurmctld.pid").exists():
                command("scancel", "--user=root")
                until(lambda: not command("squeue", "-h"), "the end of all jobs")
        for daemon, file in (("slurmd", "slurmd.pid"), ("slurmctld", "slurmctld.pid"), ("munged", "munge/pid")):
            _end(daemon, self.folder / file)
        if CONF.is_symlink() and CONF.readlink().parent == self.folder:
            CONF.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    def jobs(self) -> list[dict[str, str]]:
        """Every job of this cluster as ``scontrol show job`` describes it, oldest first."""
        blocks = command("scontrol", "--oneliner", "show", "job").splitlines()
        jobs = [dict(word.split("=", 1) for word in block.split() if "=" in word) for block in blocks]
        return sorted((job for job in jobs if "JobId" in job), key=lambda job: int(job["JobId"]))


def _end(daemon: str, file: Path) -> None:
    """Stop the daemon whose process id is in ``file``, if that process is still this daemon."""

    def running() -> bool:
        try:
            name, _, rest = Path(f"/proc/{number}/stat").read_text().partition("(")[2].rpartition(") ")
            return name == daemon and rest[0] not in "ZX"
        except OSError:
            return False

    try:
        number = int(file.read_text())
    except (OSError, ValueError):
        return
    with suppress(ProcessLookupError):
        if running():
            os.kill(number, signal.SIGTERM)
        try:
            until(lambda: not running(), daemon, 10)
        except TimeoutError:
            os.kill(number, signal.SIGKILL)
