"""What pages tell of those that are published again with a change."""

from collections.abc import Mapping, Sequence

from notifier.api.console.authoring.places import path_of
from notifier.content.cascading import Cascade, Cascaded, Outcome

_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.PUBLISHED: "is published again",
    Outcome.UNCHANGED: "says the same as before",
    Outcome.REFUSED: "would have errors, and goes on as it is",
    Outcome.OUTRUN: "was published by somebody else meanwhile, and goes on as they want",
}


def told_cascade(service: str, cascade: Cascade) -> Sequence[Mapping[str, object]]:
    """Return what becomes of each."""
    return [_told(service, each) for each in cascade.cascaded]


def _told(service: str, it: Cascaded) -> Mapping[str, object]:
    version = f" as version {it.version}" if it.outcome is Outcome.PUBLISHED else ""
    return {
        "name": it.name,
        "path": path_of(service, it.name),
        "state": it.outcome.value,
        "words": f"{_OUTCOMES[it.outcome]}{version}",
        "findings": [each.detail for each in it.findings],
    }
