"""How training patches were augmented, in the report's words."""

from __future__ import annotations

from refold.core.language import _, listed
from refold.report.prose.writing import Prose
from refold.settings.augment import Augment


def describe(prose: Prose, a: Augment) -> None:
    span = lambda r: _("{low} to {high}", low=f"{r[0]:g}", high=f"{r[1]:g}")  # noqa: E731
    each = [
        (a.rotation.p, _("rotation by up to {degrees:g} degrees", degrees=a.rotation.degrees)),
        (a.scaling.p, _("scaling by {range}", range=span(a.scaling.range))),
        (a.crop.p, _("cropping to {range} of the edge", range=span(a.crop.range))),
        (a.flip.p if a.flip.axes else 0, _("flips along {axes} for each axis", axes=listed(a.flip.axes))),
        (a.noise.p, _("Gaussian noise of variance {range}", range=span(a.noise.variance))),
        (a.blur.p, _("Gaussian blur of {range} voxels", range=span(a.blur.sigma))),
        (a.brightness.p, _("brightness by {range}", range=span(a.brightness.range))),
        (a.contrast.p, _("contrast by {range}", range=span(a.contrast.range))),
        (a.low_resolution.p, _("simulated low resolution of {range}", range=span(a.low_resolution.range))),
        (a.gamma_inverted.p, _("gamma of {range} on the inverted image", range=span(a.gamma_inverted.range))),
        (a.gamma.p, _("gamma of {range}", range=span(a.gamma.range))),
        (a.channel_dropout.p, _("channels set to 0, each by itself, but never all")),
    ]
    used = [_("{operation} (p = {p:g})", operation=text, p=q) for q, text in each if q]
    prose.add(
        _("Augmentation"),
        _(
            "Training patches were changed at random, each with its probability: {operations}. Spatial changes shared "
            "one interpolation.",
            operations=listed(used),
        )
        if used
        else _("Training patches were not augmented."),
    )
