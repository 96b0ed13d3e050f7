"""Accepting notifications: records, their first event and the answer in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    CompoundSelect,
    Float,
    FromClause,
    Integer,
    Text,
    and_,
    case,
    insert,
    literal,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import SUPPRESS, Status, Submission
from notifier.ports import Applied, Idempotency, InsertResult
from notifier.store import idempotency as keys
from notifier.store import timeline
from notifier.store.database import Database
from notifier.store.moves import ERASABLE, RETURNED
from notifier.store.rows import RowJson, joined, submission_row
from notifier.store.sql import (
    ID,
    JsonObject,
    Now,
    SecondsFromNow,
    UtcTime,
    given_rows,
    literal_text,
    parameter,
)
from notifier.store.suppressing import is_suppressed
from notifier.store.tables import notifications as n
from notifier.store.timeline import Noted

_given = given_rows(
    id=ID,
    service=Text,
    channel=Text,
    lane=Text,
    recipient=Text,
    recipient_as_written=Text,
    subject=Text,
    content=Text,
    html=Text,
    variables=Text,
    metadata=JsonObject,
    sensitive=Boolean,
    on_unknown=Text,
    traceparent=Text,
    send_at=UtcTime,
    expires_at=UtcTime,
)
_is_suppressed = is_suppressed(_given.c)
_is_erased = and_(_given.c.sensitive, _is_suppressed)
_erasable = {column.name for column in ERASABLE}
_COPIED = {
    column.name: case((_is_erased, null()), else_=column) if column.name in _erasable else column
    for column in _given.c
    if column.name != "send_at"
}
# The caller publishes what is due now; a relay takes it up only if that does not happen.
_relay_at = case(
    (_given.c.send_at.is_(None), SecondsFromNow(parameter("grace_s", Float))),
    else_=_given.c.send_at,
)
_ADDED = {
    "status": case(
        (_is_suppressed, literal_text(SUPPRESS.target)), else_=literal_text(Status.PENDING)
    ),
    "attempt": literal(0),
    "attempts_spent": literal(0),
    "due_at": case((_given.c.send_at.is_(None), Now()), else_=_given.c.send_at),
    "relay_at": _relay_at,
    "created_at": Now(),
    "updated_at": Now(),
    "finished_at": case((_is_suppressed, Now()), else_=null()),
    "outcome_unknown": literal(value=False),
    "dead_letter": literal(value=False),
}
_inserts = (
    insert(n)
    .from_select(
        [*_COPIED, *_ADDED],
        select(*_COPIED.values(), *_ADDED.values()).select_from(_given),
    )
    .returning(*RETURNED)
)
_second = literal_column("1", Integer)


def _is_out(inserted: FromClause) -> ColumnElement[bool]:
    return inserted.c.status == literal_text(SUPPRESS.target)


def _accepted(inserted: FromClause) -> CompoundSelect[Any]:
    suppressed = timeline.entries(inserted, literal_text(SUPPRESS.name), nth=_second)
    return union_all(
        timeline.entries(inserted, literal_text(timeline.ACCEPT)),
        suppressed.where(_is_out(inserted)),
    )


_INSERT = Noted(_inserts, _accepted, telling=_is_out)


@dataclass(frozen=True, slots=True, eq=False)
class Intake:
    """One caller's notifications, encoded, and its key."""

    ids: Sequence[UUID]
    rows: Sequence[RowJson]
    idempotency: Idempotency | None


def intake_of(submissions: Sequence[Submission], idempotency: Idempotency | None) -> Intake:
    """Encode what is to be accepted; raises StoreRefusedError."""
    return Intake(
        ids=[submission.id for submission in submissions],
        rows=[submission_row(submission) for submission in submissions],
        idempotency=idempotency,
    )


async def insert_all(
    database: Database, intakes: Sequence[Intake], *, grace_s: float
) -> list[InsertResult]:
    """Insert those of several callers whose keys are new; answers in the callers' order."""
    has_keys = any(intake.idempotency for intake in intakes)
    write = database.write if has_keys else database.write_at_once
    return await write(partial(_insert_all, intakes=intakes, grace_s=grace_s))


async def _insert_all(
    connection: AsyncConnection, *, intakes: Sequence[Intake], grace_s: float
) -> list[InsertResult]:
    results = await _results(connection, intakes)
    new = [intake for intake, result in zip(intakes, results, strict=True) if result == Applied()]
    suppressed = await _insert(connection, new, grace_s)
    return [
        Applied(suppressed.intersection(intake.ids)) if result == Applied() else result
        for intake, result in zip(intakes, results, strict=True)
    ]


async def _insert(
    connection: AsyncConnection, intakes: Sequence[Intake], grace_s: float
) -> frozenset[UUID]:
    """Insert these; returns those that are suppressed."""
    rows = [row for intake in intakes for row in intake.rows]
    if not rows:
        return frozenset()
    inserted = await _INSERT.run(connection, {"rows": joined(rows), "grace_s": grace_s})
    return frozenset(row.id for row in inserted if row.status == SUPPRESS.target)


async def _results(connection: AsyncConnection, intakes: Sequence[Intake]) -> list[InsertResult]:
    firsts: dict[keys.KeyName, Idempotency] = {}
    for intake in intakes:
        if intake.idempotency:
            firsts.setdefault(keys.name_of(intake.idempotency), intake.idempotency)
    kept = {**firsts, **await keys.keep(connection, list(firsts.values()))}
    return [_result(intake.idempotency, kept) for intake in intakes]


def _result(wanted: Idempotency | None, kept: dict[keys.KeyName, Idempotency]) -> InsertResult:
    if wanted is None or kept[keys.name_of(wanted)] is wanted:
        return Applied()
    return keys.answer_again(wanted, kept[keys.name_of(wanted)])
