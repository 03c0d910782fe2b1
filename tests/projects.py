"""A project of refold in a folder of its own, driven by the real Snakemake, DVC and Git as a user drives it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests import warm

ROOT = Path(__file__).resolve().parents[1]
CLONED = ("Snakefile", "dvc.yaml", "workflow", "profiles", ".dvc", ".dvcignore", ".gitignore")
OWN = shutil.ignore_patterns("__pycache__", "tmp", "cache", "config.local", "*.egg-info")


def environment(home: Path) -> dict[str, str]:
    """Neither the user's settings of Git and DVC nor their caches are read or changed."""
    home.mkdir(parents=True, exist_ok=True)
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in IDENTITY.items()}
    places = {"DVC_GLOBAL_CONFIG_DIR": "dvc", "DVC_SYSTEM_CONFIG_DIR": "dvc-system", "DVC_SITE_CACHE_DIR": "dvc-site"}
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "GIT_", "SNAKEMAKE_"))},
        **who,
        **{key: str(home / name) for key, name in places.items()},
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }


IDENTITY = {"NAME": "refold", "EMAIL": "refold@example.org"}


class Project:
    """Commands in ``folder``. Each raises `AssertionError` with its output when it fails, unless ``check=False``."""

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None):
        self.folder = Path(folder)
        self.env = dict(env or environment(self.folder.parent / "home"))
        self._seen: dict[str, str] = {}

    @classmethod
    def create(cls, folder: Path, params: Mapping[str, Any], given: Path | None = None) -> Project:
        """A Git repository with refold's own files, these parameters and what lies in ``given``, as after a clone."""
        if given is not None:
            shutil.copytree(given, folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name in CLONED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=OWN)
            else:
                shutil.copy(source, folder / name)
        (folder / "params.yaml").write_text(yaml.safe_dump(dict(params), sort_keys=False))
        project = cls(folder)
        project.git("init", "--quiet", "--initial-branch", "main")
        project.refold("stages")
        project.commit("the experiment")
        return project

    def copy(self, folder: Path) -> Project:
        """The same state in another folder, times and links included."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.env)

    # ---- commands

    def run(self, *command: str, check: bool = True, timeout: float = 900, **more: str) -> subprocess.CompletedProcess:
        done = warm.run(*command, folder=self.folder, env={**self.env, **more}, timeout=timeout)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-6000:]}")
        return done

    def snakemake(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess:
        return self.run(sys.executable, "-m", "snakemake", *arguments, **options)

    def dvc(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess:
        return self.run(sys.executable, "-m", "dvc", *arguments, **{"PATH": PATH, **options})

    def refold(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess:
        return self.run(
            sys.executable, "-m", "refold.cli", *arguments,
            **{"PATH": PATH, "PYTHONPATH": str(self.folder / "workflow"), **options},
        )  # fmt: skip

    def git(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess:
        return self.run("git", *arguments, **options)

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    # ---- state

    def edit(self, **sections: Mapping[str, Any]) -> None:
        """Change values in params.yaml."""
        path = self.folder / "params.yaml"
        values = yaml.safe_load(path.read_text())
        for section, changes in sections.items():
            values.setdefault(section, {}).update(changes)
        path.write_text(yaml.safe_dump(values, sort_keys=False))

    def fresh(self) -> bool:
        """Whether Snakemake's dry run has nothing to do."""
        return "Nothing to be done" in self.snakemake("--dry-run", "--", "all").stdout

    def clean(self) -> bool:
        """Whether all is as DVC has it on record."""
        return json.loads(self.dvc("status", "--json").stdout.strip().splitlines()[-1]) == {}

    def ran(self) -> set[str]:
        """The jobs that ended since the last call, by the name of their timing, such as ``train-unet-0``."""
        # not by its date: `snakemake --touch` changes that of timings too
        now = {p.stem: p.read_text() for p in (self.folder / "logs" / "benchmarks").glob("*.tsv")}
        done = {name for name, timing in now.items() if self._seen.get(name) != timing}
        self._seen = now
        return done

    def phases_run(self) -> set[str]:
        """The phases of the jobs that ended since the last call."""
        return {PHASE_OF.get(name, name.split("-")[0]) for name in self.ran()}

    def outs(self) -> dict[str, bytes]:
        """Every file that DVC records, by its path."""
        lock = yaml.safe_load((self.folder / "dvc.lock").read_text())
        roots = [self.folder / o["path"] for s in lock["stages"].values() for o in s["outs"]]
        files = [p for r in roots for p in (r.rglob("*") if r.is_dir() else [r]) if p.is_file()]
        # .dvcignore leaves it out
        return {str(p.relative_to(self.folder)): p.read_bytes() for p in files if p.name != ".snakemake_timestamp"}


PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
PHASE_OF = {"fetch": "data", "catalogue": "data", "checks": "data", "fingerprint": "preprocess", "tables": "evaluate"}


def tiny(**sections: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of examples/tiny.yaml with some changed; a section given whole, `methods`, replaces."""
    values = yaml.safe_load((ROOT / "examples" / "tiny.yaml").read_text())
    for section, changes in sections.items():
        values[section] = dict(changes) if section == "methods" else {**values[section], **changes}
    return values
