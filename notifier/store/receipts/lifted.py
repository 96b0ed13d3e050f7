"""Whose unsubscriptions were lifted lately, for events that come late.

Kept for as long as the events themselves, as one of them, under a digest of the address, with the
category behind it where it is about that alone.
"""

import hashlib
from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import bindparam, case, delete, func, select
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.recipient import compared
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from notifier.store.kit.sql import Now, UtcTime
from notifier.store.notification.suppressing import Cause
from notifier.store.notification.tables import notifications as n
from notifier.store.receipts.tables import receipts

_PROVIDER = "lifted"
_DIGEST_CHARS = 64

_at = bindparam("at", type_=UtcTime())
_REMEMBER = insert(receipts).values(
    provider=_PROVIDER,
    event_id=bindparam("address"),
    created_at=case((_at < Now(), _at), else_=Now()),
)
_REMEMBER = _REMEMBER.on_conflict_do_update(
    index_elements=[receipts.c.provider, receipts.c.event_id],
    set_={"created_at": _REMEMBER.excluded.created_at},
    where=_REMEMBER.excluded.created_at > receipts.c.created_at,
)


async def remember(connection: AsyncConnection, id: UUID, cause: Cause) -> None:
    """Remember that the recipient of this notification subscribed again."""
    for address in (await _addresses(connection, {id: cause})).values():
        await connection.execute(_REMEMBER, {"address": address, "at": cause.at})


async def outdated(connection: AsyncConnection, causes: Mapping[UUID, Cause]) -> Collection[UUID]:
    """Return those whose recipient subscribed again since: they come too late."""
    asking = {
        id: cause
        for id, cause in causes.items()
        if cause.at and cause.reason is SuppressionReason.UNSUBSCRIBED
    }
    if not asking:
        return ()
    addresses = await _addresses(connection, asking)
    found = await connection.execute(
        select(receipts.c.event_id, receipts.c.created_at).where(
            receipts.c.provider == _PROVIDER, receipts.c.event_id.in_(addresses.values())
        )
    )
    lifted = {row.event_id: row.created_at for row in found}
    return [
        id
        for id, address in addresses.items()
        if address in lifted and (at := asking[id].at) and at < lifted[address]
    ]


async def forget(
    connection: AsyncConnection, service: str, addresses: Collection[tuple[Channel, str]]
) -> int:
    """Forget that these subscribed again; returns how many had."""
    digests = [_digest(service, channel, address) for channel, address in addresses]
    digest = func.substr(receipts.c.event_id, 1, _DIGEST_CHARS)
    gone = delete(receipts).where(receipts.c.provider == _PROVIDER, digest.in_(digests))
    return (await connection.execute(gone)).rowcount


async def _addresses(
    connection: AsyncConnection, causes: Mapping[UUID, Cause]
) -> Mapping[UUID, str]:
    found = await connection.execute(
        select(n.c.id, n.c.service, n.c.channel, n.c.recipient, n.c.category).where(
            n.c.id.in_(causes)
        )
    )
    return {
        row.id: _digest(row.service, Channel(row.channel), row.recipient)
        + (f":{row.category}" if causes[row.id].is_of_category and row.category else "")
        for row in found
    }


def _digest(service: str, channel: Channel, recipient: str) -> str:
    address = f"{service}\n{channel}\n{compared(channel, recipient)}"
    return hashlib.sha256(address.encode()).hexdigest()
