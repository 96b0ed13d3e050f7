"""The production mode: PostgreSQL, RabbitMQ, providers, the API and the worker runner."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2

from notifier.commands import keys
from notifier.composition.settings import read_settings
from tests.e2e.client import Service, service_at
from tests.e2e.processes import NOTIFIER, WORKER_RUNNER, Running, run, running
from tests.patience import AT_ALL_S
from tests.servers.background import in_background
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.servers.providers import SendGrid, Twilio, open_sendgrid, open_twilio
from tests.servers.rabbitmq import RabbitMq, vhost_of
from tests.servers.smtp import SmtpServer, smtp_server
from tests.witness import Witness, witness_of

PROCESSES = 2
WORK_QUEUES = tuple(
    f"{channel}_notifications{lane}"
    for channel in ("email", "sms", "in_app")
    for lane in ("", ".high", ".bulk")
)
DEAD_QUEUES = tuple(f"{channel}_notifications.dead" for channel in ("email", "sms", "in_app"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everything that is not notifier's own."""

    postgres: Postgres
    rabbitmq: RabbitMq
    database_url: str
    amqp_url: str
    smtp: SmtpServer
    sendgrid: SendGrid
    twilio: Twilio

    def settings(self) -> dict[str, str]:
        """Settings for these, with mail over SMTP and SMS into the sandbox."""
        return {
            "NOTIFIER_DATABASE_URL": self.database_url.replace("+asyncpg", ""),
            "NOTIFIER_BROKER_URL": self.amqp_url,
            "NOTIFIER_BROKER_MANAGEMENT_URL": self.rabbitmq.management_url,
            "NOTIFIER_KEY_PEPPER": "canary-pepper-7f1d0a",
            "NOTIFIER_SECRETS__CONTENT_KEYS": "canary-key-of-content-2b9c",
            "NOTIFIER_PORT": "0",
            "NOTIFIER_SANDBOX_PAGE": "true",
            "NOTIFIER_API__RATE_LIMIT": "1000000",
            "NOTIFIER_EMAIL__PROVIDERS": "smtp",
            "NOTIFIER_EMAIL__SENDER": "Shop <shop@example.com>",
            "NOTIFIER_EMAIL__RETRY_SCHEDULE_S": "0.5",
            "NOTIFIER_SMTP__HOST": self.smtp.host,
            "NOTIFIER_SMTP__PORT": str(self.smtp.port),
            "NOTIFIER_SMTP__SECURITY": "none",
            "NOTIFIER_SMS__PROVIDERS": "sandbox",
            "NOTIFIER_SENDGRID__API_KEY": self.sendgrid.api_key,
            "NOTIFIER_SENDGRID__BASE_URL": self.sendgrid.base_url,
            "NOTIFIER_TWILIO__ACCOUNT_SID": self.twilio.account_sid,
            "NOTIFIER_TWILIO__AUTH_TOKEN": self.twilio.auth_token,
            "NOTIFIER_TWILIO__SENDER": "+491700000000",
            "NOTIFIER_TWILIO__BASE_URL": self.twilio.base_url,
            "NOTIFIER_EVENTS__BINDINGS": "booking.*",
            "NOTIFIER_WORKER__PROCESSES": str(PROCESSES),
            "NOTIFIER_RELAY__DUE_EVERY_S": "0.3",
            "NOTIFIER_RELAY__REPAIR_EVERY_S": "2",
        }

    @contextmanager
    def witness(self) -> Iterator[Witness]:
        """Look into the broker."""
        with witness_of(self.amqp_url) as witness:
            yield witness

    def rows(self, query: str, *arguments: object) -> list[Any]:
        """Ask the database itself."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.database_url.replace("+asyncpg", ""))
            try:
                return list(await connection.fetch(query, *arguments))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def texts(self, query: str) -> list[str]:
        """The first column of what the database answers, as text."""
        return [str(row[0]) for row in self.rows(query)]

    def await_drained(self) -> None:
        """Wait until an independent client of the broker finds every work queue empty."""
        with self.witness() as witness:
            wait_until(
                lambda: not any(map(witness.ready, WORK_QUEUES)),
                timeout_s=AT_ALL_S,
                what="empty queues",
            )

    def dead_letters(self) -> Counter[str]:
        """How many letters each dead queue holds."""
        with self.witness() as witness:
            return Counter({name: count for name in DEAD_QUEUES if (count := witness.ready(name))})

    def await_dead_letters_agree(self, *, timeout_s: float) -> None:
        """Wait until the dead queues hold one letter of each failed record, and no others."""
        query = "SELECT channel, count(*) FROM notifications WHERE status = 'failed' GROUP BY 1"

        def agree() -> bool:
            failed = {f"{row[0]}_notifications.dead": row[1] for row in self.rows(query)}
            return self.dead_letters() == Counter(failed)

        wait_until(agree, timeout_s=timeout_s, what="dead queues that agree with the records")

    def mailed(self) -> list[str]:
        """The ids of the notifications of all mails that were taken, in order."""
        headers = (message_from_bytes(mail.content)["Message-ID"] for mail in self.smtp.received)
        return [str(header).strip("<>").partition("@")[0] for header in headers]

    def move(self, source: str, target: str) -> None:
        """Move messages as the management page's button does: by a shovel that ends by itself."""
        vhost = vhost_of(self.amqp_url)
        here = f"amqp:///{vhost}"
        value = {
            "src-uri": here,
            "src-queue": source,
            "src-delete-after": "queue-length",
            "dest-uri": here,
            "dest-queue": target,
            "ack-mode": "on-confirm",
        }
        # An earlier one that has not quite ended would be this one, by its name.
        path = ("parameters", "shovel", vhost, f"Move from {source} {uuid4()}")
        self.rabbitmq.management.call("PUT", *path, body={"value": value})


