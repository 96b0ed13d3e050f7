"""What services declare for all their people: categories, and quiet hours."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    Row,
    Table,
    Text,
    delete,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.category import (
    MAX_CATEGORIES,
    Cap,
    Category,
    Declared,
    Kind,
    Span,
    StoredCategory,
    TooManyCategories,
)
from notifier.audience.quiet_hours import QuietHours
from notifier.idempotency import LostRace, NotFound
from notifier.notification.model import Channel
from notifier.store.kit.database import Database
from notifier.store.kit.paging import in_order, listed, matching
from notifier.store.kit.sql import Now, UtcTime
from notifier.store.kit.tables import metadata

categories = Table(
    "categories",
    metadata,
    Column("service", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # JSON as text, by locale.
    Column("titles", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("can_switch_off", Boolean, nullable=False),
    # JSON as text, by channel.
    Column("defaults", Text, nullable=False),
    # NULL: no cap.
    Column("cap_limit", Integer),
    Column("cap_per", Text),
    Column("updated_at", UtcTime, nullable=False),
)

former_categories = Table(
    "former_categories",
    metadata,
    Column("service", Text, primary_key=True),
    Column("key", Text, primary_key=True),
)

quiet_hour_defaults = Table(
    "quiet_hour_defaults",
    metadata,
    Column("service", Text, primary_key=True),
    # JSON as text.
    Column("quiet_hours", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

_c, _f, _q = categories.c, former_categories.c, quiet_hour_defaults.c


class SqlCategoryStore:
    """`CategoryStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def declared(self, service: str) -> Declared:
        declared = select(categories).where(_c.service == service)
        former = select(_f.key).where(_f.service == service)
        hours = select(_q.quiet_hours).where(_q.service == service)

        async def work(connection: AsyncConnection) -> Declared:
            rows = await connection.execute(declared)
            return Declared(
                {row.key: _to_category(row) for row in rows},
                QuietHours.decode(await connection.scalar(hours)),
                frozenset(await connection.scalars(former)),
            )

        return await self._database.read(work)

    async def list(
        self, *, service: str | None, limit: int, after: tuple[str, str] | None
    ) -> Sequence[StoredCategory]:
        those = select(categories).where(*matching({_c.service: service}))
        query = in_order(those, _c.service, _c.key, limit=limit, after=after)
        return await listed(self._database, query, _to_category)

    async def set(
        self, category: Category, *, if_match: str | None = None
    ) -> StoredCategory | TooManyCategories | LostRace:
        others = select(func.count()).where(_c.service == category.service, _c.key != category.key)
        values = _values(category)
        is_former = (_f.service == category.service) & (_f.key == category.key)
        statement = (
            insert(categories)
            .values(service=category.service, key=category.key, **values)
            .on_conflict_do_update(index_elements=[_c.service, _c.key], set_=values)
            .returning(categories)
        )

        async def work(
            connection: AsyncConnection,
        ) -> StoredCategory | TooManyCategories | LostRace:
            if if_match is not None:
                held = await _locked(connection, category)
                if (held.etag if held else "") != if_match:
                    return LostRace(held.etag if held else None)
            if (await connection.scalars(others)).one() >= MAX_CATEGORIES:
                return TooManyCategories()
            await connection.execute(delete(former_categories).where(is_former))
            return _to_category((await connection.execute(statement)).one())

        return await self._database.write(work)

    async def remove(self, service: str, key: str) -> NotFound | None:
        removal = delete(categories).where(_c.service == service, _c.key == key)
        noting = insert(former_categories).values(service=service, key=key)

        async def work(connection: AsyncConnection) -> NotFound | None:
            if not (await connection.execute(removal)).rowcount:
                return NotFound()
            await connection.execute(noting.on_conflict_do_nothing())
            return None

        return await self._database.write(work)

    async def set_quiet_hours(self, service: str, hours: QuietHours | None) -> None:
        removal = delete(quiet_hour_defaults).where(_q.service == service)

        async def work(connection: AsyncConnection) -> None:
            if hours is None:
                await connection.execute(removal)
                return
            values = {"quiet_hours": hours.encode(), "updated_at": Now()}
            statement = insert(quiet_hour_defaults).values(service=service, **values)
            await connection.execute(
                statement.on_conflict_do_update(index_elements=[_q.service], set_=values)
            )

        await self._database.write(work)


async def _locked(connection: AsyncConnection, category: Category) -> StoredCategory | None:
    """Return what there is of its key, locked: who changes it takes turns."""
    query = select(categories).where(_c.service == category.service, _c.key == category.key)
    row = (await connection.execute(query.with_for_update())).one_or_none()
    return _to_category(row) if row else None


def _values(category: Category) -> Mapping[str, Any]:
    return {
        "titles": json.dumps(dict(category.titles), ensure_ascii=False),
        "kind": category.kind,
        "can_switch_off": category.can_switch_off,
        "defaults": json.dumps(dict(category.defaults)),
        "cap_limit": category.cap.limit if category.cap else None,
        "cap_per": category.cap.per if category.cap else None,
        "updated_at": Now(),
    }


def _to_category(row: Row[Any]) -> StoredCategory:
    return StoredCategory(
        service=row.service,
        key=row.key,
        titles=json.loads(row.titles),
        kind=Kind(row.kind),
        can_switch_off=row.can_switch_off,
        defaults={Channel(name): is_on for name, is_on in json.loads(row.defaults).items()},
        cap=Cap(row.cap_limit, Span(row.cap_per)) if row.cap_limit is not None else None,
        updated_at=row.updated_at,
    )
