"""Categories and quiet hours: declared by a service, and kept as they were."""

from dataclasses import replace
from datetime import time

from notifier.audience.category import (
    MAX_CATEGORIES,
    NOTHING,
    Cap,
    Category,
    Kind,
    Span,
    StoredCategory,
    TooManyCategories,
)
from notifier.audience.quiet_hours import QuietHours
from notifier.idempotency import LostRace, NotFound
from notifier.notification.model import Channel
from tests.contract.store.stores import Stores

NEWS = Category(
    service="orders",
    key="news",
    titles={"en": "News", "de": "Neuigkeiten f\u00fcr B\u00fcros"},
    kind=Kind.MARKETING,
    defaults={Channel.EMAIL: True, Channel.SMS: False},
    cap=Cap(3, Span.WEEK),
)
CODES = Category(service="orders", key="codes", can_switch_off=False)
NIGHT = QuietHours(time(22), time(7), frozenset({"mon", "fri"}))


def told(stored: object) -> Category:
    assert isinstance(stored, StoredCategory)
    fields = Category.__dataclass_fields__
    return Category(**{name: getattr(stored, name) for name in fields})


async def listed(stores: Stores, service: str | None = None) -> list[str]:
    found = await stores.categories.list(service=service, limit=200, after=None)
    return [f"{each.service} {each.key}" for each in found]


async def test_a_category_is_kept_as_it_was_set(stores: Stores) -> None:
    for category in (NEWS, CODES, replace(NEWS, titles={}, defaults={}, cap=None)):
        stored = await stores.categories.set(category)

        assert told(stored) == category
        declared = await stores.categories.declared("orders")
        assert told(declared.by_key[category.key]) == category


async def test_who_changes_what_was_changed_meanwhile_is_told(stores: Stores) -> None:
    first = told(await stores.categories.set(NEWS, if_match=""))
    changed = replace(NEWS, cap=None)

    assert await stores.categories.set(changed, if_match="") == LostRace(first.etag)
    assert told(await stores.categories.set(changed, if_match=first.etag)) == changed
    assert await stores.categories.set(NEWS, if_match=first.etag) == LostRace(changed.etag)
    assert await stores.categories.set(CODES, if_match=first.etag) == LostRace(None)


async def test_a_service_has_categories_of_its_own(stores: Stores) -> None:
    for category in (NEWS, CODES, replace(NEWS, service="payments")):
        await stores.categories.set(category)

    assert await listed(stores) == ["orders codes", "orders news", "payments news"]
    assert await listed(stores, "payments") == ["payments news"]
    after = await stores.categories.list(service=None, limit=1, after=("orders", "codes"))
    assert [each.key for each in after] == ["news"]
    assert set((await stores.categories.declared("orders")).by_key) == {"codes", "news"}


async def test_what_is_removed_is_gone_for_its_service_alone(stores: Stores) -> None:
    await stores.categories.set(NEWS)
    await stores.categories.set(replace(NEWS, service="payments"))

    assert await stores.categories.remove("orders", "news") is None
    assert await stores.categories.remove("orders", "news") == NotFound()
    assert await listed(stores) == ["payments news"]


async def test_a_service_declares_only_so_many(stores: Stores) -> None:
    for index in range(MAX_CATEGORIES):
        await stores.categories.set(replace(CODES, key=f"c{index}"))

    assert await stores.categories.set(replace(CODES, key="one-more")) == TooManyCategories()
    assert isinstance(await stores.categories.set(replace(NEWS, key="c1")), StoredCategory)


async def test_quiet_hours_are_a_services_own_and_can_be_taken_back(stores: Stores) -> None:
    assert await stores.categories.declared("orders") == NOTHING

    await stores.categories.set_quiet_hours("orders", QuietHours(time(1), time(2)))
    await stores.categories.set_quiet_hours("orders", NIGHT)

    assert (await stores.categories.declared("orders")).quiet_hours == NIGHT
    assert (await stores.categories.declared("payments")).quiet_hours is None

    await stores.categories.set_quiet_hours("orders", None)
    assert await stores.categories.declared("orders") == NOTHING


async def test_what_was_removed_is_remembered_until_it_is_declared_again(stores: Stores) -> None:
    await stores.categories.set(NEWS)
    await stores.categories.set(replace(NEWS, service="payments"))

    for _ in range(2):
        await stores.categories.remove("orders", "news")
        await stores.categories.remove("orders", "never")
        assert (await stores.categories.declared("orders")).former == {"news"}
        assert (await stores.categories.declared("payments")).former == frozenset()

        await stores.categories.set(NEWS)
        assert (await stores.categories.declared("orders")).former == frozenset()
