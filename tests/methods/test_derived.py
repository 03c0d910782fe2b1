"""Methods made from others: which models answer, and what is refused."""

import pytest

from refold.core.errors import RefoldError
from refold.core.params import validate

UNET, OTSU = {"kind": "unet"}, {"kind": "threshold", "channel": 1}


def answer(name="x", **methods):
    return validate({"methods": {"u": UNET, "t": OTSU, **methods}}).answer(name)


def test_who_answers():
    assert answer("u").models == (("u", frozenset()),)
    both = answer(x={"kind": "ensemble", "members": ["u", "t"]})
    assert both.models == (("u", frozenset()), ("t", frozenset())) and both.entries == ("x", "u", "t")
    without = answer(x={"kind": "missing_channels", "of": "u", "channels": [1]})
    assert without.models == (("u", frozenset({1})),)
    chain = answer(
        e={"kind": "ensemble", "members": ["u", "t"]},
        p={"kind": "postprocessing", "of": "e"},
        x={"kind": "missing_channels", "of": "p", "channels": [0]},
    )
    assert chain.models == (("u", frozenset({0})), ("t", frozenset({0})))
    assert chain.postprocessing == ("p",) and chain.entries == ("x", "p", "e", "u", "t")


@pytest.mark.parametrize(
    "methods, told",
    [
        ({"x": {"kind": "ensemble", "members": ["u", "v"]}}, "methods.x.members: 'v' is no method"),
        ({"x": {"kind": "ensemble", "members": ["u", "u"]}}, "u stands twice"),
        ({"x": {"kind": "ensemble", "members": ["u", "x"]}}, "made from itself (x -> x)"),
        (
            {"x": {"kind": "postprocessing", "of": "y"}, "y": {"kind": "postprocessing", "of": "x"}},
            "made from itself (x -> y -> x)",
        ),
        (
            {"p": {"kind": "postprocessing", "of": "u"}, "x": {"kind": "ensemble", "members": ["p", "t"]}},
            "p is postprocessed and gives no probabilities to average",
        ),
        (
            {"e": {"kind": "ensemble", "members": ["u", "t"]}, "x": {"kind": "ensemble", "members": ["e", "u"]}},
            "u would be counted twice",
        ),
        ({"x": {"kind": "ensemble", "members": ["u"]}}, "at least 2"),
        (
            {"x": {"kind": "missing_channels", "of": "u", "channels": [2]}},
            "methods.x.channels: 2 is not allowed; phantom has",
        ),
        (
            {"x": {"kind": "missing_channels", "of": "u", "channels": [0, 1]}},
            "none of the 2 channels of phantom would be left",
        ),
        (
            {
                "x": {
                    "kind": "postprocessing",
                    "of": "u",
                    "min_size": [],
                    "fill_holes": False,
                    "largest_component": False,
                }
            },
            "methods.x.min_size: empty, and the other operations are off",
        ),
    ],
)
def test_what_cannot_be_is_refused(methods, told):
    with pytest.raises(RefoldError) as error:
        validate({"methods": {"u": UNET, "t": OTSU, **methods}})
    assert told in str(error.value)
