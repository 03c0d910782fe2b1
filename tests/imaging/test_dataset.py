import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.imaging.dataset import Labels, numbers

LABELS = Labels((0, 2, 255), ("background", "organ", "lesion"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int64", "float32", "float64"])
def test_values_become_indices(dtype):
    got = LABELS.indices(np.array([[0, 255], [2, 2]], dtype), "x.nii.gz")
    assert got.dtype == np.uint8 and got.tolist() == [[0, 2], [1, 1]]
    with pytest.raises(RefoldError, match=r"^x\.nii\.gz holds 1, 3; declared label values are 0, 2, 255; or so$"):
        LABELS.indices(np.array([0, 3, 1], dtype), "x.nii.gz", "; or so")


def test_few_values_are_told_apart_from_whole_numbers():
    assert numbers([17.000002, 16.999998]) == "16.999998, 17.000002"
    assert numbers(range(9)) == "0, 1, 2, 3, 4, 5 and 3 more"


def test_what_lies_between_or_beyond_is_no_label():
    for value, said in ((0.5, "0.5"), (-1, "-1"), (256, "256"), (np.nan, "nan")):
        with pytest.raises(RefoldError, match=rf"^x holds {said}; "):
            LABELS.indices(np.array([0, value]), "x")


@given(st.lists(st.integers(-300, 70_000), min_size=2, max_size=12, unique=True), st.integers(0, 2**32 - 1))
def test_each_index_is_the_place_of_its_value(values, seed):
    """Also where the values of another program's files are in another order than the labels."""
    labels = Labels(tuple(values), tuple(map(str, values)))
    wanted = np.random.default_rng(seed).integers(0, len(values), (4, 5))
    data = np.array(values)[wanted]
    np.testing.assert_array_equal(labels.indices(data, "x"), wanted)
    if min(values) >= 0 and max(values) < 2**16:
        np.testing.assert_array_equal(labels.indices(data.astype(np.uint16), "x"), wanted)
