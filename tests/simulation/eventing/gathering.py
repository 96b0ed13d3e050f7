"""What must hold of digests: each item in one, sent once, in time, and as it was gathered."""

from collections import Counter
from collections.abc import Iterator, Mapping
from uuid import UUID

from notifier.events.event import Outcome
from tests.simulation.audience.deciding import Letter
from tests.simulation.clocks import EXACT_S, may_be_off
from tests.simulation.epoch import since_s
from tests.simulation.eventing.ledger import NEAR_S, Digest, Ledger, Match
from tests.simulation.plan import AUDIENCE, Kind

_IN_TIME_S = 8.0
"""How late one may be closed, and sent, when nothing is wrong."""
_TROUBLED_S = 40.0
"""How long what went wrong keeps a digest in the hands of who is gone."""
_HARMLESS = {*AUDIENCE, Kind.PROVIDER_WEATHER, Kind.CANCEL, Kind.PUBLISH, Kind.SUPPRESS}


def about_digests(ledger: Ledger) -> Iterator[str]:
    """What is wrong with them."""
    yield from _about_items(ledger)
    for digest in ledger.digests.values():
        yield from _about_one(ledger, digest)
    yield from _about_words(ledger)


def _about_items(ledger: Ledger) -> Iterator[str]:
    """Each is in the one digest that its match names, unless it was taken back."""
    there = Counter((row["digest_id"], row["event_id"]) for row in ledger.ended.digest_items)
    whole = Counter(row["event_id"] for row in ledger.ended.digest_items)
    for match in ledger.matches:
        digest_id, event_id = match.row["digest_id"], match.row["event_id"]
        if match.rule.window_s is None or match.outcome is not Outcome.MATCHED:
            continue
        if whole[event_id] > 1:
            yield f"item-twice: {match.name} is in {whole[event_id]} digests"
        digest = ledger.digests.get(digest_id)
        if digest is not None and not _is_sent_alone(match):
            is_in = there[digest_id, event_id] == 1
            yield from _about_item(ledger, match, digest, is_in=is_in)


def _about_item(ledger: Ledger, match: Match, digest: Digest, *, is_in: bool) -> Iterator[str]:
    dropped = [
        each.at_s
        for each in ledger.taking_back(match.rule, match.row["key"], None)
        if match.event.at_s - NEAR_S <= each.at_s <= digest.settled_s + NEAR_S
    ]
    if not is_in and not dropped:
        yield f"item-lost: {match.name} is not in {digest.name}"
    surely = [
        at_s for at_s in dropped if match.event.at_s + NEAR_S < at_s < digest.settled_s - NEAR_S
    ]
    if is_in and surely:
        yield f"item-kept: {match.name} was taken back at {surely[0]:.2f}: {digest.name}"
    if match.event.at_s > digest.closed_s + NEAR_S:
        yield f"item-late: {match.name} was added to {digest.name} once that was closed"
    if (*match.whose, match.event.data.get("thread", "")) != _whose(digest):
        yield f"item-astray: {match.name} is in {digest.name} of {_whose(digest)}"


def _is_sent_alone(match: Match) -> bool:
    """Whether it opened a digest, and was sent at once, or could not be."""
    return match.rule.sends_first and bool(match.ids or match.row["reason"])


def _whose(digest: Digest) -> tuple[str, str, str]:
    row = digest.row
    return row["rule"], row["person"], row["key"]


def _about_one(ledger: Ledger, digest: Digest) -> Iterator[str]:
    row, count = digest.row, len(digest.items)
    if row["count"] != count:
        yield f"digest-counts: {digest.name} says {row['count']}, and has {count}"
    if not count and digest.ids:
        yield f"digest-empty: {digest.name} was sent with nothing in it"
    if count and not digest.ids and not _may_be_nowhere(ledger, digest):
        yield f"digest-unsent: {digest.name} of {count} was not sent: {row['reason']}"
    if len(digest.ids) > 1:
        yield f"digest-twice: {digest.name} was sent {len(digest.ids)} times"
    yield from _about_times(ledger, digest)


def _may_be_nowhere(ledger: Ledger, digest: Digest) -> bool:
    letters = [Letter(digest.row["person"], each, "", None, None) for each in digest.rule.sends]
    return digest.row["reason"] is not None and any(
        letter.address(moment) is None
        for moment in ledger.ended.past.between(digest.closed_s, digest.settled_s)
        for letter in letters
    )


def _about_times(ledger: Ledger, digest: Digest) -> Iterator[str]:
    row, window_s = digest.row, digest.rule.window_s or 0
    opened_s, due_s = since_s(row["opened_at"]), since_s(row["due_at"])
    is_full = row["max_items"] is not None and row["added"] >= row["max_items"]
    if digest.closed_s < due_s - 0.01 and not is_full:
        yield f"digest-early: {digest.name} was closed at {digest.closed_s:.2f}, due {due_s:.2f}"
    published = [
        match.event.publication.asked_s
        for match in ledger.matches
        if match.row["digest_id"] == row["id"]
    ]
    if not may_be_off(ledger.ended, opened_s):
        if due_s > opened_s + window_s + EXACT_S:
            yield f"digest-long: {digest.name} was opened at {opened_s:.2f}, due {due_s:.2f}"
        if published and due_s < min(published) + window_s - EXACT_S:
            yield f"digest-short: {digest.name} was opened at {opened_s:.2f}, due {due_s:.2f}"
    until_s = min(due_s, digest.closed_s)
    if digest.settled_s > until_s + _IN_TIME_S and not _is_troubled(
        ledger, until_s, digest.settled_s
    ):
        yield f"digest-late: {digest.name} was sent at {digest.settled_s:.2f}, due {due_s:.2f}"


def _is_troubled(ledger: Ledger, from_s: float, to_s: float) -> bool:
    return any(
        each.kind not in _HARMLESS and each.overlaps(from_s - _TROUBLED_S, to_s)
        for each in ledger.ended.happenings
    )


def _about_words(ledger: Ledger) -> Iterator[str]:
    """What is sent says what was gathered."""
    digests: Mapping[str, Digest] = {
        id: each for each in ledger.digests.values() for id in each.ids
    }
    alone = {id: each for each in ledger.matches if _is_sent_alone(each) for id in each.ids}
    for call in ledger.ended.journal:
        id = call.id.hex
        if id in digests and call.text != digests[id].words:
            yield f"misgathered: {call.id} says {call.text!r}, not {digests[id].words!r}"
        if id in alone and call.text != f"1: {alone[id].event.data['number']}":
            yield f"misgathered: {UUID(id)} says {call.text!r} of {alone[id].name}"
