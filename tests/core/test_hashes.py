from refold.core import hashes
from refold.core.files import sha256_json
from refold.experiment.reading import validate


def test_params_have_a_hash_each():
    p = validate({"train": {"epochs": 3}})
    q = validate({"train": {"epochs": 4}})
    first = hashes.of_params({s: p.section(s) for s in ("train", "augment")})
    second = hashes.of_params({s: q.section(s) for s in ("augment", "train")})
    assert list(first) == ["augment", "train"] == list(second)
    assert first["augment"] == second["augment"] and first["train"] != second["train"]
    assert first["train"] == sha256_json(p.section("train"))


def test_how_a_value_is_written_does_not_matter():
    written = [{"train": {"epochs": 20}}, {"train": {"epochs": 2e1}}, {"train": {}}, {}]
    assert len({hashes.of_params({"train": validate(v).section("train")})["train"] for v in written}) == 1


def test_code_depends_on_bytes_and_names_not_on_order(tmp_path):
    a, b = tmp_path / "a.py", tmp_path / "b.py"
    a.write_text("x = 1\n")
    b.write_text("y = 1\n")
    before = hashes.of_code(["a.py", "b.py"], tmp_path)
    assert hashes.of_code(["b.py", "a.py"], tmp_path) == before
    assert hashes.of_code(["a.py"], tmp_path) != before
    b.write_text("y = 2\n")
    assert hashes.of_code(["a.py", "b.py"], tmp_path) != before
    a.write_text("y = 1\n")
    b.write_text("x = 1\n")
    assert hashes.of_code(["a.py", "b.py"], tmp_path) != before


def test_code_in_another_folder_is_the_same_code(tmp_path):
    found = set()
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("x = 1\n")
        found.add(hashes.of_code(["a.py"], tmp_path / name))
    assert len(found) == 1
