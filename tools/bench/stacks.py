"""What is measured side by side: notifier, and what people would build instead."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from notifier.commands import database, keys, topology
from notifier.composition.settings import read_settings
from notifier.notification.model import Channel, Lane
from notifier.queue.topology import work_queue
from tests.e2e.processes import NOTIFIER, WORKER_RUNNER
from tests.programs import Program
from tests.servers.processes import LOOPBACK, free_port
from tests.waiting import require
from tools.bench.peers_environment import PEERS_FOLDER
from tools.bench.place import Place
from tools.bench.results import CELERY, DRAMATIQ, FASTSTREAM, GATHERING, PLAIN
from tools.bench.wrk import Endpoint

_START_S = 60
_RELAY_CONSUMES = work_queue(Channel.IN_APP, Lane.NORMAL)


@dataclass(frozen=True, slots=True)
class Slots:
    """How workers are spread: so many notifications under way in each OS process."""

    processes: int
    each: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.each}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A stack set up in a place, nothing of it running yet.

    All have a table `notifications` with `status`, `created_at` and `sent_at`, one queue for
    emails and an endpoint that takes the same JSON.
    """

    place: Place
    url: str
    endpoint: Endpoint
    queue: str
    api: Program
    workers: Callable[[Slots], Program]
    relay: Program | None = None
    other: Endpoint | None = None
    """The endpoint with another service's key."""
    operator: Endpoint | None = None
    """The endpoint with the key of who sees all services."""

    async def start_api(self) -> None:
        """Start what accepts; returns once the API answers and the relay has begun."""
        self.api.start()
        if self.relay is not None:
            self.relay.start()
        async with aiohttp.ClientSession() as session:
            answers = partial(_answers, session, f"{self.url}/healthz")
            await require(answers, timeout_s=_START_S, what=f"the API ({self.api.name})")
        if self.relay is not None:
            await require(self._relays, timeout_s=_START_S, what="the relay")

    async def _relays(self) -> bool:
        return await self.place.consumers(_RELAY_CONSUMES) > 0

    async def stop_api(self) -> None:
        """Stop what accepts."""
        running = [self.api] if self.relay is None else [self.api, self.relay]
        await asyncio.gather(*(program.stop() for program in running))


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@dataclass(frozen=True, slots=True)
class Stack:
    """A way to build it; `deploy(place, smtp_port)` sets it up."""

    name: str
    deploy: Callable[[Place, int], Awaitable[Deployment]]


# --- notifier ---------------------------------------------------------------------------------

QUEUE = "email_notifications"
_SCOPES = ("send", "read", "templates", "recipients", "broadcasts", "rules", "events")
PATH = "/api/v1/notifications"


async def deploy_notifier(
    place: Place, smtp_port: int, changes: Mapping[str, str] | None = None
) -> Deployment:
    """Set notifier up as in production; `changes` are settings without their prefix."""
    port = free_port()
    environ = _settings(place, smtp_port, port) | {
        f"NOTIFIER_{name}": value for name, value in (changes or {}).items()
    }
    key, others, operators = await _prepare(environ)

    def workers(slots: Slots) -> Program:
        sized = {
            "NOTIFIER_WORKER__PROCESSES": str(slots.processes),
            "NOTIFIER_EMAIL__CONSUMERS": str(slots.each),
        }
        return place.program("workers", WORKER_RUNNER, environ | sized)

    # A runner always has a relay: one that delivers no emails leaves them to be measured.
    relay_only = {
        "NOTIFIER_WORKER__PROCESSES": "1",
        "NOTIFIER_EMAIL__PROVIDERS": "none",
        "NOTIFIER_IN_APP__PROVIDERS": "in_app",
        "NOTIFIER_RELAY__ENABLED": "true",
    }

    url = f"http://{LOOPBACK}:{port}"
    return Deployment(
        place=place,
        url=url,
        endpoint=_endpoint(url, key),
        other=_endpoint(url, others),
        operator=_endpoint(url, operators),
        queue=QUEUE,
        api=place.program("api", (*NOTIFIER, "serve"), environ),
        workers=workers,
        relay=place.program("relay", WORKER_RUNNER, environ | relay_only),
    )


def _endpoint(url: str, key: str) -> Endpoint:
    return Endpoint(url=f"{url}{PATH}/send", headers={"Authorization": f"Bearer {key}"})


