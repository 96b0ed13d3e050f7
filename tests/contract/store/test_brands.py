"""Brands: one a service, which nobody changes unseen."""

import asyncio

import pytest

from notifier.content.brand import Brand, brand_etag, default_brand
from notifier.idempotency import Applied, LostRace
from notifier.store.brands import SqlBrandStore
from tests.contract.store.stores import Stores

EVENTLY = Brand(name="Evently \N{PACKAGE}", color="#0a5c36", postal_address="1 Street\nVienna")


@pytest.fixture
def brands(stores: Stores) -> SqlBrandStore:
    return stores.brands


async def test_who_has_said_nothing_has_a_brand_of_the_services_name(brands: SqlBrandStore) -> None:
    kept = await brands.brand("orders")

    assert kept.brand == default_brand("orders") == Brand(name="orders")
    assert kept.etag == brand_etag(kept.brand)


async def test_a_brand_is_kept_as_it_was_given(brands: SqlBrandStore) -> None:
    assert await brands.save(service="orders", brand=EVENTLY, if_match=None) == Applied()

    assert (await brands.brand("orders")).brand == EVENTLY
    assert (await brands.brand("payments")).brand == default_brand("payments")


async def test_who_writes_over_another_brand_than_they_saw_is_refused(
    brands: SqlBrandStore,
) -> None:
    seen = (await brands.brand("orders")).etag
    await brands.save(service="orders", brand=EVENTLY, if_match=seen)

    late = await brands.save(service="orders", brand=Brand(name="Late"), if_match=seen)

    assert late == LostRace(brand_etag(EVENTLY))
    assert (await brands.brand("orders")).brand == EVENTLY


async def test_of_many_who_change_the_same_brand_at_once_one_does(brands: SqlBrandStore) -> None:
    seen = (await brands.brand("orders")).etag

    results = await asyncio.gather(
        *(
            brands.save(service="orders", brand=Brand(name=f"Brand {each}"), if_match=seen)
            for each in range(5)
        )
    )

    assert results.count(Applied()) == 1
