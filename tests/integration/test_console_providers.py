"""Providers in the console: listed, greeted, tested, paused and resumed."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from notifier.audience.allowed import AllowedRecipients
from notifier.notification.model import Channel
from tests.api import Api, over
from tests.console import flaws_in, post, signed_in, text_of
from tests.patience import PATIENT
from tests.schema import sqlite_database
from tests.servers.scripted_smtp import SmtpServer, open_smtp

PROVIDERS = "/console/providers"
SMTP = f"{PROVIDERS}/smtp"


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with open_smtp(None, None) as server:
        yield server


@pytest.fixture
async def api(tmp_path: Path, smtp: SmtpServer) -> AsyncIterator[Api]:
    environ = {
        "NOTIFIER_EMAIL__PROVIDERS": "smtp",
        "NOTIFIER_EMAIL__SENDER": "Shop <no-reply@shop.example>",
        "NOTIFIER_SMTP__HOST": "127.0.0.1",
        "NOTIFIER_SMTP__PORT": str(smtp.port),
        "NOTIFIER_SMTP__SECURITY": "none",
        "NOTIFIER_SMTP__TIMEOUT_S": "5",
    }
    routes = {Channel.EMAIL: ("smtp",), Channel.IN_APP: ("in_app",)}
    allowed = AllowedRecipients.read(["@shop.example"])
    url = sqlite_database(tmp_path / "notifier.db")
    async with over(url, PATIENT, environ=environ, routes=routes, test_recipients=allowed) as it:
        yield it


@pytest.fixture
async def operator(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "admin")


async def test_every_provider_is_listed_as_it_is_set_up_and_stands(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    await api.services.providers.open("of-old", reason="535", for_s=600)

    listed = text_of(await operator.get(PROVIDERS))

    assert "host 127.0.0.1" in listed
    assert "Email: asked first" in listed
    assert "No channel names it any more" in listed
    assert "Breaker open 535" in listed


async def test_a_provider_shows_what_it_answered_lately(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    assert "Last 5 minutes" not in text_of(await operator.get(SMTP))
    api.client.headers.update(await api.headers("orders", "send"))
    await api.fail(await api.send())

    assert "Last 5 minutes 0 of 1 taken (0.0%)" in text_of(await operator.get(SMTP))


async def test_a_handshake_says_how_it_is_and_sends_nothing(
    operator: httpx2.AsyncClient, smtp: SmtpServer
) -> None:
    assert "it would take a message" in text_of(await post(operator, f"{SMTP}/check", {}))

    smtp.script("CONNECT", "554 5.7.1 go away")
    page = text_of(await post(operator, f"{SMTP}/check", {}))

    assert "connect: the server refused: 554 5.7.1" in page
    assert smtp.mails == []
    assert "calls nobody" in text_of(await post(operator, f"{PROVIDERS}/in_app/check", {}))


async def test_a_test_shows_each_step_and_where_it_failed(
    operator: httpx2.AsyncClient, smtp: SmtpServer
) -> None:
    assert "past its breaker" in text_of(await operator.get(f"{SMTP}/test"))
    wrong = await post(operator, f"{SMTP}/test", {"to": "anna@other.example"})
    assert (wrong.status_code, set(flaws_in(wrong))) == (422, {"to"})
    assert 'value="anna@other.example"' in wrong.text
    assert set(flaws_in(await post(operator, f"{SMTP}/test", {"to": ""}))) == {"to"}

    smtp.script("RCPT", "550 5.1.1 no such mailbox")
    refused = text_of(await post(operator, f"{SMTP}/test", {"to": "ops@shop.example"}))
    taken = text_of(await post(operator, f"{SMTP}/test", {"to": "ops@shop.example"}))

    assert "It was not taken." in refused
    assert "Name the sender passed Name the recipient failed" in refused
    assert "550 5.1.1" in refused
    assert "try another recipient" in refused
    assert "It was taken." in taken
    assert len(smtp.mails) == 1


async def test_a_provider_is_paused_with_a_reason_and_resumed(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    assert set(flaws_in(await post(operator, f"{SMTP}/pause", {"reason": ""}))) == {"reason"}
    await post(operator, f"{SMTP}/pause", {"reason": "the invoice is open"})
    assert "the invoice is open" in text_of(await operator.get(SMTP))
    [state] = await api.services.providers.states()
    assert state.is_paused

    assert "done=resumed" in (await post(operator, f"{SMTP}/resume", {})).headers["location"]
    [state] = await api.services.providers.states()
    assert not state.is_paused


async def test_providers_are_for_operators_alone(api: Api, operator: httpx2.AsyncClient) -> None:
    client = await signed_in(api, "read", "send")

    for path in (PROVIDERS, SMTP, f"{SMTP}/test"):
        assert (await client.get(path)).status_code == 403
    assert (await post(client, f"{SMTP}/test", {"to": "ops@shop.example"})).status_code == 403
    for path in (f"{PROVIDERS}/none", f"{PROVIDERS}/none/test", f"{PROVIDERS}/in_app/test"):
        assert (await operator.get(path)).status_code == 404
