"""Settings that the classifiers of voxels share, in the report's words."""

from __future__ import annotations

from refold.core.language import _, joined
from refold.methods.base import About
from refold.methods.voxels import Voxels


def described(m: Voxels, about: About) -> str:
    """The features and the sample, in words."""
    looks = _(
        "intensity, Gaussian-smoothed intensity, gradient magnitude and Hessian eigenvalues at scales of {scales} "
        "voxels in each channel",
        scales=joined(f"{s:g}" for s in m.sigmas),
    )
    return _(
        "{features}, learnt from {samples} voxels a training case (balance {balance:g}, seed {seed})",
        features=_("{features} and the place in the image", features=looks) if m.position else looks,
        samples=m.samples,
        balance=m.balance,
        seed=m.seed,
    )
