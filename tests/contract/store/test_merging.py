"""Merges: all that one had is the other's, and either id leads to them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifier.audience.caps import CapUse
from notifier.audience.category import Span
from notifier.audience.choice_change import Source
from notifier.audience.choices import ANY
from notifier.audience.inbox import Mark
from notifier.audience.links import Chooser
from notifier.audience.person import NobodyToMerge, Person, Profile, Written
from notifier.audience.topic import Member
from notifier.idempotency import NotFound
from notifier.notification.model import Addressee, Channel
from tests.contract.store.stores import Stores, a_message, a_submission
from tests.people import a_profile, an_address

NEW = a_profile("new", an_address("ada@example.org"), locale=None, attributes={"plan": "pro"})
OLD = a_profile(
    "old",
    an_address("Ada@Example.org", is_primary=False),
    an_address("ada@old.example"),
    an_address("+491701234567", Channel.SMS),
    locale="fr",
    attributes={"plan": "free", "since": 2020},
)


async def put(stores: Stores, *profiles: Profile) -> list[Written]:
    return list(await stores.people.put_all("orders", profiles))


async def merge(stores: Stores, user_id: str, from_id: str) -> Person:
    merged = await stores.people.merge("orders", user_id, from_id=from_id)
    assert isinstance(merged, Person)
    return merged


async def known(stores: Stores, *ids: str) -> dict[str, str]:
    found = await stores.directory.people("orders", ids)
    return {asked: person.user_id for asked, person in found.items()}


async def items(stores: Stores, recipient: str) -> list[tuple[str, bool]]:
    found = await stores.inbox.since("orders", recipient, 0, limit=50)
    return [(each.text, each.read_at is not None) for each in found]


async def deliver(stores: Stores, recipient: str, text: str) -> None:
    message = a_message(a_submission(channel=Channel.IN_APP, recipient=recipient))
    await stores.inbox.deliver(replace(message, text=text))


async def test_what_one_had_is_the_others_who_wins_where_both_say_something(
    stores: Stores,
) -> None:
    await put(stores, NEW, OLD)

    merged = await merge(stores, "new", "old")

    assert merged.profile == Profile(
        user_id="new",
        locale="fr",
        time_zone="Europe/Vienna",
        attributes={"plan": "pro", "since": 2020},
        addresses=(
            an_address("ada@example.org"),
            an_address("ada@old.example", is_primary=False),
            an_address("+491701234567", Channel.SMS),
        ),
    )
    assert merged.etag == merged.profile.etag
    assert await known(stores, "new", "old") == {"new": "new", "old": "new"}


async def test_who_was_merged_into_another_comes_along_when_that_one_is_merged(
    stores: Stores,
) -> None:
    await put(stores, *(a_profile(each) for each in "abc"))

    await merge(stores, "b", "c")
    await merge(stores, "a", "c")

    assert await known(stores, "a", "b", "c") == {"a": "a", "b": "a", "c": "a"}
    assert await merge(stores, "c", "b") == await merge(stores, "a", "b")
    assert await put(stores, a_profile("b", locale="fr")) == [Written.UPDATED]


async def test_nobody_is_merged_who_is_not_there(stores: Stores) -> None:
    await put(stores, NEW)

    assert await stores.people.merge("orders", "nobody", from_id="new") == NotFound()
    assert await stores.people.merge("orders", "new", from_id="nobody") == NobodyToMerge()
    assert await stores.people.merge("payments", "new", from_id="old") == NotFound()
    assert await known(stores, "new", "nobody") == {"new": "new"}


async def test_ids_of_somebody_who_was_deleted_are_free_again(stores: Stores) -> None:
    await put(stores, NEW, OLD)
    await merge(stores, "new", "old")
    await stores.people.delete("orders", "old")

    assert await put(stores, NEW, OLD) == [Written.CREATED] * 2
    assert await known(stores, "new", "old") == {"new": "new", "old": "old"}


async def test_topics_and_what_waits_come_along(stores: Stores) -> None:
    await put(stores, NEW, OLD)
    for key, members in (("both", "new old"), ("news", "old other")):
        await stores.topics.set(service="orders", key=key, title=key)
        await stores.topics.add("orders", key, [Member(each) for each in members.split()])
    old = Addressee(user_id="old")
    waiting = await stores.accept(replace(a_submission(), addressee=old))
    claimed = await stores.claimed(replace(a_submission(), addressee=old))

    await merge(stores, "new", "old")

    for key, left in (("both", ["new"]), ("news", ["new", "other"])):
        found = await stores.topics.members("orders", key, limit=9, after=None)
        assert not isinstance(found, NotFound)
        assert [each.user_id for each in found] == left
    for id in (waiting.id, claimed.id):
        assert (await stores.get(id)).addressee == Addressee(user_id="new")


async def test_inboxes_become_one_with_all_that_was_marked_in_them(stores: Stores) -> None:
    await put(stores, NEW, OLD)
    await deliver(stores, "old", "first")
    await stores.inbox.mark("orders", "old", None, Mark.READ)
    await deliver(stores, "old", "second")
    await deliver(stores, "new", "third")

    await merge(stores, "new", "old")
    await deliver(stores, "new", "fourth")

    assert await items(stores, "new") == [
        ("third", False), ("first", True), ("second", False), ("fourth", False),
    ]  # fmt: skip
    assert (await stores.inbox.head("orders", "new")).unread == 3


async def test_an_inbox_is_read_filled_and_marked_by_every_id_of_its_person(
    stores: Stores,
) -> None:
    await put(stores, *(a_profile(each) for each in "abc"))
    await deliver(stores, "c", "first")
    await merge(stores, "b", "c")
    await merge(stores, "a", "b")

    for recipient in "cba":
        await deliver(stores, recipient, f"to {recipient}")
    (newest,) = await stores.inbox.page("orders", "c", limit=1, before=None, unread_only=True)
    await stores.inbox.mark("orders", "b", newest.notification_id, Mark.READ)

    told = [("first", False), ("to c", False), ("to b", False), ("to a", True)]
    assert [await items(stores, each) for each in "abc"] == [told] * 3
    heads = await stores.inbox.heads([("orders", each) for each in "abc"])
    assert [heads["orders", each].unread for each in "abc"] == [3] * 3
    await stores.inbox.mark("orders", "c", None, Mark.READ)
    assert (await stores.inbox.head("orders", "a")).unread == 0


async def test_whoever_follows_an_inbox_is_told_of_all_that_is_moved(stores: Stores) -> None:
    await put(stores, NEW, OLD)
    await deliver(stores, "new", "mine")
    for text in ("first", "second", "third"):
        await deliver(stores, "old", text)
    await stores.inbox.mark("orders", "old", None, Mark.READ)
    known = await stores.inbox.head("orders", "old")

    await merge(stores, "new", "old")

    head = await stores.inbox.head("orders", "old")
    assert (head.seq, head.version) == (known.seq + 3, known.version + 1)
    found = await stores.inbox.since("orders", "old", known.seq, limit=9)
    assert [each.text for each in found] == ["first", "second", "third"]


async def test_an_inbox_called_by_an_address_stays_with_whom_has_that(stores: Stores) -> None:
    await put(stores, NEW, OLD, a_profile("other", an_address("old", Channel.IN_APP)))
    await merge(stores, "new", "old")

    await deliver(stores, "old", "to the other one")

    assert await items(stores, "new") == []
    assert await items(stores, "old") == [("to the other one", False)]


async def test_an_id_that_is_free_again_has_an_inbox_of_its_own(stores: Stores) -> None:
    await put(stores, NEW, OLD)
    await merge(stores, "new", "old")
    await stores.people.delete("orders", "new")
    await put(stores, OLD)

    await deliver(stores, "old", "mine")

    assert await items(stores, "old") == [("mine", False)]
    assert await items(stores, "new") == []


async def test_an_inbox_called_by_a_user_id_goes_to_where_the_person_has_one(
    stores: Stores,
) -> None:
    inbox = an_address("ada", Channel.IN_APP)
    await put(stores, NEW, a_profile("old", inbox))
    await deliver(stores, "new", "mine")
    await deliver(stores, "ada", "theirs")

    await merge(stores, "new", "old")

    await deliver(stores, "new", "ours")
    told = [("theirs", False), ("mine", False), ("ours", False)]
    assert [await items(stores, each) for each in ("ada", "new", "old")] == [told] * 3


async def test_what_is_kept_under_an_id_stays_there_whichever_address_comes_later(
    stores: Stores,
) -> None:
    await put(stores, NEW, OLD)
    await merge(stores, "new", "old")
    await deliver(stores, "new", "mine")

    await put(stores, a_profile("new", an_address("ada", Channel.IN_APP)))
    await deliver(stores, "new", "still mine")

    assert await items(stores, "new") == [("mine", False), ("still mine", False)]


@pytest.mark.parametrize("attempt", range(3))
async def test_merges_and_writes_at_the_same_time_leave_each_id_to_one_person(
    stores: Stores, attempt: int
) -> None:
    await put(stores, *(a_profile(each) for each in "abcd"))

    await asyncio.gather(
        stores.people.merge("orders", "a", from_id="b"),
        stores.people.merge("orders", "c", from_id="b"),
        stores.people.merge("orders", "b", from_id="d"),
        put(stores, a_profile("d", locale=f"de-{attempt}"), a_profile("b", locale="fr")),
        return_exceptions=True,
    )

    people = await stores.directory.people("orders", "abcd")
    assert people.keys() == set("abcd")
    assert all(people[each.user_id].user_id == each.user_id for each in people.values())


async def test_what_was_chosen_by_a_merge_is_in_the_history(stores: Stores) -> None:
    await put(stores, NEW, OLD)
    chosen = {"new": {"news": True, "offers": True}, "old": {"news": False, "tips": True}}
    for user_id, choices in chosen.items():
        user = Chooser(service="orders", channel=Channel.EMAIL, category=ANY, user_id=user_id)
        changes = {(category, "email"): is_on for category, is_on in choices.items()}
        await stores.choosing.choose(user, changes, Source.PAGE)

    await merge(stores, "new", "old")

    found = await stores.choice_history.of("orders", "new", limit=9, before=None)
    merged = [(each.category, each.is_on) for each in found if each.source is Source.MERGE]
    assert merged == [("tips", True), ("news", False)]
    assert len(found) == 4 + 2


async def test_what_either_got_counts_against_their_caps(stores: Stores) -> None:
    await put(stores, NEW, OLD)
    noon = datetime(2026, 11, 26, 12, tzinfo=UTC)
    use = CapUse(service="orders", user_id="new", cap="news", slot=noon, limit=3, per=Span.DAY)
    late = replace(use, slot=noon + timedelta(days=1))
    for each in (use, replace(use, user_id="old"), replace(late, user_id="old")):
        sent = await stores.accept(a_submission())
        assert await stores.caps.spend(each, sent.id)

    await merge(stores, "new", "old")

    assert [await stores.caps.used(each) for each in (use, late)] == [2, 1]
    assert await stores.caps.used(replace(use, user_id="old")) == 0


async def test_a_merge_by_which_nothing_was_chosen_is_in_the_history_too(stores: Stores) -> None:
    await put(stores, NEW, OLD)

    for _ in range(2):
        await merge(stores, "new", "old")

    (noted,) = await stores.choice_history.of("orders", "new", limit=9, before=None)
    assert (noted.source, noted.category, noted.channel) == (Source.MERGE, ANY, ANY)
    assert noted.is_on is None
