"""What must hold of what is sent to people: as they want it, and where they are."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from notifier.notification.transitions import CLAIM, DEFER, SUPPRESS
from tests.simulation.audience.deciding import HOLD, SEND, STOP, Letter, fate, letter_of
from tests.simulation.audience.people import BY_KEY
from tests.simulation.audience.recurring import about_schedules, made_by_schedules
from tests.simulation.audience.spreading import Spread, about_broadcasts, spreads
from tests.simulation.clients import Wish
from tests.simulation.clocks import EXACT_S, may_be_off
from tests.simulation.ended import Ended
from tests.simulation.epoch import since_s
from tests.simulation.eventing.ledger import made_by_rules
from tests.simulation.plan import Kind
from tests.simulation.providers import Call

_CAPPED = "cap"
_OTHERS = (_CAPPED, "unless")
"""Codes of what is not sent for other reasons than what somebody wants."""
_TIMELY = {SEND, HOLD}
_MADE_IN_S = 60.0
"""How long a process may take, or stand still, from looking at somebody to what it made."""
_STEP_S = 20.0
"""Nobody is left in peace for less than a minute."""
_LONG_S = 3_600.0
"""Nothing is decided in the middle of what takes longer."""


def about_people(ended: Ended) -> Iterator[str]:
    """What is wrong with what was sent to people, or kept from them."""
    if ended.past.moments:
        post = _Post(ended)
        yield from _about_calls(post)
        yield from _about_what_was_stopped(post)
        yield from _about_what_was_held(post)
        yield from _about_what_is_held_again(post)
        yield from _about_caps(post)
        yield from about_broadcasts(ended)
        yield from about_schedules(ended)


def may_be_unknown(wish: Wish, ended: Ended) -> bool:
    """Whether somebody was not there, or nowhere, while that was asked for."""
    letter = letter_of(wish.body)
    return letter is not None and any(
        letter.address(moment) is None
        for moment in ended.past.between(wish.asked_s, wish.refused_s)
    )


@dataclass(frozen=True)
class _Post:
    """What was to be sent to people, and what became of it."""

    ended: Ended

    @cached_property
    def letters(self) -> Mapping[UUID, Letter]:
        """By the notifications' ids."""
        asked = ((wish.told, letter_of(wish.body)) for wish in self.ended.wishes)
        own = {id: letter for id, letter in asked if id is not None and letter is not None}
        spread = {UUID(row["id"]): each.letter(row) for each, row in self._spread}
        ruled = {id: letter for id, (letter, *_) in self._ruled.items()}
        return {**own, **spread, **self._repeated, **ruled}

    @cached_property
    def _repeated(self) -> Mapping[UUID, Letter]:
        """What schedules made for people."""
        made = made_by_schedules(self.ended)
        rows = {UUID(row["id"]): row for row in self.ended.records}
        letters = {id: each.letter(rows[id]) for id, each in made.items() if id in rows}
        return {id: letter for id, letter in letters.items() if letter is not None}

    @cached_property
    def _ruled(self) -> Mapping[UUID, tuple[Letter, float, float]]:
        """What rules made for people."""
        return made_by_rules(self.ended)

    @cached_property
    def accepted_s(self) -> Mapping[UUID, tuple[float, float]]:
        """When they were asked for, and the time that they were asked for for."""
        asked = {
            wish.told: (wish.asked_s, wish.asked_s + (wish.send_in_s or 0))
            for wish in self.ended.wishes
            if wish.told is not None
        }
        spread = {
            UUID(row["id"]): (each.started_s, since_s(row["created_at"]))
            for each, row in self._spread
        }
        repeated = {
            UUID(row["id"]): (since_s(row["created_at"]) - _MADE_IN_S, since_s(row["created_at"]))
            for row in self.ended.records
            if UUID(row["id"]) in self._repeated
        }
        ruled = {id: (from_s, due_s) for id, (_, from_s, due_s) in self._ruled.items()}
        return {**asked, **spread, **repeated, **ruled}

    @property
    def _spread(self) -> Iterator[tuple[Spread, Mapping[str, Any]]]:
        """What broadcasts made."""
        return ((each, row) for each in spreads(self.ended) for row in each.records)

    @cached_property
    def claims(self) -> Mapping[UUID, Mapping[int, float]]:
        """When each attempt began."""
        found: defaultdict[UUID, dict[int, float]] = defaultdict(dict)
        for row in self.ended.timeline:
            if row["event"] == CLAIM.name:
                found[UUID(row["notification_id"])][row["attempt"]] = _at_s(row)
        return found

    @cached_property
    def records(self) -> Mapping[UUID, Mapping[str, Any]]:
        """Of those."""
        rows = ((UUID(row["id"]), row) for row in self.ended.records)
        return {id: row for id, row in rows if id in self.letters}

    @property
    def calls(self) -> Iterator[tuple[Call, Letter, float]]:
        """Each call of a provider, and when its attempt began."""
        for call in self.ended.journal:
            if call.id in self.letters:
                yield call, self.letters[call.id], self.claims[call.id][call.attempt]

    def events(self, name: str) -> Iterator[tuple[Mapping[str, Any], UUID, float, float]]:
        """Those of a name: the row, of what, since when it was looked at, and when that was."""
        for row in self.ended.timeline:
            id, at_s = UUID(row["notification_id"]), _at_s(row)
            if row["event"] == name and id in self.letters:
                begun = [each for each in self.claims.get(id, {}).values() if each <= at_s]
                yield row, id, max([self.accepted_s[id][0], *begun]), at_s

    def fates(self, letter: Letter, from_s: float, to_s: float) -> Collection[str]:
        """What might have been decided about it between these times."""
        moments = self.ended.past.seen(from_s, to_s)
        found = {fate(letter, each, at_s) for each in moments for at_s in _times(from_s, to_s)}
        is_vague = found & _TIMELY and may_be_off(self.ended, to_s)
        return found | _TIMELY if is_vague else found


