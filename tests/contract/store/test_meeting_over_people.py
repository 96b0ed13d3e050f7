"""Changes of people that meet: who waited looks again whom an id means."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.changing import Wishes
from notifier.audience.choice_change import Source
from notifier.audience.person import Person, Written
from notifier.store.recipients.merging import merge
from notifier.store.recipients.writing import lock, remove
from tests.contract.store.stores import Stores, open_stores
from tests.contract.store.test_two_sessions import somebody_waits
from tests.people import a_profile

OFF = Wishes(choices={("news", "email"): False}, quiet_hours=None, sets_quiet_hours=False)
Change: TypeAlias = Callable[[AsyncConnection], Awaitable[object]]


@pytest.fixture
async def stores(postgres_store_url: str) -> AsyncIterator[Stores]:
    async with open_stores(postgres_store_url) as it:
        await it.people.put_all("orders", [a_profile(each) for each in ("u-1", "u-2", "u-3")])
        yield it


async def meanwhile(stores: Stores, first: Change, second: Awaitable[Any]) -> Any:
    """Begin with one, let the other wait for it, and return what that comes to."""
    async with stores.database._writer.connect() as connection:  # noqa: SLF001
        await first(connection)
        waiting = asyncio.ensure_future(second)
        await somebody_waits(stores)
        await connection.commit()
        return await waiting


async def deleting(connection: AsyncConnection) -> None:
    await lock(connection, "orders", ["u-1"])
    await remove(connection, "orders", "u-1")


async def merging(connection: AsyncConnection) -> None:
    await merge(connection, service="orders", user_id="u-2", from_id="u-1")


async def test_who_is_put_by_an_earlier_id_of_somebody_who_goes_is_new(stores: Stores) -> None:
    await stores.people.merge("orders", "u-1", from_id="u-3")

    put = stores.people.put("orders", a_profile("u-3", locale="de"))
    written, person = await meanwhile(stores, deleting, put)

    assert (written, person.user_id, person.locale) == (Written.CREATED, "u-3", "de")
    assert not isinstance(await stores.people.get("orders", "u-1"), Person)


async def test_who_is_put_while_they_become_another_is_that_one(stores: Stores) -> None:
    put = stores.people.put("orders", a_profile("u-1", locale="de"))
    written, person = await meanwhile(stores, merging, put)

    assert (written, person.user_id, person.locale) == (Written.UPDATED, "u-2", "de")


async def test_a_choice_of_who_becomes_another_is_that_ones(stores: Stores) -> None:
    change = stores.preferences.change("orders", "u-1", OFF, Source.API)
    person = await meanwhile(stores, merging, change)

    assert person.user_id == "u-2"
    assert person.choices.by_place == {("news", "email"): False}


async def test_who_is_deleted_while_they_become_another_is_gone(stores: Stores) -> None:
    await meanwhile(stores, merging, stores.people.delete("orders", "u-1"))

    assert not isinstance(await stores.people.get("orders", "u-2"), Person)
