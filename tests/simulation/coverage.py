"""What was tried: each transition under each kind of fault."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from notifier.notification.transitions import DEFER, RECALL, TRANSITIONS
from tests.simulation.ended import Ended
from tests.simulation.epoch import EPOCH_S
from tests.simulation.plan import Kind

_AFTER_S = 5.0

IMPOSSIBLE: Mapping[str, str] = {
    RECALL.name: "no fault takes one message from so many consumers as the broker's limit allows",
}
"""Transitions that no world takes, and why.

tests/contract takes them: RECALL in worker/test_relay.py.
"""


def covered(ended: Ended) -> Counter[tuple[str, str]]:
    """Count the transitions that were taken while a fault went on, or just after it."""
    found: Counter[tuple[str, str]] = Counter()
    for row in ended.timeline:
        if _is_held_from_the_start(row):
            continue
        at_s = datetime.fromisoformat(row["at"]).timestamp() - EPOCH_S
        kinds = {
            each.kind.value for each in ended.happenings if each.overlaps(at_s - _AFTER_S, at_s)
        }
        found.update((row["event"], kind) for kind in kinds)
    return found


def never_taken(found: Counter[tuple[str, str]]) -> Sequence[str]:
    """The transitions that were not taken under any fault, though that is possible."""
    taken = {name for name, _ in found}
    names = [transition.name for transition in TRANSITIONS]
    return [name for name in names if name not in taken and name not in IMPOSSIBLE]


def _is_held_from_the_start(row: Mapping[str, Any]) -> bool:
    """Whether it says why something that was just accepted waits: no attempt was made."""
    return bool(row["event"] == DEFER.name and not row["attempt"])


def table(found: Counter[tuple[str, str]]) -> Iterator[str]:
    """How often each transition was taken under each kind of fault, and what never was."""
    names = [transition.name for transition in TRANSITIONS]
    width = max(len(kind) for kind in Kind)
    yield " " * width + "".join(f"{name[:9]:>10}" for name in names)
    for kind in Kind:
        yield f"{kind:<{width}}" + "".join(f"{found[name, kind.value]:>10}" for name in names)
    yield from (f"{name} is impossible: {why}" for name, why in IMPOSSIBLE.items())
    yield from (f"{name} was never taken" for name in never_taken(found))
    missing = {
        name: [kind.value for kind in Kind if not found[name, kind.value]]
        for name in names
        if name not in IMPOSSIBLE
    }
    count = sum(map(len, missing.values()))
    possible = len(Kind) * len(missing)
    yield f"{possible - count} of {possible} possible pairs were seen; not:"
    yield from (f"  {name} under {', '.join(kinds)}" for name, kinds in missing.items() if kinds)
