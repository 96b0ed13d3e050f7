"""The people of services, for those who write and look for them."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.person import (
    NobodyToMerge,
    PeopleFilter,
    PeoplePage,
    Person,
    Profile,
    Written,
)
from notifier.idempotency import LostRace, NotFound
from notifier.store.choices import forget
from notifier.store.kit.database import Database
from notifier.store.recipients.merging import merge
from notifier.store.recipients.reading import people
from notifier.store.recipients.searching import count, page
from notifier.store.recipients.writing import hold, remove, write


class SqlPersonStore:
    """`PersonStore` over SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, service: str, user_id: str) -> Person | NotFound:
        async def work(connection: AsyncConnection) -> Person | NotFound:
            found = await people(connection, [(service, user_id)])
            return found.get((service, user_id), NotFound())

        return await self._database.read(work)

    async def put(
        self, service: str, profile: Profile, *, if_match: str | None = None
    ) -> tuple[Written, Person] | LostRace:
        asked = (service, profile.user_id)

        async def work(connection: AsyncConnection) -> tuple[Written, Person] | LostRace:
            if if_match is not None:
                _, etag = await _locked(connection, *asked)
                if etag != if_match:
                    await connection.rollback()
                    return LostRace(etag)
            (written,) = await write(connection, service, [profile])
            return written, (await people(connection, [asked]))[asked]

        return await self._database.write(work)

    async def put_all(self, service: str, profiles: Sequence[Profile]) -> Sequence[Written]:
        return await self._database.write(partial(write, service=service, profiles=profiles))

    async def delete(
        self, service: str, user_id: str, *, if_match: str | None = None
    ) -> NotFound | LostRace | None:
        async def work(connection: AsyncConnection) -> NotFound | LostRace | None:
            current, etag = await _locked(connection, service, user_id)
            if if_match is not None and etag != if_match:
                await connection.rollback()
                return LostRace(etag)
            if etag is None:
                return NotFound()
            await remove(connection, service, current)
            await forget(connection, service, current)
            return None

        return await self._database.write(work)

    async def merge(
        self, service: str, user_id: str, *, from_id: str
    ) -> Person | NotFound | NobodyToMerge:
        return await self._database.write(
            partial(merge, service=service, user_id=user_id, from_id=from_id)
        )

    async def list(
        self,
        *,
        service: str | None,
        filter: PeopleFilter,
        limit: int,
        after: tuple[str, str] | None,
    ) -> PeoplePage:
        return await self._database.search(
            partial(page, service=service, filter=filter, limit=limit, after=after)
        )

    async def count(self, *, service: str, filter: PeopleFilter) -> int:
        return await self._database.search(partial(count, service=service, filter=filter))


async def _locked(
    connection: AsyncConnection, service: str, user_id: str
) -> tuple[str, str | None]:
    """Return somebody's current id, and their ETag once nobody else changes it any more."""
    now, held = await hold(connection, service, [user_id])
    current = now.get(user_id, user_id)
    return current, held.get(current)
