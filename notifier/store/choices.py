"""What became of people's choices. What they are stands with the people themselves."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.choice_change import ChoiceChange, NotedChange, Source
from notifier.store.kit.database import Database
from notifier.store.kit.sql import Now, UtcTime, parameter
from notifier.store.kit.tables import Serial, metadata

choice_changes = Table(
    "choice_changes",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("service", Text, nullable=False),
    # NULL: of an address that nobody in the directory is known by.
    Column("user_id", Text),
    Column("channel", Text, nullable=False),
    # As it is compared.
    Column("recipient", Text),
    Column("category", Text, nullable=False),
    # NULL: left to the service's default.
    Column("is_on", Boolean),
    Column("source", Text, nullable=False),
    Column("notification_id", Uuid),
    Column("at", UtcTime, nullable=False),
    Index("ix_choice_changes_user_id", "service", "user_id", "id"),
    Index("ix_choice_changes_recipient", "service", "recipient"),
)

_c = choice_changes.c
_OF = (
    select(choice_changes)
    .where(_c.service == parameter("of_service"), _c.user_id == parameter("of_user_id"))
    .order_by(_c.id.desc())
    .limit(parameter("limit", Integer))
)
_BEFORE = _OF.where(_c.id < parameter("before", Serial))


async def note(connection: AsyncConnection, changes: Iterable[ChoiceChange]) -> None:
    """Note changes, in the transaction in which they are made."""
    rows = [_row(each) for each in changes]
    if rows:
        await connection.execute(insert(choice_changes).values(at=Now()), rows)


async def hand_over(connection: AsyncConnection, service: str, source: str, target: str) -> None:
    """Make what one person chose part of another's history: they are the same."""
    theirs = update(choice_changes).where(_c.service == service, _c.user_id == source)
    await connection.execute(theirs.values(user_id=target))


async def forget(connection: AsyncConnection, service: str, user_id: str) -> None:
    """Forget somebody's history: their id may be another's now."""
    await connection.execute(
        delete(choice_changes).where(_c.service == service, _c.user_id == user_id)
    )


class SqlChoiceHistory:
    """`ChoiceHistory` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self, service: str, user_id: str, *, limit: int, before: int | None
    ) -> Sequence[NotedChange]:
        given = {"of_service": service, "of_user_id": user_id, "limit": limit}
        query = _OF if before is None else _BEFORE
        asked = given if before is None else {**given, "before": before}

        async def work(connection: AsyncConnection) -> list[NotedChange]:
            return [_to_change(row) for row in await connection.execute(query, asked)]

        return await self._database.read(work)


def _row(change: ChoiceChange) -> dict[str, Any]:
    return {
        "service": change.service,
        "user_id": change.user_id,
        "channel": change.channel,
        "recipient": change.recipient,
        "category": change.category,
        "is_on": change.is_on,
        "source": change.source,
        "notification_id": change.notification_id,
    }


def _to_change(row: Row[Any]) -> NotedChange:
    return NotedChange(
        id=row.id,
        service=row.service,
        user_id=row.user_id,
        channel=row.channel,
        recipient=row.recipient,
        category=row.category,
        is_on=row.is_on,
        source=Source(row.source),
        notification_id=row.notification_id,
        at=row.at,
    )
