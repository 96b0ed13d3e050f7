"""Rules: drafts that can be changed, and versions that cannot."""

from typing import Any
from uuid import uuid4

import pytest

from notifier.errors import StoreUnavailableError
from notifier.events.rules import RuleDraft
from notifier.idempotency import Applied, LostRace, NotFound
from tests.contract.store.stores import Stores


def document(**changes: Any) -> dict[str, Any]:
    send = {"send": ["email"], "template": "order.shipped"}
    return {"on": "order.shipped", "to": "data.user_id", "steps": [send], **changes}


async def saved(stores: Stores, name: str = "shipped", **changes: Any) -> RuleDraft:
    found = await stores.rules.save(
        service="orders", name=name, document=document(**changes), if_match=None
    )
    assert isinstance(found, RuleDraft)
    return found


async def published(stores: Stores, name: str = "shipped", **changes: Any) -> RuleDraft:
    draft = await saved(stores, name, **changes)
    assert await stores.rules.publish(draft=draft, id=uuid4()) == Applied()
    return draft


async def in_force(stores: Stores, service: str = "orders") -> list[tuple[str, int, str]]:
    found = await stores.rules.in_force(service)
    return [(each.name, each.number, each.rule.on) for each in found]


async def test_a_draft_is_not_in_force_before_it_is_published(stores: Stores) -> None:
    draft = await saved(stores)
    assert await in_force(stores) == []

    assert await stores.rules.publish(draft=draft, id=uuid4()) == Applied()
    await saved(stores, on="order.late")

    assert await in_force(stores) == [("shipped", 1, "order.shipped")]
    assert await in_force(stores, "payments") == []


async def test_what_a_newer_notifier_put_in_force_is_left_to_it(stores: Stores) -> None:
    await published(stores)
    await published(stores, "later", priority_of_later_days="urgent")

    with pytest.raises(StoreUnavailableError, match="the rule later is of a newer notifier"):
        await stores.rules.in_force("orders")

    assert await in_force(stores, "payments") == []
    assert (await stores.queries.backlog()).pending == 0


async def test_a_version_is_found_by_its_id_whatever_is_published_or_removed(
    stores: Stores,
) -> None:
    await published(stores)
    [version] = await stores.rules.in_force("orders")
    await published(stores, on="order.late")
    assert await stores.rules.remove("orders", "shipped") is None

    assert await stores.rules.by_id(version.id) == version
    assert await stores.rules.by_id(uuid4()) is None
    assert await in_force(stores) == []
    assert await stores.rules.remove("orders", "shipped") == NotFound()


async def test_who_publishes_or_saves_what_was_changed_meanwhile_is_told(stores: Stores) -> None:
    seen = await saved(stores)
    now = await saved(stores, on="order.late")

    assert await stores.rules.publish(draft=seen, id=uuid4()) == LostRace(now.etag)
    assert await stores.rules.save(
        service="orders", name="shipped", document=document(), if_match=seen.etag
    ) == LostRace(now.etag)
    assert await stores.rules.save(
        service="orders", name="other", document=document(), if_match=seen.etag
    ) == LostRace(None)
    assert await stores.rules.save(
        service="orders", name="shipped", document=document(), if_match=""
    ) == LostRace(now.etag)
    assert await stores.rules.publish(draft=now, id=uuid4()) == Applied()
    assert isinstance(await stores.rules.publish(draft=now, id=uuid4()), LostRace)


async def test_an_earlier_version_is_in_force_again_as_the_next_one(stores: Stores) -> None:
    await published(stores)
    await published(stores, on="order.late")
    draft = await stores.rules.draft("orders", "shipped")
    assert isinstance(draft, RuleDraft)
    assert (draft.published, draft.next_number) == (2, 3)

    assert await stores.rules.rollback(draft=draft, number=9, id=uuid4()) == NotFound()
    assert await stores.rules.rollback(draft=draft, number=1, id=uuid4()) == Applied()

    assert await in_force(stores) == [("shipped", 3, "order.shipped")]
    versions = await stores.rules.versions("orders", "shipped", limit=2, before=None)
    assert [each.number for each in versions] == [3, 2]
    assert versions[0].document == document()


async def test_rules_are_listed_by_their_names(stores: Stores) -> None:
    await published(stores, "b")
    await saved(stores, "a")

    every = await stores.rules.list(service="orders", limit=10, after=None)
    rest = await stores.rules.list(service=None, limit=10, after=("orders", "a"))

    assert [(each.name, each.published) for each in every] == [("a", None), ("b", 1)]
    assert [each.name for each in rest] == ["b"]
    assert await stores.rules.draft("orders", "c") == NotFound()
