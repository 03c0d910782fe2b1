import json

import pytest

from refold.core import paths
from refold.core.errors import RefoldError
from refold.imaging import cases as case_table
from refold.imaging.place import Place
from refold.settings.split import Split
from refold.split.__main__ import main

from .conftest import make_cases


@pytest.fixture
def project(tmp_path, monkeypatch, description):
    monkeypatch.chdir(tmp_path)
    case_table.write(make_cases([1] * 8 + [2] * 4))
    description.write(beside=[paths.CASES])
    (tmp_path / "results/.params").mkdir(parents=True)

    def stamp(**values):
        (tmp_path / "results/.params/split.json").write_text(Split(**values).model_dump_json())

    return stamp


def test_writes_the_same_bytes_each_time(project, tmp_path):
    project(folds=3, test_fraction=0.2)
    main([])
    first = (tmp_path / "results/splits.json").read_bytes()
    main(["--output", "again.json"])
    assert (tmp_path / "again.json").read_bytes() == first
    assert json.loads(first).keys() == {
        "kind",
        "seed",
        "folds",
        "holdout",
        "patients",
        "stratified_by",
        "notes",
        "seal",
    }


def test_a_split_file_is_found_where_params_yaml_says(project, tmp_path):
    """The frozen section does not tell: files may be moved."""
    names = [c.case for c in case_table.read()]
    folds = [{"train": names[4:], "test": names[:4]}, {"train": names[:4], "test": names[4:]}]
    (tmp_path / "mine.json").write_text(json.dumps({"folds": folds}))
    project(kind="file", file="given in params.yaml", folds=2)
    Place("raw", split_file="mine.json").write()
    main([])
    found = json.loads((tmp_path / "results/splits.json").read_text())
    assert [f["test"] for f in found["folds"]] == [sorted(names[:4]), sorted(names[4:])]


def test_a_refused_split_leaves_no_file(project, tmp_path):
    project(kind="kfold", folds=3)
    with pytest.raises(RefoldError):
        main([])
    assert not (tmp_path / "results/splits.json").exists()
    assert not list((tmp_path / "results").glob("*split*"))
