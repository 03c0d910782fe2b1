"""Unsafe archives: each refused, nothing outside written."""

from __future__ import annotations

import contextlib
import io
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.data import archives

PLAIN = [("data/dataset.json", b"{}"), ("data/imagesTr/a.nii.gz", b"image"), ("data/labelsTr/a.nii.gz", b"label")]


def tar(path, members, mode="w"):
    """members: (name, content) or a TarInfo."""
    with tarfile.open(path, mode) as opened:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                opened.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                opened.addfile(info, io.BytesIO(member[1]))
    return path


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return path


def special(kind, name="data/evil", target="../../outside"):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    info.devmajor, info.devminor = 1, 3
    return info


def zip_special(mode):
    info = zipfile.ZipInfo("data/evil")
    info.create_system = 3
    info.external_attr = (mode | 0o644) << 16
    return info


@pytest.fixture
def place(tmp_path):
    """A folder to unpack into, deep inside one that is watched."""
    folder = tmp_path / "watched" / "a" / "b"
    folder.mkdir(parents=True)
    return folder


def everything(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@pytest.mark.parametrize("ending, mode", [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".zip", None)])
def test_plain_archives(ending, mode, tmp_path, place):
    mac = [("data/._dataset.json", b"x"), ("__MACOSX/data/._a", b"x"), ("data/.DS_Store", b"x")]
    members = [(f"./{n}", c) for n, c in PLAIN + mac]
    path = tmp_path / f"archive{ending}"
    tar(path, members, mode) if mode else zipped(path, members)
    archives.unpack(path, place)
    assert everything(place) == ["dataset.json", "imagesTr", "imagesTr/a.nii.gz", "labelsTr", "labelsTr/a.nii.gz"]
    assert (place / "imagesTr/a.nii.gz").read_bytes() == b"image"


def test_without_a_top_folder(tmp_path, place):
    archives.unpack(tar(tmp_path / "a.tar", [(n.removeprefix("data/"), c) for n, c in PLAIN]), place)
    assert (place / "dataset.json").is_file()


def test_a_top_folder_with_an_entry_of_its_own_name(tmp_path, place):
    archives.unpack(tar(tmp_path / "a.tar", [*PLAIN, ("data/data/x", b"x")]), place)
    assert (place / "data" / "x").is_file() and (place / "dataset.json").is_file()


def test_permissions_of_the_archive_are_not_taken_over(tmp_path, place):
    info = tarfile.TarInfo("tool")
    info.mode = 0o6777
    archives.unpack(tar(tmp_path / "a.tar", [info]), place)
    assert not (place / "tool").stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR)


TARS = {
    "absolute": ([("/tmp/refold-evil", b"x")], "absolute path"),
    "dots": ([("data/../../outside", b"x")], "leads out"),
    "dots at the start": ([("../outside", b"x")], "leads out"),
    "dots to a folder": ([special(tarfile.DIRTYPE, "../folder")], "leads out"),
    "symbolic link": ([special(tarfile.SYMTYPE)], "a symbolic link"),
    "file through a link": ([special(tarfile.SYMTYPE, "data/link", "../.."), ("data/link/x", b"x")], "a symbolic link"),
    "hard link": ([special(tarfile.LNKTYPE, target="/etc/passwd")], "a hard link"),
    "device": ([special(tarfile.CHRTYPE)], "a device"),
    "block device": ([special(tarfile.BLKTYPE)], "a device"),
    "pipe": ([special(tarfile.FIFOTYPE)], "a pipe"),
    "backslash": ([("data\\..\\..\\outside", b"x")], "backslash"),
    "drive": ([("C:/outside", b"x")], "absolute path"),
    "newline": ([("data/a\nb", b"x")], "control character"),
    "twice": ([("data/a", b"x"), ("data/a", b"y")], "the place of the file"),
    "case": ([("data/a.nii", b"x"), ("data/A.nii", b"y")], "case does not matter"),
    "case of a folder": ([("data/a/x", b"x"), ("data/A/y", b"y")], "case does not matter"),
    "accents": ([("data/\u00e9", b"x"), ("data/e\u0301", b"y")], "case does not matter"),
    "file as a folder": ([("data/a", b"x"), ("data/a/b", b"y")], "the place of the file"),
    "folder as a file": ([("data/a/b", b"x"), ("data/a", b"y")], "the place of a folder"),
    "nothing": ([], "holds no file"),
}


