"""Expanding a large broadcast while those who do it are killed again and again."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from random import Random
from typing import TypeVar
from uuid import UUID

from sqlalchemy import event, func, select, text
from uuid_utils import compat

from notifier.audience.topic import Member
from notifier.broadcasts.broadcast import (
    Broadcast,
    Chunk,
    Counts,
    Expansion,
    State,
    StoredBroadcast,
    Turn,
    Whom,
)
from notifier.broadcasts.expanding import BroadcastDuties
from notifier.broadcasts.fates import Fate, Looked
from notifier.broadcasts.pacing import ExpansionPace
from notifier.errors import NotifierError
from notifier.notification.model import Channel, Lane
from notifier.store.broadcasts.expanding import SqlExpansion
from notifier.store.notification.tables import notification_events as events
from notifier.store.notification.tables import notifications as n
from tests.contract.store.stores import Stores, a_submission, open_stores
from tests.patience import AT_ALL_S
from tests.waiting import require

MEMBERS = 20_000
KILLS = 10
PACE = ExpansionPace(chunk=1_000, most_waiting=100_000, hold_s=0.05)
ROLL = [f"u{index:06}" for index in range(MEMBERS)]

Answer = TypeVar("Answer")


class Everybody:
    """The members of a topic that nobody keeps."""

    async def members(
        self, service: str, whom: Whom, *, limit: int, after: str
    ) -> Sequence[Member]:
        del service, whom
        first = int(after[1:]) + 1 if after else 0
        return [Member(each) for each in ROLL[first : first + limit]]

    async def is_there(self, service: str, whom: Whom) -> bool:
        del service, whom
        return True


class Glance:
    """Finds a mail for everybody."""

    async def look(self, broadcast: Broadcast, members: Sequence[Member]) -> Sequence[Looked]:
        del broadcast
        mail = a_submission()
        return [Looked(each.user_id, Fate.ACCEPTED, mail) for each in members]


async def announce(stores: Stores) -> UUID:
    broadcast = Broadcast(
        id=compat.uuid7(),
        service="orders",
        channel=Channel.EMAIL,
        lane=Lane.BULK,
        template="news",
        version_id=compat.uuid7(),
        whom=Whom(topic="news"),
        variables={},
    )
    await stores.broadcasts.accept(broadcast)
    return broadcast.id


async def expand(stores: Stores, id: UUID, expansion: Expansion | None = None) -> None:
    """Expand as a relay does, whatever the database says, until all is done."""
    duties = BroadcastDuties(expansion or stores.expansion, Everybody(), Glance(), PACE)
    while (await standing(stores, id)).state is not State.DONE:
        with suppress(NotifierError):
            while await duties.expand():
                pass
        await asyncio.sleep(PACE.hold_s)


async def standing(stores: Stores, id: UUID) -> StoredBroadcast:
    while True:
        with suppress(NotifierError):
            found = await stores.broadcasts.get(id, service=None)
            assert isinstance(found, StoredBroadcast)
            return found


async def count(stores: Stores) -> tuple[int, int, int]:
    """How many notifications there are, how many ids they have, how many were accepted."""
    accepts = select(func.count()).where(events.c.event == "accept").scalar_subquery()
    query = select(func.count(), func.count(n.c.id.distinct()), accepts).select_from(n)
    async with stores.database._writer.connect() as connection:  # noqa: SLF001
        return tuple((await connection.execute(query)).one())


async def moved(stores: Stores, id: UUID, members: int) -> None:
    """Wait until it is so far."""

    async def is_so_far() -> bool:
        return (await standing(stores, id)).counts.members >= members

    await require(is_so_far, timeout_s=AT_ALL_S, every_s=0.005, what=f"{members} members")


async def test_whoever_is_killed_changes_nothing_and_nobody_is_told_twice(
    postgres_store_url: str,
) -> None:
    random = Random(7)  # noqa: S311  kills are no secret
    async with open_stores(postgres_store_url) as watching:
        id = await announce(watching)
        for kill in range(KILLS):
            async with open_stores(postgres_store_url) as stores:
                relays = [asyncio.create_task(expand(stores, id)) for _ in range(2)]
                await moved(watching, id, MEMBERS * kill // (KILLS + 1))
                await asyncio.sleep(random.random() * 0.1)
                if kill % 2:
                    await break_connections(watching)
                for each in relays:
                    each.cancel()
                await asyncio.gather(*relays, return_exceptions=True)
        assert (await standing(watching, id)).counts.members < MEMBERS

        await expand(watching, id)

        assert (await standing(watching, id)).counts == Counts(members=MEMBERS, accepted=MEMBERS)
        assert await count(watching) == (MEMBERS, MEMBERS, MEMBERS)


class DyingError(NotifierError):
    """Whoever expands dies here."""


class Mortal:
    """An expansion that dies before and after what it asks of the database."""

    def __init__(self, expansion: SqlExpansion, random: Random) -> None:
        self._expansion = expansion
        self._random = random
        self.deaths = 0

    async def take(self, *, hold_s: float, most_waiting: int) -> Turn | None:
        return await self._survived(self._expansion.take(hold_s=hold_s, most_waiting=most_waiting))

    async def record(self, chunk: Chunk) -> StoredBroadcast | None:
        return await self._survived(self._expansion.record(chunk))

    async def put_off(self, broadcast: StoredBroadcast, delay_s: float) -> None:
        await self._survived(self._expansion.put_off(broadcast, delay_s))

    async def cancel(self, limit: int) -> int:
        return await self._survived(self._expansion.cancel(limit))

    async def _survived(self, asked: Awaitable[Answer]) -> Answer:
        answer = await asked
        if self._random.random() < 1 / 4:
            self.deaths += 1
            raise DyingError
        return answer


async def test_an_answer_that_nobody_got_costs_no_member(sqlite_store_url: str) -> None:
    async with open_stores(sqlite_store_url) as stores:
        id = await announce(stores)
        mortal = Mortal(stores.expansion, Random(7))  # noqa: S311  deaths are no secret

        await expand(stores, id, mortal)

        assert mortal.deaths >= KILLS
        assert (await standing(stores, id)).counts == Counts(members=MEMBERS, accepted=MEMBERS)
        assert await count(stores) == (MEMBERS, MEMBERS, MEMBERS)


async def break_connections(stores: Stores) -> None:
    """Let the server end all others' sessions."""
    breaking = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with stores.database._searcher.connect() as connection:  # noqa: SLF001
        await connection.execute(breaking)


def test_a_kill_is_at_every_part_of_the_run() -> None:
    assert PACE.chunk < MEMBERS // (KILLS + 1)


async def test_what_accepts_a_chunk_is_compiled_before_the_broadcast_is_locked(
    stores: Stores,
) -> None:
    ran: list[str] = []

    @event.listens_for(stores.database._writer.sync_engine, "before_cursor_execute")  # noqa: SLF001
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        told = {"INSERT INTO notifications": "accept", "broadcasts.place =": "lock"}
        ran.extend(name for words, name in told.items() if words in statement)

    await announce(stores)
    small = ExpansionPace(chunk=10, most_waiting=1_000, hold_s=0.0)
    duties = BroadcastDuties(stores.expansion, Everybody(), Glance(), small)
    for _ in range(2):
        assert await duties.expand()

    assert ran == ["accept", "lock", "accept", "lock", "accept"]
