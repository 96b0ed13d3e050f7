"""Tests of a provider: how far a real message comes, at servers that refuse it at each step."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from notifier.audience.allowed import AllowedRecipients
from notifier.audit import AuditFilter
from notifier.notification.model import Channel
from tests.api import Api, over
from tests.patience import PATIENT
from tests.schema import sqlite_database
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.providers import Refuse, open_sendgrid, open_twilio
from tests.servers.scripted_smtp import Drop, Hang, SmtpServer, open_smtp

PROVIDERS = "/api/v1/providers"
TEST = f"{PROVIDERS}/smtp/test"
LOGIN = ("shop", "correct-horse")
ADDRESS = "ops@shop.example"
ROUTES = {Channel.EMAIL: ("smtp",), Channel.IN_APP: ("in_app",)}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def smtp(certificates: Certificates) -> AsyncIterator[SmtpServer]:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        yield server


@pytest.fixture
def environ(smtp: SmtpServer, certificates: Certificates) -> dict[str, str]:
    """What reaches a mail server that takes mails."""
    return {
        "NOTIFIER_EMAIL__PROVIDERS": "smtp",
        "NOTIFIER_EMAIL__SENDER": "Shop <no-reply@shop.example>",
        "NOTIFIER_SMTP__HOST": "127.0.0.1",
        "NOTIFIER_SMTP__PORT": str(smtp.port),
        "NOTIFIER_SMTP__USERNAME": LOGIN[0],
        "NOTIFIER_SMTP__PASSWORD": LOGIN[1],
        "NOTIFIER_SMTP__CA_PATH": str(certificates.authority),
        "NOTIFIER_SMTP__TIMEOUT_S": "5",
    }


@dataclass
class Bench:
    """An API for each configuration, over a database of the test's."""

    folder: Path
    stack: AsyncExitStack

    async def api(self, environ: Mapping[str, str], **settings: Any) -> Api:
        usual = {"routes": ROUTES, "test_recipients": AllowedRecipients.read(["@shop.example"])}
        url = sqlite_database(self.folder / "notifier.db")
        serving = over(url, PATIENT, environ=environ, **{**usual, **settings})
        api = await self.stack.enter_async_context(serving)
        api.client.headers.update(await api.headers("operators", "admin"))
        return api

    async def trial(self, environ: Mapping[str, str]) -> dict[str, Any]:
        answer = await (await self.api(environ)).client.post(TEST, json={"to": ADDRESS})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


class Refusal(NamedTuple):
    """A reply to a verb, the class and step that it stands for, and what is advised."""

    verb: str
    reply: str
    step: str
    advice: str


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(tmp_path, stack)


def passed(trial: Mapping[str, Any]) -> list[str]:
    return [each["name"] for each in trial["steps"] if each["state"] == "passed"]


async def test_a_test_sends_one_real_mail_and_shows_each_step(
    bench: Bench, environ: dict[str, str], smtp: SmtpServer
) -> None:
    trial = await bench.trial(environ)

    assert (trial["result"], trial["kind"], trial["failed_at"]) == ("sent", "sent", None)
    steps = ["dns", "connect", "greeting", "tls", "login", "sender", "recipient", "content"]
    assert passed(trial) == steps
    assert trial["provider_id"]
    [mail] = smtp.mails
    assert mail.recipients == (ADDRESS,)
    assert b"Subject: [Test] smtp" in mail.content


async def test_a_test_is_no_notification_and_is_noted_by_a_keyed_hash(
    bench: Bench, environ: dict[str, str]
) -> None:
    api = await bench.api(environ)

    await api.client.post(TEST, json={"to": ADDRESS})

    assert (await api.client.get("/api/v1/account")).json()["accepted"] == 0
    [entry] = await api.services.keeping.audit.list(AuditFilter(), limit=9, after=None)
    assert (entry.act.action, entry.act.service) == ("testProvider", "operators")
    path, hashed = entry.act.target.split(" ")
    assert (path, len(hashed)) == (TEST, 32)
    assert "ops" not in hashed


async def test_a_test_goes_past_a_pause_and_an_open_breaker(
    bench: Bench, environ: dict[str, str]
) -> None:
    api = await bench.api(environ)
    await api.services.providers.open("smtp", reason="535", for_s=600)
    await api.services.providers.pause("smtp", reason="maintenance")

    trial = (await api.client.post(TEST, json={"to": ADDRESS})).json()

    assert trial["result"] == "sent"
    [state] = await api.services.providers.states()
    assert (state.is_paused, state.opened_at is None, state.trips) == (True, False, 1)


