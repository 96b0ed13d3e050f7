"""Changing what people want: noted, and never in place of another's change unasked."""

import asyncio
from datetime import time

from notifier.audience.changing import Wishes, preferences_etag
from notifier.audience.choice_change import Source
from notifier.audience.choices import ANY, Choices
from notifier.audience.person import Person, Profile
from notifier.audience.quiet_hours import QuietHours
from notifier.idempotency import LostRace, NotFound
from tests.contract.store.stores import Stores

OFF = Wishes(choices={("news", "email"): False})
NIGHT = QuietHours(time(22), time(7))


async def changed(stores: Stores, wishes: Wishes, **etag: str) -> Person:
    found = await stores.preferences.change("orders", "u-7", wishes, Source.API, **etag)
    assert isinstance(found, Person)
    return found


async def noted(stores: Stores) -> list[tuple[str, str, bool | None, str]]:
    found = await stores.choice_history.of("orders", "u-7", limit=10, before=None)
    return [(each.category, each.channel, each.is_on, each.source.value) for each in found]


async def test_choices_and_quiet_hours_are_kept_with_the_person(stores: Stores) -> None:
    await stores.people.put("orders", Profile(user_id="u-7", locale="de"))

    await changed(stores, OFF)
    after = await changed(stores, Wishes(quiet_hours=NIGHT, sets_quiet_hours=True))

    found = (await stores.directory.people("orders", ["u-7"]))["u-7"]
    assert found == after
    assert (after.choices, after.quiet_hours) == (Choices(OFF.choices), NIGHT)  # type: ignore[arg-type]  # none of them is None
    assert after.profile == Profile(user_id="u-7", locale="de")

    cleared = await changed(
        stores, Wishes(choices={("news", "email"): None}, sets_quiet_hours=True)
    )
    assert (cleared.choices, cleared.quiet_hours) == (Choices(), None)


async def test_only_what_is_another_choice_then_is_noted(stores: Stores) -> None:
    await stores.people.put("orders", Profile(user_id="u-7"))

    await changed(stores, OFF)
    await changed(stores, Wishes(choices={**OFF.choices, (ANY, "sms"): False}))
    await changed(stores, OFF)
    await changed(stores, Wishes(choices={("news", "email"): None, ("offers", ANY): None}))

    assert await noted(stores) == [
        ("news", "email", None, "api"),
        (ANY, "sms", False, "api"),
        ("news", "email", False, "api"),
    ]


async def test_who_comes_second_is_told_so_and_changes_nothing(stores: Stores) -> None:
    await stores.people.put("orders", Profile(user_id="u-7"))
    before = preferences_etag(await changed(stores, Wishes()))
    after = preferences_etag(await changed(stores, OFF, if_match=before))

    on = Wishes(choices={("news", "email"): True})
    lost = await stores.preferences.change("orders", "u-7", on, Source.API, if_match=before)

    assert lost == LostRace(after)
    assert len(await noted(stores)) == 1


async def test_two_changes_at_the_same_time_are_both_made(stores: Stores) -> None:
    await stores.people.put("orders", Profile(user_id="u-7"))
    wishes = [Wishes(choices={(f"c{number}", ANY): False}) for number in range(6)]

    await asyncio.gather(*(changed(stores, each) for each in wishes))

    assert len((await changed(stores, Wishes())).choices.by_place) == 6
    assert len(await noted(stores)) == 6


async def test_nobody_is_made_by_a_change(stores: Stores) -> None:
    found = await stores.preferences.change("orders", "nobody", OFF, Source.API)

    assert found == NotFound()
    assert await stores.directory.people("orders", ["nobody"]) == {}


async def test_a_history_goes_along_when_two_are_one(stores: Stores) -> None:
    await stores.people.put_all("orders", [Profile(user_id="u-7"), Profile(user_id="old")])
    await stores.preferences.change("orders", "old", OFF, Source.PAGE)

    await stores.people.merge("orders", "u-7", from_id="old")

    place = ("news", "email", False)
    assert await noted(stores) == [(*place, "merge"), (*place, "page")]
    assert (await changed(stores, Wishes())).choices == Choices({("news", "email"): False})


async def test_who_has_the_id_of_somebody_deleted_has_nothing_of_theirs(stores: Stores) -> None:
    await stores.people.put("orders", Profile(user_id="u-7"))
    await changed(stores, OFF)

    await stores.people.delete("orders", "u-7")
    await stores.people.put("orders", Profile(user_id="u-7"))

    assert await noted(stores) == []
    assert (await changed(stores, Wishes())).choices == Choices()
