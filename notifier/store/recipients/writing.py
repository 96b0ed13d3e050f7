"""Writing profiles: many at once, each in place of what was said of its person before.

Whoever writes or merges people locks their rows first, in the order of their ids.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Boolean, Delete, Table, Text, and_, delete, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.person import Profile, Written
from notifier.errors import StoreBusyError
from notifier.store.kit.rows import RowJson, encode, joined
from notifier.store.kit.sql import JsonObject, Now, UtcTime, given_rows, is_key, parameter
from notifier.store.recipients.rows import address_row, profile_row
from notifier.store.recipients.tables import recipient_addresses, recipient_aliases, recipients
from notifier.store.topics import topic_members

_r, _a, _l, _m = recipients.c, recipient_addresses.c, recipient_aliases.c, topic_members.c
_service = parameter("of_service")

# The service comes with each id, and both are compared as keys: nothing but looking each one up is
# left to the databases then.
_ids = given_rows("rows", service=Text, user_id=Text)
_ALIASES = select(_l.alias, _l.user_id).join_from(
    _ids,
    recipient_aliases,
    and_(is_key(_l.service, _ids.c.service), is_key(_l.alias, _ids.c.user_id)),
)
_is_one = and_(is_key(_r.service, _ids.c.service), is_key(_r.user_id, _ids.c.user_id))
_LOCK = (
    select(_r.user_id, _r.etag)
    .join_from(_ids, recipients, _is_one)
    .order_by(_r.user_id)
    .with_for_update(of=recipients)
)

_PROFILE: Final = {
    "user_id": Text,
    "locale": Text,
    "time_zone": Text,
    "attributes": JsonObject,
    "etag": Text,
}
_profiles = given_rows("rows", **_PROFILE)
# In one order for everybody, so that two transactions never wait for one another.
_putting = insert(recipients).from_select(
    ["service", *_PROFILE, "created_at", "updated_at"],
    select(_service, *(_profiles.c[name] for name in _PROFILE), Now(), Now())
    .where(true())
    .order_by(_profiles.c.user_id),
)
_PUT = _putting.on_conflict_do_update(
    index_elements=[_r.service, _r.user_id],
    set_={
        name: _putting.excluded[name]
        for name in ("locale", "time_zone", "attributes", "etag", "updated_at")
    },
).returning(_r.user_id, (_r.created_at == _r.updated_at).label("is_new"))

_MOST_LOOKS: Final = 5
_ADDRESS: Final = {
    "user_id": Text,
    "channel": Text,
    "address": Text,
    "address_as_written": Text,
    "is_primary": Boolean,
    "verified_at": UtcTime,
}
_addresses = given_rows("rows", **_ADDRESS)
_ADD_ADDRESSES = insert(recipient_addresses).from_select(
    ["service", *_ADDRESS],
    select(_service, *(_addresses.c[name] for name in _ADDRESS)).where(true()),
)


def _of_those(table: Table) -> Delete:
    """Return what deletes the rows of these people; their ids are the parameter `rows`."""
    key = [table.c.service, table.c.user_id]
    is_theirs = and_(
        is_key(table.c.service, _ids.c.service), is_key(table.c.user_id, _ids.c.user_id)
    )
    return delete(table).where(tuple_(*key).in_(select(*key).join_from(_ids, table, is_theirs)))


_REMOVE = _of_those(recipients)
_REMOVE_ADDRESSES = _of_those(recipient_addresses)
_REMOVE_ALIASES = _of_those(recipient_aliases)
_REMOVE_MEMBERSHIPS = _of_those(topic_members)


async def current_ids(
    connection: AsyncConnection, service: str, user_ids: Collection[str]
) -> Mapping[str, str]:
    """Return by which ids those are known now that had others before a merge."""
    found = await connection.execute(_ALIASES, _id_rows(service, user_ids))
    return {row.alias: row.user_id for row in found}


async def lock(
    connection: AsyncConnection, service: str, user_ids: Collection[str]
) -> Mapping[str, str]:
    """Lock the rows of those who are there; returns their ETags."""
    found = await connection.execute(_LOCK, _id_rows(service, user_ids))
    return {row.user_id: row.etag for row in found}


async def hold(
    connection: AsyncConnection, service: str, user_ids: Collection[str]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Lock those who are there; returns who is known by another id now, and the ETags of all.

    Whoever waits for a lock may find that the ids mean others by then: it looks again.

    Raises:
        StoreBusyError: they are merged or deleted all the time; the transaction is to end.
    """
    now = await current_ids(connection, service, user_ids)
    for _ in range(_MOST_LOOKS):
        held = await lock(connection, service, {now.get(each, each) for each in user_ids})
        earlier, now = now, await current_ids(connection, service, user_ids)
        if now == earlier:
            return now, held
    raise StoreBusyError("a recipient is being merged or deleted")


