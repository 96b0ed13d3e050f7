"""What must hold of events: each has its effects once, and what was taken back is not sent."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from notifier.events.event import Outcome
from notifier.notification.feed import ACCEPT
from notifier.notification.model import Status
from notifier.notification.transitions import CLAIM, DELIVER, SUPPRESS, TRANSITIONS
from tests.simulation.audience.deciding import Letter
from tests.simulation.clocks import EXACT_S, may_be_off
from tests.simulation.ended import Ended
from tests.simulation.epoch import since_s
from tests.simulation.eventing.gathering import about_digests
from tests.simulation.eventing.ledger import NEAR_S, Happened, Ledger, Match
from tests.simulation.eventing.rules import RULES
from tests.simulation.plan import Kind

_PENDING = {each.name for each in TRANSITIONS if each.target is Status.PENDING} | {ACCEPT}
_NEEDLESS = "unless"
"""The code of what is not sent because of what became of another."""


def about_events(ended: Ended) -> Iterator[str]:
    """What is wrong with what was published, and with what came of it."""
    # What came of events is known for a week.
    if ended.publications and not any(each.kind is Kind.DAYS for each in ended.happenings):
        ledger = Ledger(ended)
        yield from _about_publishers(ledger)
        for match in ledger.matches:
            yield from _about_match(ledger, match)
        yield from _about_what_was_made(ledger)
        yield from _about_keys(ledger)
        yield from _about_throttles(ledger)
        yield from _about_what_was_taken_back(ledger)
        yield from _about_what_is_needless(ledger)
        yield from about_digests(ledger)


def is_taken_back(record: Mapping[str, Any], ended: Ended) -> bool:
    """Whether an event may have taken back what a rule made."""
    found = Ledger(ended).taking_back(RULES[record["rule"]], record["key"], record["skip_on"])
    return any(found)


# --- what is stored -----------------------------------------------------------------------------


def _about_publishers(ledger: Ledger) -> Iterator[str]:
    stored = Counter(row["event_id"] for row in ledger.ended.events)
    ids = {row["event_id"]: row["id"] for row in ledger.ended.events}
    for name, each in ledger.publications.items():
        yield from (f"event-refused: {name} was answered {words}" for words in each.refusals)
        if each.is_unanswered:
            yield f"event-unanswered: nobody was told what became of {name}"
        told = {UUID(id).hex for id in each.told}
        if told - {ids.get(name)}:
            yield f"event-lost: {name} was answered with {told}, and {ids.get(name)} is stored"
        if each.is_taken and not stored[name]:
            yield f"event-lost: the broker had {name}, and it is not stored"
        if stored[name] > 1:
            yield f"event-doubled: {name} is stored {stored[name]} times"
    for row in ledger.ended.events:
        if row["event_id"] not in ledger.publications:
            yield f"event-foreign: {row['event_id']} is stored, and nobody published it"
    yield from _about_junk(ledger)
    yield from _about_missing_matches(ledger)


def _about_junk(ledger: Ledger) -> Iterator[str]:
    """What is no event lies in the dead queue, and nothing else does."""
    there = set(ledger.ended.refused_events)
    yield from (f"junk-lost: {each}" for each in ledger.ended.junk if each not in there)
    for each in there.difference(ledger.ended.junk):
        yield f"event-refused: the dead queue has {each}"


def _about_missing_matches(ledger: Ledger) -> Iterator[str]:
    matched = Counter((match.row["event_id"], match.row["rule"]) for match in ledger.matches)
    for id, event in ledger.events.items():
        wanted = {(id, name): 1 for name, rule in RULES.items() if rule.on == event.type}
        if {key: n for key, n in matched.items() if key[0] == id} != wanted:
            yield f"unmatched: {event.row['event_id']} was not looked at by its rules once"
        carried_out = sum(
            match.outcome is Outcome.MATCHED for match in ledger.matches if match.event is event
        )
        if event.row["matched"] != carried_out:
            yield f"counts: {event.row['event_id']} matched {event.row['matched']} times"


# --- what came of it ----------------------------------------------------------------------------


def _about_match(ledger: Ledger, match: Match) -> Iterator[str]:
    match match.outcome:
        case Outcome.UNMATCHED:
            yield f"unmatched: {match.name}: {match.row['reason']}"
        case Outcome.FAILED if not _may_be_nowhere(ledger, match):
            yield f"match-failed: {match.name}: {match.row['reason']}, and they were there"
        case Outcome.MATCHED:
            yield from _about_what_it_made(ledger, match)
        case Outcome.REPEATED | Outcome.THROTTLED if match.ids or match.row["digest_id"]:
            yield f"carried-out: {match.name} is {match.outcome}, and made something"
        case _:
            pass


def _may_be_nowhere(ledger: Ledger, match: Match) -> bool:
    """Whether they were not known, or had no address for what is to be sent, at any time."""
    published_s, at_s = match.event.publication.asked_s, match.event.at_s
    moments = ledger.ended.past.between(published_s, at_s)
    letters = [Letter(match.row["person"], each, "", None, None) for each in match.rule.sends]
    return any(each.address(moment) is None for moment in moments for each in letters)


def _about_what_it_made(ledger: Ledger, match: Match) -> Iterator[str]:
    rule, is_told = match.rule, match.row["reason"] is not None
    is_left_out = is_told and _may_be_nowhere(ledger, match)
    if rule.window_s is None and len(match.ids) != len(rule.sends) and not is_left_out:
        yield f"unmade: {match.name} made {len(match.ids)} of {len(rule.sends)}"
    if rule.window_s is not None and match.row["digest_id"] is None:
        yield f"ungathered: {match.name} is in no digest"
    for id in match.ids:
        row = ledger.records.get(id)
        if row is None:
            yield f"lost: {match.name} names {UUID(id)}, which is not stored"
        elif (row["rule"], row["user_id"]) != match.whose:
            yield f"misdirected: {UUID(id)} is of {row['rule']} to {row['user_id']}: {match.name}"
        elif rule.window_s is None and _number(row) != match.event.data["number"]:
            yield f"misworded: {UUID(id)} is of {_number(row)}: {match.name}"


def _number(row: Mapping[str, Any]) -> object:
    return json.loads(row["variables"])["number"] if row["variables"] else None


def _about_what_was_made(ledger: Ledger) -> Iterator[str]:
    """Each notification of a rule is of one match, or of one digest."""
    named = Counter(id for each in ledger.matches for id in each.ids)
    named += Counter(id for each in ledger.digests.values() for id in each.ids)
    made = Counter(list(ledger.records))
    for id in {*named, *made}:
        if named[id] != made[id]:
            yield f"unlike-matches: {UUID(id)} is named {named[id]} times, and stored {made[id]}"
    yield from _about_delays(ledger)


def _about_delays(ledger: Ledger) -> Iterator[str]:
    """What follows a delay waits for it."""
    begun = _first_claims(ledger)
    for match in ledger.matches:
        for id in match.ids[1:]:
            if id not in begun:
                continue
            due_s = match.event.publication.asked_s + match.rule.delay_s
            if begun[id] < due_s - EXACT_S and not may_be_off(ledger.ended, match.event.at_s):
                yield f"undelayed: {UUID(id)} was begun at {begun[id]:.2f}, due at {due_s:.2f}"


def _first_claims(ledger: Ledger) -> Mapping[str, float]:
    begun: dict[str, float] = {}
    for row in ledger.ended.timeline:
        if row["event"] == CLAIM.name:
            begun.setdefault(row["notification_id"], since_s(row["at"]))
    return begun


def _about_keys(ledger: Ledger) -> Iterator[str]:
    """For one key a rule is carried out once."""
    first: Counter[tuple[str, str, str]] = Counter()
    for match in ledger.matches:
        if match.row["key"] is not None:
            first[*match.whose, match.row["key"]] += match.outcome is Outcome.MATCHED
    for match in ledger.matches:
        count = first[*match.whose, match.row["key"]] if match.row["key"] is not None else 1
        if match.outcome in (Outcome.MATCHED, Outcome.REPEATED) and count != 1:
            yield f"key-carried-out: {match.name} was, {count} times for its key"


def _about_throttles(ledger: Ledger) -> Iterator[str]:
    """So many in each span, which begins with the first of them, and no fewer."""
    by_person: defaultdict[tuple[str, str], list[Match]] = defaultdict(list)
    for match in ledger.matches:
        if match.rule.per_s is not None and match.outcome in (Outcome.MATCHED, Outcome.THROTTLED):
            by_person[match.whose].append(match)
    for whose, matches in by_person.items():
        most = matches[0].rule.most or 0
        for within in _spans(matches):
            let = sum(each.outcome is Outcome.MATCHED for each in within)
            if let != min(most, len(within)):
                began_s = within[0].event.at_s
                yield f"throttle: {whose} had {let} of {len(within)} from {began_s:.2f} on"


def _spans(matches: Sequence[Match]) -> Iterator[Sequence[Match]]:
    """Return those that are counted together, as long as it is sure which these are."""
    # The order of their ids is that in which they came, not that in which they were counted.
    left = sorted(matches, key=lambda match: match.event.at_s)
    while left:
        end_s = left[0].event.at_s + (left[0].rule.per_s or 0)
        if any(each.event.is_near(end_s) for each in left):
            return
        within = [each for each in left if each.event.at_s < end_s]
        yield within
        left = left[len(within) :]


# --- what is not to be sent any more ------------------------------------------------------------


def _about_what_was_taken_back(ledger: Ledger) -> Iterator[str]:
    lives: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for row in ledger.ended.timeline:
        lives[row["notification_id"]].append((since_s(row["at"]), row["event"]))
    for id, record in ledger.records.items():
        rule = RULES[record["rule"]]
        for event in ledger.taking_back(rule, record["key"], record["skip_on"]):
            if _goes_on(lives[id], event):
                yield f"not-taken-back: {UUID(id)} went on after {event.row['event_id']}"


def _goes_on(life: list[tuple[float, str]], event: Happened) -> bool:
    """Whether something was pending when it was taken back, and was begun later."""
    if any(event.is_near(at_s) for at_s, _ in life):
        return False
    before = [name for at_s, name in life if at_s < event.at_s and (name in _STATES)]
    is_begun = any(name == CLAIM.name and at_s > event.at_s for at_s, name in life)
    return bool(before) and before[-1] in _PENDING and is_begun


_STATES = {each.name for each in TRANSITIONS} | {ACCEPT}


def _about_what_is_needless(ledger: Ledger) -> Iterator[str]:
    """What is sent unless another arrives is not sent once that has, and is sent if not."""
    arrived = {
        row["notification_id"]: since_s(row["at"])
        for row in ledger.ended.timeline
        if row["event"] == DELIVER.name
    }
    claims = {
        (row["notification_id"], row["attempt"]): since_s(row["at"])
        for row in ledger.ended.timeline
        if row["event"] == CLAIM.name
    }
    for call in ledger.ended.journal:
        before = ledger.records.get(call.id.hex, {}).get("depends_on")
        if (
            before is not None
            and arrived.get(before, 1e9) < claims[call.id.hex, call.attempt] - NEAR_S
        ):
            yield f"needless: {call.id} was sent at {call.began_s:.2f}, and {UUID(before)} arrived"
    for row in ledger.ended.timeline:
        if row["event"] == SUPPRESS.name and row["fault_code"] == _NEEDLESS:
            before = ledger.records.get(row["notification_id"], {}).get("depends_on")
            if before not in arrived or arrived[before] > since_s(row["at"]) + NEAR_S:
                yield f"withheld: {row['notification_id']} was not sent, and nothing had arrived"
