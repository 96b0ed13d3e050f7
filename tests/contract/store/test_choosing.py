"""Choosing by a link: by user id, and by an address alone."""

from notifier.audience.choice_change import Source
from notifier.audience.choices import ANY
from notifier.audience.choosing import Chosen
from notifier.audience.links import Chooser
from notifier.audience.person import Address, Profile
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from tests.contract.store.stores import Stores

ADDRESS = Chooser(
    service="orders", channel=Channel.EMAIL, category="news", recipient="ada@example.org"
)
USER = Chooser(service="orders", channel=Channel.EMAIL, category="news", user_id="u-7")
NEWS, OFFERS, ALL = ("news", "email"), ("offers", "email"), (ANY, "email")


async def listed(stores: Stores) -> list[tuple[str | None, str]]:
    found = await stores.suppressions.list(service="orders", channel=None, limit=9, after=None)
    return [(each.category, each.reason.value) for each in found]


async def test_what_an_address_wants_is_on_its_list_and_noted_once(stores: Stores) -> None:
    choose = stores.choosing.choose

    counts = [await choose(ADDRESS, {NEWS: False}, Source.ONE_CLICK) for _ in range(2)]
    assert await listed(stores) == [("news", "unsubscribed")]
    assert dict((await stores.choosing.chosen(ADDRESS)).choices.by_place) == {NEWS: False}
    counts += [await choose(ADDRESS, {NEWS: True}, Source.PAGE) for _ in range(2)]

    assert counts == [1, 0, 1, 0]
    assert await listed(stores) == []


async def test_an_address_that_wants_one_thing_again_refuses_everything_no_longer(
    stores: Stores,
) -> None:
    await stores.choosing.choose(ADDRESS, {ALL: False}, Source.PAGE)

    await stores.choosing.choose(ADDRESS, {NEWS: True, OFFERS: False}, Source.PAGE)

    assert await listed(stores) == [("offers", "unsubscribed")]


async def test_a_complaint_and_a_bounce_stay_on_the_list(stores: Stores) -> None:
    for category, reason in ((None, "spam_report"), ("news", "hard_bounce")):
        await stores.suppressions.add(
            service="orders",
            channel=Channel.EMAIL,
            recipient="ada@example.org",
            reason=SuppressionReason(reason),
            category=category,
        )

    assert await stores.choosing.choose(ADDRESS, {NEWS: True}, Source.PAGE) == 0

    assert await listed(stores) == [(None, "spam_report"), ("news", "hard_bounce")]
    assert dict((await stores.choosing.chosen(ADDRESS)).choices.by_place) == {ALL: False}


async def test_what_a_person_chooses_is_kept_with_them_and_noted(stores: Stores) -> None:
    email = Address(channel=Channel.EMAIL, address="ada@example.org", is_primary=True)
    profile = Profile(user_id="u-7", locale="de", addresses=(email,))
    _, before = await stores.people.put("orders", profile)  # type: ignore[misc]  # no race
    changes = {NEWS: False, OFFERS: True}

    counts = [await stores.choosing.choose(USER, changes, Source.PAGE) for _ in range(2)]
    counts.append(await stores.choosing.choose(USER, {OFFERS: None}, Source.PAGE))

    assert counts == [2, 0, 1]
    chosen = await stores.choosing.chosen(USER)
    assert dict(chosen.choices.by_place) == {NEWS: False}
    assert (chosen.locale, set(chosen.channels)) == ("de", {Channel.EMAIL, Channel.IN_APP})
    person = (await stores.directory.people("orders", ["u-7"]))["u-7"]
    assert person.etag == before.etag
    assert await listed(stores) == []
    history = await stores.choice_history.of("orders", "u-7", limit=9, before=None)
    assert {(each.category, each.is_on, each.source) for each in history} == {
        ("news", False, "page"),
        ("offers", True, "page"),
        ("offers", None, "page"),
    }


async def test_nobody_is_there_who_could_choose(stores: Stores) -> None:
    assert await stores.choosing.choose(USER, {NEWS: False}, Source.ONE_CLICK) == 0

    assert await stores.choosing.chosen(USER) == Chosen(is_known=False)
    assert await stores.choice_history.of("orders", "u-7", limit=9, before=None) == []
