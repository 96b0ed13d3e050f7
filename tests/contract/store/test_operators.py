"""Operators, their sessions, and wrong passwords, as both databases keep them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from notifier.access.operators import Operator, Role
from notifier.access.sessions import IDLE_S, Session
from notifier.access.throttling import WINDOW_S
from tests.contract.store.stores import Stores

ANNA = Operator(
    login="anna",
    role=Role.OPERATOR,
    service="orders",
    password="a hash",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


async def begin(stores: Stores, id: str, *, login: str = "", key_id: str = "") -> Session:
    session = Session.begun(
        id, await stores.now(), login=login, key_id=key_id, source="192.0.2.1", agent="a browser"
    )
    await stores.sessions.begin(session)
    return session


async def test_an_operator_is_found_as_they_were_added_and_once(stores: Stores) -> None:
    assert not await stores.operators.is_any()
    assert await stores.operators.add(ANNA)
    assert not await stores.operators.add(replace(ANNA, role=Role.ADMIN))

    found = await stores.operators.find("anna")

    assert found is not None
    assert replace(found, created_at=ANNA.created_at, password_set_at=None) == ANNA
    assert found.password_set_at == found.created_at
    assert await stores.operators.find("ben") is None
    assert await stores.operators.is_any()
    assert await stores.operators.list() == [found]


async def test_an_operator_who_signs_in_elsewhere_is_found_by_that(stores: Stores) -> None:
    subject = "https://id.example 42"
    await stores.operators.add(replace(ANNA, password=None, subject=subject))

    found = await stores.operators.of_subject(subject)

    assert found is not None
    assert (found.login, found.password, found.password_set_at) == ("anna", None, None)
    assert await stores.operators.of_subject("https://id.example 43") is None


async def test_an_operator_gets_another_role(stores: Stores) -> None:
    await stores.operators.add(ANNA)

    assert await stores.operators.assign("anna", Role.AUTHOR, "shop", sees_every_service=True)

    found = await stores.operators.find("anna")
    assert found is not None
    assert (found.role, found.service, found.sees) == (Role.AUTHOR, "shop", None)
    assert not await stores.operators.assign("ben", Role.ADMIN, "shop", sees_every_service=True)


async def test_another_password_ends_all_sessions_but_the_one_it_is_set_in(
    stores: Stores,
) -> None:
    await stores.operators.add(ANNA)
    kept = await begin(stores, "kept", login="anna")
    await begin(stores, "other", login="anna")
    bens = await begin(stores, "bens", login="ben")

    assert await stores.operators.rehash("anna", "the same, dearer")
    assert len(await stores.sessions.list(login="anna")) == 2
    assert await stores.operators.set_password("anna", "another", keeps="kept")

    assert await stores.sessions.list(login="anna") == [kept]
    assert await stores.sessions.list(login="ben") == [bens]
    found = await stores.operators.find("anna")
    assert found is not None
    assert found.password == "another"
    assert not await stores.operators.set_password("nobody", "another")


async def test_who_is_let_in_no_longer_is_signed_out_and_may_come_back(stores: Stores) -> None:
    await stores.operators.add(ANNA)
    await begin(stores, "one", login="anna")

    assert await stores.operators.disable("anna")
    await stores.pass_time(60)
    assert await stores.operators.disable("anna")

    assert await stores.sessions.list(login="anna") == []
    disabled = await stores.operators.find("anna")
    assert disabled is not None
    assert disabled.disabled_at is not None
    assert disabled.disabled_at < await stores.now() - timedelta(seconds=59)
    assert await stores.operators.enable("anna")
    enabled = await stores.operators.find("anna")
    assert enabled is not None
    assert enabled.disabled_at is None


async def test_who_is_removed_is_signed_out(stores: Stores) -> None:
    await stores.operators.add(ANNA)
    await begin(stores, "one", login="anna")

    assert await stores.operators.remove("anna")

    assert await stores.operators.find("anna") is None
    assert await stores.sessions.find("one") is None
    assert not await stores.operators.remove("anna")


async def test_a_session_is_found_with_its_operator_as_they_are_now(stores: Stores) -> None:
    await stores.operators.add(ANNA)
    anna = await begin(stores, "annas", login="anna")
    key = await begin(stores, "keys", key_id="k1")
    await stores.operators.assign("anna", Role.ADMIN, "orders", sees_every_service=False)

    found = await stores.sessions.find("annas")

    assert found is not None
    assert found[0] == anna
    assert found[1] == await stores.operators.find("anna")
    assert await stores.sessions.find("keys") == (key, None)
    assert await stores.sessions.find("nobodys") is None


async def test_sessions_end_one_by_one_or_all_but_one(stores: Stores) -> None:
    for id in "abc":
        await begin(stores, id, key_id="k1")
    other = await begin(stores, "other", key_id="k2")

    assert await stores.sessions.end("a")
    assert not await stores.sessions.end("a")
    assert await stores.sessions.end_all(key_id="k1", keeps="b") == 1

    assert [each.id for each in await stores.sessions.list(key_id="k1")] == ["b"]
    assert await stores.sessions.list(key_id="k2") == [other]


async def test_sessions_that_have_ended_are_not_listed_and_forgotten_in_time(
    stores: Stores,
) -> None:
    await begin(stores, "old", login="anna")
    used = await begin(stores, "used", login="anna")
    await stores.sessions.renew(replace(used, ends_at=used.ends_at + timedelta(seconds=IDLE_S)))

    await stores.pass_time(IDLE_S + 1)

    assert [each.id for each in await stores.sessions.list(login="anna")] == ["used"]
    assert await stores.sessions.purge() == 1
    assert await stores.sessions.find("old") is None
    assert await stores.sessions.find("used") is not None


async def test_wrong_passwords_are_counted_within_a_window_by_each_name(stores: Stores) -> None:
    failures = stores.sign_in_failures

    assert await failures.count(["b", "a"]) == [1, 1]
    assert await failures.count(["a"]) == [2]
    assert await failures.counts(["b", "unknown", "a"]) == [1, 0, 2]
    await failures.forgive(["a", "unknown"])
    assert await failures.count(["a", "b"]) == [2, 2]

    await stores.pass_time(WINDOW_S + 1)

    assert await failures.counts(["a", "b"]) == [0, 0]
    assert await failures.count(["a"]) == [1]
    assert await failures.purge() == 1
    assert await failures.count(["b"]) == [1]
