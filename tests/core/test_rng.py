import subprocess
import sys
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from refold.core.rng import generator

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


def test_a_stream_does_not_depend_on_the_order_in_which_streams_are_asked():
    purposes = [("augment", 0, epoch, case) for epoch in range(2) for case in ("a", "b")]
    alone = {p: generator(1, *p).random(5).tolist() for p in purposes}
    for order in list(permutations(purposes))[:6]:
        made = {p: generator(1, *p) for p in order}
        assert {p: made[p].random(5).tolist() for p in reversed(order)} == alone


def test_a_stream_does_not_depend_on_the_process_or_on_hash_randomisation():
    program = "from refold.core.rng import generator; print(generator(7, 'x', 3).integers(0, 2**62, 3).tolist())"
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(WORKFLOW), "PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert seen == {str(generator(7, "x", 3).integers(0, 2**62, 3).tolist())}


def test_the_streams_are_pinned():
    """Another number here means that every result of every experiment changes."""
    assert generator(1, "patch", 0, 2, "case").integers(0, 1000, 4).tolist() == PINNED


PINNED = [807, 240, 143, 165]

words = st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=6) | st.integers(-5, 5)


@given(st.integers(0, 5), st.lists(words, max_size=3), st.integers(0, 5), st.lists(words, max_size=3))
def test_other_purposes_have_other_streams(seed, purpose, other_seed, other):
    """Also ("ab", "c") and ("a", "bc"), 11, 1 and 1, 11."""
    same = [seed, *map(str, purpose)] == [other_seed, *map(str, other)]
    drawn = generator(seed, *purpose).integers(0, 2**63, 2), generator(other_seed, *other).integers(0, 2**63, 2)
    assert np.array_equal(*drawn) == same


def test_streams_look_independent():
    """Streams of neighbouring epochs: mean 1/2 and no correlation, within four standard errors."""
    values = np.array([generator(1, "augment", epoch).random(400) for epoch in range(50)])
    assert abs(values.mean() - 0.5) < 4 * np.sqrt(1 / 12 / values.size)
    pairs = [np.corrcoef(a, b)[0, 1] for a, b in pairwise(values)]
    assert abs(np.mean(pairs)) < 4 / np.sqrt(400 * len(pairs))
