"""Keeping events for some days, and showing what came of them."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Float, Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.events.event import (
    Answer,
    Differs,
    Event,
    EventFilter,
    Outcome,
    Reaction,
    Repeated,
    StoredEvent,
    StoredMatch,
)
from notifier.store.events import throttling
from notifier.store.events.recording import Recorder, find, standing
from notifier.store.events.tables import digests, event_matches, events
from notifier.store.kit.batcher import batched
from notifier.store.kit.database import Database
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.naming import is_named, named
from notifier.store.kit.paging import listed, matching, newest_first
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, SecondsFromNow, given_rows, parameter
from notifier.store.notification.settings import StoreSettings

_e = events.c
_m = event_matches.c
_GET = select(events).where(is_named(events))
_MATCHES = (
    (
        select(
            *_m,
            digests.c.notification_ids.label("ids_of_digest"),
            digests.c.reason.label("reason_of_digest"),
        ).outerjoin_from(event_matches, digests, digests.c.id == _m.digest_id)
    )
    .where(_m.event_id == parameter("which_id", ID))
    .order_by(_m.nth)
)
_PURGE_BATCH = 2_000
_OLD = (
    select(_e.id)
    .where(_e.received_at <= SecondsFromNow(parameter("ago_s", Float)))
    .order_by(_e.received_at)
    .limit(_PURGE_BATCH)
)
_ids = select(given_rows(id=ID).c.id)
_FORGET_MATCHES = delete(event_matches).where(_m.event_id.in_(_ids))
_FORGET = delete(events).where(_e.id.in_(_ids))
_DAY_S = 86_400.0
_MOST_AT_ONCE = 250


class SqlEventStore:
    """`EventStore` over SQL: concurrent callers share transactions."""

    def __init__(self, database: Database, limits: StoreSettings) -> None:
        self._database = database
        self._kept_s = limits.events_kept_days * _DAY_S
        work = partial(_record, recorder=Recorder(limits))
        self._recording = batched(database, work, _MOST_AT_ONCE, weigh=len)

    async def known(self, events: Sequence[Event]) -> Sequence[Repeated | Differs | None]:
        there = await self._database.read(partial(find, keys=[each.key for each in events]))
        return [standing(each, there[each.key]) if each.key in there else None for each in events]

    async def record(self, reactions: Sequence[Reaction]) -> Sequence[Answer]:
        starts = range(0, len(reactions), _MOST_AT_ONCE)
        portions = [reactions[start : start + _MOST_AT_ONCE] for start in starts]
        answers = [await self._recording.submit(each) for each in portions]
        return [each for portion in answers for each in portion]

    async def get(self, id: UUID, *, service: str | None) -> StoredEvent | None:
        async def work(connection: AsyncConnection) -> StoredEvent | None:
            row = (await connection.execute(_GET, named(id, service))).one_or_none()
            return _to_event(row) if row else None

        return await self._database.read(work)

    async def list(
        self, filter: EventFilter, *, limit: int, after: UUID | None
    ) -> Sequence[StoredEvent]:
        wanted = {
            _e.service: filter.service,
            _e.type: filter.type,
            _e.source: filter.source,
            _e.event_id: filter.event_id,
        }
        those = select(events).where(*matching(wanted))
        if filter.is_matched is not None:
            those = those.where(_e.matched > 0 if filter.is_matched else _e.matched == 0)
        query = newest_first(those, _e.id, limit=limit, after=after)
        return await listed(self._database, query, _to_event)

    async def matches_of(self, event: StoredEvent) -> Sequence[StoredMatch]:
        async def work(connection: AsyncConnection) -> Sequence[StoredMatch]:
            rows = await connection.execute(_MATCHES, {"which_id": event.id})
            return [_to_match(row) for row in rows]

        return await self._database.read(work)

    async def purge(self) -> int:
        await forget_all(self._database, throttling.purge)
        return await forget_all(self._database, self._purge_some)

    async def _purge_some(self, connection: AsyncConnection) -> int:
        old = (await connection.scalars(_OLD, {"ago_s": -self._kept_s})).all()
        if old:
            rows = joined(encode({"id": each.hex}) for each in old)
            await connection.execute(_FORGET_MATCHES, {"rows": rows})
            await connection.execute(_FORGET, {"rows": rows})
        return len(old)


async def _record(
    database: Database, asked: Sequence[Sequence[Reaction]], *, recorder: Recorder
) -> Sequence[Sequence[Answer]]:
    reactions = [each for portion in asked for each in portion]
    answers = iter(await database.write(partial(recorder.record, reactions=reactions)))
    return [[next(answers) for _ in portion] for portion in asked]


def _to_event(row: Row[Any]) -> StoredEvent:
    return StoredEvent(
        id=row.id,
        event=Event(
            service=row.service,
            source=row.source,
            id=row.event_id,
            type=row.type,
            subject=row.subject,
            time=row.time,
            data=None if row.data is None else orjson.loads(row.data),
            content_checksum=row.checksum,
        ),
        received_at=row.received_at,
        matched=row.matched,
        cancelled=row.cancelled,
    )


def _to_match(row: Row[*tuple[Any, ...]]) -> StoredMatch:
    texts = filter(None, (row.notification_ids, row.ids_of_digest))
    ids = [id for text in texts for id in orjson.loads(text)]
    return StoredMatch(
        rule=row.rule,
        version_id=row.version_id,
        person=row.person or None,
        is_user=row.is_user,
        key=row.key,
        outcome=Outcome(row.outcome),
        reason=row.reason or row.reason_of_digest,
        notification_ids=[UUID(each) for each in ids],
        digest_id=row.digest_id,
        broadcast_id=row.broadcast_id,
    )
