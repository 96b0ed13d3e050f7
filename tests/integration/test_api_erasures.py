"""Erasing a person over HTTP, and the receipt of that."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from notifier.audience.erasure import SETTLE_S
from tests.api import Api, serving

ERASE = "/api/v1/recipients/u-7/erase"
ERASURES = "/api/v1/erasures"
ADDRESS = "anna@example.com"
ASKED = {
    "reason": "user_request",
    "also_addresses": [{"type": "email", "address": ADDRESS}],
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "send", "read", "recipients"))
        yield it


async def erased(api: Api) -> Any:
    """Have somebody erased, as a relay does it; returns what it comes to."""
    begun = await api.client.post(ERASE, json=ASKED)
    assert begun.status_code == 202, begun.text
    assert begun.headers["Location"] == f"{ERASURES}/{begun.json()['id']}"
    for _ in range(3):
        while await api.stores.erasing.step():
            pass
        await api.stores.pass_time(SETTLE_S + 1)
    return (await api.client.get(begun.headers["Location"])).json()


async def test_somebody_is_erased_and_the_receipt_can_be_verified(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = await api.client.post(
        "/api/v1/notifications/send",
        json={"type": "email", "recipient": ADDRESS, "subject": "Anna", "content": "Dear Anna"},
    )
    done = await erased(api)

    assert (done["state"], done["erased"]) == ("done", {"cancelled": 1, "notifications": 1})
    assert ADDRESS not in str(done)
    shown = (await api.client.get(sent.headers["Location"])).text
    assert "anna" not in shown.lower()
    assert "anna" not in "".join(capsys.readouterr()).lower()
    verify = f"{ERASURES}/verify"
    changed = {**done["receipt"], "finished_at": "2020-01-01T00:00:00Z"}
    answers = [
        (await api.client.post(verify, json={"receipt": each})).json()
        for each in (done["receipt"], changed, {})
    ]
    assert answers == [{"is_valid": True}, {"is_valid": False}, {"is_valid": False}]


async def test_a_repeated_request_begins_nothing_else(api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    first, second = [await api.client.post(ERASE, json=ASKED, headers=headers) for _ in range(2)]

    assert first.json() == second.json()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"reason": f"asked by {ADDRESS}"}, "/reason"),
        ({"reason": "Anna asked \N{BULLET}"}, "/reason"),
        ({"also_addresses": [{"type": "email", "address": "anna"}]}, "/also_addresses/0/address"),
        ({"reason": "u-7 asked"}, "/reason"),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(
    api: Api, changes: dict[str, Any], pointer: str
) -> None:
    answer = await api.client.post(ERASE, json={**ASKED, **changes})

    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_erasing_takes_the_scope_and_is_seen_by_the_service_alone(api: Api) -> None:
    begun = await api.client.post(ERASE, json=ASKED)
    others = await api.headers("payments", "recipients")
    sending = await api.headers("orders", "send", "read")

    assert (await api.client.post(ERASE, json=ASKED, headers=sending)).status_code == 403
    where = begun.headers["Location"]
    assert (await api.client.get(where, headers=others)).status_code == 404
    assert (await api.client.get(f"{ERASURES}/{uuid4()}")).status_code == 404
