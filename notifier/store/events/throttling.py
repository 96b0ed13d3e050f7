"""Counting what throttles hold back, in the transaction that records it."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Integer, Text, case, delete, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.events.event import Outcome, Throttle
from notifier.store.events.lines import Line, Person
from notifier.store.events.tables import throttles
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import Now, SecondsFromNow, given_rows

_PURGE_BATCH = 5_000
_t = throttles.c
_KEY = (_t.service, _t.rule, _t.person, _t.key)
_given = given_rows(service=Text, rule=Text, person=Text, key=Text, used=Integer, per_s=Integer)
_ends_at = SecondsFromNow(_given.c.per_s)
_adding = insert(throttles).from_select(
    [*_KEY, _t.used, _t.ends_at],
    select(
        _given.c.service, _given.c.rule, _given.c.person, _given.c.key, _given.c.used, _ends_at
    ).where(true()),
)
_is_over = _t.ends_at <= Now()
_COUNT = _adding.on_conflict_do_update(
    index_elements=[*_KEY],
    set_={
        "used": case((_is_over, _adding.excluded.used), else_=_t.used + _adding.excluded.used),
        "ends_at": case((_is_over, _adding.excluded.ends_at), else_=_t.ends_at),
    },
).returning(*_KEY, _t.used)
_over = select(*_KEY).where(_is_over).limit(_PURGE_BATCH)
_PURGE = delete(throttles).where(tuple_(*_KEY).in_(_over))


async def throttle(connection: AsyncConnection, lines: Sequence[Line]) -> None:
    """Hold back what comes too often: nothing of it is carried out but what is spared."""
    asked: dict[Person, list[tuple[Line, Throttle]]] = defaultdict(list)
    for line in lines:
        if line.is_on and line.match.throttle:
            asked[line.of(line.match.throttle.key)].append((line, line.match.throttle))
    if not asked:
        return
    rows = joined(_row(person, found) for person, found in sorted(asked.items(), key=_first))
    for counted in (await connection.execute(_COUNT, {"rows": rows})).all():
        *person, used = counted
        _hold_back(asked[tuple(person)], used)


async def purge(connection: AsyncConnection) -> int:
    """Forget some that are over; returns how many."""
    return (await connection.execute(_PURGE)).rowcount


def _first(item: tuple[Person, object]) -> Person:
    return item[0]


def _row(person: Person, found: Sequence[tuple[Line, Throttle]]) -> bytes:
    names = ("service", "rule", "person", "key")
    per_s = found[0][1].per_s
    return encode({**dict(zip(names, person, strict=True)), "used": len(found), "per_s": per_s})


def _hold_back(found: Sequence[tuple[Line, Throttle]], used: int) -> None:
    earlier = used - len(found)
    for nth, (line, allowed) in enumerate(found, start=earlier + 1):
        if nth > allowed.count:
            line.outcome = Outcome.THROTTLED
            line.reason = f"more than {allowed.count} in {allowed.per_s} s"
            line.submissions = line.submissions[: allowed.spared]
