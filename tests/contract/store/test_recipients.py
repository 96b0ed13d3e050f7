"""The directory: people by their service's own ids, and what is found of them."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, insert

from notifier.audience.person import PeopleFilter, Person, Profile, Written
from notifier.audience.topic import Member
from notifier.broadcasts.broadcast import Whom
from notifier.broadcasts.roll import Roll
from notifier.idempotency import LostRace, NotFound
from notifier.notification.model import Channel
from notifier.store.recipients import searching
from notifier.store.recipients.tables import recipient_aliases
from tests.contract.store.stores import Stores
from tests.people import a_profile, an_address

WORK = an_address("Ada@Work.example", is_primary=False)
PHONE = an_address("+491701234567", Channel.SMS)
ADA = a_profile("u-7", an_address("Ada.L@example.org"), WORK, PHONE)


async def put(stores: Stores, *profiles: Profile, service: str = "orders") -> list[Written]:
    return list(await stores.people.put_all(service, profiles))


async def found(stores: Stores, user_id: str, service: str = "orders") -> Person:
    person = await stores.people.get(service, user_id)
    assert isinstance(person, Person)
    return person


async def alias(stores: Stores, **row: str) -> None:
    async with stores.database._writer.begin() as connection:  # noqa: SLF001
        await connection.execute(insert(recipient_aliases).values(service="orders", **row))


async def listed(
    stores: Stores, filter: PeopleFilter | None = None, service: str | None = "orders"
) -> list[str]:
    page = await stores.people.list(
        service=service, filter=filter or PeopleFilter(), limit=100, after=None
    )
    assert page.goes_on_after is None
    return [each.user_id for each in page.people]


async def test_somebody_is_found_as_they_were_put(stores: Stores) -> None:
    at = datetime(2026, 5, 1, 12, 30, 0, 5_000, tzinfo=UTC)
    odd = a_profile(
        "a/b \N{PACKAGE} .. %2F,",
        replace(PHONE, verified_at=at),
        locale=None,
        time_zone=None,
        attributes={"tags": ["a", None, {"b": 1.5}], "n": 2**62, "ok": True},
    )
    for profile in (ADA, odd):
        assert await put(stores, profile) == [Written.CREATED]

        person = await found(stores, profile.user_id)
        assert person.profile == profile
        assert (person.etag, person.service) == (profile.etag, "orders")
        assert (await stores.directory.people("orders", [profile.user_id])) == {
            profile.user_id: person
        }


async def test_the_last_word_on_somebody_holds_and_keeps_what_they_chose(stores: Stores) -> None:
    await put(stores, ADA)
    before = await found(stores, "u-7")
    changed = a_profile("u-7", replace(WORK, is_primary=True), locale=None, attributes={})

    assert await put(stores, changed) == [Written.UPDATED]
    assert await put(stores, changed) == [Written.UNCHANGED]

    after = await found(stores, "u-7")
    assert after.profile == changed
    assert after.etag != before.etag
    assert after.created_at == before.created_at


async def test_many_are_put_at_once_and_each_is_told_what_became_of_it(stores: Stores) -> None:
    await put(stores, ADA, a_profile("u-8"))
    many = [a_profile(f"m-{n}", an_address(f"m{n}@example.org")) for n in range(500)]

    written = await put(stores, ADA, a_profile("u-8", locale="fr"), *many, ADA, a_profile("u-7"))

    assert written[:2] == [Written.UNCHANGED, Written.UPDATED]
    assert written[2:502] == [Written.CREATED] * 500
    assert written[502:] == [Written.UNCHANGED, Written.UPDATED]
    assert (await found(stores, "u-7")).profile == a_profile("u-7")
    wanted = {f"m-{n}" for n in range(500)}
    assert set(await stores.directory.people("orders", [*wanted, "nobody"])) == wanted


async def test_a_service_has_people_of_its_own(stores: Stores) -> None:
    await put(stores, ADA)
    await put(stores, a_profile("u-7", locale="fr"), service="payments")

    assert (await found(stores, "u-7")).locale == "de-AT"
    assert await stores.people.delete("payments", "u-7") is None
    assert await stores.people.get("payments", "u-7") == NotFound()
    assert await listed(stores, service=None) == ["u-7"]


async def test_who_asks_at_the_same_time_shares_a_statement(stores: Stores) -> None:
    await put(stores, *(a_profile(f"u-{n}") for n in range(40)))
    statements: list[str] = []
    for engine in (stores.database._reader, stores.database._writer):  # noqa: SLF001
        event.listen(
            engine.sync_engine,
            "before_cursor_execute",
            lambda *args: statements.append(args[2]),
        )

    asked = await asyncio.gather(
        *(stores.directory.people("orders", [f"u-{n}", f"u-{n + 1}"]) for n in range(39))
    )

    assert [set(each) for each in asked] == [{f"u-{n}", f"u-{n + 1}"} for n in range(39)]
    assert len([each for each in statements if "recipients" in each]) <= 3


async def test_an_id_from_before_leads_to_the_same_person_everywhere(stores: Stores) -> None:
    await put(stores, ADA)
    await alias(stores, alias="old", user_id="u-7")

    assert (await stores.directory.people("orders", ["old", "u-7"])).keys() == {"old", "u-7"}
    assert (await found(stores, "old")).user_id == "u-7"
    assert await put(stores, a_profile("old", locale="fr")) == [Written.UPDATED]
    assert (await found(stores, "u-7")).locale == "fr"
    assert await listed(stores) == ["u-7"]
    assert await stores.people.delete("orders", "old") is None
    assert await stores.directory.people("orders", ["old", "u-7"]) == {}


async def test_an_id_that_was_deleted_can_be_created_again(stores: Stores) -> None:
    await put(stores, ADA)
    await alias(stores, alias="old", user_id="u-7")
    await stores.topics.set(service="orders", key="news", title="News")
    await stores.topics.add("orders", "news", [Member("u-7"), Member("u-8")])

    assert await stores.people.delete("orders", "u-7") is None
    assert await stores.people.delete("orders", "u-7") == NotFound()

    assert await put(stores, a_profile("u-7"), a_profile("old")) == [Written.CREATED] * 2
    assert (await found(stores, "u-7")).profile == a_profile("u-7")
    assert await listed(stores) == ["old", "u-7"]


async def test_who_changes_what_another_has_changed_is_told_so(stores: Stores) -> None:
    await put(stores, ADA)
    other = a_profile("u-7", locale="fr")

    assert await stores.people.put("orders", other, if_match="stale") == LostRace(ADA.etag)
    assert await stores.people.delete("orders", "u-7", if_match="stale") == LostRace(ADA.etag)
    assert await stores.people.put("orders", a_profile("u-9"), if_match="any") == LostRace(None)
    put_again = await stores.people.put("orders", other, if_match=ADA.etag)
    assert not isinstance(put_again, LostRace)
    assert put_again == (Written.UPDATED, await found(stores, "u-7"))
    assert await stores.people.delete("orders", "u-7", if_match=other.etag) is None


async def test_people_who_are_put_by_several_at_once_are_there_once(stores: Stores) -> None:
    waves = [[a_profile(f"u-{n}", locale=locale) for n in range(50)] for locale in ("de", "fr")]

    written = await asyncio.gather(*(put(stores, *wave) for wave in (*waves, waves[0][::-1])))

    assert len(written) == 3
    assert len(await listed(stores)) == 50


@pytest.mark.parametrize(
    ("filter", "ids"),
    [
        (PeopleFilter(attributes={"plan": "pro"}), ["a", "b"]),
        (PeopleFilter(attributes={"plan": "pro", "seats": "3"}), ["a"]),
        (PeopleFilter(attributes={"seats": "3"}), ["a", "d"]),
        (PeopleFilter(attributes={"trial": "true"}), ["b"]),
        (PeopleFilter(attributes={"plan": "PRO"}), []),
        (PeopleFilter(address="ADA@example.ORG"), ["a", "c"]),
        (PeopleFilter(address="+49 170 1234567"), ["b"]),
        (PeopleFilter(channel=Channel.SMS), ["b"]),
        (PeopleFilter(channel=Channel.SMS, address="ada@example.org"), []),
    ],
)
async def test_people_are_found_by_what_is_known_of_them(
    stores: Stores, filter: PeopleFilter, ids: list[str]
) -> None:
    bob = an_address("bob@example.org")
    await put(
        stores,
        a_profile("a", an_address("Ada@example.org"), attributes={"plan": "pro", "seats": 3}),
        a_profile("b", PHONE, attributes={"plan": "pro", "trial": True}),
        a_profile("c", bob, an_address("ada@Example.org", is_primary=False), attributes={}),
        a_profile("d", bob, attributes={"plan": "free", "seats": "3", "trial": 1}),
    )
    await put(stores, a_profile("e", attributes={"plan": "pro"}), service="payments")

    assert await listed(stores, filter) == ids


async def test_pages_of_people_join_up(stores: Stores) -> None:
    await put(stores, *(a_profile(f"u-{n}") for n in range(5)))
    await put(stores, a_profile("u-0"), service="payments")

    seen = await all_pages(stores, PeopleFilter(), limit=2)

    assert seen == [*(("orders", f"u-{n}") for n in range(5)), ("payments", "u-0")]


async def all_pages(
    stores: Stores, filter: PeopleFilter, *, limit: int, service: str | None = None
) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []
    after: tuple[str, str] | None = None
    while True:
        page = await stores.people.list(service=service, filter=filter, limit=limit, after=after)
        seen += [(each.service, each.user_id) for each in page.people]
        after = page.goes_on_after
        if after is None:
            return seen


@pytest.mark.parametrize("service", ["orders", None])
async def test_what_is_rare_is_looked_for_among_so_many_at_a_time(
    stores: Stores, service: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LOOKED_AT", 4)
    monkeypatch.setattr(searching, "_FEW", 1)
    rare = PeopleFilter(attributes={"plan": "pro"})
    for n in range(12):
        plan = "pro" if n in (1, 2, 10) else "free"
        await put(stores, a_profile(f"u-{n:02}", attributes={"plan": plan}))

    first = await stores.people.list(service=service, filter=rare, limit=5, after=None)

    assert [each.user_id for each in first.people] == ["u-01", "u-02"]
    assert first.goes_on_after == ("orders", "u-03")
    middle = await stores.people.list(
        service=service, filter=rare, limit=5, after=first.goes_on_after
    )
    assert (middle.people, middle.goes_on_after) == ([], ("orders", "u-07"))
    found = await all_pages(stores, rare, limit=5, service=service)
    assert [id for _, id in found] == ["u-01", "u-02", "u-10"]
    roll = Roll(stores.topics, stores.people, stores.topic_zones)
    members = await roll.members("orders", Whom(attributes={"plan": "pro"}), limit=3, after="")
    assert [each.user_id for each in members] == ["u-01", "u-02", "u-10"]


async def test_somebody_is_found_by_an_address_however_many_others_there_are(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "LOOKED_AT", 2)
    for n in range(5):
        await put(stores, a_profile(f"u-{n}", an_address(f"u-{n}@example.org")))

    page = await stores.people.list(
        service="orders", filter=PeopleFilter(address="U-4@example.org"), limit=1, after=None
    )

    assert ([each.user_id for each in page.people], page.goes_on_after) == (["u-4"], None)