async def test_a_wrong_password_fails_at_the_login(
    bench: Bench, environ: dict[str, str], smtp: SmtpServer
) -> None:
    trial = await bench.trial(environ | {"NOTIFIER_SMTP__PASSWORD": "battery-staple"})

    assert (trial["failed_at"], trial["kind"], trial["code"]) == ("login", "systemic", "535 5.7.8")
    assert passed(trial) == ["dns", "connect", "greeting", "tls"]
    assert "NOTIFIER_SMTP__PASSWORD" in trial["advice"]
    assert "battery-staple" not in json.dumps(trial)
    assert smtp.mails == []


async def test_a_wrong_port_fails_at_the_connection(bench: Bench, environ: dict[str, str]) -> None:
    trial = await bench.trial(environ | {"NOTIFIER_SMTP__PORT": "9"})

    assert (trial["failed_at"], trial["code"]) == ("connect", "connection_refused")
    assert passed(trial) == ["dns"]
    assert "nothing listens on port 9" in trial["detail"]
    assert "NOTIFIER_SMTP__PORT" in trial["advice"]


async def test_a_host_that_is_not_there_fails_at_its_name(
    bench: Bench, environ: dict[str, str]
) -> None:
    trial = await bench.trial(environ | {"NOTIFIER_SMTP__HOST": "mail.notifier.invalid"})

    assert (trial["failed_at"], trial["code"]) == ("dns", "dns")
    assert passed(trial) == []
    assert "NOTIFIER_SMTP__HOST" in f"{trial['detail']} {trial['advice']}"


async def test_a_server_in_the_clear_fails_at_tls_where_tls_is_expected(
    bench: Bench, environ: dict[str, str]
) -> None:
    trial = await bench.trial(environ | {"NOTIFIER_SMTP__SECURITY": "tls"})

    assert (trial["failed_at"], trial["code"]) == ("tls", "tls_mode")
    assert passed(trial) == ["dns", "connect"]
    assert "set NOTIFIER_SMTP__SECURITY to starttls" in trial["detail"]


async def test_a_certificate_that_nobody_trusts_fails_at_tls(
    bench: Bench, environ: dict[str, str]
) -> None:
    del environ["NOTIFIER_SMTP__CA_PATH"]

    trial = await bench.trial(environ)

    assert (trial["failed_at"], trial["code"]) == ("tls", "tls")
    assert "NOTIFIER_SMTP__CA_PATH" in trial["detail"]


async def test_a_server_that_offers_no_tls_fails_at_tls(
    bench: Bench, environ: dict[str, str]
) -> None:
    async with open_smtp(None, LOGIN) as server:
        trial = await bench.trial(environ | {"NOTIFIER_SMTP__PORT": str(server.port)})

    assert (trial["failed_at"], trial["code"]) == ("tls", "starttls_missing")


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("CONNECT", "554 5.7.1 go away", "systemic greeting", "turns this machine away"),
        Refusal("MAIL", "553 5.7.1 not owned by user", "systemic sender", "NOTIFIER_EMAIL__SENDER"),
        Refusal("MAIL", "530 5.7.0 log in first", "systemic login", "NOTIFIER_SMTP__PASSWORD"),
        Refusal(
            "RCPT", "550 5.1.1 no such mailbox", "permanent recipient", "try another recipient"
        ),
        Refusal("RCPT", "554 5.7.1 relay denied", "transient recipient", "NOTIFIER_SMTP__USERNAME"),
        Refusal("RCPT", "451 4.7.1 greylisted", "transient recipient", "again in minutes"),
        Refusal(
            "RCPT", "553 5.7.1 sender address rejected", "systemic sender", "NOTIFIER_EMAIL__SENDER"
        ),
        Refusal("CONTENT", "554 5.6.0 looks like junk", "permanent content", "its own log"),
    ],
)
async def test_a_refusal_is_named_by_its_step_with_the_servers_words(
    bench: Bench, environ: dict[str, str], smtp: SmtpServer, refusal: Refusal
) -> None:
    smtp.script(refusal.verb, refusal.reply)

    trial = await bench.trial(environ)

    assert trial["result"] == "failed"
    assert f"{trial['kind']} {trial['failed_at']}" == refusal.step
    assert trial["code"] == refusal.reply[:9]
    assert refusal.reply[10:] in trial["detail"]
    assert refusal.advice in trial["advice"]


