"""A whole notifier: API processes, worker runners, providers, and links to what they need."""

import asyncio
import os
import secrets
import signal
import urllib.parse
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import aiohttp

from notifier.commands import database, keys, topology
from notifier.composition.settings import read_settings
from notifier.queue.topology import WORK_QUEUES
from tests.e2e.processes import NOTIFIER, WORKER_RUNNER, children_of, is_gone, workers_of
from tests.programs import Base, Program
from tests.servers.processes import LOOPBACK, free_port, listens
from tests.servers.reaper import reaping
from tests.waiting import require
from tests.witness import witness_of
from tools.chaos.injectors import BROKER, DATABASE
from tools.chaos.links import Links, open_link
from tools.chaos.outside import Outside
from tools.chaos.providers import SENDGRID_KEY, TWILIO_SID, TWILIO_TOKEN

APIS = 2
RUNNERS = 2
PROCESSES = 2
CONSUMERS = {"EMAIL": 64, "SMS": 8, "IN_APP": 8}
LEASE_S = 15
_START_S = 60
# In runners of two minds both of email's providers get their share.
_EMAIL_PROVIDERS = ("smtp,sendgrid", "sendgrid,smtp")


class Api(Program):
    """One API process."""

    def __init__(self, index: int, environ: Mapping[str, str], base: Base) -> None:
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        settings = {**environ, "NOTIFIER_PORT": str(port)}
        super().__init__(f"api-{index}", (*NOTIFIER, "serve"), settings, base)

    async def ready(self) -> None:
        """Return once it answers."""
        async with aiohttp.ClientSession() as session:
            answers = partial(_answers, session, f"{self.url}/healthz")
            await require(answers, timeout_s=_START_S, what=self.name)


def runner_name(index: int) -> str:
    """The name of the runner with this number."""
    return f"runner-{index}"