def _settings(place: Place, smtp_port: int, port: int) -> dict[str, str]:
    settings = {
        "DATABASE_URL": place.dsn,
        "BROKER_URL": place.amqp_url,
        "BROKER_MANAGEMENT_URL": place.management_url,
        "KEY_PEPPER": secrets.token_hex(16),
        "PORT": str(port),
        "API__RATE_LIMIT": "100000000",
        "EMAIL__PROVIDERS": "smtp",
        "EMAIL__SENDER": "Shop <shop@example.com>",
        "SMS__PROVIDERS": "none",
        "IN_APP__PROVIDERS": "none",
        "SMTP__HOST": LOOPBACK,
        "SMTP__PORT": str(smtp_port),
        "SMTP__SECURITY": "none",
        # The peers log nothing of a request either.
        "LOG_LEVEL": "WARNING",
    }
    return {f"NOTIFIER_{name}": value for name, value in settings.items()}


async def _prepare(environ: Mapping[str, str]) -> tuple[str, str, str]:
    """Make the schema, the topology, an API key for each of two services and an operator's."""
    settings = read_settings(environ)
    await database.upgrade_schema(settings)
    report = await asyncio.to_thread(topology.apply_topology, settings)
    assert report.is_complete, report
    create = partial(keys.create_key, settings, lifetime=None)
    return (
        await create("bench", scopes=_SCOPES),
        await create("crowd", scopes=_SCOPES),
        await create("operators", scopes=("read", "admin")),
    )


# --- the peers --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Peer:
    """A module of tools/bench/peers, and the command of its workers."""

    module: str
    workers: Callable[[Slots], tuple[str, ...]]


def _faststream(slots: Slots) -> tuple[str, ...]:
    return ("faststream", "run", "fastapi_faststream:worker", "--workers", str(slots.processes))


def _dramatiq(slots: Slots) -> tuple[str, ...]:
    sized = ("--processes", str(slots.processes), "--threads", str(slots.each))
    return ("dramatiq", "fastapi_dramatiq", *sized)


def _celery(slots: Slots) -> tuple[str, ...]:
    sized = ("--pool", "prefork", "--concurrency", str(slots.processes))
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning")
    return ("celery", "-A", "fastapi_celery:celery", "worker", *sized, *quiet)


def _by_hand(module: str) -> Callable[[Slots], tuple[str, ...]]:
    return lambda slots: ("python", "-m", module, str(slots.processes))


PEERS = {
    GATHERING: Peer("by_hand_gathering", _by_hand("by_hand_gathering")),
    PLAIN: Peer("by_hand_plain", _by_hand("by_hand_plain")),
    FASTSTREAM: Peer("fastapi_faststream", _faststream),
    DRAMATIQ: Peer("fastapi_dramatiq", _dramatiq),
    CELERY: Peer("fastapi_celery", _celery),
}


def peer_stack(name: str, python: Path) -> Stack:
    """The peer of this name, run by this interpreter."""
    return Stack(name, partial(_deploy_peer, PEERS[name], python))


async def _deploy_peer(peer: Peer, python: Path, place: Place, smtp_port: int) -> Deployment:
    port = free_port()
    environ = {
        "PYTHONPATH": str(PEERS_FOLDER),
        "DATABASE_URL": place.dsn,
        "BROKER_URL": place.amqp_url,
        "SMTP_HOST": LOOPBACK,
        "SMTP_PORT": str(smtp_port),
    }
    async with place.connection() as connection:
        await connection.execute((PEERS_FOLDER / "schema.sql").read_text())

    def workers(slots: Slots) -> Program:
        command, *arguments = peer.workers(slots)
        each = str(slots.each)
        sized = {**environ, "SLOTS": each, "dramatiq_queue_prefetch": each}
        return place.program("workers", (str(python.with_name(command)), *arguments), sized)

    serve = (
        *(str(python.with_name("uvicorn")), f"{peer.module}:app"),
        *("--host", LOOPBACK, "--port", str(port), "--no-access-log", "--log-level", "warning"),
    )
    url = f"http://{LOOPBACK}:{port}"
    return Deployment(
        place=place,
        url=url,
        endpoint=Endpoint(url=f"{url}/notifications", headers={}),
        queue="notifications",
        api=place.program("api", serve, environ),
        workers=workers,
    )
