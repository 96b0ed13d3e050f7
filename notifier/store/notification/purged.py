"""What went with retention, as it is still counted."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, TypeAlias

from sqlalchemy import BigInteger, Select, Text, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Channel
from notifier.notification.retention import PurgeReason
from notifier.store.kit.rows import encode, joined
from notifier.store.kit.sql import Now, given_rows, literal_text
from notifier.store.notification.tables import purged, purged_letters

Counted: TypeAlias = tuple[str, str, str]
"""A service, a channel, and what is counted, as the table has it."""

PREFIX: Final = "purged."
_CONTENT: Final = "content."

_given = given_rows(service=Text, channel=Text, name=Text, count=BigInteger)
# In one order for everybody; SQLite needs the WHERE to tell ON CONFLICT from a join's ON.
_new = insert(purged).from_select(
    ["service", "channel", "name", "count"],
    select(*_given.c).where(text("true")).order_by(*list(_given.c)[:3]),
)
_ADD = _new.on_conflict_do_update(
    index_elements=[purged.c.service, purged.c.channel, purged.c.name],
    set_={"count": purged.c.count + _new.excluded["count"]},
)
_channels = given_rows(channel=Text)
_LETTERS = insert(purged_letters).from_select(
    ["channel", "since"],
    select(_channels.c.channel, Now()).where(text("true")).order_by(_channels.c.channel),
)
_LETTERS = _LETTERS.on_conflict_do_update(
    index_elements=[purged_letters.c.channel], set_={"since": _LETTERS.excluded.since}
)


async def count(connection: AsyncConnection, gone: Counter[Counted]) -> None:
    """Count these among what is gone."""
    rows = joined(
        encode({"service": service, "channel": channel, "name": name, "count": count})
        for (service, channel, name), count in gone.items()
    )
    await connection.execute(_ADD, {"rows": rows})


async def count_content(
    connection: AsyncConnection, gone: Mapping[tuple[str, str], int], reason: PurgeReason
) -> None:
    """Count so many of a service and a channel among those that lost their content."""
    if gone:
        await count(connection, Counter({(*of, _CONTENT + reason): gone[of] for of in gone}))


async def note_letters(connection: AsyncConnection, channels: Collection[str]) -> None:
    """Have these channels' dead queues swept: they may have letters of what is gone."""
    if channels:
        rows = joined(encode({"channel": channel}) for channel in channels)
        await connection.execute(_LETTERS, {"rows": rows})


def counts(service: str | None) -> Select[str, int]:
    """Return how many of a service, or of all, are gone: a name for each status, and the count."""
    name = literal_text(PREFIX) + purged.c.name
    total = func.sum(purged.c["count"])
    found = select(name.label("name"), cast(total, BigInteger).label("count_"))
    of = [] if service is None else [purged.c.service == literal(service)]
    return found.where(*of).group_by(purged.c.name)


_has_content_gone = purged.c.name.startswith(_CONTENT)
_BY_CHANNEL = select(
    purged.c.channel, purged.c.name, func.sum(purged.c["count"]).label("count_")
).group_by(purged.c.channel, purged.c.name)


async def by_channel(connection: AsyncConnection) -> Mapping[tuple[Channel, str], int]:
    """Return how many of each channel are gone, by name."""
    found = await connection.execute(_BY_CHANNEL.where(~_has_content_gone))
    return {(Channel(row.channel), row.name): int(row.count_) for row in found}


async def content_by_channel(
    connection: AsyncConnection,
) -> Mapping[tuple[Channel, PurgeReason], int]:
    """Return how many of each channel lost their content, by why."""
    found = await connection.execute(_BY_CHANNEL.where(_has_content_gone))
    return {
        (Channel(row.channel), PurgeReason(row.name.removeprefix(_CONTENT))): int(row.count_)
        for row in found
    }
