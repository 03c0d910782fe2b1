from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from refold.split.strata import OTHER, strata


def test_one_combination_is_cut_at_its_quartiles():
    names, notes = strata([["a"]] * 8, [5, 1, 7, 3, 2, 8, 4, 6], smallest=2)
    assert names == [f"a, volume {b}/4" for b in (3, 1, 4, 2, 1, 4, 2, 3)]
    assert notes == []


def test_too_few_for_two_bins_stay_together():
    names, _ = strata([["a"]] * 5, range(5), smallest=3)
    assert set(names) == {"a"}


def test_rare_combinations_are_merged_and_said():
    present = [["a", "b"]] * 6 + [["a"]] * 2 + [["b"]] * 2 + [[]]
    names, notes = strata(present, [0] * 11, smallest=5)
    assert Counter(names) == {"a + b": 6, OTHER: 5}
    assert notes == [
        "label combinations with fewer than 5 members were merged into one stratum: a (2), b (2), no foreground (1)"
    ]


def test_a_remainder_too_small_joins_the_most_frequent():
    names, notes = strata([["a", "b"]] * 6 + [[]], range(7), smallest=5)
    assert set(names) == {"a + b"}
    assert "into the stratum 'a + b': no foreground (1)" in notes[0]


@given(
    st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.floats(0, 1e9)), min_size=1, max_size=60), st.integers(2, 8)
)
def test_no_stratum_is_smaller_than_asked(units, smallest):
    names, _ = strata([sorted(p) for p, _ in units], [v for _, v in units], smallest)
    counts = Counter(names)
    assert len(names) == len(units)
    assert len(counts) == 1 or min(counts.values()) >= smallest
