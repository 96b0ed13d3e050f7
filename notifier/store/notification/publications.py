"""Publishing: what the broker was given, many callers in each statement."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

from sqlalchemy import Float, Integer, and_, case, func, or_, update

from notifier.notification.envelope import Envelope
from notifier.notification.model import Status
from notifier.store.kit.batcher import Batcher, batched
from notifier.store.kit.database import Database
from notifier.store.kit.rows import joined
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    SecondsUntil,
    given_rows,
    is_key,
    parameter,
)
from notifier.store.kit.statements import Single
from notifier.store.kit.transaction import WithoutWaitingForDisk
from notifier.store.notification.changes import locked, stands_at
from notifier.store.notification.rows import envelope_row
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.tables import notifications as n

_named = locked(given_rows(id=ID, attempt=Integer))
_lost_after_s = parameter("lost_after_s", Float)
_most_s = _lost_after_s * 10.0
_published_for_s = func.coalesce(-SecondsUntil(n.c.published_at), 0.0)
# As long again as it was there: a consumer may hold it for long, and each suspicion doubles it.
_suspect_in_s = case(
    (_published_for_s < _lost_after_s, _lost_after_s),
    (_published_for_s > _most_s, _most_s),
    else_=_published_for_s,
)
# A mark that a crash of the server loses costs a second message, which the claim's fence stops.
_MARK_PUBLISHED = Single(
    update(n)
    .where(
        is_key(n.c.id, _named.c.id),
        n.c.attempt == _named.c.attempt,
        WithoutWaitingForDisk(),
    )
    .values(
        published_at=func.coalesce(n.c.published_at, Now()), relay_at=SecondsFromNow(_suspect_in_s)
    )
)

_is_current_letter = and_(stands_at(Status.FAILED), n.c.attempt == _named.c.attempt)
_MARK_BURIED = Single(
    update(n)
    .where(is_key(n.c.id, _named.c.id))
    .values(
        dead_letter=or_(n.c.dead_letter, _is_current_letter),
        stale_letter_at=case((_is_current_letter, n.c.stale_letter_at), else_=Now()),
    )
)


async def mark_published(
    database: Database, published: Sequence[Sequence[Envelope]], *, lost_after_s: float
) -> list[None]:
    """Record that the broker has these."""
    return await _mark(database, _MARK_PUBLISHED, published, lost_after_s=lost_after_s)


async def mark_buried(database: Database, buried: Sequence[Sequence[Envelope]]) -> list[None]:
    """Record that the dead queue has these; letters that are overtaken already are stale."""
    return await _mark(database, _MARK_BURIED, buried)


async def _mark(
    database: Database,
    mark: Single,
    requests: Sequence[Sequence[Envelope]],
    **parameters: object,
) -> list[None]:
    rows = joined(map(envelope_row, chain.from_iterable(requests)))
    await database.write_at_once(mark, {"rows": rows, **parameters})
    return [None] * len(requests)


class SqlPublications:
    """`Publications` over SQL."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        published = partial(mark_published, lost_after_s=settings.lost_after_s)
        self._published: Batcher[Sequence[Envelope], None] = batched(
            database, published, settings.max_batch, weigh=len, gather_s=settings.gather_s
        )
        self._buried: Batcher[Sequence[Envelope], None] = batched(
            database, mark_buried, settings.max_batch, weigh=len
        )

    async def mark_published(self, envelopes: Sequence[Envelope]) -> None:
        await self._published.submit(envelopes)

    async def mark_buried(self, envelopes: Sequence[Envelope]) -> None:
        await self._buried.submit(envelopes)
