"""How each kind of method is told in the report's methods section: one file a kind.

A user's own kind tells it in its own file, by a method `words`, attributes `references`, and, if it is a network,
`title`, `sources` and `details`; where it has none of these, its kind and the first lines of its class are named.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from refold.core.language import N_, _
from refold.methods.base import About, Settings
from refold.methods.network import Network
from refold.report.prose import network

OWN = "refold.methods."


def _module(settings: Settings | type[Settings]) -> ModuleType | None:
    """The words of its kind, or of the kind that it is derived from; None for a user's own."""
    kind = settings if isinstance(settings, type) else type(settings)
    for base in kind.__mro__:
        if base.__module__.startswith(OWN):
            name = f"{__name__}.{base.__module__.removeprefix(OWN)}"
            if importlib.util.find_spec(name) is not None:
                return importlib.import_module(name)
    return None


def words(settings: Settings, about: About) -> str:
    """What was done, in sentences in the past tense."""
    if own := settings.words(about):
        return own
    module = _module(settings)
    if isinstance(settings, Network):
        title = settings.title or getattr(module, "TITLE", N_("network"))
        sources = settings.sources or getattr(module, "SOURCES", ())
        if own := getattr(settings, "details", None):
            return network.words(settings, about, title, sources, own(about))
        details = getattr(module, "details", network.details)
        return network.words(settings, about, title, sources, details(settings, about))
    if module is not None and hasattr(module, "words"):
        return module.words(settings, about)
    summary = " ".join((type(settings).__doc__ or "").split())
    return _("A method of kind {kind} ({summary})", kind=settings.kind, summary=summary)


def references(kind: type[Settings]) -> dict[str, str]:
    """The papers that its words cite, by their keys."""
    return {**getattr(_module(kind), "REFERENCES", {}), **kind.references}
