"""A method's models, predicting in another way, in the report's words."""

from __future__ import annotations

from refold.core.language import _, joined, listed
from refold.methods.base import About
from refold.methods.prediction import Prediction


def in_tiles(tile: str | list[int]) -> str:
    """``predict.tile`` in the report's words, where it is not ``whole``."""
    if tile == "auto":
        return _("in tiles of the patch's size or, where little larger, whole")
    return _("in tiles of {size} voxels", size=" x ".join(map(str, tile)))


def words(m: Prediction, about: About) -> str:
    given, how = m.predict.model_dump(), []
    if (tile := given.get("tile")) is not None:
        how.append(_("each case whole") if tile == "whole" else in_tiles(tile))
    if (overlap := given.get("overlap")) is not None:
        how.append(_("with tiles that overlap by {overlap}", overlap=f"{overlap:.0%}"))
    if (axes := given.get("mirror_axes")) is not None:
        how.append(
            _("averaged over mirror images along {axes}", axes=listed(axes)) if axes else _("without mirror images")
        )
    return _("The models of {method} predicted otherwise: {how}.", method=m.of, how=joined(how))
