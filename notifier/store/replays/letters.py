"""Dead letters by their causes, and those that are given up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Channel, Status
from notifier.replays.replay import (
    MOST_DISCARDED,
    Cause,
    Group,
    Pick,
    Selection,
    Skip,
    Successor,
    Survey,
)
from notifier.store.kit.database import Database
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, Now, given_rows, is_key
from notifier.store.notification import timeline
from notifier.store.notification.changes import RETURNED, locked, stands_at, without_letter
from notifier.store.notification.intake import insert_within, rows_of
from notifier.store.notification.matching import span_of
from notifier.store.notification.rows import event_row
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.tables import NEVER, versions_by_name
from notifier.store.notification.tables import notifications as n
from notifier.store.replays.selecting import after, is_selected, looked_at, why_not

DISCARD = "discard"
_LOOKED_AT = 10_000
_PICKED_AMONG = 2_000

_given = locked(given_rows(id=ID))
# Its attempt grows: whatever there is of its message, the letter first, stands for nothing now.
_DISCARD = (
    update(n)
    .where(is_key(n.c.id, _given.c.id), stands_at(Status.FAILED), n.c.discarded_at.is_(None))
    .values(
        discarded_at=Now(),
        attempt=n.c.attempt + 1,
        relay_at=NEVER,
        updated_at=Now(),
        **without_letter(),
    )
    .returning(*RETURNED)
)


class SqlLetters:
    """`Letters` over SQL."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._database = database
        self._settings = settings

    async def survey(self, selection: Selection) -> Survey:
        return await self._database.search(partial(_survey, selection=selection))

    async def discard(self, selection: Selection, *, reason: str, by: str) -> int:
        work = partial(_discard, selection=selection, note=f"{reason} ({by})")
        return await self._database.write(work)

    async def pick(self, selection: Selection, *, limit: int, after: UUID | None) -> Pick:
        work = partial(_pick, selection=selection, limit=limit, place=after or UUID(int=0))
        return await self._database.search(work)

    async def succeed(self, successors: Sequence[Successor], *, by: str) -> int:
        work = partial(_succeed, successors=successors, by=by, settings=self._settings)
        return await self._database.write(work)


async def _survey(connection: AsyncConnection, *, selection: Selection) -> Survey:
    span = await span_of(connection, selection.filter, None)
    seen = looked_at(selection, span, _LOOKED_AT, newest=True)
    cause = (
        seen.c.service,
        seen.c.channel,
        seen.c.provider,
        seen.c.fault_code,
        versions_by_name.c.name.label("template"),
    )
    chosen = (
        select(*cause, seen.c.finished_at, why_not(seen).label("why"))
        .outerjoin_from(seen, versions_by_name, versions_by_name.c.id == seen.c.template_version_id)
        .where(is_selected(selection, seen))
        .subquery("chosen")
    )
    by = (*(chosen.c[name] for name in _CAUSE), chosen.c.why)
    at = chosen.c.finished_at
    counted: Select[Any] = select(
        *by, func.count().label("letters"), func.min(at).label("first"), func.max(at).label("last")
    ).group_by(*by)
    rows = (await connection.execute(counted)).all()
    total = await connection.scalar(select(func.count()).select_from(seen))
    return _surveyed(rows, is_part=total == _LOOKED_AT)


_CAUSE = ("service", "channel", "provider", "fault_code", "template")


def _surveyed(rows: Sequence[Row[Any]], *, is_part: bool) -> Survey:
    skipped: Counter[Skip] = Counter()
    by_cause: dict[Cause, list[Row[Any]]] = {}
    for row in rows:
        by_cause.setdefault(_to_cause(row), []).append(row)
        if row.why:
            skipped[Skip(row.why)] += row.letters
    groups = [_grouped(cause, found) for cause, found in by_cause.items()]
    groups.sort(key=lambda group: (-group.letters, -group.last_at.timestamp()))
    return Survey(groups=groups, skipped=skipped, is_part=is_part)


def _grouped(cause: Cause, rows: Sequence[Row[Any]]) -> Group:
    return Group(
        cause=cause,
        letters=sum(row.letters for row in rows),
        first_at=min(row.first for row in rows),
        last_at=max(row.last for row in rows),
    )


def _to_cause(row: Row[Any]) -> Cause:
    return Cause(
        service=row.service,
        channel=Channel(row.channel),
        provider=row.provider,
        error_code=row.fault_code,
        template=row.template,
    )


async def _discard(connection: AsyncConnection, *, selection: Selection, note: str) -> int:
    span = await span_of(connection, selection.filter, None)
    seen = looked_at(selection, span, _LOOKED_AT, newest=True)
    chosen = select(seen.c.id).where(is_selected(selection, seen), seen.c.discarded_at.is_(None))
    ids = (await connection.scalars(chosen.limit(MOST_DISCARDED))).all()
    rows = joined(encode({"id": id.hex}) for id in ids)
    discarded = (await connection.execute(_DISCARD, {"rows": rows})).all()
    await timeline.append(
        connection, [event_row(row.id, DISCARD, row.attempt, note=note) for row in discarded]
    )
    return len(discarded)


async def _pick(
    connection: AsyncConnection, *, selection: Selection, limit: int, place: UUID
) -> Pick:
    span = await span_of(connection, selection.filter, None)
    rest = replace(span, first=max(span.first, after(place).first))
    seen = looked_at(selection, rest, _PICKED_AMONG, newest=False)
    query = select(seen.c.id, is_selected(selection, seen).label("is_it")).order_by(seen.c.id)
    ids: list[UUID] = []
    rows = (await connection.execute(query)).all()
    for row in rows:
        ids += [row.id] if row.is_it else []
        if len(ids) == limit:
            return Pick(ids=ids, goes_on_after=row.id)
    is_all = len(rows) < _PICKED_AMONG
    return Pick(ids=ids, goes_on_after=None if is_all else rows[-1].id)


async def _succeed(
    connection: AsyncConnection,
    *,
    successors: Sequence[Successor],
    by: str,
    settings: StoreSettings,
) -> int:
    rows = joined(encode({"id": each.letter.hex}) for each in successors)
    discarded = (await connection.execute(_DISCARD, {"rows": rows})).all()
    attempts = {row.id: row.attempt for row in discarded}
    taken = [each for each in successors if each.letter in attempts]
    submissions = [each.submission for each in taken]
    encoded = rows_of(submissions, settings.pseudonyms, settings.seals)
    await insert_within(connection, submissions, encoded)
    told = {each.letter: f"sent anew as {each.submission.id} ({by})" for each in taken}
    events = [event_row(id, DISCARD, attempts[id], note=note) for id, note in told.items()]
    await timeline.append(connection, events)
    return len(taken)