class Runner(Program):
    """One worker runner: a parent and its processes."""

    def __init__(self, index: int, environ: Mapping[str, str], base: Base) -> None:
        providers = _EMAIL_PROVIDERS[index % len(_EMAIL_PROVIDERS)]
        settings = {**environ, "NOTIFIER_EMAIL__PROVIDERS": providers}
        super().__init__(runner_name(index), WORKER_RUNNER, settings, base)

    def workers(self) -> list[int]:
        """The ids of its processes that deliver."""
        return sorted(workers_of(self.pid))

    async def ready(self) -> None:
        """Return once it has started its processes."""

        async def are_there() -> bool:
            return len(self.workers()) == PROCESSES

        await require(are_there, timeout_s=_START_S, what=self.name)

    def send_all(self, number: signal.Signals) -> None:
        """Send a signal to the parent and all its children."""
        for pid in (self.pid, *children_of(self.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


class Providers(Program):
    """The providers' stand-ins."""

    def __init__(self, journal: Path, smtp_port: int, http_port: int, base: Base) -> None:
        ports = (str(smtp_port), str(http_port))
        command = (NOTIFIER[0], "-m", "tools.chaos.providers", str(journal), *ports)
        super().__init__("providers", command, {}, base)

    def fail_mail(self) -> None:
        """Let the mail server put everything off."""
        os.kill(self.pid, signal.SIGUSR1)

    def mend_mail(self) -> None:
        """Let the mail server work again."""
        os.kill(self.pid, signal.SIGUSR2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Everything that runs."""

    outside: Outside
    apis: Mapping[str, Api]
    runners: Mapping[str, Runner]
    links: Mapping[str, Links]
    providers: Providers
    journal: Path
    key: str

    def links_by_side(self) -> Mapping[str, Links]:
        """The links of all workers, and those of the APIs, to each server."""
        sides = {"workers": tuple(self.runners), "api": ("api",)}
        return {
            f"{side}-{server}": Links(
                link for name in names for link in self.links[f"{name}-{server}"]
            )
            for side, names in sides.items()
            for server in (DATABASE, BROKER)
        }

    async def restart(self, program: Program) -> None:
        """Kill a program and start it again, as a process manager does."""
        await program.kill()
        program.start()

    async def redeploy(self, program: Program) -> None:
        """Ask a program to end, and start it again once it has."""
        await program.stop()
        program.start()


@asynccontextmanager
async def open_stack(outside: Outside, folder: Path, *, relay: bool) -> AsyncIterator[Stack]:
    """Start everything; returns once the API answers and all workers consume."""
    async with AsyncExitStack() as stack:
        base = Base(stack.enter_context(reaping()), folder)
        journal = folder / "journal.jsonl"
        smtp_port, http_port = free_port(), free_port()
        providers = Providers(journal, smtp_port, http_port, base)
        providers.start()
        shared = {**_settings(smtp_port, http_port), **outside.settings()}
        shared["NOTIFIER_RELAY__ENABLED"] = str(relay).lower()
        key = await _prepare(shared)
        links = {
            f"{side}-{server}": await stack.enter_async_context(_links(urls))
            for side in ("api", *map(runner_name, range(RUNNERS)))
            for server, urls in _urls(outside).items()
        }
        apis = [Api(index, _behind(shared, outside, links, "api"), base) for index in range(APIS)]
        runners = [
            Runner(index, _behind(shared, outside, links, runner_name(index)), base)
            for index in range(RUNNERS)
        ]
        for program in (*apis, *runners):
            program.start()
        for api in apis:
            await api.ready()
        await _listening(smtp_port, http_port)
        await _consuming(outside.broker_urls[0])
        yield Stack(
            outside=outside,
            apis={api.name: api for api in apis},
            runners={runner.name: runner for runner in runners},
            links=links,
            providers=providers,
            journal=journal,
            key=key,
        )


def _urls(outside: Outside) -> dict[str, Sequence[str]]:
    return {DATABASE: outside.database_urls, BROKER: outside.broker_urls}


@asynccontextmanager
async def _links(urls: Sequence[str]) -> AsyncIterator[Links]:
    """A link to the host of each."""
    async with AsyncExitStack() as stack:
        places = [urllib.parse.urlsplit(url) for url in urls]
        opened = [open_link(place.hostname or LOOPBACK, place.port or 0) for place in places]
        yield Links([await stack.enter_async_context(link) for link in opened])


def server_of(links: str) -> str:
    """What the links of this name lead to."""
    return links.rpartition("-")[2]


def _behind(
    settings: Mapping[str, str], outside: Outside, links: Mapping[str, Links], side: str
) -> dict[str, str]:
    """The same settings, with the database and the broker behind this side's links."""
    behind = replace(
        outside,
        database_urls=_via(links[f"{side}-{DATABASE}"], outside.database_urls),
        broker_urls=_via(links[f"{side}-{BROKER}"], outside.broker_urls),
    )
    return {**settings, **behind.settings()}


def _via(links: Links, urls: Sequence[str]) -> list[str]:
    return [_at(link.port, url) for link, url in zip(links, urls, strict=True)]


def _at(port: int, url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    credentials = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{credentials}@{LOOPBACK}:{port}").geturl()


def _settings(smtp_port: int, http_port: int) -> dict[str, str]:
    """Settings as in production, but for waits: what takes minutes there takes seconds here."""
    http = f"http://{LOOPBACK}:{http_port}"
    settings = {
        "KEY_PEPPER": secrets.token_hex(16),
        "API__RATE_LIMIT": "10000000",
        "EMAIL__PROVIDERS": "smtp,sendgrid",
        "EMAIL__SENDER": "Shop <shop@example.com>",
        "SMS__PROVIDERS": "twilio",
        "SMTP__HOST": LOOPBACK,
        "SMTP__PORT": str(smtp_port),
        "SMTP__SECURITY": "none",
        "SMTP__TIMEOUT_S": "4",
        "SENDGRID__API_KEY": SENDGRID_KEY,
        "SENDGRID__BASE_URL": http,
        "SENDGRID__TIMEOUT_S": "4",
        "TWILIO__ACCOUNT_SID": TWILIO_SID,
        "TWILIO__AUTH_TOKEN": TWILIO_TOKEN,
        "TWILIO__SENDER": "+4915199999999",
        "TWILIO__BASE_URL": http,
        "TWILIO__STATUS_CALLBACK_BASE_URL": "http://127.0.0.1:9/callbacks",
        "TWILIO__TIMEOUT_S": "4",
        "WORKER__PROCESSES": str(PROCESSES),
        "WORKER__LEASE_S": str(LEASE_S),
        "WORKER__GRACE_S": "10",
        "RELAY__LOST_AFTER_S": "10",
    }
    for channel, consumers in CONSUMERS.items():
        settings[f"{channel}__CONSUMERS"] = str(consumers)
        settings[f"{channel}__RETRY_SCHEDULE_S"] = "1,2,5"
        settings[f"{channel}__MAX_ATTEMPTS"] = "12"
        settings[f"{channel}__SNOOZE_S"] = "2"
        settings[f"{channel}__UNKNOWN_WAIT_S"] = "2"
    return {f"NOTIFIER_{name}": value for name, value in settings.items()}


async def _prepare(environ: Mapping[str, str]) -> str:
    """Make the schema, the topology and an API key."""
    settings = read_settings(environ)
    await database.upgrade_schema(settings)
    report = await asyncio.to_thread(topology.apply_topology, settings)
    assert report.is_complete, report
    return await keys.create_key(settings, "chaos", ("send", "read"), None)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _listening(*ports: int) -> None:
    async def all_listen() -> bool:
        return all([await asyncio.to_thread(listens, LOOPBACK, port) for port in ports])

    await require(all_listen, timeout_s=_START_S, what="providers")


async def _consuming(amqp_url: str) -> None:
    """Wait until every worker process consumes from every queue."""

    def all_consume() -> bool:
        with witness_of(amqp_url) as witness:
            return all(
                witness.consumers(queue.name) == RUNNERS * PROCESSES * CONSUMERS[queue.channel.name]
                for queue in WORK_QUEUES
            )

    consuming = partial(asyncio.to_thread, all_consume)
    await require(consuming, timeout_s=_START_S, every_s=0.3, what="all workers consuming")


async def await_gone(pids: list[int], *, timeout_s: float) -> None:
    """Wait until none of these processes runs."""

    async def all_gone() -> bool:
        return all(map(is_gone, pids))

    await require(all_gone, timeout_s=timeout_s, what=f"the end of {pids}")
