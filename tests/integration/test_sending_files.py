"""Files from the upload to the mail that a server gets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from structlog.testing import capture_logs

from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.content.attachment import AttachmentLimits
from notifier.delivery.attaching import Loader, Portion
from notifier.delivery.ports import Claimed
from notifier.delivery.preparing import Preparer
from notifier.errors import AttachmentsWaitError
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane, Message, Status
from notifier.notification.outcomes import Permanent, Sent
from notifier.notification.transitions import FAIL
from tests.api import MAIL, PREFIX, Api, serving
from tests.contract.store.stores import an_end
from tests.contract.store.test_attachments import DAY_S, content_of, erase
from tests.integration.test_api_attachments import PDF, PNG, details, upload
from tests.servers.messages import ManualClock
from tests.servers.scripted_smtp import SmtpServer, open_smtp

HTML = '<p>Hello</p><img src="cid:logo.png">'


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    limits = AttachmentLimits(max_mail_bytes=1_500_000)
    async with serving(tmp_path, attachments=limits) as it:
        yield it


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with open_smtp() as it:
        yield it


async def uploaded(api: Api, content: bytes = PDF, name: str = "ticket.pdf") -> str:
    type = "image/png" if name.endswith(".png") else "application/pdf"
    answer = await upload(api, content, name, type)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def asked(api: Api, *attachments: object, **changes: object) -> httpx2.Response:
    mail = {**MAIL, "attachments": attachments, **changes}
    return await api.client.post(f"{PREFIX}/send", json=mail)


async def claimed(api: Api, id: str) -> Claimed:
    envelope = Envelope(id=UUID(id), channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)
    found = await api.stores.leases.claim(
        envelope, lease_token=uuid4(), lease_s=60, leased_by="test"
    )
    assert isinstance(found, Claimed)
    return found


async def delivered(api: Api, server: SmtpServer, id: str) -> EmailMessage:
    """Hand a notification to the server as a worker does; returns what it got."""
    config = SmtpConfig(
        host="127.0.0.1", port=server.port, sender="a@shop.example", security="none"
    )
    adapter = SmtpAdapter(config, ManualClock())
    async with api.stores.preparer(api.clock).prepared(await claimed(api, id)) as message:
        assert isinstance(message, Message), message
        assert isinstance(await adapter.send(message), Sent)
    await adapter.close()
    mail = message_from_bytes(server.mails[-1].content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def files_of(mail: EmailMessage) -> dict[str, tuple[Any, Any]]:
    found = [each for each in mail.walk() if each.get_filename()]
    return {str(each.get_filename()): (each["content-id"], each.get_content()) for each in found}


async def test_what_was_uploaded_reaches_the_server(api: Api, server: SmtpServer) -> None:
    content = b"%PDF-" + bytes(range(251)) * 4_000
    ticket, logo = await uploaded(api, content), await uploaded(api, PNG, "logo.png")

    answer = await asked(api, {"id": ticket}, {"id": logo, "inline": True}, html=HTML)

    assert answer.status_code == 202, answer.text
    mail = await delivered(api, server, answer.json()["id"])
    assert files_of(mail) == {"ticket.pdf": (None, content), "logo.png": ("<logo.png>", PNG)}
    shown = (await api.client.get(answer.headers["location"])).json()
    assert shown["attachments"] == [
        {"id": ticket, "inline": False},
        {"id": logo, "inline": True},
    ]


async def test_one_file_goes_along_with_many(api: Api, server: SmtpServer) -> None:
    ticket = await uploaded(api)
    item = {**MAIL, "attachments": [{"id": ticket}]}

    batch = await api.client.post(f"{PREFIX}/batch", json={"notifications": [item] * 3})

    ids = [each["id"] for each in batch.json()["items"]]
    mails = [await delivered(api, server, id) for id in ids]
    assert [files_of(mail) for mail in mails] == [{"ticket.pdf": (None, PDF)}] * 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attachments": [{"id": str(uuid4())}]}, "upload it first"),
        ({"attachments": [{"id": "mine"}]}, "expected the id of an attachment"),
        ({"attachments": [{"id": 7}]}, "expected the id of an attachment"),
        ({"attachments": [{"id": str(uuid4()), "name": "a"}]}, "unknown field"),
        ({"attachments": [{"id": str(uuid4())}] * 21}, "20"),
        ({"html": HTML}, "cid:logo.png"),
    ],
)
async def test_what_can_not_go_along_is_told_at_once(
    api: Api, changes: dict[str, object], words: str
) -> None:
    answer = await api.client.post(f"{PREFIX}/send", json={**MAIL, **changes})

    assert answer.status_code == 422
    assert words in details(answer)


async def test_other_channels_take_no_files(api: Api) -> None:
    sms = {"type": "sms", "recipient": "+491701234567", "content": "Hi"}
    ticket = {"id": await uploaded(api)}

    answer = await api.client.post(f"{PREFIX}/send", json={**sms, "attachments": [ticket]})

    assert answer.status_code == 422
    assert "only an email" in details(answer)


async def test_a_mail_of_too_many_bytes_is_refused_at_accept(api: Api) -> None:
    large = b"%PDF-" + bytes(800_000)
    first, second = await uploaded(api, large), await uploaded(api, large)

    assert (await asked(api, {"id": first})).status_code == 202
    refused = await asked(api, {"id": first}, {"id": second})
    assert refused.status_code == 422
    assert "at most 1500000 are sent" in details(refused)


async def test_what_was_sent_can_not_be_removed_and_does_not_get_lost(
    api: Api, server: SmtpServer
) -> None:
    ticket = await uploaded(api)
    id = (await asked(api, {"id": ticket})).json()["id"]

    assert (await api.client.delete(f"/api/v1/attachments/{ticket}")).status_code == 409
    await api.stores.pass_time(3 * DAY_S)
    await erase(api.stores)

    assert files_of(await delivered(api, server, id)) == {"ticket.pdf": (None, PDF)}


async def test_the_same_send_with_the_same_key_is_one_notification(api: Api) -> None:
    ticket = await uploaded(api)
    mail = {**MAIL, "attachments": [{"id": ticket}]}
    key = {"Idempotency-Key": "once"}

    answers = [await api.client.post(f"{PREFIX}/send", json=mail, headers=key) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"


async def test_a_sensitive_mails_files_are_erased_at_its_end_and_it_is_not_replayed(
    api: Api,
) -> None:
    ticket = await uploaded(api)
    id = (await asked(api, {"id": ticket}, sensitive=True)).json()["id"]
    shown = (await api.client.get(f"{PREFIX}/{id}")).json()
    assert shown["attachments"] == []
    end = an_end(await claimed(api, id), FAIL)
    assert await api.stores.leases.finish(end)
    await erase(api.stores)
    await api.stores.pass_time(180)
    await erase(api.stores)

    assert await content_of(api.stores, UUID(ticket)) is None
    assert (await api.client.get(f"/api/v1/attachments/{ticket}")).status_code == 404
    assert (await api.client.post(f"{PREFIX}/{id}/replay")).status_code == 409


async def test_a_failed_mail_is_replayed_with_its_files(api: Api) -> None:
    ticket = await uploaded(api)
    id = (await asked(api, {"id": ticket})).json()["id"]
    assert await api.stores.leases.finish(an_end(await claimed(api, id), FAIL))
    await api.stores.pass_time(3 * DAY_S)
    await erase(api.stores)

    assert (await api.client.post(f"{PREFIX}/{id}/replay")).status_code == 202
    assert await api.stores.status(UUID(id)) == Status.PENDING
    assert await content_of(api.stores, UUID(ticket)) == PDF


async def test_a_mail_whose_file_is_gone_fails_and_says_so(api: Api) -> None:
    ticket = await uploaded(api)
    id = (await asked(api, {"id": ticket})).json()["id"]
    await api.stores.contents.erase([UUID(ticket)])

    async with api.stores.preparer(api.clock).prepared(await claimed(api, id)) as outcome:
        assert isinstance(outcome, Permanent)
        assert (outcome.code, "not there any more" in outcome.message) == ("attachment", True)


async def test_no_log_tells_what_a_file_holds_or_is_called(api: Api, server: SmtpServer) -> None:
    with capture_logs() as logs:
        secret = b"%PDF-Secretword"
        ticket = await uploaded(api, secret, "Geheimnis.pdf")
        answer = await asked(api, {"id": ticket})
        await delivered(api, server, answer.json()["id"])

    assert "Secretword" not in str(logs)
    assert "Geheimnis" not in str(logs)


async def test_what_is_loaded_at_once_is_bounded_and_given_back(api: Api) -> None:
    ticket = await uploaded(api, b"%PDF-" + bytes(300_000))
    ids = [(await asked(api, {"id": ticket})).json()["id"] for _ in range(3)]
    memory = Portion(1_000_000)
    loader = Loader(api.stores.attachments, api.stores.contents, memory)
    preparer = replace(api.stores.preparer(api.clock), loader=loader)
    first, second, third = [await claimed(api, id) for id in ids]

    async with preparer.prepared(first) as message:
        assert isinstance(message, Message)
        waiting = asyncio.create_task(_prepare(preparer, second))
        with pytest.raises(AttachmentsWaitError):
            async with memory.of(500_000, patience_s=0.01):
                pass
        assert not waiting.done()
    assert isinstance(await waiting, Message)
    async with preparer.prepared(third) as message:
        assert isinstance(message, Message)


async def test_a_mail_for_whose_files_there_is_no_memory_waits_its_turn() -> None:
    memory = Portion(100)

    async with memory.of(1_000), asyncio.timeout(5):
        with pytest.raises(AttachmentsWaitError):
            async with memory.of(1, patience_s=0.01):
                pass
    async with memory.of(1):
        pass


async def _prepare(preparer: Preparer, notification: Claimed) -> object:
    async with preparer.prepared(notification) as message:
        return message
