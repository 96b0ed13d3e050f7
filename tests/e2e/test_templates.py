"""What was accepted is sent as the version says that it was accepted with, whatever follows."""

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from tests.e2e.client import IN_APP, MAIL, SMS, Service
from tests.e2e.one_process import one_process
from tests.e2e.production import Production

_TEMPLATE = "/api/v1/templates/order.shipped"
_WAITING = 1_000


def _content(version: int) -> Mapping[str, Any]:
    said = f"version {version} for {{{{ name }}}}"
    email = {"subject": said, "preheader": said, "text": said}
    return {
        "default_locale": "en",
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
        "examples": [{"name": "Ada"}],
        "parts": {"en": {"email": email, "sms": {"text": said}, "in_app": {"text": said}}},
    }


def _publish(service: Service, version: int) -> None:
    saved = service.client.put(f"{_TEMPLATE}/draft", json=_content(version))
    assert saved.is_success, saved.text
    published = service.post(f"{_TEMPLATE}/publish")
    assert published.json()["version"] == version, published.text


def _accept_as_of_7(service: Service, channels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Have notifications accepted while version 7 is the published one; returns their ids."""
    for version in range(1, 8):
        _publish(service, version)
    wanted = [
        {
            "type": (channel := channels[number % len(channels)])["type"],
            "recipient": channel["recipient"],
            "template": "order.shipped",
            "variables": {"name": str(number)},
        }
        for number in range(_WAITING)
    ]
    return service.send_batch(wanted)


def _change_everything(service: Service) -> None:
    """Publish version 8, go back to the first, and let the template be used no more."""
    _publish(service, 8)
    assert service.post(f"{_TEMPLATE}/rollback", {"version": 1}).json()["version"] == 9
    assert service.post(f"{_TEMPLATE}/archive").is_success


def _said(version: int, channels: int, place: int) -> Counter[str]:
    numbers = range(place, _WAITING, channels)
    return Counter(f"version {version} for {number}" for number in numbers)


def test_a_thousand_that_wait_are_sent_as_they_were_accepted(deployed: Production) -> None:
    deployed.workers.stop()
    service = deployed.service("templates", "templates")
    ids = _accept_as_of_7(service, (MAIL, IN_APP))
    _change_everything(service)

    deployed.start_workers()

    assert service.await_settled(_WAITING) == {"sent": _WAITING}
    received = [
        message_from_bytes(each.content, policy=default) for each in deployed.outside.smtp.received
    ]
    # What other tests left behind may come meanwhile.
    mails = [each for each in received if str(each["Subject"]).startswith("version ")]
    shown = deployed.outside.rows("SELECT text FROM inbox_items WHERE service = 'templates'")
    assert Counter(str(mail["Subject"]) for mail in mails) == _said(7, 2, 0)
    assert Counter(mail.get_content().strip() for mail in mails) == _said(7, 2, 0)
    assert Counter(row[0] for row in shown) == _said(7, 2, 1)
    assert service.show(ids[0])["template"]["version"] == 7


_INVOICE: Mapping[str, Any] = {
    "default_locale": "de",
    "schema": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "due_at": {"type": "string", "format": "date-time"},
            "rows": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
        },
        "required": ["name", "due_at", "rows"],
    },
    "examples": [
        {
            "name": "Žofie <b>& Söhne</b>",
            "due_at": "2026-12-24T18:30:00Z",
            "rows": [["Sitz 1", "1024.50"], ["Sitz 2", "24.50"]],
        }
    ],
    "parts": {
        "de": {
            "email": {
                "subject": "Rechnung für {{ name }}: fällig {{ due_at | date('long') }}",
                "preheader": "{{ rows | length }} Plätze",
                "text": "Guten Tag {{ name }},\n\n{% for row in rows %}{{ row[0] }}: "
                "{{ row[1] | money('EUR') }}\n{% endfor %}\n.\n-- \nIhr Team\n",
                "mjml": '<mjml lang="de"><mj-head><mj-title>Rechnung</mj-title></mj-head><mj-body>'
                "<mj-section><mj-column><mj-text>Guten Tag {{ name }}</mj-text><mj-table>"
                "{% for row in rows %}<tr><td>{{ row[0] }}</td><td>{{ row[1] | money('EUR') }}</td>"
                "</tr>{% endfor %}</mj-table></mj-column></mj-section></mj-body></mjml>",
            }
        }
    },
}


def test_a_mail_is_byte_for_byte_what_the_preview_showed(deployed: Production) -> None:
    service = deployed.service("previews", "templates")
    saved = service.client.put(f"{_TEMPLATE}/draft", json=_INVOICE)
    assert saved.is_success, saved.text
    seen = service.post(
        f"{_TEMPLATE}/render", {"type": "email", "draft": True, "example": 0}
    ).json()
    assert service.post(f"{_TEMPLATE}/publish").is_success
    variables = _INVOICE["examples"][0]

    id = service.send(
        {"type": "email", "recipient": "ada@example.com", "variables": variables},
        template="order.shipped",
    )

    assert service.await_status(id)["status"] == "sent"
    [received] = deployed.outside.smtp.received
    mail = message_from_bytes(received.content, policy=default)
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert str(mail["Subject"]) == seen["subject"]
    assert text.get_payload(decode=True) == _as_sent(seen["text"])
    assert html.get_payload(decode=True) == _as_sent(seen["html"])


def _as_sent(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def test_one_process_sends_them_as_they_were_accepted(tmp_path: Path) -> None:
    with one_process(tmp_path / "data", {"NOTIFIER_API__RATE_LIMIT": "1000000"}) as notifier:
        service = notifier.service
        assert service.post("/api/v1/providers/sandbox/pause", {"reason": "a change"}).is_success
        _accept_as_of_7(service, (MAIL, SMS))
        _change_everything(service)

        assert service.post("/api/v1/providers/sandbox/resume").is_success

        assert service.await_settled(_WAITING) == {"sent": _WAITING}
        with closing(sqlite3.connect(tmp_path / "data" / "notifier.db")) as database:
            captured = Counter(row[0] for row in database.execute("SELECT text FROM captures"))
    assert captured == _said(7, 2, 0) + _said(7, 2, 1)