async def test_a_server_that_says_nothing_is_named_with_the_time_out(
    bench: Bench, environ: dict[str, str], smtp: SmtpServer
) -> None:
    smtp.script("RCPT", Hang())

    trial = await bench.trial(environ | {"NOTIFIER_SMTP__TIMEOUT_S": "0.5"})

    assert (trial["failed_at"], trial["code"]) == ("recipient", "timeout")
    assert "NOTIFIER_SMTP__TIMEOUT_S is 0.5" in trial["detail"]


async def test_a_link_that_breaks_after_the_content_leaves_it_open(
    bench: Bench, environ: dict[str, str], smtp: SmtpServer
) -> None:
    smtp.script("CONTENT", Drop())

    trial = await bench.trial(environ)

    assert (trial["result"], trial["failed_at"]) == ("unknown", "content")
    assert "may have arrived" in trial["advice"]


# --- by HTTP --------------------------------------------------------------------------------


async def of_sendgrid(bench: Bench, *steps: Refuse, key: str = "SG.key") -> dict[str, Any]:
    async with open_sendgrid() as server:
        server.script(*steps)
        api = await bench.api(
            {
                "NOTIFIER_EMAIL__PROVIDERS": "sendgrid",
                "NOTIFIER_EMAIL__SENDER": "Shop <no-reply@shop.example>",
                "NOTIFIER_SENDGRID__API_KEY": key,
                "NOTIFIER_SENDGRID__BASE_URL": server.base_url,
            },
            routes={Channel.EMAIL: ("sendgrid",)},
        )
        answer = await api.client.post(f"{PROVIDERS}/sendgrid/test", json={"to": ADDRESS})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def complaint(message: str, field: str | None = None) -> dict[str, Any]:
    return {"errors": [{"message": message, "field": field, "help": None}]}


NOT_VERIFIED = complaint("The from address does not match a verified Sender Identity", "from")
NO_ADDRESS = complaint("Does not contain a valid address.", "personalizations.0.to.0.email")


@pytest.mark.parametrize(
    ("refusal", "failed_at", "kind", "advice"),
    [
        (Refuse(401, complaint("authorization grant is invalid")), "login", "systemic", "API_KEY"),
        (Refuse(403, NOT_VERIFIED), "sender", "systemic", "NOTIFIER_EMAIL__SENDER"),
        (Refuse(400, NO_ADDRESS), "recipient", "permanent", "another recipient"),
        (Refuse(429, complaint("too many requests")), "content", "transient", "quota"),
        (Refuse(413, complaint("too large")), "content", "permanent", "words"),
    ],
)
async def test_a_refusal_of_sendgrid_is_named_by_its_step(
    bench: Bench, refusal: Refuse, failed_at: str, kind: str, advice: str
) -> None:
    trial = await of_sendgrid(bench, refusal)

    assert (trial["failed_at"], trial["kind"]) == (failed_at, kind)
    assert trial["code"] == str(refusal.status)
    assert advice in trial["advice"]
    assert ("login" in passed(trial)) == (failed_at != "login")


async def test_sendgrid_takes_a_test(bench: Bench) -> None:
    trial = await of_sendgrid(bench)

    assert (trial["result"], passed(trial)[-1]) == ("sent", "content")


@pytest.mark.parametrize(
    ("refusal", "failed_at", "advice"),
    [
        (Refuse(401, {"code": 20003, "message": "Authenticate"}), "login", "AUTH_TOKEN"),
        (Refuse(400, {"code": 21606, "message": "not yours"}), "sender", "NOTIFIER_TWILIO__SENDER"),
        (Refuse(400, {"code": 21211, "message": "invalid To"}), "recipient", "another recipient"),
    ],
)
async def test_a_refusal_of_twilio_is_named_by_its_step(
    bench: Bench, refusal: Refuse, failed_at: str, advice: str
) -> None:
    async with open_twilio() as server:
        server.script(refusal)
        api = await bench.api(
            {
                "NOTIFIER_SMS__PROVIDERS": "twilio",
                "NOTIFIER_TWILIO__ACCOUNT_SID": "AC" + "0" * 32,
                "NOTIFIER_TWILIO__AUTH_TOKEN": "secret-token",
                "NOTIFIER_TWILIO__SENDER": "+15005550006",
                "NOTIFIER_TWILIO__BASE_URL": server.base_url,
            },
            routes={Channel.SMS: ("twilio",)},
            test_recipients=AllowedRecipients.read(["+491701234567"]),
        )
        call = {"to": "+49 170 1234567"}
        trial = (await api.client.post(f"{PROVIDERS}/twilio/test", json=call)).json()

    assert (trial["failed_at"], trial["code"]) == (failed_at, str(refusal.body["code"]))  # type: ignore[index,call-overload]  # it is one
    assert advice in trial["advice"]


