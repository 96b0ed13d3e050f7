"""The directory over HTTP: people one by one, and what is told of what is wrong with them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.api import Api, serving

PEOPLE = "/api/v1/recipients"
ADA: dict[str, Any] = {
    "locale": "de-AT",
    "time_zone": "Europe/Vienna",
    "attributes": {"plan": "pro", "seats": 3},
    "addresses": [
        {"channel": "email", "address": "Ada@Example.org"},
        {"channel": "sms", "address": "+49 (170) 123-4567"},
        {"channel": "email", "address": "ada@work.example"},
    ],
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "recipients"))
        yield it


def pointers(answer: Any) -> list[str]:
    assert answer.status_code == 422, answer.text
    return sorted(each["pointer"] for each in answer.json()["errors"])


def address_lines(person: Any) -> list[str]:
    return [
        f"{each['channel']} {each['address']}{' *' if each['is_primary'] else ''}"
        for each in person["addresses"]
    ]


async def test_somebody_is_put_shown_changed_and_taken_out(api: Api) -> None:
    put = await api.client.put(f"{PEOPLE}/u-7", json=ADA)
    shown = await api.client.get(f"{PEOPLE}/u-7")

    assert (put.status_code, shown.json(), shown.headers["etag"]) == (
        201,
        put.json(),
        put.json()["etag"],
    )
    person = shown.json()
    assert (person["service"], person["user_id"]) == ("orders", "u-7")
    assert {name: person[name] for name in ("locale", "time_zone", "attributes")} == {
        name: ADA[name] for name in ("locale", "time_zone", "attributes")
    }
    assert address_lines(person) == [
        "email Ada@example.org *",
        "email ada@work.example",
        "sms +491701234567 *",
    ]
    again = await api.client.put(f"{PEOPLE}/u-7", json=ADA)
    assert (again.status_code, again.json()) == (200, person)
    assert (await api.client.delete(f"{PEOPLE}/u-7")).status_code == 204
    assert (await api.client.delete(f"{PEOPLE}/u-7")).status_code == 404
    assert (await api.client.get(f"{PEOPLE}/u-7")).status_code == 404


@pytest.mark.parametrize(
    "user_id",
    ["a/b/c", "../x", "..%2F", "\N{SNOWMAN} \N{PACKAGE}", "batch", "import", "a,b?c#d", "x" * 200],
)
async def test_any_printable_id_has_a_path(api: Api, user_id: str) -> None:
    path = f"{PEOPLE}/{quote(user_id, safe='')}"

    assert (await api.client.put(path, json=ADA)).json()["user_id"] == user_id
    assert (await api.client.get(path)).json()["user_id"] == user_id
    assert (await api.client.delete(path)).status_code == 204


@pytest.mark.parametrize("user_id", ["x" * 201, "a\nb", "\x7f"])
async def test_an_id_that_cannot_be_is_refused(api: Api, user_id: str) -> None:
    answer = await api.client.put(f"{PEOPLE}/{quote(user_id, safe='')}", json=ADA)

    assert answer.json()["errors"][0]["parameter"] == "user_id"


async def test_everything_that_is_wrong_is_told_at_once_without_repeating_it(api: Api) -> None:
    answer = await api.client.put(
        f"{PEOPLE}/u-7",
        json={
            "locale": "de AT",
            "time_zone": "Europe/Wien",
            "attributes": {"x": "y" * 17_000},
            "addresses": [
                {"channel": "email", "address": "secret at example.org"},
                {"channel": "fax", "address": "+49170"},
                {"channel": "sms", "address": "0170 1234567", "is_primary": "yes"},
            ],
            "name": "Ada",
        },
    )

    assert pointers(answer) == [
        "/addresses/0/address",
        "/addresses/1/channel",
        "/addresses/2/address",
        "/addresses/2/is_primary",
        "/attributes",
        "/locale",
        "/name",
        "/time_zone",
    ]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("addresses", "told"),
    [
        ([("a@b.example", True), ("c@b.example", True)], "0 and 1 are both primary for email"),
        ([("a@b.example", None), ("A@B.example", None)], "0 and 1 are the same address"),
    ],
)
async def test_addresses_that_contradict_each_other_are_refused(
    api: Api, addresses: list[tuple[str, bool | None]], told: str
) -> None:
    wanted = [
        {"channel": "email", "address": address, "is_primary": is_primary}
        for address, is_primary in addresses
    ]

    answer = await api.client.put(f"{PEOPLE}/u-7", json={"addresses": wanted})

    assert pointers(answer) == ["/addresses"]
    assert answer.json()["errors"][0]["detail"] == told


async def test_the_address_that_is_said_to_be_primary_is(api: Api) -> None:
    addresses = [
        {"channel": "email", "address": "a@b.example", "is_primary": False},
        {"channel": "email", "address": "c@b.example", "is_primary": True},
    ]

    put = await api.client.put(f"{PEOPLE}/u-7", json={"addresses": addresses})

    assert address_lines(put.json()) == ["email c@b.example *", "email a@b.example"]


async def test_a_patch_changes_what_it_names_alone(api: Api) -> None:
    await api.client.put(f"{PEOPLE}/u-7", json=ADA)
    merge_patch = {"Content-Type": "application/merge-patch+json"}

    patched = await api.client.patch(
        f"{PEOPLE}/u-7",
        content=json.dumps({"locale": None, "attributes": {"plan": None, "beta": True}}),
        headers=merge_patch,
    )

    person = patched.json()
    assert (person["locale"], person["time_zone"]) == (None, "Europe/Vienna")
    assert person["attributes"] == {"seats": 3, "beta": True}
    assert len(person["addresses"]) == 3
    nobody = await api.client.patch(f"{PEOPLE}/u-8", json={})
    wrong = await api.client.patch(f"{PEOPLE}/u-7", json={"time_zone": "Mars", "x": 1})
    assert (nobody.status_code, pointers(wrong)) == (404, ["/time_zone", "/x"])
    assert pointers(await api.client.patch(f"{PEOPLE}/u-7", json=[])) == [""]


async def test_who_changes_what_another_has_changed_is_answered_412(api: Api) -> None:
    etag = (await api.client.put(f"{PEOPLE}/u-7", json=ADA)).headers["etag"]
    other = (await api.client.patch(f"{PEOPLE}/u-7", json={"locale": "fr"})).headers["etag"]
    stale, fresh = {"If-Match": etag}, {"If-Match": other}

    assert etag != other
    for answer in (
        await api.client.put(f"{PEOPLE}/u-7", json=ADA, headers=stale),
        await api.client.patch(f"{PEOPLE}/u-7", json={}, headers=stale),
        await api.client.delete(f"{PEOPLE}/u-7", headers=stale),
    ):
        assert (answer.status_code, other in answer.json()["detail"]) == (412, True)
    assert (await api.client.delete(f"{PEOPLE}/u-7", headers=fresh)).status_code == 204


async def test_each_of_a_batch_has_an_answer_and_a_bad_one_spoils_no_other(api: Api) -> None:
    await api.client.put(f"{PEOPLE}/u-7", json=ADA)
    batch = [
        {"user_id": "u-7", **ADA},
        {"user_id": "u-8", **ADA},
        {"user_id": "u-9", "time_zone": "Mars", "locale": 7},
        3,
        {"user_id": "u-7", "locale": "fr"},
    ]

    answer = (await api.client.post(f"{PEOPLE}/batch", json={"recipients": batch})).json()

    assert [(each["user_id"], each["status"]) for each in answer["items"]] == [
        ("u-7", "unchanged"),
        ("u-8", "created"),
        ("u-9", "rejected"),
        (None, "rejected"),
        ("u-7", "updated"),
    ]
    assert [each["pointer"] for each in answer["items"][2]["errors"]] == [
        "/recipients/2/locale",
        "/recipients/2/time_zone",
    ]
    assert [answer[name] for name in ("created", "updated", "unchanged", "rejected")] == [
        1, 1, 1, 2,
    ]  # fmt: skip
    assert (await api.client.get(f"{PEOPLE}/u-7")).json()["locale"] == "fr"


async def test_who_was_deleted_can_be_created_again_by_a_batch(api: Api) -> None:
    batch = {"recipients": [{"user_id": f"u-{n}", **ADA} for n in range(3)]}
    await api.client.post(f"{PEOPLE}/batch", json=batch)
    for n in range(3):
        await api.client.delete(f"{PEOPLE}/u-{n}")

    again = await api.client.post(f"{PEOPLE}/batch", json=batch)

    assert again.json()["created"] == 3
    assert (await api.client.get(f"{PEOPLE}/u-1")).status_code == 200


@pytest.mark.parametrize("recipients", [[], [{"user_id": "u"}] * 1_001, [{"locale": "de"}]])
async def test_a_batch_without_anything_good_is_refused(api: Api, recipients: list[object]) -> None:
    answer = await api.client.post(f"{PEOPLE}/batch", json={"recipients": recipients})

    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("attribute.plan=pro", ["u-1", "u/2"]),
        ("attribute.plan=pro&attribute[seats]=3", ["u-1"]),
        ("address=ADA%40example.org", ["u-1"]),
        ("address=+49 170 1234567&channel=sms", ["u-1"]),
        ("channel=in_app", ["u/2"]),
    ],
)
async def test_people_are_found_by_attributes_and_addresses(
    api: Api, query: str, ids: list[str]
) -> None:
    in_app = {"channel": "in_app", "address": "other"}
    bodies = [{"user_id": "u-1", **ADA}, {"user_id": "u/2", "addresses": [in_app]},
              {"user_id": "u,3"}]  # fmt: skip
    bodies[1]["attributes"] = {"plan": "pro"}
    await api.client.post(f"{PEOPLE}/batch", json={"recipients": bodies})

    found = (await api.client.get(f"{PEOPLE}?{query}")).json()

    assert [each["user_id"] for each in found["items"]] == ids


async def test_pages_of_people_join_up_whatever_their_ids_are(api: Api) -> None:
    ids = ["a,b", "a/b", "u 1", "u-2"]
    await api.client.post(
        f"{PEOPLE}/batch", json={"recipients": [{"user_id": each} for each in ids]}
    )
    seen: list[str] = []
    path = f"{PEOPLE}?limit=1"
    while path:
        page = (await api.client.get(path)).json()
        seen += [each["user_id"] for each in page["items"]]
        path = page["next"]

    assert seen == sorted(ids)


async def test_a_key_without_the_scope_or_of_another_service_sees_nobody(api: Api) -> None:
    await api.client.put(f"{PEOPLE}/u-7", json=ADA)
    sender = await api.headers("orders", "send", "read", "templates")
    other = await api.headers("payments", "recipients")
    operator = await api.headers("ops", "admin")

    assert (await api.client.get(f"{PEOPLE}/u-7", headers=sender)).status_code == 403
    assert (await api.client.get(f"{PEOPLE}/u-7", headers=other)).status_code == 404
    assert (await api.client.get(PEOPLE, headers=other)).json()["items"] == []
    named = await api.client.get(f"{PEOPLE}/u-7?service=orders", headers=operator)
    assert named.json()["user_id"] == "u-7"
    assert len((await api.client.get(PEOPLE, headers=operator)).json()["items"]) == 1


async def test_two_who_are_one_person_are_merged(api: Api) -> None:
    await api.client.put(f"{PEOPLE}/old%2F1", json=ADA)
    await api.client.put(f"{PEOPLE}/new", json={"locale": "fr"})

    for _ in range(2):
        merged = await api.client.post(f"{PEOPLE}/new/merge", json={"from": "old/1"})

        person = merged.json()
        assert (person["user_id"], person["locale"]) == ("new", "fr")
        assert merged.headers["etag"] == person["etag"]
        assert (await api.client.get(f"{PEOPLE}/old%2F1")).json() == person


@pytest.mark.parametrize(
    ("user_id", "body", "status", "told"),
    [
        ("new", {"from": "new"}, 422, "that is the same id"),
        ("new", {"from": "nobody"}, 422, "there is nobody of this id"),
        ("new", {}, 422, "this field is required"),
        ("nobody", {"from": "new"}, 404, ""),
    ],
)
async def test_what_cannot_be_merged_is_refused(
    api: Api, user_id: str, body: dict[str, str], status: int, told: str
) -> None:
    await api.client.put(f"{PEOPLE}/new", json=ADA)

    answer = await api.client.post(f"{PEOPLE}/{user_id}/merge", json=body)

    assert answer.status_code == status
    if told:
        assert [(each["pointer"], each["detail"]) for each in answer.json()["errors"]] == [
            ("/from", told)
        ]
