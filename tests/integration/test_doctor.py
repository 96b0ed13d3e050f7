"""`notifier doctor`, on servers that are as they should be and others that are not."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from notifier.checkup import Finding, State
from notifier.commands import app
from notifier.composition.doctor import examine
from notifier.notification.model import Channel, Lane
from notifier.queue import topology
from notifier.queue.rabbitmq.topology import apply_topology, connected
from notifier.store.migrations import REVISIONS
from tests.api import serving
from tests.gateway import gateway_to
from tests.patience import AT_ALL_S
from tests.schema import sqlite_database
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.providers import open_sendgrid, open_twilio
from tests.servers.rabbitmq import RabbitMq
from tests.servers.scripted_smtp import Hang, SmtpServer, open_smtp

PARTS = "/api/v1/health/parts"
LOGIN = ("shop", "correct-horse")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def smtp(certificates: Certificates) -> AsyncIterator[SmtpServer]:
    async with open_smtp(certificates.server_context(), LOGIN) as server:
        yield server


@pytest.fixture
def environ(tmp_path: Path, smtp: SmtpServer, certificates: Certificates) -> dict[str, str]:
    """What is fine in every part."""
    return {
        "NOTIFIER_DATABASE_URL": sqlite_database(tmp_path / "notifier.db"),
        "NOTIFIER_BROKER_URL": "memory://",
        "NOTIFIER_KEY_PEPPER": "of sixteen letters",
        "NOTIFIER_EMAIL__PROVIDERS": "smtp",
        "NOTIFIER_EMAIL__SENDER": "Shop <no-reply@shop.example>",
        "NOTIFIER_SMS__PROVIDERS": "none",
        "NOTIFIER_SMTP__HOST": "127.0.0.1",
        "NOTIFIER_SMTP__PORT": str(smtp.port),
        "NOTIFIER_SMTP__USERNAME": LOGIN[0],
        "NOTIFIER_SMTP__PASSWORD": LOGIN[1],
        "NOTIFIER_SMTP__CA_PATH": str(certificates.authority),
        "NOTIFIER_SMTP__TIMEOUT_S": "5",
    }


async def findings(environ: Mapping[str, str]) -> dict[str, Finding]:
    return {part.name: part.finding for part in await examine(environ)}


async def found_of(part: str, environ: Mapping[str, str]) -> Finding:
    return (await findings(environ))[part]


async def test_where_everything_is_there_nothing_is_wrong_and_nothing_is_sent(
    environ: dict[str, str], smtp: SmtpServer
) -> None:
    found = await findings(environ)

    assert {name: finding.state for name, finding in found.items()} == {
        "configuration": State.FINE,
        "database": State.FINE,
        "clock": State.FINE,
        "broker": State.NOT_CHECKED,
        "topology": State.NOT_CHECKED,
        "queues": State.NOT_CHECKED,
        "workers": State.NOT_CHECKED,
        "email by smtp": State.FINE,
        "in_app by in_app": State.NOT_CHECKED,
    }
    verbs = [command.split(" ")[0].upper() for command in smtp.commands]
    assert verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "NOOP", "QUIT"]
    assert not smtp.mails


async def test_a_wrong_password_is_named_and_never_shown(environ: dict[str, str]) -> None:
    wrong = "battery-staple"

    state, detail, advice = await found_of(
        "email by smtp", environ | {"NOTIFIER_SMTP__PASSWORD": wrong}
    )

    assert (state, detail) == (State.WRONG, "auth: the server refused: 535 5.7.8")
    assert "NOTIFIER_SMTP__PASSWORD" in advice
    assert wrong not in advice


async def test_a_mail_server_without_starttls_is_named(environ: dict[str, str]) -> None:
    async with open_smtp(None, LOGIN) as server:
        found = await found_of("email by smtp", environ | {"NOTIFIER_SMTP__PORT": str(server.port)})

    assert found.state is State.WRONG
    assert "does not offer STARTTLS" in found.detail
    assert "NOTIFIER_SMTP__SECURITY" in found.detail


async def test_a_closed_port_is_named(environ: dict[str, str]) -> None:
    found = await found_of("email by smtp", environ | {"NOTIFIER_SMTP__PORT": "9"})

    assert found.state is State.WRONG
    assert found.detail == "connect: nothing listens on port 9"
    assert "NOTIFIER_SMTP__PORT" in found.advice


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "AUTH", "NOOP"])
async def test_a_frozen_mail_server_is_named_with_the_time_out(
    environ: dict[str, str], smtp: SmtpServer, verb: str
) -> None:
    smtp.script(verb, *[Hang()] * 3)

    found = await found_of("email by smtp", environ | {"NOTIFIER_SMTP__TIMEOUT_S": "0.5"})

    assert found.state is State.WRONG
    assert "no answer in time (NOTIFIER_SMTP__TIMEOUT_S is 0.5)" in found.detail


async def test_sendgrid_is_asked_for_the_scopes_of_its_key(environ: dict[str, str]) -> None:
    async with open_sendgrid() as sendgrid:
        by_sendgrid = environ | {
            "NOTIFIER_EMAIL__PROVIDERS": "sendgrid",
            "NOTIFIER_SENDGRID__API_KEY": sendgrid.api_key,
            "NOTIFIER_SENDGRID__BASE_URL": sendgrid.base_url,
        }
        fine = await found_of("email by sendgrid", by_sendgrid)
        another = by_sendgrid | {"NOTIFIER_SENDGRID__API_KEY": "SG.another"}
        refused = await found_of("email by sendgrid", another)
        sendgrid.scopes.remove("mail.send")
        lacking = await found_of("email by sendgrid", by_sendgrid)

    assert fine.state is State.FINE
    assert (refused.state, refused.detail) == (State.WRONG, "it refused the login: http 401")
    assert "NOTIFIER_SENDGRID__API_KEY" in refused.advice
    assert (lacking.state, lacking.detail) == (
        State.WRONG,
        "the API key lacks the scope mail.send",
    )
    assert not sendgrid.arrivals


async def test_twilio_is_asked_for_the_account(environ: dict[str, str]) -> None:
    async with open_twilio() as twilio:
        by_twilio = environ | {
            "NOTIFIER_SMS__PROVIDERS": "twilio",
            "NOTIFIER_TWILIO__ACCOUNT_SID": twilio.account_sid,
            "NOTIFIER_TWILIO__AUTH_TOKEN": twilio.auth_token,
            "NOTIFIER_TWILIO__SENDER": "+15005550006",
            "NOTIFIER_TWILIO__BASE_URL": twilio.base_url,
        }
        fine = await found_of("sms by twilio", by_twilio)
        refused = await found_of("sms by twilio", by_twilio | {"NOTIFIER_TWILIO__AUTH_TOKEN": "x"})
        twilio.account_status = "suspended"
        suspended = await found_of("sms by twilio", by_twilio)
    away = await found_of("sms by twilio", by_twilio)

    assert fine.state is State.FINE
    assert "NOTIFIER_TWILIO__AUTH_TOKEN" in refused.advice
    assert (suspended.state, suspended.detail) == (State.WRONG, "the account is suspended")
    assert (away.state, away.detail) == (State.WRONG, "no answer: connection_refused")
    assert not twilio.arrivals


async def test_an_older_schema_is_named_with_what_to_run(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", [REVISIONS[0]])

    found = await findings(environ)

    assert found["database"].state is State.WRONG
    assert "notifier db upgrade" in found["database"].detail
    assert found["email by smtp"].state is State.FINE


async def test_a_wrong_setting_is_named_with_its_variable(environ: dict[str, str]) -> None:
    found = await findings(environ | {"NOTIFIER_EMAIL__PROVIDERS": "smpt"})

    assert found.keys() == {"configuration"}
    assert "NOTIFIER_EMAIL__PROVIDERS" in found["configuration"].detail


async def test_what_the_broker_lacks_is_named(
    environ: dict[str, str], rabbitmq: RabbitMq, amqp_url: str
) -> None:
    environ |= {
        "NOTIFIER_BROKER_URL": amqp_url,
        "NOTIFIER_BROKER_MANAGEMENT_URL": rabbitmq.management_url,
    }
    await asyncio.to_thread(apply_topology, amqp_url, rabbitmq.management_url)
    fine = await findings(environ)
    queue = topology.work_queue(Channel.SMS, Lane.NORMAL)
    read_by_nobody = topology.work_queue(Channel.EMAIL, Lane.NORMAL)
    with connected(amqp_url) as connection:
        channel = connection.channel()
        channel.queue_delete(queue)
        channel.confirm_delivery()
        key = topology.routing_key(Channel.EMAIL, Lane.NORMAL)
        channel.basic_publish(topology.WORK_EXCHANGE, key, b"{}")
    lacking = await findings(environ)

    assert [fine[part].state for part in ("broker", "topology", "queues")] == [State.FINE] * 3
    assert fine["broker"].detail.startswith("RabbitMQ ")
    assert lacking["topology"] == (
        State.WRONG,
        f"queue {queue}: missing; run: notifier topology apply",
        "run `notifier topology apply`",
    )
    assert lacking["queues"] == (
        State.WRONG,
        f"nobody reads {read_by_nobody} (1 ready)",
        "start the workers: `notifier work`",
    )


async def test_an_alarm_of_the_broker_is_named(
    environ: dict[str, str], rabbitmq: RabbitMq, amqp_url: str
) -> None:
    environ |= {
        "NOTIFIER_BROKER_URL": amqp_url,
        "NOTIFIER_BROKER_MANAGEMENT_URL": rabbitmq.management_url,
    }
    await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0")
    try:
        # The management API's account is some seconds late.
        async with asyncio.timeout(AT_ALL_S):
            while (found := await found_of("broker", environ)).state is State.FINE:
                pass
    finally:
        await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0.6")

    assert found.state is State.WRONG
    assert found.detail.startswith("it takes no messages: alarm for memory on ")


async def test_a_frozen_broker_is_named_in_bounded_time(
    environ: dict[str, str], amqp_url: str
) -> None:
    async with gateway_to(amqp_url) as gateway:
        gateway.freeze()
        async with asyncio.timeout(AT_ALL_S):
            found = await findings(environ | {"NOTIFIER_BROKER_URL": gateway.url})

    assert found["topology"].state is State.WRONG
    assert found["queues"].state is State.WRONG
    assert found["email by smtp"].state is State.FINE


async def test_a_frozen_database_is_named_in_bounded_time(
    environ: dict[str, str], schema_url: str
) -> None:
    async with gateway_to(schema_url) as gateway:
        fine = await findings(environ | {"NOTIFIER_DATABASE_URL": gateway.url})
        gateway.freeze()
        async with asyncio.timeout(AT_ALL_S):
            frozen = await findings(environ | {"NOTIFIER_DATABASE_URL": gateway.url})

    for part in ("database", "clock"):
        assert fine[part].state is State.FINE
        assert frozen[part].state is State.WRONG
        assert "NOTIFIER_DATABASE_URL" in frozen[part].advice
    assert frozen["email by smtp"].state is State.FINE


async def test_a_broker_that_is_away_is_named(environ: dict[str, str]) -> None:
    found = await findings(environ | {"NOTIFIER_BROKER_URL": "amqp://guest:secret@127.0.0.1:9/"})

    for part in ("broker", "topology", "queues"):
        assert found[part].state is State.WRONG
        assert "the broker is up" in found[part].advice
        assert "secret" not in found[part].detail


async def test_the_command_ends_with_1_where_something_is_wrong(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert await asyncio.to_thread(app.run, ["doctor"]) == 0
    table = capsys.readouterr().out
    # That is worth a line in the log.
    monkeypatch.setenv("NOTIFIER_SMTP__PORT", "465")
    assert await asyncio.to_thread(app.run, ["doctor", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)

    assert table.splitlines()[0] == "part\tstate\ttook ms\tdetail\tadvice"
    assert {each["part"]: each["state"] for each in shown}["email by smtp"] == "wrong"


async def test_the_api_shows_the_parts_to_operators_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        refused = await api.client.get(PARTS)
        answer = await api.client.get(PARTS, headers=await api.headers("operators", "admin"))

    assert refused.status_code == 403
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["is_fine"]
    assert {part["name"]: part["state"] for part in shown["parts"]}["database"] == "fine"
