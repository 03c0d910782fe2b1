import hashlib
import json
from dataclasses import replace

import pytest

from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.imaging.cases import Case, load
from refold.imaging.cases import write as write_cases
from refold.imaging.dataset import Description, Labels

VALUE = {"b": [1, 0.1], "a": {"seal": "of a case", "ü": None}, "z": "x"}


def test_a_file_carries_its_own_hash(tmp_path):
    path = tmp_path / "splits.json"
    seals.write(path, VALUE)
    text = path.read_text(encoding="utf-8")
    seal = json.loads(text)["seal"]
    # by hand: sha256 of the text with 64 zeros in its place
    assert hashlib.sha256(text.replace(seal, "0" * 64).encode()).hexdigest() == seal
    assert seals.read(path) == VALUE
    before = path.read_bytes()
    seals.write(path, seals.read(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('"x"', '"y"'),
        lambda text: text.replace("0.1", "0.10"),
        lambda text: text.replace('"seal": "of a case"', '"seal": "of another"'),
        lambda text: text.replace("\n}", "\n}\n"),
        lambda text: text[: text.index('  "seal"')] + text[text.index('  "seal"') :].replace("0", "1", 1),
    ],
)
def test_any_edit_is_refused_with_what_to_do(tmp_path, edit):
    path = tmp_path / "results/splits.json"
    seals.write(path, VALUE)
    edited = edit(path.read_text(encoding="utf-8"))
    assert edited != path.read_text(encoding="utf-8")
    path.write_text(edited, encoding="utf-8")
    with pytest.raises(RefoldError) as error:
        seals.read(path)
    assert f"{path} is not what the split phase wrote (sha256 " in str(error.value)
    assert str(error.value).endswith(f"`snakemake --forcerun {path}` makes it again")


@pytest.mark.parametrize("text", ['{"a": 1}', '{"a": 1, "seal": "abc"}', '{"a": {"seal": "%s"}}' % ("a" * 64), "[]"])
def test_a_file_without_a_hash_is_refused(tmp_path, text):
    path = tmp_path / "data/fingerprint.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(seals.Unsealed, match=r"has no hash of its own .* the preprocess phase of an earlier refold"):
        seals.read(path)


def test_what_is_absent_cut_or_endless_is_refused(tmp_path):
    path = tmp_path / "card.json"
    with pytest.raises(RefoldError, match=r"card\.json is missing, which its job writes; `snakemake --forcerun list`"):
        seals.read(path, "list")
    for text in ('{"a": ', "[" * 100_000, "\xff"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(RefoldError, match=r"it is no valid JSON"):
            seals.read(path)


def test_another_place_for_the_hash(tmp_path):
    """As an RO-Crate has it, where nothing may be added at the top."""
    path = tmp_path / "ro-crate-metadata.json"
    seals.write(path, {"@graph": [{"@id": "#seal", "value": seals.EMPTY}, {"value": "5"}]}, "value")
    found = seals.read(path, key="value")
    assert len(found["@graph"][0]["value"]) == 64 and found["@graph"][0]["value"] != seals.EMPTY
    path.write_text(path.read_text().replace('"5"', '"6"'))
    with pytest.raises(RefoldError, match="is not what the report phase wrote"):
        seals.read(path, key="value")
    for places in ([], [{"value": seals.EMPTY}, {"value": seals.EMPTY}]):
        with pytest.raises(ValueError, match=f"has {len(places)} places for its hash"):
            seals.write(path, {"@graph": places}, "value")


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/x/data/cases.csv", "data"),
        ("data/preprocessed/a.h5", "preprocess"),
        ("data/fingerprint.json", "preprocess"),
        ("results/splits.json", "split"),
        ("results/models/unet/fold-0/model.keras", "train"),
        ("results/predictions/unet/fold-holdout/probabilities/c.nii.gz", "predict"),
        ("results/metrics/cases.csv", "evaluate"),
        ("results/metrics/folds/unet/fold-0.json", "evaluate"),
        ("results/report/tables/data.csv", "report"),
        ("results/provenance.json", "report"),
    ],
)
def test_who_makes_a_file(path, who):
    assert seals.maker(path) == f"the {who} phase"


def test_a_file_against_the_hash_in_another(tmp_path):
    path = tmp_path / "results/metrics/summary.csv"
    with pytest.raises(RefoldError, match=r"summary\.csv is missing, which the evaluate phase writes"):
        seals.check(path, "a" * 64, "hashes.json")
    path.parent.mkdir(parents=True)
    path.write_text("mean\n0.0081\n")
    digest = sha256_file(path)
    assert seals.check(path, digest, "hashes.json") == digest
    with pytest.raises(RefoldError, match=r"\(hashes\.json has no hash of it\)"):
        seals.check(path, None, "hashes.json")
    path.write_text("mean\n0.9123\n")
    with pytest.raises(RefoldError, match=rf"hashes\.json says {digest[:12]}\).*`snakemake --forcerun list` makes it"):
        seals.check(path, digest, "hashes.json", "list")


def test_the_table_of_cases_belongs_to_its_description(tmp_path):
    table, about = tmp_path / "data/cases.csv", tmp_path / "data/dataset.json"
    case = Case("c", "p", ("i.png",), "l.png", 1, (4, 4), (1.0, 1.0), "XY", (8, 8), "0" * 64)
    write_cases([case], table)
    description = Description("toy", "raw", 2, ("grey",), (), Labels((0, 1), ("background", "x")), "case")
    description.write(about, [table])
    assert load(table, about) == ([case], replace(description, root=""))
    table.write_text(table.read_text().replace("c,p,", "c,q,"))  # another patient
    with pytest.raises(RefoldError, match=r"cases\.csv is not what the data phase wrote .*dataset\.json says"):
        load(table, about)
    description.write(about)
    with pytest.raises(RefoldError, match=r"dataset\.json has no hash of it"):
        load(table, about)
