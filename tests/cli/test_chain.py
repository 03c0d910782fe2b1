import json

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
    for name in ("cases.csv", "checks.json"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / name).write_text(name)
    seals.write("data/dataset.json", {"name": "ours", "files": {}})
    text = (tmp_path / "data/dataset.json").read_text()
    (tmp_path / "data/dataset.json").write_text(text.replace("ours", "mine"))
    (altered,) = chain.look(outputs("data/dataset.json")).altered
    assert altered.startswith("data/dataset.json is not what the data phase wrote")
