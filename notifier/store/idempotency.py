"""Idempotency-Keys: the answer of a request, kept in the transaction of its effect."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TypeAlias

from sqlalchemy import Text, delete, literal, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.errors import StoreBusyError
from notifier.ports import Idempotency, KeyReused, Remembered
from notifier.store.rows import encode, joined
from notifier.store.sql import Now, SecondsFromNow, given_rows
from notifier.store.tables import idempotency_keys as keys

KeyName: TypeAlias = tuple[str, str]

_KEPT_S = 86_400.0
_PURGE_BATCH = 5_000

_given = given_rows(service=Text, key=Text, fingerprint=Text, answer=Text)
# In one order for everybody, so that two transactions never wait for one another. SQLite needs
# the WHERE to tell ON CONFLICT from a join's ON.
_KEEP = (
    insert(keys)
    .from_select(
        ["service", "key", "fingerprint", "answer", "created_at"],
        select(*_given.c, Now()).where(text("true")).order_by(_given.c.service, _given.c.key),
    )
    .on_conflict_do_nothing()
    .returning(keys.c.service, keys.c.key)
)
_FIND = select(keys).join_from(
    keys, _given, (keys.c.service == _given.c.service) & (keys.c.key == _given.c.key)
)
_old = (
    select(keys.c.service, keys.c.key)
    .where(keys.c.created_at <= SecondsFromNow(literal(-_KEPT_S)))
    .limit(_PURGE_BATCH)
)
_PURGE = delete(keys).where(tuple_(keys.c.service, keys.c.key).in_(_old))


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


def _encoded(wanted: Sequence[Idempotency]) -> str:
    return joined(encode(asdict(idempotency)) for idempotency in wanted)


async def purge(connection: AsyncConnection) -> int:
    """Delete some of the keys that are older than a day; returns how many."""
    return (await connection.execute(_PURGE)).rowcount
