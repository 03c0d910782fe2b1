"""Where the results come from."""

from __future__ import annotations

from typing import Any

from refold.core.language import _, listed
from refold.report import provenance
from refold.report.inputs import Experiment
from refold.report.sections.parameters import flat


def context(e: Experiment, facts: dict[str, Any]) -> dict[str, Any]:
    """What the template shows. facts: as `provenance.gather` gives."""
    return {
        "origin": origin(facts["git"]),
        "runs": kinds(facts),
        "facts": facts,
        "libc": provenance.LIBC,
        "hashes": every_hash(e, facts),
    }


def origin(git: dict[str, Any]) -> list[str]:
    """Which sources the results come from, in sentences; ``git`` is as `refold.run.git.state` gives it."""
    if git["commit"] is None:
        return [_("No commit is known: {note}. The hashes below say which code ran.", note=git["note"])]
    sentences = [_("Made from commit {commit} of {date}.", commit=git["commit"], date=git["date"])]
    if git["clean"]:
        sentences.append(_("Workflow, code and params.yaml were as in that commit."))
    else:
        files, more = listed(git["modified"][:12]), len(git["modified"]) - 12
        shown = _("{some} and {count} more", some=files, count=more) if more > 0 else files
        sentences.append(_("Changed since and not committed: {files}.", files=shown))
    if git["note"]:
        sentences.append(f"{git['note'][0].upper()}{git['note'][1:]}.")
    return sentences


def kinds(facts: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(phase, jobs, machine in words) of each kind of machine."""
    return [
        (_(phase), ", ".join(kind["jobs"]), provenance.in_words(kind["machine"]))
        for phase, kinds in facts["machines"].items()
        for kind in kinds
    ]


def every_hash(e: Experiment, facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Hashes of the facts by their key, and those that the tables were made from."""
    names = ("params", "data", "split", "code", "models", "predictions", "tables")
    behind = {k: v for k, v in e.hashes.items() if k not in ("tables", "folds", "settings", "warnings")}
    return flat({**{n: facts[n] for n in names}, _("behind the tables"): behind})
