"""Failed notifications and the letters that stand for them in dead queues."""

from collections.abc import Collection, Sequence
from functools import partial

from sqlalchemy import (
    Boolean,
    Integer,
    and_,
    case,
    delete,
    literal,
    literal_column,
    null,
    select,
    union,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Status
from notifier.notification.outcomes import Fault
from notifier.notification.transitions import RECALL
from notifier.store.kit.database import Database
from notifier.store.kit.rows import joined
from notifier.store.kit.sql import ID, Now, SecondsFromNow, given_rows, is_key, parameter
from notifier.store.notification import timeline, unknown
from notifier.store.notification.changes import RETURNED, locked, status_in
from notifier.store.notification.rows import envelope_row, event_row, fault_columns
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.tables import purged_letters
from notifier.store.notification.taking import given_limit, held, is_up, take

GIVEN_UP = Fault(
    kind="transient",
    code="delivery_limit",
    message="the broker gave its message up after too many deliveries that ended without an answer",
)

# A letter that becomes stale while a sweep is under way may have been seen before that.
_SWEEP_S = 60.0

# In the words of its index: SQLite does not see that "= 0" means the same.
_has_no_letter = literal_column("NOT notifications.dead_letter", Boolean())
_unburied = select(n.c.id).where(status_in(Status.FAILED), _has_no_letter, is_up)
# Whoever was to bury it before, its worker or a relay, may have done so and not known: a publish
# that timed out may still arrive. A sweep leaves one letter of each.
_was_offered = n.c.relay_at > n.c.finished_at
_TAKE_UNBURIED = held(_unburied.order_by(n.c.relay_at).limit(given_limit)).values(
    stale_letter_at=case((_was_offered, Now()), else_=n.c.stale_letter_at)
)


async def take_unburied(
    connection: AsyncConnection, *, limit: int, hold_s: float
) -> Sequence[Envelope]:
    """Take what failed and has no dead letter."""
    return await take(connection, _TAKE_UNBURIED, limit, hold_s)


_STALE_CHANNELS = union(
    select(n.c.channel).where(n.c.stale_letter_at.is_not(None)),
    select(purged_letters.c.channel),
)

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
_FORGET_PURGED = delete(purged_letters).where(
    purged_letters.c.channel == parameter("which_channel"),
    purged_letters.c.since <= SecondsFromNow(literal(-_SWEEP_S)),
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


async def mark_unburied(
    connection: AsyncConnection, *, channel: Channel, envelopes: Sequence[Envelope]
) -> None:
    """Record a whole sweep of a dead queue and what it removed."""
    if envelopes:
        rows = joined(map(envelope_row, envelopes))
        await connection.execute(_MARK_UNBURIED, {"rows": rows})
    for forget in (_FORGET_STALE, _FORGET_PURGED):
        await connection.execute(forget, {"which_channel": channel})


class SqlDeadLetters:
    """`DeadLetters` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_unburied(self, limit: int, *, hold_s: float) -> Sequence[Envelope]:
        return await self._database.write(partial(take_unburied, limit=limit, hold_s=hold_s))

    async def channels_with_stale_dead_letters(self) -> Collection[Channel]:
        return await self._database.read(channels_with_stale_dead_letters)

    async def recall(self, letters: Sequence[Envelope]) -> int:
        return await self._database.write(partial(recall, letters=letters))

    async def stale_dead_letters(self, envelopes: Sequence[Envelope]) -> Collection[Envelope]:
        return await self._database.write(partial(stale_dead_letters, envelopes=envelopes))

    async def mark_unburied(self, channel: Channel, envelopes: Sequence[Envelope]) -> None:
        await self._database.write(partial(mark_unburied, channel=channel, envelopes=envelopes))
