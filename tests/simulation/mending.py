"""Replays in a world: begun, paused, stopped and taken back, and what must hold of them."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import UUID

from notifier.notification.transitions import REPLAY, UNDO
from notifier.replays.replay import MOST_SAVED_S, UNDER_WAY
from tests.simulation.epoch import since_s
from tests.simulation.providers import Call

_EXACT_S = 0.5
"""How well the time of a transaction tells when something was so."""
_ENDING = ("stop", "undo")
_WAYS: Sequence[Sequence[str]] = (
    ("pause", "resume", "stop"),
    ("pause", "resume", "undo"),
    ("stop", "undo"),
    ("undo",),
)


@dataclass(frozen=True, slots=True)
class Move:
    """What an operator asked of a replay; `answered_s` is when it was known to be so."""

    verb: str
    asked_s: float
    answered_s: float


@dataclass(slots=True)
class Mended:
    """A replay as its operator knows it."""

    id: UUID
    rate_per_s: int
    moves: list[Move] = field(default_factory=list)

    def rests(self) -> Iterator[tuple[float, float]]:
        """Return between which times it was to try nothing again."""
        for move, following in pairwise([*self.moves, None]):
            assert move is not None
            if move.verb == "pause" or move.verb in _ENDING:
                is_over = following is not None and move.verb == "pause"
                yield move.answered_s, following.asked_s if is_over and following else float("inf")


def way_of(level: float) -> Sequence[str]:
    """Return what is asked of a replay, one after the other."""
    return _WAYS[int(level * len(_WAYS)) % len(_WAYS)]


def about_replays(
    mended: Sequence[Mended],
    rows: Sequence[Mapping[str, Any]],
    timeline: Sequence[Mapping[str, Any]],
    journal: Sequence[Call],
) -> Iterator[str]:
    """What does not hold of them, in words; the first word is its kind."""
    noted: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for event in timeline:
        if (event.get("note") or "").startswith("replay "):
            noted[UUID(event["note"].removeprefix("replay ")).hex].append(event)
    for row in rows:
        yield from _miscounted(row, noted[row["id"]])
    for each in mended:
        replayed = [it for it in noted[each.id.hex] if it["event"] == REPLAY.name]
        yield from _hurried(each, replayed)
        yield from _went_on(each, replayed)
    yield from _sent_all_the_same(timeline, journal)


def _miscounted(row: Mapping[str, Any], noted: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    id = UUID(row["id"])
    if row["state"] in UNDER_WAY and row["state"] != "paused":
        yield f"unended: replay {id} is {row['state']} at the end"
    counts = json.loads(row["counts"])
    events = Counter(event["event"] for event in noted)
    for name, count in ((REPLAY.name, counts["replayed"]), (UNDO.name, counts["undone"])):
        if events[name] != count:
            yield f"miscounted: replay {id} counts {count} of {name}, and {events[name]} are noted"
    tried = Counter(it["notification_id"] for it in noted if it["event"] == REPLAY.name)
    for letter, count in tried.items():
        if count > 1:
            yield f"replayed-twice: {UUID(letter)} was tried again {count} times by replay {id}"


def _hurried(mended: Mended, replayed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """It makes up for what it saved, two seconds at most, and is never faster otherwise."""
    times = sorted(since_s(event["at"]) for event in replayed)
    for place, from_s in enumerate(times):
        for number, to_s in enumerate(times[place:], 1):
            most = mended.rate_per_s * (to_s - from_s + MOST_SAVED_S + _EXACT_S) + 1
            if number > most:
                yield f"hurried: replay {mended.id} tried {number} again in {to_s - from_s:.2f} s"
                return


def _went_on(mended: Mended, replayed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for from_s, to_s in mended.rests():
        late = [event for event in replayed if from_s + _EXACT_S < since_s(event["at"]) < to_s]
        if late:
            yield f"went-on: replay {mended.id} tried {len(late)} again after {from_s:.2f}"


def _sent_all_the_same(
    timeline: Sequence[Mapping[str, Any]], journal: Sequence[Call]
) -> Iterator[str]:
    """What was taken back is handed to nobody, unless it was tried again since."""
    lives: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for event in timeline:
        if event["event"] in (REPLAY.name, UNDO.name):
            lives[event["notification_id"]].append((since_s(event["at"]), event["event"]))
    for call in journal:
        life = lives[call.id.hex]
        until_s = call.began_s - _EXACT_S
        undone_s = max(
            (at_s for at_s, it in life if it == UNDO.name and at_s <= until_s), default=0
        )
        again = [at_s for at_s, it in life if it == REPLAY.name and at_s >= undone_s]
        if undone_s and not any(at_s <= call.began_s + _EXACT_S for at_s in again):
            yield f"undone-and-sent: {call.id} was taken back, and asked for at {call.began_s:.2f}"
