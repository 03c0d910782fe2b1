from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.imaging.plan import SMALLEST, Plan, plan, plan_patch, plan_stages


def fingerprint(shape, spacing):
    return {"median": {"shape": list(shape), "spacing": list(spacing)}}


def test_hippocampus_gets_nnunets_patch():
    got = plan(fingerprint((35, 51, 36), (1, 1, 1)), 3)
    assert got == Plan((40, 56, 40), ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)))
    assert got.stages == 4 and got.divisor == (8, 8, 8)


def test_whole_volume_where_it_fits():
    assert plan_patch((30, 31, 32), (1, 2, 3), 30 * 31 * 32) == (30, 31, 32)


def test_patch_is_a_cube_in_mm():
    # 2 x 1 x 1 mm and 4000 voxels: (s/2) * s * s = 4000 -> s = 20 mm
    assert plan_patch((100, 100, 100), (2, 1, 1), 4000) == (10, 20, 20)


def test_a_short_axis_gives_its_voxels_to_the_others():
    # z has 4 voxels only: the others share 1600 / 4 = 400 -> 20 x 20
    assert plan_patch((100, 100, 4), (1, 1, 1), 1600) == (20, 20, 4)


def test_thick_slices_are_pooled_later_by_hand():
    # z at 4 mm waits while it is 4 (in plane 1 mm), then 2 (2 mm) times coarser, and joins at 4 mm
    got = plan_stages((64, 64, 16), (1, 1, 4))
    assert got == ((1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2))


def test_an_axis_kept_whole_is_not_pooled_and_nobody_waits_for_it():
    assert plan_stages((32, 32, 64), (1, 1, 0.2), whole=(2,)) == ((1, 1, 1), *[(2, 2, 1)] * 3)
    got = plan(fingerprint((32, 32, 9), (1, 1, 5)), 3, [32, 32, 9], 4, whole=(2,))
    assert got == Plan((32, 32, 9), ((1, 1, 1), *[(2, 2, 1)] * 3))


def test_small_axes_are_not_pooled():
    assert plan_stages((64, 7), (1, 1)) == ((1, 1), (2, 1), (2, 1), (2, 1), (2, 1))
    assert plan_stages((7, 7), (1, 1)) == ((1, 1),)


def test_slices_across_z():
    got = plan(fingerprint((64, 48, 5), (1, 1, 9)), 2)
    assert got.patch == (64, 48)
    assert all(len(s) == 2 for s in got.strides)


def test_given_patch_and_stages():
    got = plan(fingerprint((35, 51, 36), (1, 1, 1)), 3, [32, 32, 32], 3)
    assert got == Plan((32, 32, 32), ((1, 1, 1), (2, 2, 2), (2, 2, 2)))
    assert plan(fingerprint((35, 51, 36), (1, 1, 1)), 3, "auto", 2).patch == (36, 52, 36)
    assert plan(fingerprint((35, 51, 36), (1, 1, 1)), 3, "auto", 1) == Plan((35, 51, 36), ((1, 1, 1),))


@pytest.mark.parametrize(
    ("patch", "stages", "dimension", "words"),
    [
        ([36, 56, 40], "auto", 3, r"multiples of \[8, 8, 8\].*\[40, 56, 40\]"),
        ([8, 8, 8], 5, 3, "stages: 5.*at most 3 stages"),
        ([32, 32], "auto", 3, "2 axes"),
        ("auto", 9, 3, "stages: 9"),
    ],
)
def test_patch_that_cannot_be_pooled(patch, stages, dimension, words):
    with pytest.raises(RefoldError, match=words):
        plan(fingerprint((35, 51, 36), (1, 1, 1)), dimension, patch, stages)


def test_a_single_slice_takes_the_patch_of_a_picture():
    """Whatever thickness its header has."""
    for thickness in (0.1, 1.0, 999.0):
        assert plan_patch((2000, 1500, 1), (0.5, 0.5, thickness), 96**3) == (
            *plan_patch((2000, 1500), (0.5, 0.5), 96**3),
            1,
        )
        found = plan(fingerprint((200, 150, 1), (0.5, 0.5, thickness)), 3)
        assert found.patch[2] == 1 and {s[2] for s in found.strides} == {1}
        assert [s[:2] for s in found.strides] == list(plan(fingerprint((200, 150), (0.5, 0.5)), 2).strides)


def test_three_d_network_on_pictures():
    with pytest.raises(RefoldError, match="2-D data"):
        plan(fingerprint((64, 64), (1, 1)), 3)


@given(
    st.lists(st.tuples(st.integers(1, 700), st.floats(0.2, 8)), min_size=2, max_size=3),
    st.integers(2000, 200_000),
)
@settings(max_examples=200, deadline=None)
def test_every_plan_holds_its_promises(axes, most):
    shape, spacing = zip(*axes, strict=True)
    raw = plan_patch(shape, spacing, most)
    assert all(1 <= p <= n for p, n in zip(raw, shape, strict=True))
    assert prod(raw) <= most
    got = plan(fingerprint(shape, spacing), len(shape), max_voxels=most)
    assert got.strides[0] == (1,) * len(shape)
    for p, r, d in zip(got.patch, raw, got.divisor, strict=True):
        assert p % d == 0 and r <= p < r + d
        assert d == 1 or p // d >= SMALLEST
    # a padded patch given back as one's own is accepted and gives the same stages
    assert plan(fingerprint(shape, spacing), len(shape), list(got.patch)) == got