@contextmanager
def outside(
    postgres: Postgres, rabbitmq: RabbitMq, *, template: str = "template0"
) -> Iterator[Outside]:
    """A database, a copy of `template`, a virtual host and providers of the test's own."""
    with ExitStack() as stack:
        yield Outside(
            postgres=postgres,
            rabbitmq=rabbitmq,
            database_url=stack.enter_context(postgres.database(template)),
            amqp_url=stack.enter_context(rabbitmq.vhost()),
            smtp=stack.enter_context(smtp_server()),
            sendgrid=stack.enter_context(in_background(open_sendgrid)),
            twilio=stack.enter_context(in_background(open_twilio)),
        )


class Production:
    """Notifier in production, whose API and worker runner can be ended and started again."""

    def __init__(self, outside: Outside, stack: ExitStack) -> None:
        self.outside = outside
        self.environ: Mapping[str, str] = outside.settings()
        self._stack = stack
        self._started: list[Running] = []
        self.url = ""
        self.api: Running
        self.workers: Running

    def start_api(self) -> None:
        """Start `notifier serve`; returns when it answers."""
        self.api = self._start(*NOTIFIER, "serve")
        self.url = json.loads(self.api.line('"event":"api.started"').string)["url"]

    def start_workers(self, **changes: str) -> None:
        """Start worker_runner.py; returns when all its processes consume."""
        self.workers = self._start(*WORKER_RUNNER, **changes)
        self.await_workers(PROCESSES)

    def await_workers(self, starts: int) -> None:
        """Wait until the runner has started so many processes in all."""
        wait_until(
            lambda: self.workers.output.count('"worker.started"') >= starts,
            timeout_s=AT_ALL_S,
            what=f"{starts} started workers",
        )

    def ensure(self) -> None:
        """Start what an earlier test left ended, and forget what it told the providers."""
        self.outside.smtp.reset()
        if not self.api.is_running:
            self.start_api()
        if not self.workers.is_running:
            self.start_workers()

    def again(self, service: Service) -> None:
        """Let a client find the API that was started again."""
        service.client.base_url = httpx2.URL(self.url)

    def service(self, name: str, *scopes: str) -> Service:
        """A client of the API, with a key that sends and reads, and is for these as well."""
        settings = read_settings(self.environ)
        key = asyncio.run(keys.create_key(settings, name, ("send", "read", *scopes), None))
        return self._stack.enter_context(service_at(self.url, key))

    def run(self, *arguments: str) -> str:
        """Run a command that must succeed; returns its stdout."""
        ended = run(*arguments, environ=self.environ)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    @property
    def output(self) -> str:
        """All that all processes have printed so far."""
        return "".join(process.output for process in self._started)

    def _start(self, *command: str, **changes: str) -> Running:
        process = self._stack.enter_context(running(command, {**self.environ, **changes}))
        self._started.append(process)
        return process


@contextmanager
def production(outside: Outside) -> Iterator[Production]:
    """A database with a schema, a broker with a topology, a running API and running workers."""
    with ExitStack() as stack:
        started = Production(outside, stack)
        started.run("db", "upgrade")
        started.run("topology", "apply")
        started.start_api()
        started.start_workers()
        yield started
