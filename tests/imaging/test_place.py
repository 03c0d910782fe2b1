"""Where the user's files lie: what is told where that is not known."""

import json

import pytest

from refold.core.errors import RefoldError
from refold.imaging.place import Place


def test_a_place_comes_back_as_it_was_written(tmp_path):
    place = Place("raw", "there", "p.csv", None, {"mine": "maps"})
    place.write(tmp_path / "place.json")
    assert Place.read(tmp_path / "place.json") == place and place.folder("mine") == "maps"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is missing"),
        ("{", "is not valid JSON: Expecting property name"),
        (json.dumps({"root": "raw", "more": 1}), "is damaged ("),
        (json.dumps(["raw"]), "is damaged ("),
        (json.dumps({"root": "raw", "folders": {"other": "maps"}}), "has no folder for the method 'mine'"),
        (json.dumps({"root": "raw", "folders": None}), "has no folder for the method 'mine'"),
    ],
)
def test_where_files_lie_is_written_by_a_dry_run(tmp_path, monkeypatch, content, told):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results/.data/place.json"
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_text(content)
    with pytest.raises(RefoldError) as caught:
        Place.read().folder("mine")
    assert str(caught.value).startswith(f"results/.data/place.json {told}")
    assert str(caught.value).endswith("; `snakemake -n` writes it anew")
