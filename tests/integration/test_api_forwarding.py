"""What a notification said, sent to another address."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from notifier.audit import AuditFilter
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from tests.api import PREFIX, SMS, Api, serving

THERE = {"recipient": "anna@home.example"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


async def test_another_one_says_the_same_and_names_the_first(api: Api) -> None:
    id = await api.send(content="Dear {{ name }}", variables={"name": "Anna"}, priority="high")
    await api.fail(id)

    answer = await api.client.post(f"{PREFIX}/{id}/forward", json=THERE)

    assert answer.status_code == 202, answer.text
    made = (await api.client.get(answer.headers["location"])).json()
    first = (await api.client.get(f"{PREFIX}/{id}")).json()
    same = ("type", "priority", "subject", "content", "html", "variables", "metadata")
    assert [made[name] for name in same] == [first[name] for name in same]
    assert (made["recipient"], made["status"]) == ("anna@home.example", "pending")
    assert (made["forwarded_from"], first["forwards"]) == (str(id), [made["id"]])
    assert (first["forwarded_from"], first["status"]) == (None, "failed")


async def test_a_repeated_request_sends_once(api: Api) -> None:
    id = await api.send()
    await api.fail(id)
    key = {"Idempotency-Key": "once"}

    answers = [
        await api.client.post(f"{PREFIX}/{id}/forward", json=THERE, headers=key) for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert len(await api.services.queries.forwards(id)) == 1


async def test_an_address_on_the_suppression_list_is_not_sent_to_by_this_door_either(
    api: Api,
) -> None:
    id = await api.send()
    await api.fail(id)
    await api.services.suppressions.add(
        service="orders",
        channel=Channel.EMAIL,
        recipient=THERE["recipient"],
        reason=SuppressionReason.UNSUBSCRIBED,
    )

    answer = await api.client.post(f"{PREFIX}/{id}/forward", json=THERE)

    made = (await api.client.get(answer.headers["location"])).json()
    assert made["status"] == "suppressed"


async def test_what_cannot_be_forwarded_is_refused_with_the_reason(api: Api) -> None:
    id = await api.send()
    secret = await api.send(sensitive=True)
    await api.fail(secret)
    sms = (await api.client.post(f"{PREFIX}/send", json=SMS)).json()["id"]
    others = await api.headers("payments", "send")

    pending = await api.client.post(f"{PREFIX}/{id}/forward", json=THERE)
    await api.fail(id)
    erased = await api.client.post(f"{PREFIX}/{secret}/forward", json=THERE)
    wrong = await api.client.post(f"{PREFIX}/{id}/forward", json={"recipient": "no address"})
    unknown = await api.client.post(f"{PREFIX}/{id}/forward", json=THERE, headers=others)
    await api.client.post(f"{PREFIX}/{sms}/cancel")
    crossed = await api.client.post(f"{PREFIX}/{sms}/forward", json=THERE)

    assert [each.status_code for each in (pending, erased, wrong, unknown, crossed)] == [
        409, 409, 422, 404, 422,
    ]  # fmt: skip
    assert pending.json()["notification_status"] == "pending"
    assert wrong.json()["errors"][0]["pointer"] == "/recipient"


async def test_whoever_forwards_is_in_the_audit_log(api: Api) -> None:
    id = await api.send()
    await api.fail(id)

    await api.client.post(f"{PREFIX}/{id}/forward", json=THERE)

    [entry] = await api.services.keeping.audit.list(AuditFilter(), limit=9, after=None)
    assert (entry.act.action, entry.act.target) == (
        "forwardNotification", f"{PREFIX}/{id}/forward",
    )  # fmt: skip
