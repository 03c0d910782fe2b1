"""The Markov random field, in the report's words."""

from __future__ import annotations

from refold.core.language import _, joined
from refold.methods.base import About
from refold.methods.graph_cut import GraphCut
from refold.report.prose.voxels import described

REFERENCES = {
    "forest": "Breiman L. Random forests. Machine Learning 45, 5-32, 2001.",
    "expansion": "Boykov Y, Veksler O, Zabih R. Fast approximate energy minimization via graph cuts. IEEE TPAMI "
    "23, 1222-1239, 2001.",
    "maxflow": "Dinic EA. Algorithm for solution of a problem of maximum flow in networks with power estimation. "
    "Soviet Mathematics Doklady 11, 1277-1280, 1970.",
}


def words(m: GraphCut, about: About) -> str:
    chosen = about.facts.get("smoothness")
    text = _(
        "A random forest{forest} of {trees} trees classified each voxel by {features}; its probabilities entered a "
        "Markov random field with contrast-sensitive Potts terms, solved by expansion moves{expansion} of minimum "
        "cuts{cuts}. The smoothness, of {tried}, was chosen on a quarter of each fold's training patients "
        "and a forest of the others, before one of all of them was grown",
        forest=about.cite("forest"),
        trees=m.trees,
        features=described(m, about),
        expansion=about.cite("expansion"),
        cuts=about.cite("maxflow"),
        tried=joined(f"{s:g}" for s in m.smoothness),
    )
    if chosen is not None:
        text = _("{text} ({smoothness:g} in one of the folds)", text=text, smoothness=chosen)
    return _("{text}.", text=text)