def _about_calls(post: _Post) -> Iterator[str]:
    """Nobody is sent what they do not want, nor where they are not any more."""
    for call, letter, claimed_s in post.calls:
        when = f"{call.id} attempt {call.attempt} at {call.began_s:.2f}"
        moments = post.ended.past.between(claimed_s, call.began_s)
        if call.recipient not in {letter.address(each) for each in moments}:
            yield f"misaddressed: {when} went where {letter.user_id} was not"
        fates = post.fates(letter, claimed_s, call.began_s)
        if SEND not in fates:
            yield f"unwanted: {when} was to {' or '.join(sorted(fates))}, by {letter.user_id}"


def _about_what_was_stopped(post: _Post) -> Iterator[str]:
    """Nothing is kept from people that they want."""
    for row, id, from_s, to_s in post.events(SUPPRESS.name):
        letter = post.letters[id]
        due_s = post.accepted_s[id][1]
        fates = {*post.fates(letter, from_s, to_s), *post.fates(letter, due_s, due_s)}
        if row["fault_code"] not in _OTHERS and STOP not in fates:
            yield f"withheld: {id} at {to_s:.2f} ({row['fault_code']}), and nobody wants that"


def _about_what_was_held(post: _Post) -> Iterator[str]:
    for _, id, from_s, to_s in post.events(DEFER.name):
        letter, due_s = post.letters[id], max(post.accepted_s[id][1], from_s)
        moments = post.ended.past.seen(from_s, to_s)
        at = [*_times(from_s, to_s), *_times(due_s, due_s)]
        is_quiet = any(fate(letter, each, at_s) == HOLD for each in moments for at_s in at)
        if not is_quiet and not may_be_off(post.ended, to_s):
            yield f"held-up: {id} at {to_s:.2f}, when {letter.user_id} was not to be left in peace"


def _about_what_is_held_again(post: _Post) -> Iterator[str]:
    """What was held comes back when it may go, unless something was changed meanwhile."""
    for row, id, from_s, to_s in post.events(DEFER.name):
        again_s = post.claims.get(id, {}).get(row["attempt"] + 1)
        if again_s is None or may_be_off(post.ended, again_s):
            continue
        moments = post.ended.past.seen(from_s, again_s)
        fates = {fate(post.letters[id], moments[-1], at_s) for at_s in _times(again_s, again_s)}
        if len(moments) == 1 and fates == {HOLD}:
            yield f"held-again: {id} was held at {to_s:.2f}, and came back at {again_s:.2f}"


# --- caps ---------------------------------------------------------------------------------------


def _about_caps(post: _Post) -> Iterator[str]:
    """Each takes one of its cap at most, and nobody gets more than that."""
    used: Counter[tuple[str, str]] = Counter()
    for row in post.ended.cap_uses:
        used[row["user_id"], row["cap"]] += row["used"]
        if row["used"] > _limit(row["cap"]):
            yield f"over-cap: {row['user_id']} got {row['used']} of {row['cap']}"
    for call, letter, _ in post.calls:
        if letter.is_capped and not _is_counted(post, call.id):
            yield f"uncounted: {call.id} went to {letter.user_id}, and took nothing of the cap"
    # What caps have counted goes with their days.
    if not any(each.kind is Kind.DAYS for each in post.ended.happenings):
        yield from _about_what_was_counted(post, used)
        yield from _about_what_was_too_much(post)


def _about_what_was_counted(post: _Post, used: Counter[tuple[str, str]]) -> Iterator[str]:
    counted = Counter(_cap(letter) for id, letter in post.letters.items() if _is_counted(post, id))
    for place in {*used, *counted}:
        if used[place] != counted[place]:
            yield f"miscounted: {place} was used {used[place]} times for {counted[place]}"


def _about_what_was_too_much(post: _Post) -> Iterator[str]:
    full = {
        (row["user_id"], row["cap"])
        for row in post.ended.cap_uses
        if row["used"] >= _limit(row["cap"])
    }
    for row, id, _, at_s in post.events(SUPPRESS.name):
        if row["fault_code"] == _CAPPED and _cap(post.letters[id]) not in full:
            yield f"capped: {id} at {at_s:.2f}, and the cap was not used up"


def _is_counted(post: _Post, id: UUID) -> bool:
    return bool(post.records[id]["is_counted"]) if id in post.records else False


def _cap(letter: Letter) -> tuple[str, str]:
    return letter.user_id, f"{letter.category}/{letter.channel}"


def _limit(name: str) -> int:
    cap = BY_KEY[name.partition("/")[0]].cap
    return cap.limit if cap else 0


def _times(from_s: float, to_s: float) -> Iterator[float]:
    """Return times between these, and those that a process may take for them."""
    if to_s - from_s > _LONG_S:
        yield from _times(from_s, from_s + _LONG_S / 4)
        from_s = to_s - _LONG_S / 4
    at_s = from_s - EXACT_S
    while at_s < to_s + EXACT_S:
        yield at_s
        at_s += _STEP_S
    yield to_s + EXACT_S


def _at_s(row: Mapping[str, Any]) -> float:
    return since_s(row["at"])
