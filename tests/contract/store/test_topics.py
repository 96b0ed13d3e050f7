"""Topics and their members: each once, of one service, in the order of their user ids."""

from notifier.audience.topic import Member
from notifier.idempotency import NotFound
from notifier.store.topics import SqlTopicStore
from tests.contract.store.stores import Stores


async def a_topic(stores: Stores, *user_ids: str, service: str = "shop") -> None:
    await stores.topics.set(service=service, key="news", title="News")
    if user_ids:
        await stores.topics.add(service, "news", [Member(each) for each in user_ids])


async def members(stores: Stores, service: str = "shop") -> list[str]:
    found = await stores.topics.members(service, "news", limit=200, after=None)
    return [each.user_id for each in found]


async def test_a_topic_is_kept_with_its_last_title(stores: Stores) -> None:
    await stores.topics.set(service="shop", key="news", title="News")
    stored = await stores.topics.set(service="shop", key="news", title="Weekly")

    assert await stores.topics.get("shop", "news") == stored
    assert (stored.title, stored.updated_at.tzinfo is not None) == ("Weekly", True)
    assert await stores.topics.get("pay", "news") == NotFound()


async def test_topics_come_by_service_and_key(stores: Stores) -> None:
    for service, key in (("shop", "news"), ("pay", "news"), ("shop", "fair")):
        await stores.topics.set(service=service, key=key, title="T")

    every = await stores.topics.list(service=None, limit=9, after=None)
    rest = await stores.topics.list(service="shop", limit=9, after=("shop", "fair"))

    assert [(each.service, each.key) for each in every] == [
        ("pay", "news"), ("shop", "fair"), ("shop", "news"),
    ]  # fmt: skip
    assert [each.key for each in rest] == ["news"]


async def test_a_member_is_added_once_and_told_from_new_ones(stores: Stores) -> None:
    await a_topic(stores, "u2", "u1")

    new = await stores.topics.add("shop", "news", [Member("u2", {"seat": 7}), Member("u3")])

    assert set(new if not isinstance(new, NotFound) else ()) == {"u3"}
    found = await stores.topics.members("shop", "news", limit=9, after="u1")
    assert found == [Member("u2", {"seat": 7}), Member("u3")]
    assert await stores.topics.count("shop", "news") == 3


async def test_members_are_of_their_service_alone(stores: Stores) -> None:
    await a_topic(stores, "u1", "u2")
    await a_topic(stores, "u1", service="pay")

    assert await stores.topics.drop("shop", "news", ["u1", "u9"]) == {"u1"}
    assert (await members(stores), await members(stores, "pay")) == (["u2"], ["u1"])


async def test_without_a_topic_there_are_no_members(stores: Stores) -> None:
    assert await stores.topics.add("shop", "news", [Member("u1")]) == NotFound()
    assert await stores.topics.drop("shop", "news", ["u1"]) == NotFound()
    assert await stores.topics.remove("shop", "news") == NotFound()
    assert await members(stores) == []


async def test_a_topic_goes_with_all_members_however_many(stores: Stores) -> None:
    await a_topic(stores, "u1", "u2", "u3", "u4", "u5")
    await a_topic(stores, "u1", service="pay")

    assert await SqlTopicStore(stores.database, removed_at_once=2).remove("shop", "news") is None

    assert await stores.topics.get("shop", "news") == NotFound()
    assert (await members(stores), await members(stores, "pay")) == ([], ["u1"])
