"""What tells that a mechanism is missing before a state is wrong: each needs a cause."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from notifier.notification.model import OnUnknown, Status
from tests.simulation.check import NOTES, broken
from tests.simulation.ended import DEAD_S, Ended, Happening
from tests.simulation.epoch import EPOCH_S
from tests.simulation.plan import AUDIENCE, STORE, Kind
from tests.simulation.providers import SILENT, TIMEOUT_S, Call, Fate

_HARMLESS = {
    Kind.PROVIDER_WEATHER,
    Kind.ROW_REFUSED,
    Kind.CLOCK,
    Kind.PAUSE,
    Kind.REPLAY,
    Kind.REPLAYS,
    Kind.CANCEL,
    Kind.SUPPRESS,
    *AUDIENCE,
}
_HINDERING = set(Kind) - _HARMLESS - STORE
"""What may keep a worker from giving back what it has."""
_ENDING = {Kind.STOP, Kind.DAYS, Kind.KILL, Kind.CONSUMERS_FORGOTTEN}
"""After these a worker ends by itself, in its grace."""
_EMPTYING = {Kind.PURGE, Kind.QUEUE_DELETED}
_HOLDING = {*STORE, Kind.FREEZE, Kind.PROVIDER_WEATHER, Kind.PAUSE}
"""While these last, messages may be in a consumer's hand for long."""
_FEW = 4
_PATIENCE_S = 8.0
"""A worker without its database lets go a little later."""
_LONGEST_CALLS_S = 30.0
_RECORDED_S = 1.5
# A dead letter waits so long for its confirmation, and for a channel before that.
_LONGEST_PUBLISH_S = 6.0
"""How long it takes to ask another provider, or to record what came of a call."""
_IN_A_ROW = 5
_KNOWN_AFTER_S = 3.0
_OPEN_S = 28.0
_LOST_AFTER_S = 30.0
"""Nothing that was published is taken for lost, or missing, sooner."""
# SQLite's clock goes on between the statements of a transaction.
_TRANSACTION_S = 0.1


def findings(ended: Ended) -> list[str]:
    """What does not hold, and what has no cause, in words; the first word is its kind."""
    return [*broken(ended), *_signs(ended)]


def _signs(ended: Ended) -> Iterator[str]:
    yield from _about_messages(ended)
    yield from _about_publishing(ended)
    yield from _about_leases(ended)
    yield from _about_calls(ended)
    yield from _about_log(ended)
    yield from _about_processes(ended)
    yield from _about_times(ended)
    yield from _about_reports(ended)


def _happened(ended: Ended, kinds: Collection[Kind]) -> bool:
    return any(each.kind in kinds for each in ended.happenings)


def _between(
    ended: Ended, kinds: Collection[Kind], from_s: float, to_s: float, process: str
) -> Iterator[Happening]:
    for each in ended.happenings:
        if each.kind in kinds and each.befalls(process) and each.overlaps(from_s, to_s):
            yield each


# --- the broker ---------------------------------------------------------------------------------


def _about_messages(ended: Ended) -> Iterator[str]:
    if ended.dropped:
        yield f"dropped: {ended.dropped} messages had no queue, and nobody was told"
    ends = len(ended.deaths) + _reasons_to_give_back(ended.happenings)
    # Whoever sweeps a dead queue gives all its letters back.
    returns = {name: n for name, n in ended.returns.items() if ".dead:" not in name}
    message, most = max(returns.items(), key=lambda each: each[1], default=("", 0))
    if most > (ends + _FEW if ends else 0):
        yield f"bounced: {message} came back {most} times, for {ends} ends"
    for (worker, message), count in ended.again.items():
        if count > 1:
            yield f"again: {message} came {count} times to {worker}, which was asked to end"

    for (worker, id_), (since_s, at_s) in ended.kept.items():
        if not any(_between(ended, _HINDERING, since_s, at_s, worker)):
            yield f"kept: {id_} is kept at {at_s:.2f} by {worker}, which cannot reach the database"


def _about_publishing(ended: Ended) -> Iterator[str]:
    for queue, id_, times in ended.published:
        for earlier_s, later_s in pairwise(times):
            if later_s - earlier_s < _LOST_AFTER_S and not _is_troubled(ended, earlier_s, later_s):
                yield f"twice: {id_} was put into {queue} at {earlier_s:.2f} and {later_s:.2f}"
    for id_, attempt, at_s in ended.misnoted:
        name = f"{UUID(id_)} attempt {attempt}"
        yield f"misnoted: {name} is noted as published at {at_s:.2f}, and the broker had none"


def _reasons_to_give_back(happenings: Collection[Happening]) -> int:
    """How often a consumer may give its message back: it loses it, or lets go.

    One trouble of the database after another is one long trouble.
    """
    others = sum(each.kind not in {*_HARMLESS, *STORE} for each in happenings)
    spans: list[tuple[float, float]] = []
    for each in sorted(happenings, key=lambda each: each.at_s):
        if each.kind not in STORE:
            continue
        if spans and each.at_s <= spans[-1][1] + _RECORDED_S:
            from_s, to_s = spans.pop()
            spans.append((from_s, max(to_s, each.until_s)))
        else:
            spans.append((each.at_s, each.until_s))
    return others + sum(to_s - from_s > _PATIENCE_S for from_s, to_s in spans)


