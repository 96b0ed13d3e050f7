"""Senders, reply-to and headers: who may set them, and what is pinned to a mail."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from notifier.clock import SystemClock
from notifier.delivery.ports import Claimed
from notifier.mailbox import Mailbox
from notifier.notification.envelope import Envelope
from notifier.notification.mail import MailDetails
from notifier.notification.model import Channel, Lane, Message
from tests.api import MAIL, PREFIX, SMS, Api, serving

SENDERS = "/api/v1/senders"
NEWS = {
    "address": "news@b\u00fccher.example",
    "display_name": "News",
    "reply_to": "H <h@shop.example>",
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "send", "read"))
        yield it


async def set_sender(
    api: Api, name: str = "news", *, service: str = "orders", **changes: Any
) -> Any:
    answer = await api.client.put(
        f"{SENDERS}/{name}?service={service}",
        json={**NEWS, **changes},
        headers=await api.headers("operators", "admin"),
    )
    return answer.json() if answer.status_code == 200 else answer


async def refused(api: Api, **changes: object) -> Mapping[str, str]:
    answer = await api.client.post(f"{PREFIX}/send", json={**MAIL, **changes})
    assert answer.status_code == 422, answer.text
    return {each["pointer"]: each["detail"] for each in answer.json()["errors"]}


async def sent(api: Api, id: Any) -> Message:
    """Return what a worker hands to a provider."""
    envelope = Envelope(id=id, channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)
    claimed = await api.stores.leases.claim(
        envelope, lease_token=uuid4(), lease_s=60, leased_by="test"
    )
    assert isinstance(claimed, Claimed)
    return await api.stores.composer(SystemClock()).message(claimed)


async def test_an_operator_lets_a_service_send_as_an_address(api: Api) -> None:
    stored = await set_sender(api)

    assert stored == {
        "service": "orders",
        "name": "news",
        "address": "news@xn--bcher-kva.example",
        "display_name": "News",
        "reply_to": "H <h@shop.example>",
        "updated_at": stored["updated_at"],
    }
    assert (await api.client.get(SENDERS)).json() == {"items": [stored], "next": None}


async def test_a_service_neither_sets_nor_removes_nor_sees_another_s(api: Api) -> None:
    await set_sender(api)
    everything_else = await api.headers("orders", "send", "read", "templates")

    for method in ("PUT", "DELETE"):
        body = {"json": NEWS} if method == "PUT" else {}
        answer = await api.client.request(
            method,
            f"{SENDERS}/mine",
            headers=everything_else,
            **body,  # type: ignore[arg-type]  # a body or none
        )
        assert answer.status_code == 403
    others = await api.headers("payments", "send", "read")
    assert (await api.client.get(SENDERS, headers=others)).json()["items"] == []
    assert (await api.client.get(f"{SENDERS}?service=orders", headers=others)).status_code == 403
    answer = await api.client.post(f"{PREFIX}/send", json={**MAIL, "from": "news"}, headers=others)
    assert answer.status_code == 422


async def test_senders_are_listed_a_page_at_a_time(api: Api) -> None:
    for name in ("a", "b", "c"):
        await set_sender(api, name)
    admin = await api.headers("operators", "admin")

    path, seen = f"{SENDERS}?limit=2", []
    while path:
        page = (await api.client.get(path, headers=admin)).json()
        seen.append([each["name"] for each in page["items"]])
        path = page["next"]

    assert seen == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "nobody"),
        ("address", "News <news@shop.example>"),
        ("address", "\u00e4@shop.example"),
        ("address", "a@shop.example\r\nBcc: e@x.io"),
        ("address", "a@shop.example, b@shop.example"),
        ("address", f"a@{'b' * 64}.example"),
        ("display_name", "A\r\nBcc: e@x.io"),
        ("display_name", "A\u2028"),
        ("display_name", "A\0"),
        ("display_name", "A" * 101),
        ("reply_to", "nobody"),
        ("reply_to", "a@x.example\n"),
        ("reply_to", ""),
    ],
)
async def test_what_not_every_provider_takes_is_no_sender(api: Api, field: str, value: str) -> None:
    answer = await set_sender(api, **{field: value})
    if value == "a@x.example\n":  # white space around it is not part of it
        assert answer["reply_to"] == "a@x.example"
        return

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [f"/{field}"]


@pytest.mark.parametrize("name", ["A", "a b", "-a", "a" * 65, "%C3%A4"])
async def test_a_name_that_no_sender_can_have_is_not_found(api: Api, name: str) -> None:
    assert (await set_sender(api, name)).status_code == 404


async def test_a_mail_is_sent_as_it_was_accepted_whatever_becomes_of_its_sender(api: Api) -> None:
    await set_sender(api)
    ids = [await api.send(**{"from": "news"}) for _ in range(2)]
    admin = await api.headers("operators", "admin")

    await set_sender(api, address="changed@shop.example", reply_to=None)
    pinned = MailDetails(
        sender=Mailbox("News", "news@xn--bcher-kva.example"),
        reply_to=Mailbox("H", "h@shop.example"),
    )
    assert (await sent(api, ids[0])).mail == pinned
    removed = await api.client.delete(f"{SENDERS}/news?service=orders", headers=admin)

    assert removed.status_code == 204
    assert (await sent(api, ids[1])).mail == pinned
    assert await refused(api, **{"from": "news"}) == {
        "/from": "there is no such sender: this service has none"
    }
    gone = await api.client.delete(f"{SENDERS}/news?service=orders", headers=admin)
    assert gone.status_code == 404


async def test_the_default_is_for_mails_that_name_none_and_for_nothing_else(api: Api) -> None:
    before = await api.send()
    await set_sender(api, "default", address="orders@shop.example", reply_to=None)
    after = await api.send()

    assert (await sent(api, before)).mail is None
    assert (await sent(api, after)).mail == MailDetails(
        sender=Mailbox("News", "orders@shop.example")
    )
    text = (await api.client.post(f"{PREFIX}/send", json=SMS)).json()["id"]
    assert (await api.client.get(f"{PREFIX}/{text}")).json()["from"] is None


async def test_all_that_is_wrong_is_told_at_once_where_it_is(api: Api) -> None:
    await set_sender(api)
    headers = {"bCC": "e@x.io", "X-A/b": "c", "X-Tag": "a\r\nBcc: e@x.io", "List-Id": "news"}

    found = await refused(api, **{"from": "sales", "reply_to": "nobody", "headers": headers})

    assert found["/from"] == "there is no such sender; there are news"
    assert set(found) == {
        "/from", "/reply_to", "/headers/bCC", "/headers/X-A~1b", "/headers/X-Tag",
        "/headers/List-Id",
    }  # fmt: skip
    assert "x.io" not in str(found)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"from": 1}, "/from"),
        ({"from_": "news"}, "/from_"),
        ({"from": ""}, "/from"),
        ({"reply_to": ["a@x.example"]}, "/reply_to"),
        ({"headers": {"X-A": 1}}, "/headers/X-A"),
        ({"headers": []}, "/headers"),
        ({"headers": {f"X-{each}": "a" for each in range(21)}}, "/headers"),
        ({"headers": {"X-" + "a" * 100: "a"}}, "/headers/X-" + "a" * 100),
        ({"headers": {"X-A": "a" * 901}}, "/headers/X-A"),
        ({"headers": {"X-A": "\0"}}, "/headers/X-A"),
        ({"headers": {"X-A\0": "a"}}, "/headers"),
    ],
)
async def test_a_wrong_shape_is_told_once(
    api: Api, changes: Mapping[str, object], where: str
) -> None:
    assert list(await refused(api, **changes)) == [where]


async def test_only_an_email_has_any_of_it(api: Api) -> None:
    given = {"from": "news", "reply_to": "a@shop.example", "headers": {"X-A": "b"}}

    answer = await api.client.post(f"{PREFIX}/send", json={**SMS, **given})

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [
        "/from", "/reply_to", "/headers",
    ]  # fmt: skip


async def test_a_notification_shows_them_as_it_shows_its_content_and_a_status_does_not(
    api: Api,
) -> None:
    await set_sender(api)
    given = {"from": "news", "reply_to": "Ada <a@x.example>", "headers": {"x-a": "b"}}
    shown = {**given, "from": "News <news@xn--bcher-kva.example>"}

    for sensitive in (False, True):
        id = await api.send(**given, sensitive=sensitive)
        found = (await api.client.get(f"{PREFIX}/{id}")).json()
        expected = dict.fromkeys(given) if sensitive else shown
        assert {name: found[name] for name in given} == expected
        assert not given.keys() & (await api.client.get(f"{PREFIX}/{id}/status")).json().keys()


async def test_each_of_a_batch_has_its_own(api: Api) -> None:
    await set_sender(api)
    items = [MAIL, {**MAIL, "from": "news"}, {**MAIL, "headers": {"To": "e@x.io"}}]

    answer = (await api.client.post(f"{PREFIX}/batch", json={"notifications": items})).json()

    assert [each["status"] for each in answer["items"]] == ["pending", "pending", "rejected"]
    (error,) = answer["items"][2]["errors"]
    assert error["pointer"] == "/notifications/2/headers/To"
    seen = [
        (await api.client.get(f"{PREFIX}/{each['id']}")).json()["from"]
        for each in answer["items"][:2]
    ]
    assert seen == [None, "News <news@xn--bcher-kva.example>"]


async def test_the_same_key_with_another_sender_is_another_request(api: Api) -> None:
    await set_sender(api)
    key = {"Idempotency-Key": "k1"}
    first = await api.client.post(f"{PREFIX}/send", json={**MAIL, "from": "news"}, headers=key)
    again = await api.client.post(f"{PREFIX}/send", json={**MAIL, "from": "news"}, headers=key)
    other = await api.client.post(f"{PREFIX}/send", json=MAIL, headers=key)

    assert again.json() == first.json()
    assert other.json()["code"] == "idempotency-key-reused"


async def test_a_replay_keeps_them(api: Api) -> None:
    await set_sender(api)
    id = await api.send(**{"from": "news", "headers": {"X-A": "b"}})
    before = (await api.client.get(f"{PREFIX}/{id}")).json()
    await api.fail(id)

    assert (await api.client.post(f"{PREFIX}/{id}/replay")).status_code == 202

    after = (await api.client.get(f"{PREFIX}/{id}")).json()
    names = ("from", "reply_to", "headers")
    assert [after[name] for name in names] == [before[name] for name in names]
