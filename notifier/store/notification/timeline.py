"""The timeline: one row for each change of a notification, written with the change."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Float,
    FromClause,
    Insert,
    Integer,
    Row,
    Select,
    Text,
    Update,
    and_,
    cast,
    insert,
    literal_column,
    null,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.delivery.ports import Finish
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import ID, Now, SqlType, given_rows, is_key
from notifier.store.kit.statements import Parameters, Single, Steps
from notifier.store.notification.changes import RETURNED
from notifier.store.notification.tables import notification_events, notifications

Ending: TypeAlias = tuple[UUID, int, str, str | None]
"""A notification, an attempt of it, what ended that, and at which provider."""

Columns: TypeAlias = Mapping[str, SqlType]

Entries: TypeAlias = Select[Any] | CompoundSelect[Any]
"""Rows for the timeline, made by `entries` or a union of such."""

LATE_COMPLETION = "late_completion"
FAILOVER = "failover"
UNSUPPRESS = "unsuppress"

DETAILS: Columns = {
    "provider": Text,
    "provider_id": Text,
    "fault_kind": Text,
    "fault_code": Text,
    "fault_message": Text,
    "delay_s": Float,
}
_WITH_NOTE = {**DETAILS, "note": Text}
_in_any_order = literal_column("0", Integer)


def entries(
    of: FromClause,
    event: ColumnElement[str],
    *,
    attempt: ColumnElement[int] | None = None,
    details: FromClause | None = None,
    nth: ColumnElement[int] = _in_any_order,
    columns: Columns = DETAILS,
) -> Select[Any]:
    """Return a row for each notification in `of`, or for each of `details`, which has their ids.

    `nth` orders what one statement adds to one timeline.
    """
    given = {} if details is None else dict(details.c.items())
    rows = select(
        nth.label("nth"),
        of.c.id.label("notification_id"),
        of.c.service,
        Now().label("at"),
        event.label("event"),
        (of.c.attempt if attempt is None else attempt).label("attempt"),
        *(
            (given[name] if name in given else cast(null(), type_)).label(name)
            for name, type_ in columns.items()
        ),
    )
    if details is None or details is of:
        return rows
    return rows.join_from(details, of, is_key(of.c.id, details.c.id))


def adding(rows: Entries, columns: Columns = DETAILS) -> Insert:
    """Return the statement that appends these rows."""
    names = ["notification_id", "service", "at", "event", "attempt", *columns]
    entry = rows.subquery("entry")
    ordered = select(*(entry.c[name] for name in names)).order_by(entry.c.nth)
    return insert(notification_events).from_select(names, ordered)


_given = given_rows(nth=Integer, id=ID, event=Text, attempt=Integer, **_WITH_NOTE)
_APPEND = adding(
    entries(
        notifications,
        _given.c.event,
        attempt=_given.c.attempt,
        details=_given,
        nth=_given.c.nth,
        columns=_WITH_NOTE,
    ),
    _WITH_NOTE,
)


class Noted(Single):
    """A statement that changes notifications, and what their timelines say of each it changed.

    PostgreSQL does both in one statement, which needs no transaction around it; SQLite, which
    changes nothing in a CTE, does one after the other.
    """

    def __init__(
        self,
        change: Update | Insert,
        note: Callable[[FromClause], Entries],
        *,
        telling: Callable[[FromClause], ColumnElement[bool]] | None = None,
        told: Sequence[ColumnElement[Any]] = (),
    ) -> None:
        """`change` returns at least `RETURNED`; `note` says of these what to append.

        Where `telling` is given, the caller is only interested in those. `told` are columns that
        `change` was given, and that `note` finds beside what is returned: not in SQLite, whose
        RETURNING knows only the table.
        """
        changed = change.returning(*told).cte("changed")
        wanted = select(changed) if telling is None else select(changed).where(telling(changed))
        super().__init__(wanted.add_cte(adding(note(changed)).cte("noted")))
        self.change = change
        returned = given_rows("changed", **{column.name: column.type for column in RETURNED})
        self.note = adding(note(returned))

    def in_steps(self, parameters: Parameters) -> Steps:
        """Change, then note; returns at least the rows that are of interest."""
        rows = yield self.change, _of(self.change, parameters)
        if rows:
            changed = joined(map(_returned_row, rows))
            yield self.note, _of(self.note, {**parameters, "changed": changed})
        return rows


def _of(statement: Insert | Update, parameters: Parameters) -> dict[str, object]:
    """Return a statement's own parameters; an INSERT or UPDATE takes others for columns."""
    return {name: parameters[name] for name in _names(statement) if name in parameters}


@cache
def _names(statement: Insert | Update) -> Collection[str]:
    return tuple(statement.compile(dialect=sqlite.dialect()).params)


def _returned_row(row: Row[Any]) -> RowJson:
    return encode(
        {"id": row.id.hex, "service": row.service, "status": row.status, "attempt": row.attempt}
    )


_attempts = given_rows(id=ID, attempt=Integer)
_ENDINGS = select(
    notification_events.c.notification_id,
    notification_events.c.attempt,
    notification_events.c.event,
    notification_events.c.provider,
).join_from(
    _attempts,
    notification_events,
    and_(
        notification_events.c.notification_id == _attempts.c.id,
        notification_events.c.attempt == _attempts.c.attempt,
    ),
)


async def append(connection: AsyncConnection, events: Sequence[RowJson]) -> None:
    """Add rows to the timelines of notifications that exist."""
    if events:
        await connection.execute(_APPEND, {"rows": joined(events)})


def ending_of(finish: Finish) -> Ending:
    """Return what the timeline holds once this finish was recorded."""
    return (finish.id, finish.attempt, finish.transition.name, finish.provider)


async def endings(connection: AsyncConnection, finishes: Iterable[Finish]) -> Collection[Ending]:
    """Return everything that happened in these attempts."""
    rows = joined(encode({"id": each.id.hex, "attempt": each.attempt}) for each in finishes)
    result = await connection.execute(_ENDINGS, {"rows": rows})
    return {(row.notification_id, row.attempt, row.event, row.provider) for row in result}