# --- leases -------------------------------------------------------------------------------------


def _about_leases(ended: Ended) -> Iterator[str]:
    if not any(map(_costs_a_lease, ended.happenings)):
        for row in ended.timeline:
            if row["event"] == "rescue":
                yield f"rescued: {row['notification_id']} was rescued, and no worker died"
                break
    for id_, worker, died_s, at_s in ended.held_by_dead:
        runner = worker.partition(":")[0]
        if any(
            _between(ended, {Kind.KILL, Kind.STOP, Kind.DAYS, Kind.FREEZE}, died_s, at_s, runner)
        ):
            continue
        troubles = _between(ended, STORE, died_s, at_s, runner)
        since_s = max([died_s, *(each.until_s for each in troubles)])
        if at_s - since_s > DEAD_S:
            yield f"held: {id_} at {at_s:.2f} by {worker}, which died at {died_s:.2f}"


def _costs_a_lease(happening: Happening) -> bool:
    """Whether a worker may have died with it, or have lost the time to give it back."""
    is_long = happening.until_s - happening.at_s > _PATIENCE_S
    return happening.kind in (Kind.KILL, Kind.FREEZE) or (happening.kind in STORE and is_long)


# --- calls --------------------------------------------------------------------------------------


def _about_calls(ended: Ended) -> Iterator[str]:
    asked: defaultdict[tuple[object, int], list[Call]] = defaultdict(list)
    for call in ended.journal:
        asked[call.id, call.attempt].append(call)
    for calls in asked.values():
        for earlier, later in pairwise(calls):
            if earlier.fate in SILENT and earlier.provider != later.provider:
                yield f"asked-on: {later.provider} for {later.id} that {earlier.provider} may have"
    yield from _hammered(ended)
    yield from _held_and_sent(ended)


def _hammered(ended: Ended) -> Iterator[str]:
    """Nobody asks a provider that has just refused us several times in a row."""
    told = sorted(
        (call for call in ended.journal if call.told_s), key=lambda call: call.told_s or 0
    )
    in_a_row: defaultdict[tuple[str, str], int] = defaultdict(int)
    for call in told:
        at_s, by = call.told_s or 0, (call.provider, call.worker)
        in_a_row[by] = in_a_row[by] + 1 if call.fate is Fate.MISCONFIGURED else 0
        if in_a_row[by] != _IN_A_ROW:
            continue
        from_s, to_s = at_s + _KNOWN_AFTER_S, at_s + _OPEN_S
        troubles = {*STORE, Kind.KILL, Kind.FREEZE, Kind.STOP, Kind.DAYS}
        if any(_between(ended, troubles, at_s - _OPEN_S, to_s, call.worker)):
            continue
        late = [
            each
            for each in ended.journal
            if each.provider == call.provider and from_s < each.began_s < to_s
        ]
        if late:
            yield f"hammered: {call.provider} was asked {len(late)} times after {at_s:.2f}"
            return


def _held_and_sent(ended: Ended) -> Iterator[str]:
    if ended.plan.on_unknown != OnUnknown.HOLD:
        return
    for id_, events in _events(ended).items():
        taken = [
            call
            for call in ended.journal
            if call.fate is not None and call.fate.is_taken and str(call.id) == id_
        ]
        if len(taken) > 1 and not any(event["event"] == "replay" for event in events):
            yield f"resent: {id_} was taken {len(taken)} times, and was to be held"


# --- the log ------------------------------------------------------------------------------------


def _about_log(ended: Ended) -> Iterator[str]:
    events = _events(ended)
    for line in ended.log:
        match line["event"]:
            case "relay.missing" if not _is_emptied(ended):
                yield f"missing: a relay found {line['count']} missing from {line['queue']}"
            case "relay.lost" if not _is_emptied(ended) and not _is_held(ended):
                yield f"vanished: a relay found {line['count']} lost"
            case "delivery.late" if not _is_noted(events[line["id"]], line["attempt"]):
                yield f"unnoted: {line['id']} was completed late, and its timeline does not say so"
            case "delivery.skipped" if _is_calm(ended) and not (
                _is_over(events[line["id"]]) or _was_suspected(ended, line["at_s"])
            ):
                yield f"skipped: {line['id']} was queued twice for nothing"


def _about_processes(ended: Ended) -> Iterator[str]:
    for line in ended.log:
        match line["event"]:
            case "finish.not_recorded" if not _happened(ended, _ENDING):
                yield f"unrecorded: {line['process']} gave up recording {line['id']}"
            case "worker.interrupted" if not _may_be_interrupted(ended, line):
                yield f"interrupted: {line['process']} did not end by itself in its grace"
            case "child.hung" if not _has_died(ended, line):
                yield f"undead: {line['child']} hung, and was not killed"


