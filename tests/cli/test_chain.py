import hashlib
import json
from pathlib import Path

import pytest

from refold.cli import chain, tools
from refold.core import seals
from refold.data import layout


def outputs(*paths):
    return [tools.Output(str(p), "rule", False, "ok") for p in paths]


def test_a_data_set_keeps_its_own_format(tmp_path, monkeypatch):
    """A fetched data set has a dataset.json, which is no file of refold's and so has no hash of itself."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / layout.RAW / "ours/dataset.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"channel_names": {"0": "T1"}}))
    found = chain.look(outputs(f"{layout.RAW}/ours/dataset.json"))
    assert found.altered == () and found.files == 1


def test_the_description_that_refold_writes_has_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/cases.csv").write_text("cases.csv")
    seals.write("data/dataset.json", {"name": "ours", "files": {}})
    text = (tmp_path / "data/dataset.json").read_text()
    (tmp_path / "data/dataset.json").write_text(text.replace("ours", "mine"))
    (altered,) = chain.look(outputs("data/dataset.json")).altered
    assert altered.startswith("data/dataset.json is not what the data phase wrote")


def shard(content: bytes) -> str:
    """What the preprocess phase leaves of one case: its list and its file."""
    path = Path("data/preprocessed/a.h5")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    seals.write("data/preprocessed/shard-0.json", {"cases": {"a": {"file": "a.h5", "sha256": digest}}})
    return digest


def test_the_fingerprint_knows_its_stored_cases(tmp_path, monkeypatch):
    """An older list of a shard, put back with its files, fits these; the fingerprint is of others."""
    monkeypatch.chdir(tmp_path)
    files = outputs("data/preprocessed/shard-0.json", "data/fingerprint.json")
    seals.write("data/fingerprint.json", {"cases": {"a": {"sha256": shard(b"new")}}})
    assert chain.look(files).altered == ()
    shard(b"old")
    found = chain.look(files)
    assert found.names == ("data/preprocessed/a.h5",) and "data/fingerprint.json says " in found.altered[0]
    assert "`snakemake --forcerun preprocess_shard -- preprocess` makes it again" in found.altered[0]
    Path("data/preprocessed/a.h5").unlink()
    assert chain.look(files).names == ("data/preprocessed/a.h5",)


@pytest.mark.parametrize(
    "path",
    [
        "data/dataset.json", "data/fingerprint.json", "data/preprocessed/shard-0.json",
        "results/models/a/fold-0/card.json", "results/predictions/a/fold-0/predictions.json",
        "results/metrics/folds/a/fold-0.json", chain.HASHES, chain.PROVENANCE, chain.CRATE,
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [{}, {"cases": [], "hashes": [], "folds": [], "files": [], "@graph": [1]}])
def test_a_sealed_file_that_lacks_what_belongs_there_is_named(tmp_path, monkeypatch, path, value):
    """As one of another release may."""
    monkeypatch.chdir(tmp_path)
    if path == chain.CRATE:
        seals.write(path, {**value, seals.IN_CRATE: seals.EMPTY}, key=seals.IN_CRATE)
    else:
        seals.write(path, value)
    found = chain.look(outputs(path))
    assert path in found.names and "it lacks" in found.text()


def test_other_warnings_of_the_data_are_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seals.write("data/checks.json", {"warnings": []})
    seals.write(chain.PROVENANCE, {"data": {"checks.json": "0" * 64}, "tables": {}, "predictions": {}})
    assert chain.look(outputs("data/checks.json", chain.PROVENANCE)).names == ("data/checks.json",)
    Path("data/checks.json").write_text("{}")
    assert chain.look(outputs("data/checks.json")).names == ("data/checks.json",)
