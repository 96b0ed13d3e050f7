"""Accepting notifications: records, their first event and the answer in one transaction."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Row,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.pseudonym import Pseudonyms
from notifier.audit import under_way
from notifier.errors import StoreBusyError
from notifier.idempotency import Applied, Idempotency
from notifier.intake.ports import InsertResult, Submission
from notifier.notification.model import Status
from notifier.notification.transitions import SUPPRESS
from notifier.store.kit import idempotency as keys
from notifier.store.kit.batcher import batched
from notifier.store.kit.database import Database
from notifier.store.kit.rows import RowJson, joined
from notifier.store.kit.seals import Seals
from notifier.store.kit.statements import Parameters
from notifier.store.notification.attaching import Use, note_uses
from notifier.store.notification.inserting import INSERT, INSERT_MISSING, INSERT_NEW
from notifier.store.notification.rows import submission_row
from notifier.store.notification.settings import StoreSettings


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
        return await _insert_at_once(database, insertions, grace_s)
    if not database.writes_in_one:
        return await insert_again(database, insertions, grace_s=grace_s)
    try:
        return await _insert_new(database, insertions, grace_s)
    except StoreBusyError:
        if len(insertions) > 1:
            raise
        return [None]


async def insert_again(
    database: Database, insertions: Sequence[Insertion], *, grace_s: float
) -> Sequence[InsertResult]:
    """Do as `insert_new`, but waiting, and with the answers of those whose keys are not new."""
    return await database.write(partial(_insert_all, insertions=insertions, grace_s=grace_s))


async def _insert_at_once(
    database: Database, insertions: Sequence[Insertion], grace_s: float
) -> list[InsertResult | None]:
    inserted = await database.write_at_once(INSERT, _inserted_as(insertions, grace_s))
    suppressed = _suppressed(inserted)
    return [Applied(suppressed.intersection(insertion.ids)) for insertion in insertions]


async def _insert_new(
    database: Database, insertions: Sequence[Insertion], grace_s: float
) -> list[InsertResult | None]:
    firsts = {_name(insertion): insertion for insertion in reversed(insertions)}
    asked = [insertion for insertion in insertions if firsts[_name(insertion)] is insertion]
    keys_of = joined(insertion.key_row for insertion in asked if insertion.key_row)
    parameters = {**_inserted_as(asked, grace_s), "keys": keys_of}
    rows = await database.write_at_once(INSERT_NEW, parameters)
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
    if not insertions:
        return frozenset()
    return _suppressed(await INSERT.run(connection, _inserted_as(insertions, grace_s)))


def _inserted_as(insertions: Sequence[Insertion], grace_s: float) -> Parameters:
    rows = joined(row for insertion in insertions for row in insertion.rows)
    return {"rows": rows, "grace_s": grace_s}


def _suppressed(inserted: Sequence[Row[Any]]) -> frozenset[UUID]:
    return frozenset(row.id for row in inserted if row.status == SUPPRESS.target)


def rows_of(
    submissions: Sequence[Submission], pseudonyms: Pseudonyms | None, seals: Seals | None = None
) -> str:
    """Encode what is to be accepted, which takes longer than a transaction need be open."""
    return joined(submission_row(each, pseudonyms=pseudonyms, seals=seals) for each in submissions)


async def make_ready(connection: AsyncConnection) -> None:
    """Accept nothing, by the statement of `insert_within`: it is compiled by the first who asks."""
    await INSERT_MISSING.run(connection, {"rows": "[]", "grace_s": 0.0})


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
    inserted = await INSERT_MISSING.run(connection, {"rows": rows, "grace_s": grace_s})
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
        self._again = partial(again, database)
        self._insert_few = batched(database, new, settings.max_insert, weigh=_rows)
        self._insert_many = batched(database, new, settings.max_insert, weigh=_rows)
        self._insert_again = batched(database, again, settings.max_insert, weigh=_rows)

    async def insert(
        self, submissions: Sequence[Submission], idempotency: Idempotency | None = None
    ) -> InsertResult:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        asked = insertion_of(submissions, idempotency, self._pseudonyms, self._seals)
        if under_way() is not None:
            # A transaction of its own is noted as what somebody asked for; a shared one is not.
            return (await self._again([asked]))[0]
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
