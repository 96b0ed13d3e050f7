import time
from collections import Counter
from collections.abc import Callable, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from tests.e2e.client import IN_APP, MAIL, SMS, Service
from tests.e2e.production import WORK_QUEUES, Production
from tests.integration.test_api_attachments import PDF, PNG
from tests.servers.providers import Refuse


def test_the_commands_that_set_it_up_can_be_repeated(deployed: Production) -> None:
    upgraded, applied = deployed.run("db", "upgrade"), deployed.run("topology", "apply")
    policies = deployed.outside.rabbitmq.management.call("GET", "policies")

    assert upgraded == "The schema is up to date.\n"
    assert "email_notifications.dead" in applied
    assert {"notifier-work", "notifier-dead"} <= {policy["name"] for policy in policies}


def test_a_key_is_printed_alone_listed_by_its_whole_id_and_revoked(deployed: Production) -> None:
    printed = deployed.run("keys", "create", "--service", "orders", "--scope", "read")
    key = printed.strip()
    id = key.split("_")[1]
    listed = deployed.run("keys", "list")

    assert printed == f"{key}\n"
    assert any(id in line.split() for line in listed.splitlines())
    assert key not in listed
    assert deployed.run("keys", "revoke", id) == f"Revoked {id}.\n"


def test_smtp_the_sandbox_and_the_inbox_each_get_theirs(
    deployed: Production, service: Service
) -> None:
    mail = service.send(MAIL, recipient="one@example.com", subject="Bestellung 42 ✓")
    sms = service.send(SMS, content="Code {{ code }}", variables={"code": 1})
    item = service.send(IN_APP, recipient="inbox-1")
    for id in (mail, sms, item):
        assert service.await_status(id)["status"] == "sent"

    [received] = deployed.outside.smtp.received
    captured = service.get("/api/v1/sandbox/messages")["items"]
    inbox = service.get("/api/v1/inbox/inbox-1")
    assert received.rcpt_tos == ("one@example.com",)
    assert deployed.outside.mailed() == [mail]
    assert [each["text"] for each in captured if each["id"] == sms] == ["Code 1"]
    assert [each["id"] for each in inbox["items"]] == [item]


@pytest.mark.usefixtures("counted")
def test_sendgrid_and_twilio_get_theirs_where_they_are_named(
    deployed: Production, service: Service
) -> None:
    deployed.workers.stop()
    deployed.api.stop()
    deployed.start_api()
    deployed.again(service)
    deployed.start_workers(
        NOTIFIER_EMAIL__PROVIDERS="sendgrid,smtp", NOTIFIER_SMS__PROVIDERS="twilio"
    )
    mail, sms = service.send(MAIL), service.send(SMS)
    for id in (mail, sms):
        assert service.await_status(id)["status"] == "sent"
    shown, texted = service.show(mail), service.show(sms)
    assert (deployed.workers.stop(), deployed.api.stop()) == (0, 0)

    [to_sendgrid] = deployed.outside.sendgrid.arrivals
    [to_twilio] = deployed.outside.twilio.arrivals
    assert sends(shown) == [("sendgrid", to_sendgrid.provider_id)]
    assert sends(texted) == [("twilio", to_twilio.provider_id)]
    assert to_twilio.fields["To"] == SMS["recipient"]
    assert mail in str(to_sendgrid.fields)


def test_a_mail_that_one_provider_throttles_is_whole_by_the_next(deployed: Production) -> None:
    admin = deployed.service("whole", "admin")
    sender = {"address": "news@shop.example", "display_name": "News"}
    assert admin.client.put("/api/v1/senders/news", json=sender).status_code == 200
    logo, ticket = uploaded(admin, PNG, "logo.png"), uploaded(admin, PDF, "ticket.pdf")
    deployed.workers.stop()
    deployed.start_workers(NOTIFIER_EMAIL__PROVIDERS="sendgrid,smtp")
    deployed.outside.sendgrid.script(Refuse(429))
    id = admin.send(
        MAIL,
        html='<p>Hello {{ name }}</p><img src="cid:logo.png">',
        variables={"name": "Ada"},
        attachments=[{"id": logo, "inline": True}, {"id": ticket}],
        headers={"X-Case": "42"},
        reply_to="Help <help@shop.example>",
        **{"from": "news"},
    )
    assert admin.client.delete("/api/v1/senders/news").status_code == 204
    assert admin.await_status(id)["status"] == "sent"
    assert deployed.workers.stop() == 0

    assert [provider for provider, _ in sends(admin.show(id))] == ["smtp"]
    [received] = deployed.outside.smtp.received
    mail = message_from_bytes(received.content, policy=policy.default)
    assert (mail["From"], mail["Reply-To"]) == (
        "News <news@shop.example>",
        "Help <help@shop.example>",
    )
    assert mail["X-Case"] == "42"
    assert files_of(mail) == {"logo.png": PNG, "ticket.pdf": PDF}


def uploaded(service: Service, content: bytes, name: str) -> str:
    kind = {"png": "image/png", "pdf": "application/pdf"}[name[-3:]]
    answer = service.client.post(
        f"/api/v1/attachments?name={name}", content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def files_of(mail: EmailMessage) -> dict[str, bytes]:
    return {
        str(each.get_filename()): each.get_content() for each in mail.walk() if each.get_filename()
    }


def sends(notification: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The providers that took it, and their ids of it."""
    taken = (each for each in notification["timeline"] if each["event"] == "succeed")
    return [(each["provider"], each["provider_id"]) for each in taken]


def test_thousands_arrive_once_each_and_the_account_is_balanced(
    deployed: Production, service: Service, record_property: Callable[[str, object], None]
) -> None:
    batch = [(MAIL, SMS, IN_APP)[index % 3] for index in range(1_000)]
    started_s = time.monotonic()
    ids = [id for _ in range(3) for id in service.send_batch(batch)]
    record_property("accepted_s", round(time.monotonic() - started_s, 1))
    states = service.await_settled(3_000, timeout_s=180)
    record_property("delivered_s", round(time.monotonic() - started_s, 1))

    assert states == {"sent": 3_000}
    deployed.outside.await_drained()
    arrived = [
        *deployed.outside.mailed(),
        *deployed.outside.texts("SELECT notification_id FROM inbox_items"),
        *deployed.outside.texts("SELECT notification_id FROM captures"),
    ]
    wanted = set(ids)
    assert Counter(id for id in arrived if id in wanted) == Counter(ids)
    assert sum(service.account()["queues"][name] for name in WORK_QUEUES) == 0