async def write(
    connection: AsyncConnection, service: str, profiles: Sequence[Profile]
) -> Sequence[Written]:
    """Put profiles, each in place of the one that its person had; the last one of each holds.

    Raises:
        StoreBusyError: an id was merged into another meanwhile; the transaction is to end.
    """
    now, held = await hold(connection, service, {each.user_id for each in profiles})
    profiles = [replace(each, user_id=now.get(each.user_id, each.user_id)) for each in profiles]
    written = _outcomes(profiles, held)
    last = {each.user_id: each for each in profiles}
    changed = [each for each in last.values() if held.get(each.user_id) != each.etag]
    if changed:
        await put(connection, service, changed, there=held.keys())
    return written


def _outcomes(profiles: Sequence[Profile], held: Mapping[str, str]) -> Sequence[Written]:
    etags = dict(held)
    outcomes = []
    for each in profiles:
        earlier = etags.get(each.user_id)
        etags[each.user_id] = each.etag
        outcomes.append(_outcome(earlier, each.etag))
    return outcomes


def _outcome(earlier: str | None, etag: str) -> Written:
    if earlier is None:
        return Written.CREATED
    return Written.UNCHANGED if earlier == etag else Written.UPDATED


async def put(
    connection: AsyncConnection,
    service: str,
    profiles: Sequence[Profile],
    *,
    there: Collection[str],
) -> None:
    """Put profiles; the rows of those who are `there` already are locked. Raises as `write`."""
    put = await connection.execute(_PUT, _parameters(service, map(profile_row, profiles)))
    # Somebody else may have added them meanwhile.
    earlier = [row.user_id for row in put if row.user_id in there or not row.is_new]
    if await current_ids(connection, service, [each.user_id for each in profiles]):
        raise StoreBusyError("a recipient has just been merged into another")
    if earlier:
        await connection.execute(_REMOVE_ADDRESSES, _id_rows(service, earlier))
    await _add_addresses(connection, service, profiles)


async def _add_addresses(
    connection: AsyncConnection, service: str, profiles: Sequence[Profile]
) -> None:
    rows = [address_row(each, address) for each in profiles for address in each.addresses]
    if rows:
        await connection.execute(_ADD_ADDRESSES, _parameters(service, rows))


async def remove(connection: AsyncConnection, service: str, user_id: str) -> None:
    """Remove somebody, whose row is locked, and what is about nobody else."""
    parameters = _id_rows(service, [user_id])
    for removal in (_REMOVE_ADDRESSES, _REMOVE_ALIASES, _REMOVE_MEMBERSHIPS, _REMOVE):
        await connection.execute(removal, parameters)


def _id_rows(service: str, user_ids: Collection[str]) -> dict[str, str]:
    ids = (encode({"service": service, "user_id": user_id}) for user_id in sorted(user_ids))
    return {"rows": joined(ids)}


def _parameters(service: str, rows: Iterable[RowJson]) -> dict[str, str]:
    return {"of_service": service, "rows": joined(rows)}
