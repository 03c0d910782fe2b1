"""The random forest, in the report's words."""

from __future__ import annotations

from refold.core.language import _
from refold.methods.base import About
from refold.methods.random_forest import RandomForest
from refold.report.prose.voxels import described

REFERENCES = {"forest": "Breiman L. Random forests. Machine Learning 45, 5-32, 2001."}


def words(m: RandomForest, about: About) -> str:
    return _(
        "A random forest{cite} of {trees} trees of a depth of at most {depth} classified each voxel by {features}.",
        cite=about.cite("forest"),
        trees=m.trees,
        depth=m.depth,
        features=described(m, about),
    )