@pytest.mark.parametrize("name", TARS)
def test_unsafe_tar(name, tmp_path, place):
    members, words = TARS[name]
    path = tar(tmp_path / "evil.tar", members)
    with pytest.raises(RefoldError, match=words):
        archives.unpack(path, place)
    outside = [p for p in everything(tmp_path / "watched") if not p.startswith("a/b/")]
    assert outside == ["a", "a/b"]
    assert not any(p.is_symlink() or p.is_fifo() for p in place.rglob("*"))


@pytest.mark.parametrize(
    "member, words",
    [
        ("/tmp/refold-evil", "absolute path"),
        ("data/../../outside", "leads out"),
        ("..\\outside", "backslash"),
        (zip_special(stat.S_IFLNK), "a symbolic link"),
        (zip_special(stat.S_IFIFO), "a pipe"),
        (zip_special(stat.S_IFCHR), "a device"),
    ],
)
def test_unsafe_zip(member, words, tmp_path, place):
    path = zipped(tmp_path / "evil.zip", [(member, b"../outside")])
    with pytest.raises(RefoldError, match=words):
        archives.unpack(path, place)
    assert everything(tmp_path / "watched") == ["a", "a/b"]


def test_encrypted_zip(tmp_path, place):
    path = zipped(tmp_path / "a.zip", PLAIN)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(RefoldError, match="is encrypted"):
        archives.unpack(path, place)


@pytest.mark.parametrize("ending, mode", [(".tar", "w"), (".tar.gz", "w:gz"), (".zip", None)])
def test_truncated_archive(ending, mode, tmp_path, place):
    import random

    members = [("data/dataset.json", random.Random(1).randbytes(50_000))]
    path = tmp_path / f"cut{ending}"
    tar(path, members, mode) if mode else zipped(path, members)
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(RefoldError, match="truncated or damaged"):
        archives.unpack(path, place)


def test_zip_with_a_wrong_checksum(tmp_path, place):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as opened:
        opened.writestr("dataset.json", b"0123456789")
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456780", 1))
    with pytest.raises(RefoldError, match="Bad CRC"):
        archives.unpack(path, place)


def test_a_bomb_is_refused_before_it_is_written(tmp_path, place, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 1 << 20)
    path = tar(tmp_path / "bomb.tar.gz", [("data/zeros", bytes(8 << 20))], "w:gz")
    with pytest.raises(RefoldError, match=r"would make 0.0 GB"):
        archives.unpack(path, place)
    assert everything(place) == []


def test_a_full_disk_is_foreseen(tmp_path, place, monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(RefoldError, match="are free in"):
        archives.unpack(tar(tmp_path / "a.tar", [("data/a", bytes(11))]), place)
    assert everything(place) == []


def test_no_archive_at_all(tmp_path, place):
    for name in ("a.tar", "a.zip"):
        (tmp_path / name).write_text("<html>not found</html>")
        with pytest.raises(RefoldError, match="cannot be unpacked"):
            archives.unpack(tmp_path / name, place)
    with pytest.raises(RefoldError, match="is missing"):
        archives.unpack(tmp_path / "none.tar", place)


parts = st.sampled_from(["a", "A", "..", ".", "", "b", "/", "..\\", "C:", "\x00", "é"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(parts, min_size=1, max_size=4), min_size=1, max_size=4), st.sampled_from(["tar", "zip"]))
def test_whatever_the_names_nothing_lands_outside(tmp_path_factory, names, kind):
    base = tmp_path_factory.mktemp("names")
    place = base / "watched" / "a" / "b"
    place.mkdir(parents=True)
    joined = ["/".join(n) for n in names]
    if kind == "zip":  # zipfile cannot write a NUL
        joined = [n.replace("\x00", "") for n in joined]
    members = [(n or "x", b"x") for n in joined]
    path = base / f"x.{kind}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # zipfile's on names that stand twice
        tar(path, members) if kind == "tar" else zipped(path, members)
    with contextlib.suppress(RefoldError):
        archives.unpack(path, place)
    assert [p for p in everything(base) if not p.startswith("watched/a/b/")] == [
        "watched",
        "watched/a",
        "watched/a/b",
        path.name,
    ]
