"""Another method's label maps, tidied, in the report's words."""

from __future__ import annotations

from refold.core.language import _, joined
from refold.methods.base import About
from refold.methods.postprocessing import AUTO_VOXELS, Postprocessing


def words(m: Postprocessing, about: About) -> str:
    tried = [_("the largest component alone")] if m.largest_component else []
    tried += [_("holes filled")] if m.fill_holes else []
    if m.min_size == "auto":
        sizes = joined(f"{n}" for n in AUTO_VOXELS)
        tried.append(_("components under {sizes} voxels removed", sizes=sizes))
    elif m.min_size:
        sizes, unit = joined(f"{s:g}" for s in m.min_size), "mm³" if about.dimension == 3 else "mm²"
        tried.append(_("components under {sizes} {unit} removed", sizes=sizes, unit=unit))
    return _(
        "The label maps of {method} were postprocessed: for each fold and label, {tried}, or any of these "
        "together, were kept where they raised the mean Dice by {gain:g} or more on predictions of training-side "
        "cases (the inner validation, if any).",
        method=m.of,
        tried=_("; ").join(tried),
        gain=m.min_gain,
    )
