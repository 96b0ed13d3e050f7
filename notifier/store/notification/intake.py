"""Accepting notifications: records, their first event and the answer in one transaction."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Float,
    FromClause,
    Integer,
    Subquery,
    Text,
    Uuid,
    and_,
    case,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import Insert, insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import Pseudonyms
from notifier.errors import StoreBusyError
from notifier.idempotency import Applied, Idempotency
from notifier.intake.ports import InsertResult, Submission
from notifier.notification.feed import ACCEPT
from notifier.notification.model import Status
from notifier.notification.outcomes import SUPPRESSED
from notifier.notification.transitions import DEFER, SUPPRESS
from notifier.store.kit import idempotency as keys
from notifier.store.kit.batcher import batched
from notifier.store.kit.database import Database
from notifier.store.kit.rows import RowJson, joined
from notifier.store.kit.seals import Seals
from notifier.store.kit.sql import (
    ID,
    JsonObject,
    Now,
    SecondsFromNow,
    SqlType,
    UtcTime,
    given_rows,
    literal_text,
    parameter,
)
from notifier.store.notification import timeline
from notifier.store.notification.attaching import Use, note_uses
from notifier.store.notification.changes import ERASED, RETURNED
from notifier.store.notification.rows import submission_row
from notifier.store.notification.settings import StoreSettings
from notifier.store.notification.suppressing import is_suppressed
from notifier.store.notification.tables import notifications as n
from notifier.store.notification.timeline import Noted

_GIVEN: Mapping[str, SqlType] = {
    "id": ID,
    "service": Text,
    "channel": Text,
    "lane": Text,
    "recipient": Text,
    "recipient_as_written": Text,
    "pseudonym": Text,
    "subject": Text,
    "content": Text,
    "html": Text,
    "variables": Text,
    "metadata": JsonObject,
    "sensitive": Boolean,
    "on_unknown": Text,
    "traceparent": Text,
    "template_version_id": Uuid,
    "locale": Text,
    "mail": Text,
    "action_url": Text,
    "is_finished": Boolean,
    "segments": Integer,
    "encoding": Text,
    "user_id": Text,
    "category": Text,
    "is_required": Boolean,
    "is_address_given": Boolean,
    "broadcast_id": Uuid,
    "rule": Text,
    "key": Text,
    "depends_on": Uuid,
    "skip_if": Text,
    "skip_on": Text,
    "fault_kind": Text,
    "fault_code": Text,
    "fault_message": Text,
    "sealed": Text,
    "send_at": UtcTime,
    "expires_at": UtcTime,
}


def _inserting(given: Subquery, *conditions: ColumnElement[bool]) -> Insert:
    looked_at = select(*given.c, _is_refused(given).label("is_refused")).where(*conditions)
    # Written out where it is used, it would look at the list for each column that asks.
    looked = looked_at.cte("looked").prefix_with("MATERIALIZED")
    values = {**_copied(looked), **_added(looked)}
    # SQLite needs the WHERE to tell ON CONFLICT from a join's ON.
    return insert(n).from_select([*values], select(*values.values()).where(true()))


def _copied(given: CTE) -> dict[str, Any]:
    is_erased = and_(given.c.sensitive, given.c.is_refused)
    erasable = {column.name for column in ERASED}
    return {
        name: case((is_erased, null()), else_=given.c[name]) if name in erasable else given.c[name]
        for name in _GIVEN
        if name not in ("send_at", "pseudonym")
    }


def _is_refused(given: Subquery) -> ColumnElement[bool]:
    """Whether it is not to be sent: for a reason that it came with, or by the list."""
    is_unwanted = given.c.fault_kind == literal_text(SUPPRESSED)
    is_erased = is_suppressed({**dict(given.c.items()), "recipient": given.c.pseudonym})
    unwanted = func.coalesce(is_unwanted, literal(value=False))
    return or_(unwanted, is_suppressed(given.c), is_erased)


def _added(given: CTE) -> dict[str, Any]:
    is_out = given.c.is_refused
    is_due = given.c.send_at.is_(None)
    # The caller publishes what is due now; a relay takes it up only if that does not happen.
    grace_ends = SecondsFromNow(parameter("grace_s", Float))
    return {
        "status": case((is_out, literal_text(SUPPRESS.target)), else_=literal_text(Status.PENDING)),
        "attempt": literal(0),
        "attempts_spent": literal(0),
        "due_at": case((is_due, Now()), else_=given.c.send_at),
        "relay_at": case((is_due, grace_ends), else_=given.c.send_at),
        "created_at": Now(),
        "updated_at": Now(),
        "finished_at": case((is_out, Now()), else_=null()),
        "outcome_unknown": literal(value=False),
        "dead_letter": literal(value=False),
    }


_second = literal_column("1", Integer)


def _is_out(inserted: FromClause) -> ColumnElement[bool]:
    return inserted.c.status == literal_text(SUPPRESS.target)


def _accepted(inserted: FromClause) -> CompoundSelect[Any]:
    # SQLite finds only in the table what it was given.
    details = inserted if "fault_kind" in inserted.c else n
    event = case((_is_out(inserted), literal_text(SUPPRESS.name)), else_=literal_text(DEFER.name))
    withheld = timeline.entries(inserted, event, details=details, nth=_second)
    return union_all(
        timeline.entries(inserted, literal_text(ACCEPT)),
        withheld.where(or_(_is_out(inserted), details.c.fault_kind.is_not(None))),
    )


_WHY = (n.c.fault_kind, n.c.fault_code, n.c.fault_message)
_INSERT = Noted(
    _inserting(given_rows(**_GIVEN)).returning(*RETURNED), _accepted, telling=_is_out, told=_WHY
)

# The same, but for those that are there.
_INSERT_MISSING = Noted(
    _inserting(given_rows(**_GIVEN))
    .on_conflict_do_nothing(index_elements=[n.c.id])
    .returning(*RETURNED),
    _accepted,
    told=_WHY,
)

# The same, of requests that may have a key: only those whose keys are new.
_requested = given_rows(**_GIVEN, request=ID)
_is_new = or_(
    _requested.c.request.is_(None), _requested.c.request.not_in(select(keys.REPEATED.c.request))
)
_inserted = _inserting(_requested, _is_new).returning(*RETURNED, *_WHY).cte("inserted")
_INSERT_NEW = union_all(
    select(_inserted.c.id, literal_column("false", Boolean).label("is_repeated")).where(
        _is_out(_inserted)
    ),
    select(keys.REPEATED.c.request, literal_column("true", Boolean)),
).add_cte(timeline.adding(_accepted(_inserted)).cte("noted"))


@dataclass(frozen=True, slots=True, eq=False)
class Insertion:
    """One caller's notifications, and its key; encoded, the first one's id names the request."""

    ids: Sequence[UUID]
    rows: Sequence[RowJson]
    idempotency: Idempotency | None
    key_row: RowJson | None
    uses: Sequence[Use] = ()
    """What they refer to."""


def insertion_of(
    submissions: Sequence[Submission],
    idempotency: Idempotency | None,
    pseudonyms: Pseudonyms | None = None,
    seals: Seals | None = None,
) -> Insertion:
    """Encode what is to be accepted; raises StoreRefusedError."""
    request = submissions[0].id if idempotency else None
    return Insertion(
        ids=[submission.id for submission in submissions],
        rows=[submission_row(each, request, pseudonyms, seals) for each in submissions],
        idempotency=idempotency,
        key_row=keys.request_row(idempotency, request) if idempotency and request else None,
        uses=[use for submission in submissions for use in _uses(submission)],
    )


def _uses(submission: Submission) -> Iterable[Use]:
    refs = submission.mail.attachments if submission.mail else ()
    return (Use(submission.id, each.id, submission.sensitive) for each in refs)


async def insert_new(
    database: Database, insertions: Sequence[Insertion], *, grace_s: float
) -> Sequence[InsertResult | None]:
    """Insert those of several callers whose keys are new; answers in the callers' order.

    None: nothing was changed, since a key was used before or another transaction is about to
    keep it. `insert_again` waits for that, and knows the answer.
    """
    if not any(insertion.idempotency for insertion in insertions):
        return await database.write_at_once(
            partial(_insert_all, insertions=insertions, grace_s=grace_s)
        )
    if not database.writes_at_once:
        return await insert_again(database, insertions, grace_s=grace_s)
    try:
        return await database.write_at_once(
            partial(_insert_new, insertions=insertions, grace_s=grace_s)
        )
    except StoreBusyError:
        if len(insertions) > 1:
            raise
        return [None]


async def insert_again(
    database: Database, insertions: Sequence[Insertion], *, grace_s: float
) -> Sequence[InsertResult]:
    """Do as `insert_new`, but waiting, and with the answers of those whose keys are not new."""
    return await database.write(partial(_insert_all, insertions=insertions, grace_s=grace_s))


async def _insert_new(
    connection: AsyncConnection, *, insertions: Sequence[Insertion], grace_s: float
) -> list[InsertResult | None]:
    firsts = {_name(insertion): insertion for insertion in reversed(insertions)}
    asked = [insertion for insertion in insertions if firsts[_name(insertion)] is insertion]
    parameters = {
        "rows": joined(row for insertion in asked for row in insertion.rows),
        "keys": joined(insertion.key_row for insertion in asked if insertion.key_row),
        "grace_s": grace_s,
    }
    rows = (await connection.execute(_INSERT_NEW, parameters)).all()
    repeated = {row.id for row in rows if row.is_repeated}
    suppressed = frozenset(row.id for row in rows if not row.is_repeated)
    applied = {insertion for insertion in asked if repeated.isdisjoint(insertion.ids)}
    return [
        Applied(suppressed.intersection(insertion.ids)) if insertion in applied else None
        for insertion in insertions
    ]


def _name(insertion: Insertion) -> keys.KeyName | Insertion:
    return keys.name_of(insertion.idempotency) if insertion.idempotency else insertion


async def _insert_all(
    connection: AsyncConnection, *, insertions: Sequence[Insertion], grace_s: float
) -> list[InsertResult]:
    results = await _results(connection, insertions)
    new = [each for each, result in zip(insertions, results, strict=True) if result == Applied()]
    suppressed = await _insert(connection, new, grace_s)
    await note_uses(connection, [use for insertion in new for use in insertion.uses])
    return [
        Applied(suppressed.intersection(insertion.ids)) if result == Applied() else result
        for insertion, result in zip(insertions, results, strict=True)
    ]


async def _insert(
    connection: AsyncConnection, insertions: Sequence[Insertion], grace_s: float
) -> frozenset[UUID]:
    """Insert these; returns those that are suppressed."""
    rows = [row for insertion in insertions for row in insertion.rows]
    if not rows:
        return frozenset()
    inserted = await _INSERT.run(connection, {"rows": joined(rows), "grace_s": grace_s})
    return frozenset(row.id for row in inserted if row.status == SUPPRESS.target)


def rows_of(
    submissions: Sequence[Submission], pseudonyms: Pseudonyms | None, seals: Seals | None = None
) -> str:
    """Encode what is to be accepted, which takes longer than a transaction need be open."""
    return joined(submission_row(each, pseudonyms=pseudonyms, seals=seals) for each in submissions)


async def make_ready(connection: AsyncConnection) -> None:
    """Accept nothing, by the statement of `insert_within`: it is compiled by the first who asks."""
    await _INSERT_MISSING.run(connection, {"rows": "[]", "grace_s": 0.0})


async def insert_within(
    connection: AsyncConnection,
    submissions: Sequence[Submission],
    rows: str,
    *,
    grace_s: float = 0.0,
) -> Mapping[UUID, Status]:
    """Accept in a transaction of the caller's those that are not there; returns where they stand.

    `rows` are what `rows_of` makes of them. A relay publishes them, after `grace_s`.
    """
    if not submissions:
        return {}
    inserted = await _INSERT_MISSING.run(connection, {"rows": rows, "grace_s": grace_s})
    statuses = {row.id: Status(row.status) for row in inserted}
    new = (each for each in submissions if each.id in statuses)
    await note_uses(connection, [use for each in new for use in _uses(each)])
    return statuses


async def _results(
    connection: AsyncConnection, insertions: Sequence[Insertion]
) -> list[InsertResult]:
    firsts: dict[keys.KeyName, Idempotency] = {}
    for insertion in insertions:
        if insertion.idempotency:
            firsts.setdefault(keys.name_of(insertion.idempotency), insertion.idempotency)
    kept = {**firsts, **await keys.keep(connection, list(firsts.values()))}
    return [_result(insertion.idempotency, kept) for insertion in insertions]


def _result(wanted: Idempotency | None, kept: dict[keys.KeyName, Idempotency]) -> InsertResult:
    if wanted is None or kept[keys.name_of(wanted)] is wanted:
        return Applied()
    return keys.answer_again(wanted, kept[keys.name_of(wanted)])


_FEW = 10


class SqlIntake:
    """`Intake` over SQL: concurrent callers share round trips."""

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._timeout_s = database.timeout_s
        self._pseudonyms = settings.pseudonyms
        self._seals = settings.seals
        new = partial(insert_new, grace_s=settings.grace_s)
        again = partial(insert_again, grace_s=settings.grace_s)
        self._insert_few = batched(database, new, settings.max_insert, weigh=_rows)
        self._insert_many = batched(database, new, settings.max_insert, weigh=_rows)
        self._insert_again = batched(database, again, settings.max_insert, weigh=_rows)

    async def insert(
        self, submissions: Sequence[Submission], idempotency: Idempotency | None = None
    ) -> InsertResult:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        asked = insertion_of(submissions, idempotency, self._pseudonyms, self._seals)
        if asked.uses:
            # A transaction's round trips are for those that bring files.
            return await self._insert_again.submit(asked, deadline=deadline)
        # Whoever brings a thousand keeps nobody waiting who brings one.
        inserting = self._insert_few if len(submissions) <= _FEW else self._insert_many
        result = await inserting.submit(asked, deadline=deadline)
        if result is not None:
            return result
        # Apart, so that nobody whose key is new waits for somebody else's.
        return await self._insert_again.submit(asked, deadline=deadline)


def _rows(asked: Insertion) -> int:
    return len(asked.rows)
