"""Dead letters by their causes, and those that are given up."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Channel, Status
from notifier.replays.replay import (
    MOST_DISCARDED,
    Cause,
    Group,
    Selection,
    Skip,
    Survey,
)
from notifier.store.kit.database import Database
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import ID, Now, given_rows, is_key
from notifier.store.notification import timeline
from notifier.store.notification.changes import RETURNED, locked, stands_at, without_letter
from notifier.store.notification.matching import span_of
from notifier.store.notification.rows import event_row
from notifier.store.notification.tables import NEVER, versions_by_name
from notifier.store.notification.tables import notifications as n
from notifier.store.replays.selecting import is_selected, looked_at, why_not

DISCARD = "discard"
_LOOKED_AT = 10_000

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

    def __init__(self, database: Database) -> None:
        self._database = database

    async def survey(self, selection: Selection) -> Survey:
        return await self._database.search(partial(_survey, selection=selection))

    async def discard(self, selection: Selection, *, reason: str, by: str) -> int:
        work = partial(_discard, selection=selection, note=f"{reason} ({by})")
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
