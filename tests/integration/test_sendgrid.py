import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from email.header import decode_header, make_header
from typing import cast

import pytest

from notifier.channels.email.sendgrid.adapter import SendGridAdapter, SendGridConfig
from notifier.delivery.attaching import base64_lines
from notifier.errors import SettingsError
from notifier.mailbox import Mailbox
from notifier.notification.mail import Attached, MailDetails
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from tests.patience import AT_ALL_S
from tests.servers.messages import MESSAGE_ID, ManualClock, a_message
from tests.servers.providers import (
    BreakOffAnswer,
    DropBeforeReading,
    Refuse,
    SendGrid,
    open_sendgrid,
    sendgrid_refusal,
)

HASTY_S = 0.2


@pytest.fixture
async def sendgrid() -> AsyncIterator[SendGrid]:
    async with open_sendgrid() as sendgrid:
        yield sendgrid


def a_config(sendgrid: SendGrid) -> SendGridConfig:
    return SendGridConfig(
        api_key=sendgrid.api_key,
        sender="Shop <no-reply@shop.example>",
        base_url=f"{sendgrid.base_url}/",
        timeout_s=AT_ALL_S,
    )


@pytest.fixture
async def adapter(sendgrid: SendGrid) -> AsyncIterator[SendGridAdapter]:
    adapter = SendGridAdapter(a_config(sendgrid), ManualClock())
    yield adapter
    await adapter.close()


async def send_once(config: SendGridConfig) -> Outcome:
    adapter = SendGridAdapter(config, ManualClock())
    outcome = await adapter.send(a_message())
    await adapter.close()
    return outcome


async def test_the_payload_says_all_that_is_needed_and_nothing_else(
    sendgrid: SendGrid, adapter: SendGridAdapter
) -> None:
    message = replace(a_message(html="<p>Grüße</p>"), metadata={"order": "4711"})

    outcome = await adapter.send(message)

    assert outcome == Sent(sendgrid.arrivals[0].provider_id)
    assert sendgrid.arrivals[0].fields == {
        "from": {"name": "Shop", "email": "no-reply@shop.example"},
        "subject": "Your order",
        "personalizations": [
            {
                "to": [{"email": "ada.lovelace@recipient.example"}],
                "custom_args": {"notification_id": str(MESSAGE_ID)},
            }
        ],
        "content": [
            {"type": "text/plain", "value": "Secretword 739154"},
            {"type": "text/html", "value": "<p>Grüße</p>"},
        ],
        "headers": {"Auto-Submitted": "auto-generated"},
    }


async def test_a_mail_is_from_its_own_sender_with_its_own_headers(
    sendgrid: SendGrid, adapter: SendGridAdapter
) -> None:
    details = MailDetails(
        sender=Mailbox("Büro, Orders", "orders@shop.example"),
        reply_to=Mailbox("Help", "help@shop.example"),
        headers={
            "X-Tag": "Grüße " * 30 + "\N{PACKAGE}",
            "List-Unsubscribe": "<https://shop.example/?a=?b>, <mailto:leave@shop.example>",
        },
    )

    await adapter.send(replace(a_message(), mail=details))
    await adapter.send(a_message())

    payload, usual = (arrival.fields for arrival in sendgrid.arrivals)
    assert payload["from"] == {"name": "Büro, Orders", "email": "orders@shop.example"}
    assert payload["reply_to"] == {"name": "Help", "email": "help@shop.example"}
    headers = cast("dict[str, str]", payload["headers"])
    tag = headers.pop("X-Tag")
    assert tag.isascii()
    assert "\n" not in tag
    assert str(make_header(decode_header(tag))) == details.headers["X-Tag"]
    assert headers == {
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": details.headers["List-Unsubscribe"],
    }
    assert usual["from"] == {"name": "Shop", "email": "no-reply@shop.example"}
    assert "reply_to" not in usual


@pytest.mark.parametrize("control", ["\r\nBcc: e@x.io", "\n", "\0", "\u2028"])
async def test_details_that_would_end_a_line_are_not_handed_over(
    sendgrid: SendGrid, adapter: SendGridAdapter, control: str
) -> None:
    details = MailDetails(headers={"X-Tag": f"a{control}"})

    outcome = await adapter.send(replace(a_message(), mail=details))

    assert isinstance(outcome, Permanent)
    assert outcome.code == "header_injection"
    assert sendgrid.requests == 0


async def test_mails_share_a_connection(sendgrid: SendGrid, adapter: SendGridAdapter) -> None:
    for _ in range(3):
        await adapter.send(a_message())
        assert sendgrid.open_connections == 1


REFUSALS: list[tuple[int, type[Outcome]]] = [
    (400, Permanent),
    (401, Systemic),
    (403, Systemic),
    (404, Systemic),
    (406, Permanent),
    (413, Permanent),
    (418, Permanent),
    (429, Transient),
    (200, Unknown),
    (302, Systemic),
    (500, Unknown),
    (502, Unknown),
    (503, Unknown),
    (504, Unknown),
]


@pytest.mark.parametrize(("status", "verdict"), REFUSALS)
async def test_a_refusal_is_judged_by_its_status(
    sendgrid: SendGrid, adapter: SendGridAdapter, status: int, verdict: type[Outcome]
) -> None:
    sendgrid.script(Refuse(status, None, {"Location": "http://127.0.0.1:1/"}))

    outcome = await adapter.send(a_message())

    assert isinstance(outcome, verdict)
    assert not isinstance(outcome, Sent)
    assert outcome.code == str(status)


