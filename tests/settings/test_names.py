"""Names that programs which read tables would take for something else."""

import io

import pandas
import pytest
from pandas._libs.parsers import STR_NA_VALUES

from refold.settings import names


def test_what_is_missing_is_what_pandas_takes_for_it():
    assert set(names.MISSING) == {v.casefold() for v in STR_NA_VALUES if v}
    for value in STR_NA_VALUES - {""}:
        assert names.taken(value) == "is read as a missing value by programs that read tables"


@pytest.mark.parametrize("name", ["1_2", "1_000.5", "0x1_f", "1e1_0", "nil", "~", "a.#nan"])
def test_a_name_that_pandas_reads_as_text_is_one(name):
    assert pandas.read_csv(io.StringIO(f"label\n{name}\n"))["label"].tolist() == [name]
    assert names.taken(name) is None


@pytest.mark.parametrize("name", ["12", "1e3", "-.5", "inf", "1.5e-3"])
def test_a_name_that_pandas_reads_as_a_number_is_none(name):
    assert pandas.read_csv(io.StringIO(f"label\n{name}\n"))["label"].dtype.kind in "if"
    assert names.taken(name) == "is read as a number by programs that read tables"
