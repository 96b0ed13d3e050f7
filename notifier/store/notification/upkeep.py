"""The relay's share: what is lost, abandoned or overdue, and the dead queues."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial

from sqlalchemy import (
    Boolean,
    Float,
    Integer,
    Text,
    and_,
    case,
    func,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.delivery.ports import RescuePolicy
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane, OnUnknown, Status
from notifier.notification.outcomes import Fault
from notifier.notification.queueing import WORK_QUEUES, QueueDepth, WorkQueue
from notifier.notification.transitions import EXPIRE, FAIL, RESCUE
from notifier.store.kit.database import Database
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import (
    Chance,
    Now,
    SecondsFromNow,
    given_rows,
    is_key,
    literal_text,
    parameter,
)
from notifier.store.notification import due, timeline
from notifier.store.notification.changes import (
    RETURNED,
    changes,
    erased,
    status_in,
    taken,
    unleased,
)
from notifier.store.notification.rows import event_row, fault_columns
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.taking import given_limit, held, is_up, take

LEASE_ENDED = Fault(
    kind="unknown",
    code="lease_ended",
    message="the worker's lease ended before it recorded what became of the attempt",
)


_empty = given_rows("empty", channel=Text, lane=Text)
_lost = (
    select(n.c.id)
    .join_from(n, _empty, and_(n.c.channel == _empty.c.channel, n.c.lane == _empty.c.lane))
    .where(status_in(Status.PENDING), n.c.published_at.is_not(None), is_up)
)
_TAKE_LOST = held(_lost.limit(given_limit))

_missing = taken(
    select(n.c.id)
    .where(
        status_in(Status.PENDING),
        n.c.channel == parameter("of_channel"),
        n.c.lane == parameter("of_lane"),
        n.c.published_at <= SecondsFromNow(-parameter("missing_after_s", Float)),
    )
    .limit(given_limit)
)
_are_missing = select(func.count()).select_from(_missing).scalar_subquery() > parameter(
    "held", Integer
)
_UNPUBLISH_MISSING = (
    update(n)
    .where(is_key(n.c.id, _missing.c.id), _are_missing)
    .values(published_at=null(), relay_at=Now())
    .returning(n.c.id)
)


async def take_lost(
    connection: AsyncConnection,
    *,
    limit: int,
    hold_s: float,
    empty: Collection[tuple[Channel, Lane]],
) -> Sequence[Envelope]:
    """Take what was published to one of the `empty` queues and is there no more."""
    queues = joined(encode({"channel": channel, "lane": lane}) for channel, lane in empty)
    return await take(connection, _TAKE_LOST, limit, hold_s, empty=queues)


async def unpublish_missing(
    connection: AsyncConnection, *, limit: int, queue: QueueDepth, missing_after_s: float
) -> int:
    """Make what is missing from a queue due, if more was published to it than it can hold."""
    held = queue.ready + queue.consumers
    parameters = {
        "of_channel": queue.channel,
        "of_lane": queue.lane,
        "missing_after_s": missing_after_s,
        "held": held,
        "limit": held + limit,
    }
    return len((await connection.execute(_UNPUBLISH_MISSING, parameters)).all())


_policies = given_rows(channel=Text, max_attempts=Integer, hold=Boolean, spread_s=Float)
_lease_ended = and_(status_in(Status.PROCESSING), n.c.lease_until <= Now())
_abandoned = taken(
    select(
        n.c.id,
        _policies.c.max_attempts,
        _policies.c.hold,
        (_policies.c.spread_s * Chance()).label("spread_s"),
    )
    .join_from(n, _policies, n.c.channel == _policies.c.channel)
    .where(_lease_ended)
    .order_by(n.c.lease_until)
    .limit(given_limit)
)
_holds = func.coalesce(n.c.on_unknown == literal_text(OnUnknown.HOLD), _abandoned.c.hold)
_gives_up = or_(_holds, n.c.attempts_spent >= _abandoned.c.max_attempts)
_is_first = n.c.attempts_spent <= 1
_wait_s = _abandoned.c.spread_s * (n.c.attempts_spent - 1)
_due_again = case((or_(_gives_up, _is_first), Now()), else_=SecondsFromNow(_wait_s))
_RESCUE = (
    update(n)
    .where(is_key(n.c.id, _abandoned.c.id), _lease_ended)
    .values(
        status=case((_gives_up, literal_text(FAIL.target)), else_=literal_text(RESCUE.target)),
        due_at=_due_again,
        relay_at=_due_again,
        published_at=null(),
        finished_at=case((_gives_up, Now()), else_=null()),
        updated_at=Now(),
        outcome_unknown=true(),
        **fault_columns(LEASE_ENDED),
        **unleased(),
        **erased(_gives_up),
    )
    .returning(*RETURNED)
)
_END_LEASES = (
    update(n)
    .where(status_in(Status.PROCESSING), n.c.leased_by == parameter("worker"))
    .values(lease_until=Now())
)


async def rescue(
    connection: AsyncConnection, *, limit: int, policies: Mapping[Channel, RescuePolicy]
) -> int:
    """RESCUE or FAIL what is under an ended lease."""
    rows = joined(
        encode(
            {
                "channel": channel,
                "max_attempts": policy.max_attempts,
                "hold": policy.on_unknown is OnUnknown.HOLD,
                "spread_s": policy.spread_s,
            }
        )
        for channel, policy in policies.items()
    )
    changed = (await connection.execute(_RESCUE, {"rows": rows, "limit": limit})).all()
    rescued = ((row, FAIL if row.status == FAIL.target else RESCUE) for row in changed)
    await timeline.append(
        connection,
        [event_row(row.id, to.name, row.attempt, fault=LEASE_ENDED) for row, to in rescued],
    )
    return len(changed)


async def end_leases(connection: AsyncConnection, *, leased_by: str) -> int:
    """End the leases of one worker now."""
    return (await connection.execute(_END_LEASES, {"worker": leased_by})).rowcount


_overdue = select(n.c.id).where(status_in(Status.PENDING), n.c.expires_at <= Now())
_EXPIRE = changes(EXPIRE, taken(_overdue.order_by(n.c.expires_at).limit(given_limit)))


async def expire(connection: AsyncConnection, *, limit: int) -> int:
    """EXPIRE what waited too long."""
    result = (await connection.execute(_EXPIRE, {"limit": limit})).all()
    await timeline.append(
        connection, [event_row(row.id, EXPIRE.name, row.attempt) for row in result]
    )
    return len(result)


_published = taken(
    select(n.c.id)
    .where(status_in(Status.PENDING), n.c.published_at.is_not(None))
    .limit(given_limit)
)

_UNPUBLISH = (
    update(n)
    .where(is_key(n.c.id, _published.c.id))
    .values(published_at=null(), relay_at=Now())
    .returning(n.c.id)
)


async def unpublish(connection: AsyncConnection, *, limit: int) -> int:
    """Make what is pending, and was published, due for publishing again."""
    return len((await connection.execute(_UNPUBLISH, {"limit": limit})).all())


class SqlUpkeep:
    """`Upkeep` over SQL."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._database = database
        self._missing_after_s = settings.missing_after_s

    async def due_queues(self, lanes: Collection[Lane] = tuple(Lane)) -> Sequence[WorkQueue]:
        return await self._database.read(partial(due.due_queues, lanes=lanes))

    async def take_due(
        self, limit: int, *, hold_s: float, queues: Collection[WorkQueue] = WORK_QUEUES
    ) -> Sequence[Envelope]:
        return await self._database.write(
            partial(due.take_due, limit=limit, hold_s=hold_s, queues=queues)
        )

    async def take_lost(
        self, limit: int, *, hold_s: float, empty: Collection[tuple[Channel, Lane]]
    ) -> Sequence[Envelope]:
        if not empty:
            return []
        return await self._database.write(
            partial(take_lost, limit=limit, hold_s=hold_s, empty=empty)
        )

    async def unpublish_missing(self, limit: int, *, queue: QueueDepth) -> int:
        unpublish = partial(unpublish_missing, missing_after_s=self._missing_after_s)
        return await self._database.write(partial(unpublish, limit=limit, queue=queue))

    async def rescue(self, limit: int, policies: Mapping[Channel, RescuePolicy]) -> int:
        return await self._database.write(partial(rescue, limit=limit, policies=policies))

    async def end_leases(self, leased_by: str) -> int:
        return await self._database.write(partial(end_leases, leased_by=leased_by))

    async def expire(self, limit: int) -> int:
        return await self._database.write(partial(expire, limit=limit))

    async def unpublish(self, limit: int) -> int:
        return await self._database.write(partial(unpublish, limit=limit))
