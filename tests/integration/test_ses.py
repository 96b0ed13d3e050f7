"""Mails through SES's SMTP interface, as the settings have it."""

import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from notifier.audience.inbox import Inbox
from notifier.channels.email.ses.provider import SES
from notifier.channels.provider import Parts
from notifier.channels.registry import retry_policies
from notifier.composition.settings import read_settings
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import SettingsError
from notifier.notification.model import Channel
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient
from notifier.providers.captures import Captures
from notifier.settings.groups import Settings
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.messages import ManualClock, a_message
from tests.servers.scripted_smtp import SES_ID, SmtpServer, open_ses
from tests.servers.sns import TOPIC

LOGIN = ("AKIAIOSFODNN7EXAMPLE", "an SMTP password")
NEEDED = {
    "NOTIFIER_DATABASE_URL": "sqlite:///x",
    "NOTIFIER_BROKER_URL": "memory://",
    "NOTIFIER_KEY_PEPPER": "of sixteen letters",
    "NOTIFIER_EMAIL__PROVIDERS": "ses",
    "NOTIFIER_EMAIL__SENDER": "Shop <no-reply@shop.example>",
    "NOTIFIER_SMS__PROVIDERS": "none",
    "NOTIFIER_SES__REGION": "eu-west-1",
    "NOTIFIER_SES__USERNAME": LOGIN[0],
    "NOTIFIER_SES__PASSWORD": LOGIN[1],
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def server(certificates: Certificates) -> AsyncIterator[SmtpServer]:
    async with open_ses(certificates.server_context(), LOGIN) as server:
        yield server


def settings(**changes: str | None) -> Settings:
    given = {f"NOTIFIER_{name}": value for name, value in changes.items()}
    return read_settings({name: each for name, each in (NEEDED | given).items() if each})


def an_adapter(**changes: str | None) -> ChannelAdapter:
    nowhere: Any = None
    parts = Parts(
        settings=settings(**changes),
        clock=ManualClock(),
        inbox=cast("Inbox", nowhere),
        captures=cast("Captures", nowhere),
    )
    return SES.adapter(Channel.EMAIL, parts)


async def send_once(server: SmtpServer, certificates: Certificates, **changes: str) -> Outcome:
    reach: Mapping[str, str] = {
        "SES__HOST": "localhost",
        "SES__PORT": str(server.port),
        "SES__CA_PATH": str(certificates.authority),
    }
    adapter = an_adapter(**{**reach, **changes})
    try:
        return await adapter.send(a_message())
    finally:
        await adapter.close()


async def test_a_mail_is_known_by_the_id_that_ses_reports_of(
    server: SmtpServer, certificates: Certificates
) -> None:
    outcome = await send_once(server, certificates, SES__CONFIGURATION_SET="shop")

    assert outcome == Sent(SES_ID.format(1))
    assert b"\r\nX-SES-CONFIGURATION-SET: shop\r\n" in server.mails[0].content


async def test_without_a_configuration_set_no_header_says_so(
    server: SmtpServer, certificates: Certificates
) -> None:
    await send_once(server, certificates)

    assert b"X-SES" not in server.mails[0].content


@pytest.mark.parametrize(
    ("verb", "reply", "kind"),
    [
        ("AUTH", "535 Authentication Credentials Invalid", Systemic),
        ("AUTH", "535 Account not subscribed to SES", Systemic),
        ("CONTENT", "454 Throttling failure: Maximum sending rate exceeded", Transient),
        ("CONTENT", "554 Message rejected: Email address is not verified.", Systemic),
        ("CONTENT", "552 Message is too long.", Permanent),
    ],
)
async def test_what_ses_refuses_is_judged_as_any_mail_server_is(
    server: SmtpServer,
    certificates: Certificates,
    verb: str,
    reply: str,
    kind: type[Outcome],
) -> None:
    server.script(verb, reply)

    outcome = await send_once(server, certificates)

    assert type(outcome) is kind
    assert server.mails == []


async def test_wrong_credentials_pause_and_are_told_to_nobody(
    server: SmtpServer, certificates: Certificates
) -> None:
    outcome = await send_once(server, certificates, SES__PASSWORD="wrong-credential-41")

    assert isinstance(outcome, Systemic)
    assert "wrong-credential-41" not in outcome.message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"SES__REGION": None}, "NOTIFIER_SES__REGION: is not set"),
        ({"SES__USERNAME": None, "SES__PASSWORD": None}, "NOTIFIER_SES__USERNAME: is not set"),
        ({"SES__PASSWORD": None}, "NOTIFIER_SES__USERNAME and NOTIFIER_SES__PASSWORD"),
        ({"SES__SECURITY": "none"}, "NOTIFIER_SES__SECURITY"),
        ({"SES__CA_PATH": "/missing"}, "NOTIFIER_SES__CA_PATH"),
        ({"SES__REGION": "Ireland"}, "NOTIFIER_SES__REGION"),
        ({"SES__CONFIGURATION_SET": "a set\r\nBcc: x"}, "NOTIFIER_SES__CONFIGURATION_SET"),
        ({"SES__TOPIC_ARNS": "ses-topic"}, "NOTIFIER_SES__TOPIC_ARNS"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, str | None], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        an_adapter(**changes)


async def test_topics_keep_their_case_and_have_unknown_outcomes_wait_for_reports() -> None:
    with_topics = settings(SES__TOPIC_ARNS=f"{TOPIC}, {TOPIC}-Bounces")

    assert SES.own(with_topics).topic_arns == (TOPIC, f"{TOPIC}-Bounces")
    assert [route.path for route in SES.callback_routes(with_topics, ManualClock())] == ["ses"]
    assert retry_policies(with_topics)[Channel.EMAIL].unknown_wait_s == 60
    assert SES.callback_routes(settings(), ManualClock()) == ()
    assert retry_policies(settings())[Channel.EMAIL].unknown_wait_s == 0


def test_without_its_libraries_reports_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("callbacks", "certificates", "sns", "fetching"):
        monkeypatch.delitem(sys.modules, f"notifier.channels.email.ses.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)

    with pytest.raises(SettingsError, match=r"pip install notifier\[ses\]"):
        SES.callback_routes(settings(SES__TOPIC_ARNS=TOPIC), ManualClock())