# --- who may --------------------------------------------------------------------------------


async def test_a_test_goes_to_whom_an_operator_allows_alone(
    bench: Bench, environ: dict[str, str], smtp: SmtpServer
) -> None:
    api = await bench.api(environ)

    for to, words in (("anna@other.example", "alone, and this is none"), ("anna", "address")):
        answer = await api.client.post(TEST, json={"to": to})
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert (error["pointer"], words in error["detail"]) == ("/to", True)
    assert smtp.mails == []


async def test_the_sandbox_captures_a_test_to_anybody(bench: Bench) -> None:
    api = await bench.api(
        {"NOTIFIER_EMAIL__PROVIDERS": "sandbox", "NOTIFIER_SMS__PROVIDERS": "sandbox"},
        routes={Channel.EMAIL: ("sandbox",), Channel.SMS: ("sandbox",)},
        captured=frozenset({Channel.EMAIL, Channel.SMS}),
        test_recipients=AllowedRecipients(),
    )

    path = f"{PROVIDERS}/sandbox/test"
    mail = (await api.client.post(path, json={"to": "anna@example.com"})).json()
    sms = await api.client.post(path, json={"to": "+491701234567", "type": "sms"})
    refused = (await api.client.post(path, json={"to": "refused@sandbox.example"})).json()

    assert (mail["result"], sms.json()["result"]) == ("sent", "sent")
    assert (refused["failed_at"], refused["code"]) == ("recipient", "550")
    found = await api.captures.page(limit=9, before=None, channel=None)
    assert [each.channel for each in found] == [Channel.SMS, Channel.EMAIL]


async def test_an_inbox_and_an_unknown_provider_are_not_tested(
    bench: Bench, environ: dict[str, str]
) -> None:
    api = await bench.api(environ)
    service = await api.headers("orders", "send", "read")

    inbox = await api.client.post(f"{PROVIDERS}/in_app/test", json={"to": "u-1"})
    assert (inbox.status_code, "nothing to test" in inbox.text) == (422, True)
    unknown = await api.client.post(f"{PROVIDERS}/ses/test", json={"to": ADDRESS})
    assert unknown.status_code == 404
    other = await api.client.post(TEST, json={"to": ADDRESS, "type": "sms"})
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/type")
    assert (await api.client.post(TEST, json={"to": ADDRESS}, headers=service)).status_code == 403


async def test_tests_of_a_provider_are_so_many_a_minute(
    bench: Bench, environ: dict[str, str], smtp: SmtpServer
) -> None:
    api = await bench.api(environ)

    answers = [await api.client.post(TEST, json={"to": ADDRESS}) for _ in range(7)]

    assert [each.status_code for each in answers] == [200] * 6 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert len(smtp.mails) == 6


# --- the list -------------------------------------------------------------------------------


async def test_the_list_shows_operators_how_each_is_set_up_and_no_secret(
    bench: Bench, environ: dict[str, str], smtp: SmtpServer
) -> None:
    api = await bench.api(environ | {"NOTIFIER_SMTP__RATE_PER_S": "14"})
    service = await api.headers("orders", "read")

    for headers, is_told in ((None, True), (service, False)):
        answer = await api.client.get(PROVIDERS, headers=headers)
        found = {each["name"]: each for each in answer.json()["items"]}
        assert found["smtp"]["order"] == {"email": 1}
        told = {
            "host": "127.0.0.1",
            "port": str(smtp.port),
            "security": "starttls",
            "rate_per_s": "14",
            "timeout_s": "5",
        }
        assert found["smtp"]["settings"] == (told if is_told else None)
        assert (found["smtp"]["answered"] == []) == is_told
        assert LOGIN[1] not in answer.text
