"""The relay's share: what is lost, abandoned or overdue, and the dead queues."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Float,
    Integer,
    Select,
    Text,
    Update,
    and_,
    case,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import (
    EXPIRE,
    FAIL,
    RECALL,
    REPLAY,
    RESCUE,
    Channel,
    Envelope,
    Fault,
    Lane,
    OnUnknown,
    Status,
)
from notifier.ports import QueueDepth, RescuePolicy
from notifier.store.kit.sql import (
    ID,
    Chance,
    Now,
    SecondsFromNow,
    given_rows,
    is_key,
    literal_text,
    parameter,
)
from notifier.store.notification import timeline, unknown
from notifier.store.notification.changes import (
    RETURNED,
    changes,
    erased,
    locked,
    status_in,
    taken,
    unleased,
)
from notifier.store.notification.rows import (
    encode,
    envelope_row,
    event_row,
    fault_columns,
    joined,
    to_envelope,
)
from notifier.store.tables import notifications as n

LEASE_ENDED = Fault(
    kind="unknown",
    code="lease_ended",
    message="the worker's lease ended before it recorded what became of the attempt",
)

GIVEN_UP = Fault(
    kind="transient",
    code="delivery_limit",
    message="the broker gave its message up after too many deliveries that ended without an answer",
)

# A letter that becomes stale while a sweep is under way may have been seen before that.
_SWEEP_S = 60.0

_limit = parameter("limit", Integer)
_hold_s = parameter("hold_s", Float)
_is_up = n.c.relay_at <= Now()


def _held(candidates: Select[tuple[UUID]]) -> Update:
    picked = taken(candidates)
    return (
        update(n)
        .where(is_key(n.c.id, picked.c.id))
        .values(relay_at=SecondsFromNow(_hold_s))
        .returning(n.c.id, n.c.channel, n.c.lane, n.c.attempt, n.c.traceparent)
    )


_empty = given_rows("empty", channel=Text, lane=Text)
_lost = (
    select(n.c.id)
    .join_from(n, _empty, and_(n.c.channel == _empty.c.channel, n.c.lane == _empty.c.lane))
    .where(status_in(Status.PENDING), n.c.published_at.is_not(None), _is_up)
)
_TAKE_LOST = _held(_lost.limit(_limit))

_missing = taken(
    select(n.c.id)
    .where(
        status_in(Status.PENDING),
        n.c.channel == parameter("of_channel"),
        n.c.lane == parameter("of_lane"),
        n.c.published_at <= SecondsFromNow(-parameter("missing_after_s", Float)),
    )
    .limit(_limit)
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

# In the words of its index: SQLite does not see that "= 0" means the same.
_has_no_letter = literal_column("NOT notifications.dead_letter", Boolean())
_unburied = select(n.c.id).where(status_in(Status.FAILED), _has_no_letter, _is_up)
# Whoever was to bury it before, its worker or a relay, may have done so and not known: a publish
# that timed out may still arrive. A sweep leaves one letter of each.
_was_offered = n.c.relay_at > n.c.finished_at
_TAKE_UNBURIED = _held(_unburied.order_by(n.c.relay_at).limit(_limit)).values(
    stale_letter_at=case((_was_offered, Now()), else_=n.c.stale_letter_at)
)


async def take_unburied(
    connection: AsyncConnection, *, limit: int, hold_s: float
) -> Sequence[Envelope]:
    """Take what failed and has no dead letter."""
    return await _take(connection, _TAKE_UNBURIED, limit, hold_s)


async def take_lost(
    connection: AsyncConnection,
    *,
    limit: int,
    hold_s: float,
    empty: Collection[tuple[Channel, Lane]],
) -> Sequence[Envelope]:
    """Take what was published to one of the `empty` queues and is there no more."""
    queues = joined(encode({"channel": channel, "lane": lane}) for channel, lane in empty)
    return await _take(connection, _TAKE_LOST, limit, hold_s, empty=queues)


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


async def _take(
    connection: AsyncConnection,
    statement: Update,
    limit: int,
    hold_s: float,
    **parameters: object,
) -> Sequence[Envelope]:
    result = await connection.execute(statement, {"limit": limit, "hold_s": hold_s, **parameters})
    return [to_envelope(row) for row in result]


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
    .limit(_limit)
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
_EXPIRE = changes(EXPIRE, taken(_overdue.order_by(n.c.expires_at).limit(_limit)))

_replayable = select(n.c.id).where(
    status_in(*REPLAY.sources),
    n.c.content.is_not(None),
    n.c.id > parameter("after", ID),
    or_(parameter("which_channel").is_(None), n.c.channel == parameter("which_channel")),
)
_REPLAY = changes(REPLAY, taken(_replayable.order_by(n.c.id).limit(_limit)))


async def expire(connection: AsyncConnection, *, limit: int) -> int:
    """EXPIRE what waited too long."""
    result = (await connection.execute(_EXPIRE, {"limit": limit})).all()
    await timeline.append(
        connection, [event_row(row.id, EXPIRE.name, row.attempt) for row in result]
    )
    return len(result)


async def replay_failed(
    connection: AsyncConnection, *, channel: Channel | None, limit: int, after: UUID | None
) -> Sequence[UUID]:
    """REPLAY what failed and is not erased."""
    parameters = {"which_channel": channel, "limit": limit, "after": after or UUID(int=0)}
    result = (await connection.execute(_REPLAY, parameters)).all()
    await timeline.append(
        connection, [event_row(row.id, REPLAY.name, row.attempt) for row in result]
    )
    return sorted(row.id for row in result)


_STALE_CHANNELS = select(n.c.channel).where(n.c.stale_letter_at.is_not(None)).distinct()

_letters = given_rows(id=ID, attempt=Integer)
_CURRENT = select(n.c.id, n.c.attempt).join_from(
    n,
    _letters,
    and_(
        is_key(n.c.id, _letters.c.id),
        n.c.attempt == _letters.c.attempt,
        status_in(Status.FAILED),
    ),
)
_removed = locked(given_rows(id=ID, attempt=Integer))
_is_current = and_(status_in(Status.FAILED), n.c.attempt == _removed.c.attempt)
_MARK_UNBURIED = (
    update(n)
    .where(is_key(n.c.id, _removed.c.id))
    .values(
        dead_letter=and_(n.c.dead_letter, ~_is_current),
        stale_letter_at=case((_is_current, n.c.stale_letter_at), else_=null()),
    )
)
_FORGET_STALE = (
    update(n)
    .where(
        n.c.channel == parameter("which_channel"),
        n.c.stale_letter_at.is_not(None),
        n.c.stale_letter_at <= SecondsFromNow(literal(-_SWEEP_S)),
    )
    .values(stale_letter_at=null())
)


async def channels_with_stale_dead_letters(connection: AsyncConnection) -> Collection[Channel]:
    """Return the channels whose dead queue should be swept."""
    return {Channel(name) for name in await connection.scalars(_STALE_CHANNELS)}


async def recall(connection: AsyncConnection, *, letters: Sequence[Envelope]) -> int:
    """RECALL what is pending although its message lies in a dead queue."""
    rows = joined(map(envelope_row, letters))
    changed = (await connection.execute(_RECALL, {"rows": rows})).all()
    await timeline.append(
        connection,
        [event_row(row.id, RECALL.name, row.attempt, fault=GIVEN_UP) for row in changed],
    )
    return len(changed)


async def stale_dead_letters(
    connection: AsyncConnection, *, envelopes: Sequence[Envelope]
) -> Collection[Envelope]:
    """Return those dead letters whose notification is not failed."""
    result = await connection.execute(_CURRENT, {"rows": joined(map(envelope_row, envelopes))})
    current = {(row.id, row.attempt) for row in result}
    others = [each for each in envelopes if (each.id, each.attempt) not in current]
    unknown_ids = await unknown.note(connection, others)
    return [each for each in others if each.id not in unknown_ids]


_published = taken(
    select(n.c.id).where(status_in(Status.PENDING), n.c.published_at.is_not(None)).limit(_limit)
)
_with_letter = locked(given_rows(id=ID, attempt=Integer))
_RECALL = (
    update(n)
    .where(
        is_key(n.c.id, _with_letter.c.id),
        n.c.attempt == _with_letter.c.attempt,
        status_in(*RECALL.sources),
        n.c.published_at.is_not(None),
        # The letter of the failure that was replayed is none of the message published since.
        n.c.stale_letter_at.is_(None),
    )
    .values(
        # What else there may be of the old message, its letter first, stands for nothing now.
        attempt=n.c.attempt + 1,
        relay_at=Now(),
        published_at=null(),
        updated_at=Now(),
        **fault_columns(GIVEN_UP),
    )
    .returning(*RETURNED)
)

_UNPUBLISH = (
    update(n)
    .where(is_key(n.c.id, _published.c.id))
    .values(published_at=null(), relay_at=Now())
    .returning(n.c.id)
)


async def mark_unburied(
    connection: AsyncConnection, *, channel: Channel, envelopes: Sequence[Envelope]
) -> None:
    """Record a whole sweep of a dead queue and what it removed."""
    if envelopes:
        rows = joined(map(envelope_row, envelopes))
        await connection.execute(_MARK_UNBURIED, {"rows": rows})
    await connection.execute(_FORGET_STALE, {"which_channel": channel})


async def unpublish(connection: AsyncConnection, *, limit: int) -> int:
    """Make what is pending, and was published, due for publishing again."""
    return len((await connection.execute(_UNPUBLISH, {"limit": limit})).all())
