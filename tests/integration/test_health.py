"""Health is what happened: real servers that are there, and do not do what they are asked."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from notifier.commands import app
from notifier.errors import NotifierError, QueueUnavailableError, StoreUnavailableError
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.queue import RabbitQueue, open_rabbit_queue
from notifier.store.kit.database import Database
from notifier.store.kit.opening import open_database
from notifier.store.kit.writer import Writer
from notifier.store.notification.reading import SqlQueryStore
from tests.api import MAIL, PREFIX, Api, over, serving
from tests.clock import SystemClock
from tests.patience import AT_ALL_S
from tests.schema import postgres_database
from tests.servers.postgres import Postgres
from tests.servers.processes import free_port
from tests.servers.rabbitmq import RabbitMq, vhost_of
from tests.witness import witness_of

RABBIT = RabbitSettings(
    connection_name="test", publish_timeout_s=1, call_timeout_s=2, heartbeat_s=10
)
WORDS = dict[str, object]


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(AT_ALL_S):
        while not await look():
            pass


async def problem_of(ask: Callable[[], Awaitable[None]]) -> str | None:
    try:
        await ask()
    except NotifierError as error:
        return str(error)
    return None


async def readiness(api: Api) -> tuple[int, str, WORDS]:
    answer = await api.client.get("/readyz")
    shown = answer.json()
    return answer.status_code, shown["status"], shown["database"]


async def is_ready(api: Api) -> bool:
    return (await readiness(api))[:2] == (200, "ready")


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_full_disk_is_no_readiness(tmp_path: Path) -> None:
    full = "the database file cannot be used: its disk is full (SQLite 13)"
    async with serving(tmp_path, has_metrics=True) as api:
        await api.send()
        database = cast("SqlQueryStore", api.services.queries)._database  # noqa: SLF001
        await limit_pages(database, 1)
        with capture_logs() as logs:
            answers = [await api.client.post(f"{PREFIX}/send", json=MAIL) for _ in range(20)]
            ready = await readiness(api)
            metrics = (await api.client.get("/metrics")).text
        await limit_pages(database, 1_000_000)
        await eventually(lambda: is_ready(api))

    assert answers[-1].status_code == 503
    assert 'notifier_up{part="database"} 0.0' in metrics
    assert ready == (503, "unavailable", {"ok": False, "problem": full})
    errors = [each for each in logs if each["log_level"] == "error"]
    assert errors == [
        {"event": "health.failing", "log_level": "error", "part": "database", "reason": full}
    ]


async def limit_pages(database: Database, pages: int) -> None:
    limit = f"PRAGMA max_page_count = {pages}"
    async with database._writer.connect() as connection:  # noqa: SLF001
        await connection.exec_driver_sql(limit)
    writer = database._direct  # noqa: SLF001
    assert isinstance(writer, Writer)
    assert writer._connection is not None  # noqa: SLF001
    writer._connection.execute(limit)  # noqa: SLF001


async def test_a_database_that_became_read_only_is_no_readiness(schema_url: str) -> None:
    name = urlsplit(schema_url).path.removeprefix("/")
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    set_it = f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'
    async with over(schema_url) as api:
        api.client.headers.update(await api.headers("orders", "send", "read"))
        await api.send()
        await execute(schema_url, set_it, end)
        with capture_logs() as logs:
            # The first may only meet the end of its session.
            await eventually(lambda: answers_with_503(api))
            await api.client.post(f"{PREFIX}/send", json=MAIL)
            status, word, database = await readiness(api)
        # The sessions that were opened meanwhile stay read-only: they have to be given up.
        reset = f'ALTER DATABASE "{name}" RESET default_transaction_read_only'
        await execute(schema_url, "SET default_transaction_read_only = off", reset)
        await eventually(lambda: is_ready(api))
        await api.send()

    assert (status, word, database["ok"]) == (503, "unavailable", False)
    assert "it is read-only" in str(database["problem"])
    told = [each["reason"] for each in logs if each["event"] == "health.failing"]
    assert told.count(database["problem"]) == 1


async def answers_with_503(api: Api) -> bool:
    return (await api.client.post(f"{PREFIX}/send", json=MAIL)).status_code == 503


def with_parts(url: str, **changes: str | None) -> str:
    """Return a URL with another user, password, host, port or path."""
    parts: SplitResult = urlsplit(url)
    of = {name: changes.get(name, getattr(parts, name)) for name in _PARTS}
    place = f"{of['username']}:{of['password']}@{of['hostname']}:{of['port']}"
    return parts._replace(netloc=place, path=changes.get("path") or parts.path).geturl()


_PARTS = ("username", "password", "hostname", "port")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "canary-1"}, "the password is wrong: see NOTIFIER_DATABASE_URL"),
        ({"username": "canary-2"}, "see NOTIFIER_DATABASE_URL"),
        ({"path": "/canary-3"}, "there is no such database: see NOTIFIER_DATABASE_URL"),
        ({"hostname": "canary-4.invalid"}, "name is not known: see NOTIFIER_DATABASE_URL"),
        ({"port": "free"}, "nothing listens at its address: see NOTIFIER_DATABASE_URL"),
    ],
)
async def test_why_there_is_no_database_is_told_without_a_value_of_ours(
    postgres_url: str, changes: dict[str, str], words: str
) -> None:
    port = {"port": str(free_port())} if "port" in changes else {}
    url = with_parts(postgres_url, **(changes | port))
    async with open_database(url) as database:
        queries = SqlQueryStore(database)
        for ask in (queries.ping, queries.prove):
            with pytest.raises(StoreUnavailableError) as caught:
                await ask()

            assert words in str(caught.value)
            assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("LOGIN CONNECTION LIMIT 0", "it has no connection left"),
        ("NOLOGIN", "it lets this role not in"),
        ("LOGIN", "the role lacks a right"),
    ],
)
async def test_a_role_that_may_not_is_told(postgres: Postgres, made: str, words: str) -> None:
    role, password = f"role_{secrets.token_hex(4)}", secrets.token_hex(8)
    with postgres_database(postgres) as url:
        await execute(url, f"CREATE ROLE {role} {made} PASSWORD '{password}'")
        try:
            mine = with_parts(url, username=role, password=password)
            async with open_database(mine) as database:
                problem = await problem_of(SqlQueryStore(database).prove)
        finally:
            await execute(url, f"DROP ROLE {role}")

    assert words in str(problem)
    assert role not in str(problem)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "canary-1"}, "it refuses the user or the password"),
        ({"path": "/canary-2"}, "it opens no such vhost"),
        ({"port": "free"}, "nothing listens at its address"),
    ],
)
def test_a_command_says_in_one_line_why_there_is_no_broker(
    amqp_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str],
    words: str,
) -> None:
    port = {"port": str(free_port())} if "port" in changes else {}
    monkeypatch.setenv("NOTIFIER_BROKER_URL", with_parts(amqp_url, **(changes | port)))

    code = app.run(["topology", "apply"])

    line = capsys.readouterr().err
    assert code == 1
    assert line.count("\n") == 1
    assert f"{words}" in line
    assert "see NOTIFIER_BROKER_URL" in line
    assert "canary" not in line


def test_a_command_says_in_one_line_why_there_is_no_database(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = with_parts(postgres_url, password="canary-1")
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url)

    code = app.run(["db", "upgrade"])

    line = capsys.readouterr().err
    assert code == 1
    assert line.count("\n") == 1
    assert "the password is wrong: see NOTIFIER_DATABASE_URL" in line
    assert "canary" not in line


async def published(queue: RabbitQueue) -> str | None:
    envelope = Envelope(id=uuid4(), channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)
    (answer,) = await queue.publish([envelope])
    return str(answer) if answer else None


async def test_an_alarm_of_the_broker_is_told_and_its_end_found(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    async with open_rabbit_queue(amqp_url, RABBIT, SystemClock()) as queue:
        assert await published(queue) is None
        assert await problem_of(queue.prove) is None
        with capture_logs() as logs:
            await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0")
            try:
                assert "alarms is on" in str(await published(queue))
                assert await problem_of(queue.ping) is None
                during = await problem_of(queue.prove)
            finally:
                await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0.6")
            await eventually(lambda: is_well(queue))

    assert during == "the broker takes no messages: one of its alarms is on (memory or disk)"
    turns = [each["event"] for each in logs if each["event"].startswith("health.")]
    assert [*dict.fromkeys(turns)] == ["health.failing", "health.recovered"]


async def is_well(queue: RabbitQueue) -> bool:
    return await problem_of(queue.prove) is None


async def test_an_alarm_that_nothing_was_published_in_is_found_by_a_probe(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0")
    try:
        async with open_rabbit_queue(amqp_url, RABBIT, SystemClock()) as queue:
            problem = await problem_of(queue.prove)
    finally:
        await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", "0.6")

    assert "alarms is on" in str(problem)


async def test_a_missing_permission_to_write_is_told_and_its_grant_found(
    rabbitmq: RabbitMq, amqp_url: str
) -> None:
    grant = ("set_permissions", "-p", vhost_of(amqp_url), rabbitmq.user, ".*")
    async with open_rabbit_queue(amqp_url, RABBIT, SystemClock()) as queue:
        assert await problem_of(queue.prove) is None
    await asyncio.to_thread(rabbitmq.ctl, *grant, "^$", ".*")
    async with open_rabbit_queue(amqp_url, RABBIT, SystemClock()) as queue:
        assert await problem_of(queue.ping) is None
        without = await problem_of(queue.prove)
        assert "lacks a permission" in str(await published(queue))
        await asyncio.to_thread(rabbitmq.ctl, *grant, ".*", ".*")
        await eventually(lambda: is_well(queue))

    assert without == (
        "the broker refused: the user lacks a permission on the vhost (403 ACCESS_REFUSED)"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "canary-1"}, "it refuses the user or the password (403 ACCESS_REFUSED)"),
        (
            {"path": "/canary-2"},
            "it opens no such vhost: there is none, or not for this user (530 NOT_ALLOWED)",
        ),
        ({"hostname": "canary-3.invalid"}, "its host's name is not known"),
        ({"port": "free"}, "nothing listens at its address"),
    ],
)
async def test_why_there_is_no_broker_is_told_without_a_value_of_ours(
    amqp_url: str, changes: dict[str, str], words: str
) -> None:
    port = {"port": str(free_port())} if "port" in changes else {}
    url = with_parts(amqp_url, **(changes | port))
    async with open_rabbit_queue(url, RABBIT, SystemClock()) as queue:
        for ask in (queue.ping, queue.prove):
            with pytest.raises(QueueUnavailableError) as caught:
                await ask()

            assert str(caught.value) == f"the broker is away: {words}: see NOTIFIER_BROKER_URL"


async def test_a_missing_queue_is_told_and_found_once_it_is_there(amqp_url: str) -> None:
    looking = replace(RABBIT, declare=False)
    async with (
        open_rabbit_queue(amqp_url, RABBIT, SystemClock()),
        open_rabbit_queue(amqp_url, looking, SystemClock()) as queue,
    ):
        with witness_of(amqp_url) as witness:
            witness.delete("sms_notifications.high")
        missing = await problem_of(queue.prove)
        async with open_rabbit_queue(amqp_url, RABBIT, SystemClock()):
            await eventually(lambda: is_well(queue))

    assert missing == "there is no queue sms_notifications.high; run: notifier topology apply"


async def test_what_a_probe_publishes_is_in_no_queue(amqp_url: str) -> None:
    async with open_rabbit_queue(amqp_url, RABBIT, SystemClock()) as queue:
        await queue.prove()

        assert not sum(each.ready for each in await queue.depths())
        assert await published(queue) is None