async def test_the_fault_says_which_field_and_why(
    sendgrid: SendGrid, adapter: SendGridAdapter
) -> None:
    sendgrid.script(sendgrid_refusal(400, "Does not contain a valid address.", "from.email"))

    outcome = await adapter.send(a_message())

    words = "from.email: Does not contain a valid address."
    assert outcome == Systemic("400", words, concerns_recipient=True)


async def test_a_wrong_key_is_systemic_and_is_not_repeated(sendgrid: SendGrid) -> None:
    outcome = await send_once(replace(a_config(sendgrid), api_key="SG.wrong-key-739155"))

    assert isinstance(outcome, Systemic)
    assert outcome.code == "401"
    assert "739155" not in repr(outcome)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"X-RateLimit-Reset": "1795176030"}, 30),  # the clock stands at 1795176000
        ({"X-RateLimit-Reset": "1795175000"}, 1),
        ({"X-RateLimit-Reset": "17"}, 17),
        ({"Retry-After": "45", "X-RateLimit-Reset": "1795176030"}, 45),
        ({"Retry-After": "Fri, 20 Nov 2026 12:01:30 GMT"}, 90),
        ({"Retry-After": "99999999999999999999"}, 86_400),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
    ],
)
async def test_a_throttled_mail_waits_as_long_as_sendgrid_asks(
    sendgrid: SendGrid, adapter: SendGridAdapter, headers: dict[str, str], wait_s: float | None
) -> None:
    sendgrid.script(Refuse(429, None, headers))

    outcome = await adapter.send(a_message())

    assert isinstance(outcome, Transient)
    assert outcome.throttled
    assert outcome.retry_after_s == wait_s


async def test_a_reset_after_the_request_left_is_unknown(
    sendgrid: SendGrid, adapter: SendGridAdapter
) -> None:
    sendgrid.script(DropBeforeReading())

    assert isinstance(await adapter.send(a_message()), Unknown)


async def test_an_answer_that_breaks_off_counts_by_its_status(
    sendgrid: SendGrid, adapter: SendGridAdapter
) -> None:
    sendgrid.script(BreakOffAnswer())

    assert isinstance(await adapter.send(a_message()), Sent)
    assert len(sendgrid.arrivals) == 1


async def test_a_name_that_does_not_resolve_is_transient(sendgrid: SendGrid) -> None:
    config = replace(a_config(sendgrid), base_url="http://nowhere.invalid")

    outcome = await send_once(config)

    assert isinstance(outcome, Transient)
    assert outcome.code == "dns"


async def test_a_peer_that_speaks_no_tls_is_transient(sendgrid: SendGrid) -> None:
    config = replace(a_config(sendgrid), base_url=sendgrid.base_url.replace("http", "https"))

    outcome = await send_once(config)

    assert isinstance(outcome, Transient)
    assert outcome.code == "tls"


async def test_a_closed_adapter_sends_nothing(sendgrid: SendGrid, adapter: SendGridAdapter) -> None:
    await adapter.close()

    assert isinstance(await adapter.send(a_message()), Transient)
    assert sendgrid.requests == 0


@pytest.mark.parametrize("text", ["SG.aaaaaaaaaaaa.bbbbbbbbbbbb", "a key: SG.aaaa.bbbb", " "])
async def test_content_that_looks_like_a_key_is_sent_as_it_is(
    sendgrid: SendGrid, adapter: SendGridAdapter, text: str
) -> None:
    assert isinstance(await adapter.send(a_message(text=text, html=text)), Sent)

    assert sendgrid.arrivals[0].fields["content"] == [
        {"type": "text/plain", "value": text},
        {"type": "text/html", "value": text},
    ]


@pytest.mark.parametrize("subject", ["a\r\nBcc: evil@x.io", "a\x85b", "a\u2028b"])
async def test_a_subject_with_control_characters_is_refused(
    sendgrid: SendGrid, adapter: SendGridAdapter, subject: str
) -> None:
    assert isinstance(await adapter.send(a_message(subject=subject)), Permanent)
    assert sendgrid.requests == 0


def test_without_the_extra_the_advice_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sendgrid.helpers.mail", None)

    with pytest.raises(SettingsError, match=r"pip install notifier\[sendgrid\]"):
        SendGridAdapter(SendGridConfig(api_key="k", sender="a@x.io"), ManualClock())


def test_a_config_does_not_show_its_key() -> None:
    assert "hunter2" not in repr(SendGridConfig(api_key="hunter2", sender="a@x.io"))


async def test_files_go_along_with_what_they_are_and_how_they_are_shown(
    sendgrid: SendGrid, adapter: SendGridAdapter
) -> None:
    lines = base64_lines(b"x" * 100)
    pdf = Attached(name="Größe.pdf", type="application/pdf", size=100, content_id=None, lines=lines)
    logo = replace(pdf, name="logo.png", type="image/png", content_id="logo.png")

    await adapter.send(a_message(html='<img src="cid:logo.png">', attached=(pdf, logo)))

    content = b64encode(b"x" * 100).decode()
    assert sendgrid.arrivals[0].fields["attachments"] == [
        {
            "content": content,
            "type": "application/pdf",
            "filename": "Größe.pdf",
            "disposition": "attachment",
        },
        {
            "content": content,
            "type": "image/png",
            "filename": "logo.png",
            "disposition": "inline",
            "content_id": "logo.png",
        },
    ]
