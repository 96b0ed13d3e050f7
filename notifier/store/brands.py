"""The brands of services."""

import json
from dataclasses import asdict

from sqlalchemy import Column, Table, Text, select, update
from sqlalchemy.dialects.postgresql import insert  # its ON CONFLICT is SQLite's too
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.content.brand import Brand, KeptBrand, brand_etag, default_brand
from notifier.content.library import BRAND, Outrun, Renewals
from notifier.idempotency import Applied, Idempotency, KeyReused, LostRace, Remembered
from notifier.store.kit.database import Database
from notifier.store.kit.idempotency import write_once
from notifier.store.kit.sql import Now, UtcTime
from notifier.store.kit.tables import metadata
from notifier.store.templates.publishing import renew

brands = Table(
    "brands",
    metadata,
    Column("service", Text, primary_key=True),
    Column("brand", Text, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

_b = brands.c


class SqlBrandStore:
    """`BrandStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def brand(self, service: str) -> KeptBrand:
        query = select(_b.brand).where(_b.service == service)

        async def work(connection: AsyncConnection) -> KeptBrand:
            held = (await connection.scalars(query)).one_or_none()
            return _kept(held) if held else _kept(_encoded(default_brand(service)))

        return await self._database.read(work)

    async def save(
        self,
        *,
        service: str,
        brand: Brand,
        if_match: str | None,
        cascade: Renewals | None = None,
        idempotency: Idempotency | None = None,
    ) -> Applied | Remembered | KeyReused | LostRace | Outrun:
        new = {"brand": _encoded(brand), "updated_at": Now()}

        async def work(connection: AsyncConnection) -> Applied | LostRace | Outrun:
            held = await _locked(connection, service)
            if if_match not in (None, held.etag):
                return LostRace(held.etag)
            await connection.execute(update(brands).where(_b.service == service).values(**new))
            return await renew(connection, service, BRAND, cascade) if cascade else Applied()

        return await write_once(self._database, idempotency, work)


async def _locked(connection: AsyncConnection, service: str) -> KeptBrand:
    """Have a brand, and its row locked: who changes it takes turns."""
    first = {"service": service, "brand": _encoded(default_brand(service)), "updated_at": Now()}
    statement = insert(brands).values(**first)
    had = statement.on_conflict_do_update(
        index_elements=[_b.service], set_={"updated_at": Now()}
    ).returning(_b.brand)
    return _kept((await connection.scalars(had)).one())


def _encoded(brand: Brand) -> str:
    return json.dumps(asdict(brand), ensure_ascii=False)


def _kept(encoded: str) -> KeptBrand:
    brand = Brand(**json.loads(encoded))
    return KeptBrand(brand, brand_etag(brand))
