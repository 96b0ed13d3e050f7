from datetime import UTC, datetime, timedelta

import httpx2

from tests.e2e.client import MAIL, PREFIX, SMS, Service
from tests.e2e.production import Outside, Production
from tests.patience import AT_ALL_S

CANARY = "canary4711"
SECRET = {"content": f"{CANARY} {{{{ code }}}}", "variables": {"code": f"{CANARY}v"}}

DETAILS = {"reply_to": f"{CANARY} <{CANARY}@shop.example>", "headers": {"X-Case": CANARY}}


def tables_with(outside: Outside, text: str) -> list[str]:
    """The tables that hold `text` in any column."""
    names = outside.texts("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    query = "SELECT 1 FROM {} AS row WHERE row::text LIKE '%' || $1 || '%' LIMIT 1"
    return [name for name in names if outside.rows(query.format(name), text)]


def test_sensitive_content_is_nowhere_not_even_while_it_waits(
    deployed: Production, service: Service
) -> None:
    deployed.outside.smtp.answer("RCPT", "550 5.2.2 full", recipient="gone@example.com")
    secret = {**MAIL, **SECRET, **DETAILS, "subject": CANARY, "html": f"<b>{CANARY}</b>"}
    secret["sensitive"] = True
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    before = [service.send(secret, send_at=tomorrow.isoformat())]
    shown_while_pending = answers(service, before[0])
    stored_while_pending = tables_with(deployed.outside, CANARY)
    cancelled = service.post(f"{PREFIX}/{before[0]}/cancel")
    ids = [
        service.send(secret),
        service.send(secret, recipient="gone@example.com"),
        service.send(SMS, **SECRET, sensitive=True),
    ]
    states = [service.await_status(id)["status"] for id in ids]

    assert cancelled.status_code == 200
    assert stored_while_pending == []
    assert states == ["sent", "failed", "sent"]
    assert any(CANARY.encode() in mail.content for mail in deployed.outside.smtp.received)
    deployed.outside.await_dead_letters_agree(timeout_s=AT_ALL_S)
    assert tables_with(deployed.outside, CANARY) == []
    for id in [*before, *ids]:
        assert not any(CANARY in answer.text for answer in answers(service, id))
    assert not any(CANARY in answer.text for answer in shown_while_pending)
    assert CANARY not in deployed.output
    with deployed.outside.witness() as witness:
        letters = witness.take("email_notifications.dead")
        for letter in letters:
            witness.put("email_notifications.dead", letter.body, letter.properties.headers)
    assert any(ids[1] in letter.body.decode() for letter in letters)
    assert not any(CANARY in f"{letter.body!r} {letter.properties}" for letter in letters)


def answers(service: Service, id: str) -> list[httpx2.Response]:
    """Everything that the API says of a notification."""
    paths = (
        f"{PREFIX}/{id}",
        f"{PREFIX}/{id}/status",
        f"{PREFIX}?limit=100",
        "/api/v1/sandbox/messages?limit=100",
        "/sandbox",
    )
    return [service.client.get(path) for path in paths]


def test_no_log_line_holds_an_address_a_body_or_a_key(
    deployed: Production, service: Service
) -> None:
    service.await_status(service.send(MAIL, recipient="canary@example.com", content="canarybody"))
    service.await_status(service.send(SMS, recipient="+4915112345678"))
    file = service.client.post(
        "/api/v1/attachments?name=canaryname.txt",
        content=b"canarycontent",
        headers={"Content-Type": "text/plain"},
    ).json()["id"]
    details = {
        "headers": {"X-Canaryheader": "canaryvalue"},
        "reply_to": "Canaryname <canaryreply@shop.example>",
        "attachments": [{"id": file}],
    }
    service.await_status(service.send(MAIL, **details))
    for wrong_field in ({"html": "<img src='cid:canarycid'>"}, {"headers": {"Canaryno": "x"}}):
        assert service.post(f"{PREFIX}/send", {**MAIL, **wrong_field}).status_code == 422
    wrong = service.client.get("/api/v1/account", headers={"Authorization": "Bearer canarykey"})
    output = deployed.output

    assert wrong.status_code == 401
    assert '"event":"delivery.finished"' in output
    secrets = [
        "canary@example.com",
        "canarybody",
        "+4915112345678",
        "4915112345678",
        "canarykey",
        "canaryname",
        "canarycontent",
        "anaryheader",
        "canaryvalue",
        "Canaryname",
        "canaryreply",
        "canarycid",
        "Canaryno",
        "ada@example.com",
        str(MAIL["subject"]),
        service.client.headers["Authorization"].removeprefix("Bearer "),
        deployed.environ["NOTIFIER_KEY_PEPPER"],
        deployed.environ["NOTIFIER_SECRETS__CONTENT_KEYS"],
        deployed.environ["NOTIFIER_DATABASE_URL"],
        deployed.outside.rabbitmq.password,
    ]
    assert [secret for secret in secrets if secret in output] == []
