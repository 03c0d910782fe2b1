"""Methods made from others: which models answer, and what is refused."""

import pytest

from refold.core.errors import RefoldError
from refold.experiment.reading import validate
from refold.methods.derived import Member
from refold.settings.changes import PredictChanges
from refold.settings.predict import Predict

UNET, OTSU = {"kind": "unet"}, {"kind": "threshold", "channel": 1}


def answer(name="x", **methods):
    return validate({"methods": {"u": UNET, "t": OTSU, **methods}}).composition(name)


def test_who_answers():
    assert answer("u").models == (Member("u"),)
    both = answer(x={"kind": "ensemble", "members": ["u", "t"]})
    assert both.models == (Member("u"), Member("t")) and both.entries == ("x", "u", "t")
    without = answer(x={"kind": "missing_channels", "of": "u", "channels": [1]})
    assert without.models == (Member("u", frozenset({1})),)
    chain = answer(
        e={"kind": "ensemble", "members": ["u", "t"]},
        p={"kind": "postprocessing", "of": "e"},
        x={"kind": "missing_channels", "of": "p", "channels": [0]},
    )
    assert chain.models == (Member("u", frozenset({0})), Member("t", frozenset({0})))
    assert chain.postprocessing == ("p",) and chain.entries == ("x", "p", "e", "u", "t")


def test_predicting_otherwise():
    def otherwise(of, **predict):
        return {"kind": "prediction", "of": of, "predict": predict}

    chain = answer(a=otherwise("u", mirror_axes=["x"], overlap=0.25), x=otherwise("a", overlap=0.75))
    assert chain.models == (Member("u", predict=PredictChanges(mirror_axes=["x"], overlap=0.75)),)
    assert chain.entries == ("x", "a", "u")
    plain = Predict(tile="whole", threads=3, overlap=0.1, mirror_axes=["y"])
    assert chain.models[0].predict.apply_to(plain) == Predict(tile="whole", threads=3, overlap=0.75, mirror_axes=["x"])
    # the same model in two ways is averaged; in the same way it is refused (below)
    both = answer(a=otherwise("u", mirror_axes=["x"]), x={"kind": "ensemble", "members": ["u", "a"]})
    assert both.models == (Member("u"), Member("u", predict=PredictChanges(mirror_axes=["x"])))
    blind = answer(x=otherwise("b", tile="whole"), b={"kind": "missing_channels", "of": "u", "channels": [1]})
    assert blind.models == (Member("u", frozenset({1}), PredictChanges(tile="whole")),)


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
        ({"x": {"kind": "prediction", "of": "u"}}, "methods.x.predict: says nothing, so that it would be u again"),
        (
            {"x": {"kind": "prediction", "of": "t", "predict": {"overlap": 0.2}}},
            "methods.x.of: t has no network",
        ),
        (
            {"x": {"kind": "prediction", "of": "u", "predict": {"threads": 2}}},
            "methods.x.predict.threads: unknown key",
        ),
        (
            {"x": {"kind": "prediction", "of": "f", "predict": {"mirror_axes": ["z"]}}, "f": {**UNET, "dimension": 2}},
            "methods.x.predict.mirror_axes: z is no axis of a 2-D network",
        ),
        (
            {"x": {"kind": "prediction", "of": "u", "predict": {"tile": [16, 16]}}},
            "methods.x.predict.tile: [16, 16] has 2 numbers, methods.u is 3-D",
        ),
        (
            {
                "x": {"kind": "ensemble", "members": ["a", "b"]},
                "a": {"kind": "prediction", "of": "u", "predict": {"tile": "whole"}},
                "b": {"kind": "prediction", "of": "u", "predict": {"tile": "whole"}},
            },
            "u would be counted twice",
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
