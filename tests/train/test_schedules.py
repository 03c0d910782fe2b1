import pytest
from hypothesis import given
from hypothesis import strategies as st

from refold.train.schedules import learning_rate


def test_values_by_hand():
    assert learning_rate(0, 10, 1.0, "constant") == 1.0
    assert learning_rate(5, 10, 2.0, "cosine") == pytest.approx(1.0)
    assert learning_rate(5, 10, 1.0, "polynomial") == pytest.approx(0.5**0.9)
    assert [learning_rate(s, 10, 1.0, "constant", warmup=3) for s in range(4)] == [0.25, 0.5, 0.75, 1.0]


@given(st.integers(1, 500), st.integers(0, 50), st.sampled_from(["constant", "polynomial", "cosine"]))
def test_never_over_the_peak_never_below_zero_and_falling_after_the_warm_up(total, warmup, schedule):
    rates = [learning_rate(s, total, 0.1, schedule, warmup) for s in range(total)]
    assert all(0 <= r <= 0.1 + 1e-12 for r in rates)
    after = rates[min(warmup, total) :]
    assert all(a >= b - 1e-12 for a, b in zip(after, after[1:]))  # noqa: RUF007, B905
