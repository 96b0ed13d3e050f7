"""What people do in a world, or their service for them."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from tests.simulation.audience import erasing, joining
from tests.simulation.audience.past import Past
from tests.simulation.audience.people import (
    BY_KEY,
    COUNT,
    LETTER,
    STRANGERS,
    TOPIC,
    USER_IDS,
    VARIANTS,
    category_document,
    profile,
    profile_document,
)
from tests.simulation.audience.recurring import wall_clock
from tests.simulation.database import DatabaseServer
from tests.simulation.ended import Ended
from tests.simulation.epoch import CHANGES, EPOCH_S
from tests.simulation.loop import Process, this_loop
from tests.simulation.operators import Operator
from tests.simulation.plan import Fault, Kind, Plan

T = TypeVar("T")

_CHANGES: Sequence[Mapping[str, Mapping[str, bool | None]]] = (
    {"news": {"email": False}},
    {"news": {"*": False}, "offers": {"*": False}},
    {"*": {"email": False}},
    {"*": {"*": False}},
    {"*": {"*": False}, "news": {"*": True}},
    {"*": {"*": None, "email": None}, "news": {"*": None, "email": None}},
    {"offers": {"sms": True}, "hints": {"sms": False}},
    {"hints": {"email": False, "sms": True}},
)
_DEFAULTS: Sequence[tuple[str, Mapping[str, bool]]] = (
    ("hints", {"sms": False}),
    ("hints", {"email": False, "sms": False}),
    ("hints", {}),
    ("news", {"email": False}),
    ("offers", {}),
)
_SHARE_OF_HOURS = 0.6
_SHARE_HURRIED = 0.5
_SHARE_PARTING = 0.5
_SHARE_AHEAD = 0.5
_SHARE_SMS, _SHARE_USUAL = 0.3, 0.85
_MOVES: Sequence[Sequence[str]] = (
    (),
    ("pause", "resume"),
    ("cancel",),
    ("pause", "cancel"),
    ("pause", "resume", "cancel"),
)
_RATES = (None, 1, 4, None)
_MOST_PAUSED_S = 12.0
_TOPICS_ZONE = "America/New_York"
_LEAST_REPEATED_S = 125.0
_MOST_ERASED = 2
"""It takes half a minute of nothing to be sure that nothing is left."""
_WAITING = """
SELECT user_id FROM notifications WHERE status = 'pending' AND user_id IS NOT NULL ORDER BY id
"""


class Audience(Protocol):
    """What people reach of a world."""

    plan: Plan
    operator: Operator
    database: DatabaseServer
    ended: Ended

    def act(self, work: Coroutine[Any, Any, None]) -> None: ...

    def note_happening(
        self, fault: Fault, whom: Sequence[Process] | None, for_s: float = 0.0
    ) -> None: ...


def _choose(world: Audience, fault: Fault) -> None:
    changes = picked(_CHANGES, fault.level)
    _act(world, fault, world.operator.prefer(whom(world, fault), {"choices": changes}))


def _want_quiet(world: Audience, fault: Fault) -> None:
    """Want to be left in peace now, or in a minute, for some minutes."""
    user_id = whom(world, fault)
    hours = _minutes(world, fault, user_id)
    _act(world, fault, world.operator.prefer(user_id, {"quiet_hours": hours}))


def _minutes(world: Audience, fault: Fault, user_id: str) -> Mapping[str, str]:
    """Return the next minutes, as somebody's clocks show them."""
    zone = _zone(world.ended.past, user_id)
    now = datetime.fromtimestamp(EPOCH_S + this_loop().time(), UTC).astimezone(zone)
    start = now + timedelta(minutes=fault.level > _SHARE_HURRIED)
    end = start + timedelta(minutes=1 + fault.for_s // 15)
    return {"from": f"{start:%H:%M}", "to": f"{end:%H:%M}"}


def _move(world: Audience, fault: Fault) -> None:
    moved = profile(_number(world, fault), _variant(fault))
    _act(world, fault, world.operator.put(moved.user_id, profile_document(moved)))


def _leave(world: Audience, fault: Fault) -> None:
    """Be forgotten, and come back some time later with other addresses."""
    back = profile(_number(world, fault), _variant(fault))
    again = world.operator.leave(back.user_id, fault.for_s, profile_document(back))
    _act(world, fault, again)


def _act(world: Audience, fault: Fault, work: Coroutine[Any, Any, None]) -> None:
    world.note_happening(fault, ())
    world.act(work)


def whom(world: Audience, fault: Fault) -> str:
    """Somebody for whom something waits, if that is so for anybody."""
    return profile(_number(world, fault)).user_id


def _declare(world: Audience, fault: Fault) -> None:
    """Have the service leave everybody in peace for some minutes, or say what is on by default."""
    operator = world.operator
    if fault.level < _SHARE_OF_HOURS:
        hours = _minutes(world, fault, whom(world, fault))
        _act(world, fault, operator.leave_in_peace(hours))
    else:
        category, defaults = picked(_DEFAULTS, fault.who)
        _act(world, fault, operator.declare(category, category_document(category, defaults)))


def _number(world: Audience, fault: Fault) -> int:
    found = (user_id for (user_id,) in world.database.read(_WAITING))
    waiting = [user_id for user_id in found if user_id in USER_IDS]
    if waiting:
        return int(picked(waiting, fault.who).rpartition("-")[2])
    return picked(range(COUNT), fault.who)


def _variant(fault: Fault) -> int:
    return picked(range(VARIANTS), fault.level)


def _zone(past: Past, user_id: str) -> ZoneInfo:
    somebody = past.moments[-1].people.get(user_id) if past.moments else None
    return ZoneInfo(somebody.zone if somebody and somebody.zone else "UTC")


def suppressed(past: Past, body: Mapping[str, Any], fault: Fault) -> Mapping[str, Any]:
    """Return the entry of the suppression list that stops this one: for all, or its category."""
    somebody = past.moments[-1].people.get(body.get("user_id", "")) if past.moments else None
    address = body.get("recipient") or (somebody and somebody.addresses.get(body["type"]))
    if somebody is not None and fault.who * 10 % 1 < _SHARE_AHEAD:
        address = _next_address(body, fault) or address
    entry = {"type": body["type"], "recipient": address or f"nobody-{fault.who}@example.com"}
    if address is None:
        entry["type"] = "email"
    if body.get("category") in BY_KEY and fault.level < 0.5:
        entry["category"] = body["category"]
    if somebody is not None and fault.level * 10 % 1 < 0.5:
        entry["reason"] = "unsubscribed"
    return entry


def _join_or_part(world: Audience, fault: Fault) -> None:
    all_ids = (*USER_IDS, *STRANGERS)
    user_id = picked(all_ids, fault.who)
    is_joining = fault.level > _SHARE_PARTING
    operator = world.operator
    moved = operator.join(TOPIC, user_id) if is_joining else operator.part(TOPIC, user_id)
    _act(world, fault, moved)


def _broadcast(world: Audience, fault: Fault) -> None:
    """Send a letter to the topic, slowly at times, and stop it meanwhile, for a while or for good.

    Not so slowly that the others would have to wait.
    """
    moves = picked(_MOVES, fault.level)
    wanted = {
        "type": "sms" if fault.who < _SHARE_SMS else "email",
        "template": LETTER,
        "topic": TOPIC,
        "variables": {"number": round(fault.at_s * 1_000)},
        "priority": "high" if fault.who > _SHARE_USUAL else "bulk",
        "rate_per_s": _RATES[int(fault.level * 1_000) % len(_RATES)],
        "exclude": USER_IDS[:1],
    }
    every_s = min(fault.for_s, _MOST_PAUSED_S) / len(moves) if moves else 0
    sent = world.operator.broadcast(wanted, f"broadcast-{fault.at_s}", moves, every_s)
    _act(world, fault, sent)


def _next_address(body: Mapping[str, Any], fault: Fault) -> str | None:
    """Return where somebody may be some time, or was."""
    number = int(body["user_id"].rpartition("-")[2])
    addresses = profile(number, picked(range(VARIANTS), fault.who)).addresses
    return next((each.address for each in addresses if each.channel == body["type"]), None)


def _repeat(world: Audience, fault: Fault) -> None:
    """Have a letter sent to somebody, an address or the topic every minute or so, for a while."""
    user_id = whom(world, fault)
    zones = ("UTC", "Europe/Vienna", "Asia/Kathmandu", "recipient")
    whens = (
        {"cron": "* * * * *"},
        {"cron": "*/2 * * * *"},
        {"every": "day", "at": wall_clock(this_loop().time(), _TOPICS_ZONE, in_minutes=1)},
    )
    tos = ({"user_id": user_id}, {"recipient": f"again-{fault.at_s}@example.com"}, {"topic": TOPIC})
    when, to = picked(whens, fault.level), tos[int(fault.level * 1_000) % 3]
    is_ones = "user_id" in to and "cron" in when
    zone = picked(zones, fault.who) if is_ones else _TOPICS_ZONE
    back_s = [each.at_s + each.for_s for each in world.plan.faults if each.kind is Kind.DAYS]
    if back_s:
        zone, at, _ = picked(CHANGES, fault.who)
        when = {"every": "day", "at": at}
    until_s = max([this_loop().time(), *back_s]) + _LEAST_REPEATED_S + fault.for_s
    wanted = {
        "name": f"schedule-{fault.at_s}",
        "when": when,
        "zone": zone,
        "to": {**to, "type": "email"},
        "template": LETTER,
        "variables": {"number": round(fault.at_s * 1_000)},
        "catch_up": ("all", "last", "none")[int(fault.who * 1_000) % 3],
    }
    _act(world, fault, world.operator.repeat(wanted, until_s))


def _erase(world: Audience, fault: Fault) -> None:
    """Have somebody forgotten who was written to in all ways, while some of it is under way."""
    ended = world.ended
    if len(ended.erased) >= _MOST_ERASED:
        return
    one = erasing.somebody(fault.at_s, fault.who)
    wishes = erasing.letters_to(one, len(ended.wishes))
    published = [erasing.event_about(one, type) for type in ("remark.made", "order.placed")]
    ended.erased.append(one)
    ended.wishes += wishes
    ended.publications += published
    gone = erasing.live_and_go(world.operator, one, wishes, published, fault.for_s, fault.level)
    _act(world, fault, gone)


def _merge(world: Audience, fault: Fault) -> None:
    """Have two turn out to be one, while something waits for the one who goes."""
    joined = joining.two(fault.at_s, fault.who, len(world.ended.wishes))
    world.ended.joined.append(joined)
    world.ended.wishes += [*joined.before, *joined.after]
    _act(world, fault, joining.become_one(world.operator, joined, fault.for_s))


def picked(among: Sequence[T], share: float) -> T:
    """Return the one at this share of them: from 0 to 1, and that is the first again."""
    return among[int(share * len(among)) % len(among)]


ACTS: Mapping[Kind, Callable[[Any, Fault], None]] = {
    Kind.CHOOSE: _choose,
    Kind.QUIET: _want_quiet,
    Kind.MOVE: _move,
    Kind.LEAVE: _leave,
    Kind.MEMBERS: _join_or_part,
    Kind.BROADCAST: _broadcast,
    Kind.SCHEDULE: _repeat,
    Kind.ERASE: _erase,
    Kind.MERGE: _merge,
    Kind.DECLARE: _declare,
}
