"""How attempts end: many callers' in each statement."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CompoundSelect,
    Float,
    FromClause,
    Integer,
    Text,
    Uuid,
    case,
    func,
    literal_column,
    null,
    or_,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.delivery.ports import Finish
from notifier.notification.model import Status
from notifier.store.kit.database import Database
from notifier.store.kit.rows import joined
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    given_rows,
    is_key,
    literal_text,
    parameter,
)
from notifier.store.kit.statements import Parameters
from notifier.store.notification import suppressing, timeline
from notifier.store.notification.changes import RETURNED, erased, locked, set_where, unleased
from notifier.store.notification.rows import event_row, finish_row, miss_rows
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.timeline import Noted

_ended = locked(
    given_rows(
        id=ID,
        lease_token=Uuid,
        event=Text,
        target=Text,
        counts_attempt=Integer,
        provider=Text,
        provider_id=Text,
        fault_kind=Text,
        fault_code=Text,
        fault_message=Text,
        delay_s=Float,
        outcome_unknown=Boolean,
    )
)
_is_back = _ended.c.target == literal_text(Status.PENDING)
_has_failed = _ended.c.target == literal_text(Status.FAILED)
_due_again = SecondsFromNow(func.coalesce(_ended.c.delay_s, 0.0))
_finishes = (
    update(n)
    .where(
        is_key(n.c.id, _ended.c.id),
        n.c.lease_token == _ended.c.lease_token,
    )
    .values(
        status=_ended.c.target,
        attempts_spent=n.c.attempts_spent + _ended.c.counts_attempt,
        due_at=set_where(n.c.due_at, _due_again, when=_is_back),
        # Whoever records a failure buries it; a relay takes it up only if that does not happen.
        relay_at=case(
            (_is_back, _due_again),
            (_has_failed, SecondsFromNow(parameter("grace_s", Float))),
            else_=n.c.relay_at,
        ),
        published_at=set_where(n.c.published_at, null(), when=_is_back),
        sent_at=set_where(n.c.sent_at, Now(), when=_ended.c.target == literal_text(Status.SENT)),
        finished_at=set_where(n.c.finished_at, Now(), when=~_is_back),
        updated_at=Now(),
        outcome_unknown=or_(n.c.outcome_unknown, _ended.c.outcome_unknown),
        **{
            name: _ended.c[name]
            for name in ("provider", "provider_id", "fault_kind", "fault_code", "fault_message")
        },
        **unleased(),
        **erased(~_is_back),
    )
    .returning(*RETURNED)
)
_missed = given_rows(
    "misses",
    id=ID,
    nth=Integer,
    provider=Text,
    fault_kind=Text,
    fault_code=Text,
    fault_message=Text,
)
_at_last = literal_column("1000", Integer)


_told = tuple(_ended.c[name] for name in ("event", *timeline.DETAILS))


def _finished(ended: FromClause) -> CompoundSelect[Any]:
    failover = literal_text(timeline.FAILOVER)
    details = ended if "event" in ended.c else _ended
    return union_all(
        timeline.entries(ended, failover, details=_missed, nth=_missed.c.nth),
        timeline.entries(ended, details.c.event, details=details, nth=_at_last),
    )


_FINISH = Noted(_finishes, _finished, told=_told)


def checked(finish: Finish) -> Finish:
    """Return it if it ends an attempt.

    Raises:
        ValueError: its transition does not start from processing.
    """
    if Status.PROCESSING not in finish.transition.sources:
        raise ValueError(f"{finish.transition.name} does not end an attempt")
    return finish


async def finish(database: Database, finishes: Sequence[Finish], *, grace_s: float) -> list[bool]:
    """Record the ends of attempts; those without their lease only reach the timeline."""
    firsts: dict[UUID, Finish] = {}
    for each in finishes:
        firsts.setdefault(each.id, each)
    ends = list(firsts.values())
    recorded = await _end(database, ends, grace_s=grace_s)
    missed = [each for each in finishes if firsts[each.id] is not each or each.id not in recorded]
    late = await database.write(partial(_late, finishes=missed)) if missed else set()
    return [timeline.ending_of(each) not in late for each in finishes]


async def _end(
    database: Database, finishes: Sequence[Finish], *, grace_s: float
) -> Collection[UUID]:
    """End these attempts where they have their lease; returns which. One statement in general."""
    misses = (row for each in finishes for row in miss_rows(each))
    parameters = {
        "rows": joined(map(finish_row, finishes)),
        "misses": joined(misses),
        "grace_s": grace_s,
    }
    causes = {each.id: suppressing.Cause(each.suppress_as) for each in finishes if each.suppress_as}
    if not causes:
        return {row.id for row in await database.write_at_once(_FINISH, parameters)}
    return await database.write(partial(_end_and_suppress, parameters=parameters, causes=causes))


async def _end_and_suppress(
    connection: AsyncConnection,
    *,
    parameters: Parameters,
    causes: Mapping[UUID, suppressing.Cause],
) -> Collection[UUID]:
    ended = {row.id for row in await _FINISH.run(connection, parameters)}
    await suppressing.suppress(connection, {id: causes[id] for id in causes if id in ended})
    return ended


async def _late(
    connection: AsyncConnection, finishes: Sequence[Finish]
) -> Collection[timeline.Ending]:
    """Return the endings that did not end their attempt; each attempt gets one late completion.

    A worker that never got the answer to its finish asks again, and is not late.
    """
    known = await timeline.endings(connection, finishes)
    late = [each for each in finishes if timeline.ending_of(each) not in known]
    noted = {(id, attempt) for id, attempt, event, _ in known if event == timeline.LATE_COMPLETION}
    new = {(each.id, each.attempt): each for each in late if (each.id, each.attempt) not in noted}
    events = [
        event_row(each.id, timeline.LATE_COMPLETION, each.attempt, source=each)
        for each in new.values()
    ]
    await timeline.append(connection, events)
    return {timeline.ending_of(each) for each in late}
