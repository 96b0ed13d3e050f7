"""API keys in the database."""

import builtins
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Row, Select, Table, Text, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.access.keys import ApiKey
from notifier.store.kit.batcher import Batcher
from notifier.store.kit.database import Database
from notifier.store.kit.sql import Now, UtcTime
from notifier.store.kit.tables import metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("service", Text, nullable=False),
    # Names, separated by spaces.
    Column("scopes", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
)


_is_usable = and_(
    api_keys.c.revoked_at.is_(None),
    or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > Now()),
)
_MAX_FOUND = 100
_SELECT = select(*api_keys.c, _is_usable.label("is_usable"))


class SqlKeyStore:
    """`KeyStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Whoever tries keys shares his round trips with those that bring good ones.
        self._finding = Batcher(self._find_all, max_batch=_MAX_FOUND, timeout_s=database.timeout_s)

    async def add(
        self,
        *,
        id: str,
        service: str,
        scopes: Collection[str],
        digest: str,
        expires_at: datetime | None,
    ) -> None:
        statement = insert(api_keys).values(
            id=id,
            service=service,
            scopes=" ".join(sorted(scopes)),
            digest=digest,
            created_at=Now(),
            expires_at=expires_at,
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(statement)

        await self._database.write(work)

    async def find(self, id: str) -> ApiKey | None:
        return await self._finding.submit(id)

    async def list(self) -> Sequence[ApiKey]:
        return await self._keys(_SELECT.order_by(api_keys.c.created_at, api_keys.c.id))

    async def revoke(self, id: str) -> bool:
        statement = (
            update(api_keys)
            .where(api_keys.c.id == id)
            .values(revoked_at=func.coalesce(api_keys.c.revoked_at, Now()))
        )

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount > 0

        return await self._database.write(work)

    async def _find_all(self, ids: Sequence[str]) -> Sequence[ApiKey | None]:
        found = await self._keys(_SELECT.where(api_keys.c.id.in_(set(ids))))
        by_id = {key.id: key for key in found}
        return [by_id.get(id) for id in ids]

    async def _keys(self, query: Select[Any]) -> builtins.list[ApiKey]:
        async def work(connection: AsyncConnection) -> builtins.list[ApiKey]:
            return [_to_key(row) for row in await connection.execute(query)]

        return await self._database.read(work)


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        service=row.service,
        scopes=frozenset(row.scopes.split()),
        digest=row.digest,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        is_usable=bool(row.is_usable),
    )
