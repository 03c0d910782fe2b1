from dataclasses import replace

import pytest

from refold.cli import tools
from refold.cli.status import Phase, advice
from refold.run.graph import PHASES

FRESH = [Phase(name, 0, 3, [], True) for name in PHASES]


def changed(**phases) -> list[Phase]:
    return [replace(p, **phases.get(p.name, {})) for p in FRESH]


@pytest.mark.parametrize(
    "phases, words",
    [
        (FRESH, "nothing: what is here is fresh and on record"),
        (changed(train={"differences": ["params.yaml: train modified"]}), "`refold record`"),
        ([replace(p, recorded=False) for p in FRESH], "`refold record`"),
        (changed(train={"pending": 2}), "`refold sync`"),
        (changed(train={"pending": 2, "differences": ["params.yaml: train modified"]}), "`snakemake`, then"),
        (changed(train={"pending": 2, "differences": ["results/models deleted"]}), "`dvc checkout`"),
        (changed(data={"pending": 2, "differences": ["data/raw/phantom deleted"]}), "`dvc checkout`"),
        (changed(train={"pending": 2, "recorded": False}), "`snakemake`, then"),
        (
            changed(train={"pending": 2, "differences": ["results/models deleted", "workflow/refold/a.py modified"]}),
            "`snakemake`, then",
        ),
    ],
)
def test_advice(phases, words):
    assert advice(phases).startswith(words)


@pytest.mark.parametrize(
    "phases, words",
    [
        (FRESH, "`dvc checkout` (or `dvc pull`), or put the files back"),
        (changed(data={"pending": 3}, report={"pending": 5}), "put the files back (delete those that DVC keeps"),
        (changed(data={"pending": 3, "differences": ["data/raw/phantom modified"]}), "`dvc checkout`"),
        (changed(data={"pending": 3, "differences": ["../mine modified"]}), "`snakemake`, then"),
    ],
)
def test_advice_where_raw_files_changed(phases, words):
    """Never to record, nor to mark as fresh, what was made from other files."""
    assert advice(phases, differs=True).startswith(words)


MODEL = "results/models/a/fold-0/model.npz"
CHECKOUT = "delete the files named above, then `dvc checkout --force`"
AGAIN = "make the files named above again"


@pytest.mark.parametrize(
    "phases, words",
    [
        (changed(train={"differences": ["results/models modified"]}), CHECKOUT),
        (changed(train={"differences": ["results/models modified"], "pending": 1}), CHECKOUT),
        (FRESH, AGAIN),  # it was recorded as it is
        ([replace(p, recorded=False) for p in FRESH], AGAIN),
        (changed(report={"recorded": False}), AGAIN),
        (changed(train={"differences": ["params.yaml: train modified"]}), AGAIN),
        (
            changed(
                train={"differences": ["results/models modified"]},
                predict={"differences": ["results/models modified", "results/predictions modified"]},
            ),
            AGAIN,
        ),
    ],
)
def test_advice_where_a_result_was_changed(phases, words):
    """A checkout replaces all results: where fresh ones are not on record yet they would be lost."""
    assert advice(phases, altered=[MODEL]).startswith(words)


def test_advice_names_no_record_that_would_be_refused():
    unrecorded = [replace(p, recorded=False) for p in FRESH]
    assert advice(unrecorded, strays=True).startswith("`refold record --clean`")
    assert advice(unrecorded, differs=True, gone="`dvc checkout x`") == (
        "`dvc checkout x`; nothing can be recorded without it"
    )
    pending = changed(train={"pending": 2, "differences": ["params.yaml: train modified"]})
    assert advice(pending, differs=True, gone="`dvc checkout x`").startswith("`dvc checkout x`; then `snakemake`")


def test_a_phase_in_words():
    assert FRESH[0].snakemake == "fresh" and FRESH[0].dvc == "on record"
    row = Phase("train", 2, 6, ["params.yaml: train modified", "results/models modified"], True)
    assert row.snakemake == "2 of 6 files to be made"
    assert row.dvc == "differs: params.yaml: train modified and 1 more"
    assert replace(row, recorded=False).dvc == "not on record"


def test_reasons_of_dvc_in_words():
    stage = [
        {"changed deps": {"params.yaml": {"train.epochs": "modified"}, "data/cases.csv": "deleted"}},
        {"changed outs": {"results/models": "not in cache"}},
        "changed command",
    ]
    assert tools.reasons(stage) == [
        "params.yaml: train.epochs modified",
        "data/cases.csv deleted",
        "results/models not in cache",
        "changed command",
    ]