def _is_troubled(ended: Ended, from_s: float, to_s: float) -> bool:
    """Whether there was anything between these times, or just before, but what is harmless."""
    return any(
        each.kind not in _HARMLESS and each.overlaps(from_s - _PATIENCE_S, to_s)
        for each in ended.happenings
    )


def _is_calm(ended: Ended) -> bool:
    return not ended.happenings or {each.kind for each in ended.happenings} == {
        Kind.PROVIDER_WEATHER
    }


def _is_over(events: Sequence[Mapping[str, Any]]) -> bool:
    return any(each["event"] in ("expire", "cancel", "suppress") for each in events)


def _is_held(ended: Ended) -> bool:
    return ended.plan.weather > 0 or _happened(ended, _HOLDING)


def _was_suspected(ended: Ended, at_s: float) -> bool:
    """Whether a relay had published what was held for long: the second message is for nothing."""
    return any(line["event"] == "relay.lost" and line["at_s"] < at_s for line in ended.log)


def _is_emptied(ended: Ended) -> bool:
    return _happened(ended, _EMPTYING) or ended.plan.one_process


def _is_noted(events: Sequence[Mapping[str, Any]], attempt: int) -> bool:
    return any(each["event"] == "late_completion" and each["attempt"] == attempt for each in events)


def _may_be_interrupted(ended: Ended, line: Mapping[str, Any]) -> bool:
    """Whether calls may have lasted longer than the grace, as many as were cut off."""
    grace_s, at_s, worker = ended.plan.grace_s, line["at_s"], line["process"]
    troubles = {*STORE, Kind.FREEZE}
    if grace_s < _LONGEST_PUBLISH_S:
        troubles |= {Kind.BROKER_FROZEN, Kind.CONFIRMS_HELD, Kind.ALARM}
    if any(_between(ended, troubles, at_s - grace_s, at_s, worker)):
        return True
    # SQLite has one lock for all that write: whose holder is away, everybody waits for.
    if any(from_s <= at_s and at_s - grace_s <= to_s for from_s, to_s in ended.kept_locked):
        return True
    calls = sum(call.worker == worker and _is_under_way(call, at_s) for call in ended.journal)
    return grace_s < _LONGEST_CALLS_S and calls >= line["in_flight"]


def _is_under_way(call: Call, at_s: float) -> bool:
    """Whether it had not ended long before."""
    end_s = call.told_s or call.began_s + TIMEOUT_S
    return call.began_s <= at_s <= end_s + _RECORDED_S


def _has_died(ended: Ended, line: Mapping[str, Any]) -> bool:
    died_s = ended.deaths.get(line["child"])
    return died_s is not None and died_s <= line["at_s"] + 1


# --- times --------------------------------------------------------------------------------------


def _about_times(ended: Ended) -> Iterator[str]:
    for id_, noted in _events(ended).items():
        events = [each for each in noted if each["event"] not in NOTES]
        for earlier, later in pairwise(events):
            if earlier["delay_s"] is None or later["event"] != "claim":
                continue
            waited_s = (_time(later) - _time(earlier)).total_seconds()
            if _is_off(ended, earlier, earlier["delay_s"] - waited_s):
                yield f"early: {id_} was claimed {waited_s:.2f} s after {earlier['event']}"

    yield from _about_expiry(ended)


def _about_expiry(ended: Ended) -> Iterator[str]:
    """Nothing begins once it has expired, and nothing waits for long after that."""
    ends = {row["id"]: row["expires_at"] for row in ended.records if row["expires_at"]}
    for row in ended.timeline:
        end = ends.get(row["notification_id"])
        if not end or row["event"] != "claim":
            continue
        if _is_off(ended, row, (_time(row) - datetime.fromisoformat(end)).total_seconds()):
            yield f"overdue: {row['notification_id']} was claimed at {row['at']}, expired at {end}"
    troubles = {*STORE, Kind.KILL, Kind.STOP, Kind.DAYS, Kind.FREEZE}
    for id_, expired_s, seen_s in ended.overdue:
        if not any(
            each.kind in troubles and each.overlaps(expired_s, seen_s) for each in ended.happenings
        ):
            yield f"waiting: {id_} expired at {expired_s:.2f}, and is pending at {seen_s:.2f}"


def _is_off(ended: Ended, row: Mapping[str, Any], by_s: float) -> bool:
    """Whether it is off by more than the time between being done and being noted."""
    at_s = _time(row).timestamp() - EPOCH_S
    return by_s > _TRANSACTION_S and not any(
        each.kind in STORE and each.overlaps(at_s - by_s, at_s) for each in ended.happenings
    )


def _about_reports(ended: Ended) -> Iterator[str]:
    reported = {str(id_) for id_ in ended.reported}
    for row in ended.records:
        id_ = str(UUID(row["id"]))
        if id_ in reported and row["status"] == Status.SENT:
            yield f"unheard: {id_} is sent, and its provider told what became of it"


def _time(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["at"])


def _events(ended: Ended) -> Mapping[str, list[Mapping[str, Any]]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in ended.timeline:
        found[str(UUID(row["notification_id"]))].append(row)
    return found
