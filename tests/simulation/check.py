"""What must hold when a world has ended: whatever is odd has a cause, or it is a finding."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any
from uuid import UUID

from notifier.broadcasts.broadcast import State
from notifier.notification.model import OnUnknown, Status
from notifier.notification.transitions import DEFER, TRANSITIONS
from tests.simulation.audience.erasing import about_erasures, is_erased
from tests.simulation.audience.joining import about_joined
from tests.simulation.audience.signs import about_people, may_be_unknown
from tests.simulation.clients import Wish
from tests.simulation.clocks import EXACT_S, may_be_off
from tests.simulation.ended import Ended, Happening
from tests.simulation.epoch import EPOCH_S
from tests.simulation.eventing.signs import about_events, is_taken_back
from tests.simulation.mending import about_replays
from tests.simulation.plan import STOPPING, Kind
from tests.simulation.providers import SILENT, Call, Fate
from tests.simulation.templating import misworded

_FRESH_S = 5.0
"""A fault leaves the work that it disturbed behind for a moment."""
_SEND_S = 12.0
_MAX_ATTEMPTS = 4
_LONGEST_TAIL_S = 700.0
_TURNED_AWAY = (Fate.REFUSED,)
_ALARMING = ("crashed", "handler_failed", "corrupt", "malformed")
_BEGINNING = "accept"
NOTES = {"late_completion", "failover"}
"""What a timeline says without a change of state."""


@dataclass(frozen=True)
class _Case:
    """One notification: its record, its timeline and the calls for it."""

    record: Mapping[str, Any]
    events: Sequence[str]
    calls: Sequence[Call]

    @property
    def id(self) -> UUID:
        return UUID(self.record["id"])

    @property
    def status(self) -> Status:
        return Status(self.record["status"])

    @property
    def expires_s(self) -> float | None:
        """When it expires, in seconds since the world began."""
        at = self.record["expires_at"]
        return None if at is None else datetime.fromisoformat(at).timestamp() - EPOCH_S

    @cached_property
    def taken(self) -> Sequence[Call]:
        return [call for call in self.calls if call.fate is not None and call.fate.is_taken]


def broken(ended: Ended) -> list[str]:
    """What does not hold, in words; the first word is its kind."""
    causes = _Causes(ended.happenings)
    cases = list(_cases(ended))
    return [
        *_about_clients(ended),
        *_about_the_end(ended),
        *_about_the_log(ended),
        *misworded(ended.wishes, ended.records, ended.versions, ended.journal),
        *about_people(ended),
        *about_events(ended),
        *about_erasures(ended.erased, ended.journal),
        *about_replays(ended.mended, ended.replays, ended.timeline, ended.journal),
        *about_joined(ended.joined, ended.journal),
        *(problem for case in cases for problem in _about_one(case, causes, ended)),
    ]


def _cases(ended: Ended) -> Iterator[_Case]:
    calls: defaultdict[UUID, list[Call]] = defaultdict(list)
    for call in ended.journal:
        calls[call.id].append(call)
    events: defaultdict[str, list[str]] = defaultdict(list)
    for row in ended.timeline:
        events[row["notification_id"]].append(row["event"])
    for record in ended.records:
        yield _Case(record, events[record["id"]], calls[UUID(record["id"])])


# --- the whole ----------------------------------------------------------------------------------


def _about_clients(ended: Ended) -> Iterator[str]:
    stored = {UUID(record["id"]) for record in ended.records}
    own = {UUID(record["id"]) for record in ended.records if not _is_made(record, ended)}
    told = Counter(wish.told for wish in ended.wishes if wish.told is not None)
    for wish in ended.wishes:
        if wish.refusal is not None and _may_be_refused(wish, ended):
            continue
        if wish.refusal is not None:
            yield f"refused: client {wish.number} was told {wish.refusal}"
        elif wish.told is None:
            yield f"unanswered: client {wish.number} was never told that it is accepted"
        elif wish.told not in stored:
            yield f"lost: client {wish.number} was told {wish.told}, which is not stored"
    yield from (
        f"shared: {id} was told to {count} clients" for id, count in told.items() if count > 1
    )
    # A key is known for a day.
    is_of_a_day = not any(each.kind is Kind.DAYS for each in ended.happenings)
    if is_of_a_day and all(wish.told for wish in ended.wishes):
        yield from (
            f"doubled-record: {id} is stored, and nobody was told" for id in own - set(told)
        )
    yield from (
        f"foreign: {call.id} was handed over and is not stored"
        for call in ended.journal
        if call.id not in stored
    )


def _may_be_refused(wish: Wish, ended: Ended) -> bool:
    """Whether the database takes none of it, or it came too late to be asked for."""
    if wish.is_unacceptable or may_be_unknown(wish, ended):
        return True
    if wish.expires_in_s is None:
        return False
    left_s = wish.asked_s + wish.expires_in_s - wish.refused_s
    return left_s < EXACT_S or may_be_off(ended, wish.refused_s)


def _about_the_end(ended: Ended) -> Iterator[str]:
    yield from (f"crash: {crash}" for crash in ended.crashes)
    if ended.settled_s is None:
        left = Counter(f"{row['status']}/{row['attempt']}" for row in ended.records)
        yield f"stuck: not all is final: {dict(left)}"
    elif (tail_s := ended.settled_s - ended.plan.ends_s) > _LONGEST_TAIL_S:
        yield f"slow: all is final {tail_s:.0f} s after the last fault"
    failed = sum(row["status"] == Status.FAILED for row in ended.records)
    if ended.letters is not None and ended.letters != failed:
        yield f"letters: {ended.letters} dead letters, and {failed} failed"
    for row in ended.records:
        if row["lease_token"] is not None and Status(row["status"]).is_final:
            yield f"leased: {row['id']} is {row['status']} and under a lease"


def _about_the_log(ended: Ended) -> Iterator[str]:
    for line in ended.log:
        event = str(line["event"])
        if "exception" in line or event.endswith(_ALARMING):
            yield f"log: {line['process']} wrote {event}: {line.get('exception', '')}"


# --- one notification ---------------------------------------------------------------------------


def _about_one(case: _Case, causes: "_Causes", ended: Ended) -> Iterator[str]:
    yield from _unlawful(case)
    if problem := _wrong_end(case, causes, ended):
        yield problem
    yield from _repeated(case, causes)
    yield from _uncaused(case, causes)


def _wrong_end(case: _Case, causes: "_Causes", ended: Ended) -> str | None:
    """Why it should not have ended as it did; None if it may."""
    match case.status:
        case Status.SENT | Status.DELIVERED | Status.BOUNCED if not case.taken:
            return f"never-sent: {case.id} is {case.status}, and no provider took it"
        case Status.FAILED if not _may_fail(case, causes, ended):
            fault = f"{case.record['fault_kind']}/{case.record['fault_code']}"
            return f"failed: {case.id} is failed ({fault}) for nothing"
        case Status.EXPIRED if case.record["expires_at"] is None:
            return f"expired: {case.id} is expired, and had no end"
        case Status.CANCELLED | Status.SUPPRESSED if not _is_asked_for(case, ended):
            return f"{case.status}: {case.id} is {case.status}, and nobody asked for it"
        case _:
            return None


def _is_made(record: Mapping[str, Any], ended: Ended) -> bool:
    """Whether a broadcast, a rule or a schedule made it: no client asked for it by itself."""
    made = {run["notification_id"] for run in ended.runs}
    is_of_others = record["broadcast_id"] is not None or record["rule"] is not None
    return is_of_others or record["id"] in made


def _is_asked_for(case: _Case, ended: Ended) -> bool:
    if case.record["rule"] is not None:
        return (
            case.status is Status.SUPPRESSED
            or is_erased(case.record)
            or is_taken_back(case.record, ended)
            or not ended.events
        )
    if _is_made(case.record, ended):
        return case.status is Status.SUPPRESSED or any(
            (row["id"], row["state"]) == (case.record["broadcast_id"], State.CANCELLED)
            for row in ended.broadcasts
        )
    return any(
        wish.is_cancelled if case.status is Status.CANCELLED else _may_be_suppressed(wish)
        for wish in ended.wishes
        if wish.told == case.id
    )


def _may_be_suppressed(wish: Wish) -> bool:
    # What people want is looked at by itself.
    return wish.is_suppressed or "user_id" in wish.body


def _unlawful(case: _Case) -> Iterator[str]:
    """Its timeline has to be a life that the transitions allow."""
    status: Status | None = None
    for earlier, event in pairwise([None, *case.events]):
        if event in NOTES:
            continue
        if event == _BEGINNING:
            status = Status.PENDING
            continue
        if (earlier, event) == (_BEGINNING, DEFER.name):
            continue
        known = next((each for each in TRANSITIONS if each.name == event), None)
        if known is None or status not in known.sources:
            yield f"unlawful: {case.id} went from {status} by {event}: {list(case.events)}"
            return
        status = known.target
    if status is not None and status is not case.status:
        yield f"unlawful: {case.id} is {case.status}, and its timeline ends in {status}"


def _may_fail(case: _Case, causes: "_Causes", ended: Ended) -> bool:
    if any(call.fate in _TURNED_AWAY for call in case.calls):
        return True
    is_held = ended.plan.on_unknown == OnUnknown.HOLD and case.record["outcome_unknown"]
    if is_held and _may_be_in_doubt(case, causes):
        return True
    return bool(case.record["attempts_spent"] >= _MAX_ATTEMPTS)


def _may_be_in_doubt(case: _Case, causes: "_Causes") -> bool:
    if causes.any_of(STOPPING) or any(map(causes.of_doubt, case.calls)):
        return True
    # A call is cut off when the notification expires: docs/decisions.md says why.
    end_s = case.expires_s
    return end_s is not None and any(
        call.began_s <= end_s <= call.told_s + 1 for call in case.calls if call.told_s
    )


def _repeated(case: _Case, causes: "_Causes") -> Iterator[str]:
    """What was handed over again after it was taken needs a cause, and is to be counted."""
    for first, second in zip(case.taken, case.taken[1:], strict=False):
        if not causes.of_doubt(first) and "replay" not in case.events:
            yield (
                f"doubled: {case.id} was taken from {first.worker} at {first.began_s:.2f}"
                f" and from {second.worker} at {second.began_s:.2f} for nothing"
            )
    if len(case.taken) > 1 and not _is_doubt_noted(case) and "replay" not in case.events:
        yield f"uncounted: {case.id} was doubled, and its record says nothing of it"
    for earlier, later in zip(case.calls, case.calls[1:], strict=False):
        until_s = earlier.told_s or earlier.began_s + _SEND_S
        if later.began_s < until_s and not causes.of_doubt(earlier):
            yield f"overlapping: two calls for {case.id} at {later.began_s:.2f} for nothing"


def _is_doubt_noted(case: _Case) -> bool:
    return bool(case.record["outcome_unknown"]) or any(
        event in ("late_completion", "rescue") for event in case.events
    )


def _uncaused(case: _Case, causes: "_Causes") -> Iterator[str]:
    if case.record["outcome_unknown"] and not _may_be_in_doubt(case, causes):
        yield f"unknown: {case.id} is in doubt for nothing"
    if "rescue" in case.events and not causes.any_of(STOPPING):
        yield f"rescued: {case.id} was rescued for nothing"
    # The letter that a replayed one had may be taken for that of its new message.
    is_replayed = "replay" in case.events
    if "recall" in case.events and not is_replayed and not causes.any_of(_RETURNING):
        yield f"recalled: {case.id} was recalled for nothing"


_RETURNING = {Kind.KILL, Kind.FREEZE, Kind.BROKER_AWAY, Kind.BROKER_CUT, Kind.BROKER_FROZEN}


class _Causes:
    """What happened, and whether it explains something."""

    def __init__(self, happenings: Iterable[Happening]) -> None:
        self._happenings = list(happenings)

    def any_of(self, kinds: Iterable[Kind]) -> bool:
        """Whether anything of these kinds happened."""
        return any(each.kind in set(kinds) for each in self._happenings)

    def of_doubt(self, call: Call) -> bool:
        """Whether its worker may not have learned, or not have recorded, what became of it."""
        if call.fate in SILENT or call.told_s is None:
            return True
        return any(
            each.befalls(call.worker) and each.overlaps(call.began_s, call.told_s + _FRESH_S)
            for each in self._happenings
        )
