"""Idempotency-Keys: the answer of a request, kept in the transaction of its effect."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    Index,
    Table,
    Text,
    delete,
    literal,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from notifier.errors import StoreBusyError
from notifier.idempotency import Applied, Idempotency, KeyReused, Remembered
from notifier.store.kit.database import Database, Work
from notifier.store.kit.forgetting import forget_all
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import (
    ID,
    Now,
    SecondsFromNow,
    UtcTime,
    given_rows,
    literal_text,
)
from notifier.store.kit.tables import metadata
from notifier.store.kit.transaction import WithoutWaitingLong

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("service", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_idempotency_keys_created_at", "created_at"),
)


Other = TypeVar("Other")

KeyName: TypeAlias = tuple[str, str]

_KEPT_S = 86_400.0
_PURGE_BATCH = 5_000
_BRIEFLY_MS = 100

_KEPT = {"service": Text, "key": Text, "fingerprint": Text, "answer": Text}


def _keeping(given: FromClause, condition: ColumnElement[bool]) -> ReturningInsert[Any]:
    # In one order for everybody, so that two transactions never wait for one another.
    rows = select(*(given.c[name] for name in _KEPT), Now()).where(condition)
    return (
        insert(idempotency_keys)
        .from_select([*_KEPT, "created_at"], rows.order_by(given.c.service, given.c.key))
        .on_conflict_do_nothing()
        .returning(idempotency_keys.c.service, idempotency_keys.c.key)
    )


_given = given_rows("rows", **_KEPT)
# SQLite needs the WHERE to tell ON CONFLICT from a join's ON.
_KEEP = _keeping(_given, literal_column("true", Boolean))
_FIND = select(idempotency_keys).join_from(
    idempotency_keys,
    _given,
    (idempotency_keys.c.service == _given.c.service) & (idempotency_keys.c.key == _given.c.key),
)
_old = (
    select(idempotency_keys.c.service, idempotency_keys.c.key)
    .where(idempotency_keys.c.created_at <= SecondsFromNow(literal(-_KEPT_S)))
    .limit(_PURGE_BATCH)
)
_PURGE = delete(idempotency_keys).where(
    tuple_(idempotency_keys.c.service, idempotency_keys.c.key).in_(_old)
)

_asked = select(given_rows("keys", request=ID, **_KEPT)).cte("asked")
# Whoever shares the statement is not to wait long for a transaction that has one of the keys.
_kept = _keeping(_asked, WithoutWaitingLong(literal_text(str(_BRIEFLY_MS)))).cte("kept")
# NOT IN is looked up in a hash table even where a session has its hash joins off.
REPEATED = (
    select(_asked.c.request)
    .where(tuple_(_asked.c.service, _asked.c.key).not_in(select(_kept.c.service, _kept.c.key)))
    .cte("repeated")
)
"""Keeps the answers that come as the parameter `keys`, as part of a statement for PostgreSQL.

Holds the requests whose keys were kept before.
"""


def name_of(idempotency: Idempotency) -> KeyName:
    """Return what makes a key unique."""
    return (idempotency.service, idempotency.key)


def answer_again(wanted: Idempotency, kept: Idempotency) -> Remembered | KeyReused:
    """Return the answer to a request whose key was used before."""
    if wanted.fingerprint == kept.fingerprint:
        return Remembered(kept.answer)
    return KeyReused()


async def keep(
    connection: AsyncConnection, wanted: Sequence[Idempotency]
) -> Mapping[KeyName, Idempotency]:
    """Keep these answers, one for each key; returns those that were kept before instead.

    Waits for a transaction that is about to keep one of the keys.

    Raises:
        StoreBusyError: a key that was kept has just been purged.
    """
    if not wanted:
        return {}
    kept = await connection.execute(_KEEP, {"rows": _encoded(wanted)})
    ours = {(row.service, row.key) for row in kept}
    others = [idempotency for idempotency in wanted if name_of(idempotency) not in ours]
    earlier = await _find(connection, others) if others else {}
    if len(earlier) < len(others):
        raise StoreBusyError("an Idempotency-Key has just been purged")
    return earlier


async def find(connection: AsyncConnection, wanted: Idempotency) -> Remembered | KeyReused | None:
    """Return the answer to this key's request, if it had one."""
    kept = (await _find(connection, [wanted])).get(name_of(wanted))
    return None if kept is None else answer_again(wanted, kept)


async def _find(
    connection: AsyncConnection, wanted: Sequence[Idempotency]
) -> dict[KeyName, Idempotency]:
    found = await connection.execute(_FIND, {"rows": _encoded(wanted)})
    return {
        (row.service, row.key): Idempotency(
            service=row.service, key=row.key, fingerprint=row.fingerprint, answer=row.answer
        )
        for row in found
    }


def request_row(idempotency: Idempotency, request: UUID) -> RowJson:
    """Encode one of `keys`, as `request`.

    Raises:
        StoreRefusedError: a text of it cannot be stored.
    """
    return encode({"request": request.hex, **_fields(idempotency)})


def _encoded(wanted: Sequence[Idempotency]) -> str:
    return joined(encode(_fields(idempotency)) for idempotency in wanted)


def _fields(idempotency: Idempotency) -> dict[str, object]:
    return {name: getattr(idempotency, name) for name in _KEPT}


async def purge(connection: AsyncConnection) -> int:
    """Delete some of the keys that are older than a day; returns how many."""
    return (await connection.execute(_PURGE)).rowcount


async def write_once(
    database: Database, wanted: Idempotency | None, work: Work[Applied | Other]
) -> Applied | Remembered | KeyReused | Other:
    """Run `work` in a transaction unless it was before, and keep its answer with its effect.

    What does not come to Applied changes nothing, and keeps no key.
    """

    async def once(connection: AsyncConnection) -> Applied | Remembered | KeyReused | Other:
        if wanted and (earlier := await keep(connection, [wanted])):
            return answer_again(wanted, earlier[name_of(wanted)])
        result = await work(connection)
        if not isinstance(result, Applied):
            await connection.rollback()
        return result

    return await database.write(once)


class SqlOnce:
    """`Once` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remembered(
        self, *, service: str, key: str, fingerprint: str
    ) -> Remembered | KeyReused | None:
        wanted = Idempotency(service=service, key=key, fingerprint=fingerprint, answer="")
        return await self._database.write(partial(find, wanted=wanted))

    async def purge(self) -> int:
        return await forget_all(self._database, purge)
