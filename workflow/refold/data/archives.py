"""Unpacking archives of unknown origin: only plain files and folders, only inside the target, only a sane size."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from refold.core import log
from refold.core.errors import RefoldError

MOST_MEMBERS = 2_000_000
# medical images shrink by less than 20; an archive that grows by more than 200 is made to fill the disk
LARGEST_RATIO = 200
SMALL = 1 << 30
BLOCK = 1 << 20


@dataclass(frozen=True)
class _Member:
    name: str
    kind: str  # file, folder, or what it is instead
    size: int
    open: Callable[[], IO[bytes] | None]  # None: it is no file


def unpack(archive: str | Path, folder: str | Path) -> None:
    """Unpack a .tar, .tar.gz, .tgz or .zip file into an existing empty folder.

    One folder at the top that holds everything is stripped. macOS's companions (``._*``, ``__MACOSX``, ``.DS_Store``)
    are left out. Permissions, owners and times of the archive are not taken over.

    Raises:
        RefoldError: a member with an absolute path or ``..``, a link, a device or anything else that is no plain file
            or folder; two members with one name (on any file system); a size that cannot be true; a damaged archive.
            The folder may then hold some files, all inside it: the caller removes it.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                _write(archive, folder, len(opened.infolist()), _zip_members(opened))
        else:
            with tarfile.open(archive, "r:*") as opened:
                _write(archive, folder, None, _tar_members(opened))
    except FileNotFoundError:
        raise RefoldError(f"{archive} is missing") from None
    except NotImplementedError as error:
        raise RefoldError(f"{archive} cannot be unpacked: {error}") from None
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        raise RefoldError(f"{archive} cannot be unpacked ({error}): truncated or damaged? Get it again") from None
    except OSError as error:
        raise RefoldError(f"{archive} cannot be unpacked into {folder.parent}: {error}") from None
    _strip(folder)


def _tar_members(opened: tarfile.TarFile) -> Iterator[_Member]:
    kinds = ((tarfile.TarInfo.issym, "a symbolic link"), (tarfile.TarInfo.islnk, "a hard link"),
             (tarfile.TarInfo.isfifo, "a pipe"), (tarfile.TarInfo.isdev, "a device"))  # fmt: skip
    for m in opened:
        special = next((word for test, word in kinds if test(m)), "of an unknown kind")
        kind = "folder" if m.isdir() else "file" if m.isreg() else special
        yield _Member(m.name, kind, m.size if kind == "file" else 0, partial(opened.extractfile, m))


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for m in opened.infolist():
        mode = stat.S_IFMT(m.external_attr >> 16)
        special = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device",
                   stat.S_IFBLK: "a device"}.get(mode, "of an unknown kind")  # fmt: skip
        kind = special if mode not in (0, stat.S_IFREG, stat.S_IFDIR) else "folder" if m.is_dir() else "file"
        if m.flag_bits & 1:
            kind = "encrypted"
        # orig_filename: zipfile cuts a name at a NUL and turns backslashes round before it is looked at
        yield _Member(m.orig_filename, kind, m.file_size, partial(opened.open, m))


def _write(archive: Path, folder: Path, members: int | None, found: Iterator[_Member]) -> None:
    packed = archive.stat().st_size
    names: dict[str, str] = {}  # folded path -> path as written
    written: set[str] = set()
    total = 0

    def refuse(member: _Member, why: str) -> RefoldError:
        return RefoldError(f"{archive}: refused, because its member {member.name!r} {why}; nothing was unpacked")

    if (members or 0) > MOST_MEMBERS:
        raise RefoldError(f"{archive}: refused, because it has {members} members; at most {MOST_MEMBERS}")
    for number, member in enumerate(found, start=1):
        if number > MOST_MEMBERS:
            raise RefoldError(f"{archive}: refused, because it has over {MOST_MEMBERS} members")
        if re.search(r"[\x00-\x1f\\]", member.name):
            raise refuse(member, "has a control character or a backslash in its name")
        pure = PurePosixPath(member.name)
        if pure.is_absolute() or re.match(r"[A-Za-z]:", member.name):
            raise refuse(member, "has an absolute path")
        if ".." in pure.parts:
            raise refuse(member, "leads out of the folder by `..`")
        if member.kind not in ("file", "folder"):
            raise refuse(member, f"is {member.kind}")
        if not pure.parts or "__MACOSX" in pure.parts or pure.name.startswith("._") or pure.name == ".DS_Store":
            continue
        for depth in range(1, len(pure.parts) + 1):
            part = "/".join(pure.parts[:depth])
            folded = unicodedata.normalize("NFC", part).casefold()
            if names.setdefault(folded, part) != part:
                raise refuse(member, f"has the same name as {names[folded]!r} where case does not matter")
            if part in written:
                raise refuse(member, f"has the place of the file {part!r}")
        target = folder.joinpath(*pure.parts)
        if member.kind == "folder":
            target.mkdir(parents=True, exist_ok=True)
            continue
        if target.is_dir():
            raise refuse(member, "has the place of a folder")
        total += member.size
        if member.size < 0 or total > max(SMALL, LARGEST_RATIO * packed):
            raise refuse(member, f"would make {total / 1e9:.1f} GB out of {packed / 1e9:.3f} GB")
        free = shutil.disk_usage(folder).free
        if member.size > free:
            raise refuse(member, f"needs {member.size / 1e9:.1f} GB, {free / 1e9:.1f} GB are free in {folder.parent}")
        target.parent.mkdir(parents=True, exist_ok=True)
        source = member.open()
        assert source is not None
        with source, open(target, "xb") as handle:
            size = _copy(source, handle, member.size)
        if size != member.size:
            raise RefoldError(f"{archive} is truncated or damaged: {member.name} has {size} of {member.size} bytes")
        written.add("/".join(pure.parts))
        if number % 500 == 0:
            log.get().info(f"unpacking {archive.name}: {number} members, {total / 1e6:.0f} MB")
    if not written:
        raise RefoldError(f"{archive} holds no file")


def _copy(source: IO[bytes], handle: IO[bytes], most: int) -> int:
    """Copy and count; stop beyond ``most``: a size stated too small must not fill the disk."""
    size = 0
    while size <= most and (block := source.read(BLOCK)):
        handle.write(block)
        size += len(block)
    return size


def _strip(folder: Path) -> None:
    """Lift the contents of the only folder at the top, unless the data set lies at the top already."""
    inside = list(folder.iterdir())
    if len(inside) != 1 or not inside[0].is_dir():
        return
    # the folder may hold an entry of its own name
    top = folder / ".top"
    os.rename(inside[0], top)
    for child in list(top.iterdir()):
        os.rename(child, folder / child.name)
    top.rmdir()
