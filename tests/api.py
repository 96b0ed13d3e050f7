"""The API over a real store, as its tests use it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import httpx2
import uvicorn
from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uuid_utils import compat

from notifier.access import keys
from notifier.access.passwords import Passwords
from notifier.api.app import create_app
from notifier.api.console.layout import templates
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.door import DoorLimits
from notifier.api.kit.server import bind, make_server
from notifier.api.ports import (
    ApiPorts,
    KeepingPorts,
    MendingPorts,
    OperatorPorts,
    SchedulingPorts,
    WatchingPorts,
)
from notifier.audience.category import Categories
from notifier.audience.resolving import Audience
from notifier.checkup import Examine
from notifier.clock import Clock
from notifier.composition.bench import SettingsBench
from notifier.composition.doctor import look_at
from notifier.composition.openid import elsewhere
from notifier.composition.settings import read_settings
from notifier.content.library import Library
from notifier.delivery.ports import Claimed, Finish
from notifier.events.counts import Tally
from notifier.events.event import Reacting
from notifier.intake.attaching import Attacher
from notifier.intake.drafting import Drafter
from notifier.intake.pinning import Pinner
from notifier.intake.publishing import Publisher
from notifier.intake.senders import Senders
from notifier.intake.submission import Submitter
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane, Message
from notifier.notification.outcomes import Fault
from notifier.notification.transitions import FAIL
from notifier.providers.receipt import CallbackRoute
from notifier.queue.memory import MemoryQueue
from notifier.rendering.expressions import ExpressionEngine
from notifier.rendering.markup import HtmlMarkup
from notifier.rendering.renderer import VersionRenderer
from notifier.rendering.trusted import TrustedPages
from notifier.rendering.workshop import ChildWorkshop
from notifier.sealing import SealedLinks
from notifier.settings.sign_in import OpenIdSettings
from notifier.store.captures import SqlCaptures
from notifier.store.kit.database import Patience
from notifier.store.kit.opening import open_database
from notifier.store.notification.settings import StoreSettings
from tests.contract.store.stores import PSEUDONYMS, Stores, stores_over
from tests.patience import AT_ALL_S, PATIENT, USUAL
from tests.schema import sqlite_database

PEPPER = b"a pepper for the length of a test"
# As cheap as can be.
PASSWORDS = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
PREFIX = "/api/v1/notifications"
LINKS = SealedLinks("https://notify.example.com", [b"a secret that seals links"])
MAIL: Mapping[str, Any] = {
    "type": "email",
    "recipient": "anna@example.com",
    "subject": "Your order",
    "content": "It is on its way.",
}
SMS: Mapping[str, Any] = {"type": "sms", "recipient": "+491701234567", "content": "On its way."}


class ProcessClock:
    """The real time; `ahead_s` moves the monotonic clock on, `days_on` the other."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.days_on = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days_on)

    def monotonic_s(self) -> float:
        return time.monotonic() + self.ahead_s


_IN_APP_ALONE = {
    "NOTIFIER_DATABASE_URL": "sqlite:///x",
    "NOTIFIER_BROKER_URL": "memory://",
    "NOTIFIER_KEY_PEPPER": "of sixteen letters",
    "NOTIFIER_EMAIL__PROVIDERS": "none",
    "NOTIFIER_SMS__PROVIDERS": "none",
}


def examining(stores: Stores) -> Examine:
    """Return what looks at every part of a notifier that has a database, and in-app alone."""
    return partial(look_at, read_settings(_IN_APP_ALONE), stores)


def bench_of(stores: Stores, environ: Mapping[str, str] = _IN_APP_ALONE) -> SettingsBench:
    """Return the providers that variables name; without any, in-app alone."""
    return SettingsBench(read_settings({**_IN_APP_ALONE, **environ}), stores)


Callbacks: TypeAlias = Callable[[Clock], Sequence[CallbackRoute]]
"""How providers report, by the API's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """An application, a client that may send and read for `orders`, and what stands behind it."""

    app: Starlette
    client: httpx2.AsyncClient
    services: ApiPorts
    stores: Stores
    queue: MemoryQueue
    publisher: Publisher
    captures: SqlCaptures
    clock: ProcessClock

    async def key(
        self, service: str, *scopes: str, expires_at: datetime | None = None
    ) -> keys.PresentedKey:
        """Make and store an API key."""
        key = keys.mint()
        await self.services.keys.add(
            id=key.id,
            service=service,
            scopes=scopes,
            digest=key.digest(PEPPER),
            expires_at=expires_at,
        )
        return key

    async def headers(self, service: str, *scopes: str) -> dict[str, str]:
        """Make an API key; returns the headers that present it."""
        return {"Authorization": f"Bearer {(await self.key(service, *scopes)).text}"}

    async def send(self, **changes: object) -> UUID:
        """Send a mail that differs from the usual by `changes`; returns its id."""
        answer = await self.client.post(f"{PREFIX}/send", json={**MAIL, **changes})
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["id"])

    async def fail(self, id: UUID) -> None:
        """Let the delivery of a pending mail fail for good."""
        envelope = Envelope(id=id, channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)
        token = uuid4()
        claimed = await self.stores.leases.claim(
            envelope, lease_token=token, lease_s=60, leased_by="test"
        )
        assert isinstance(claimed, Claimed)
        fault = Fault(kind="permanent", code="550", message="no such mailbox")
        assert await self.stores.leases.finish(
            Finish(
                id=id,
                lease_token=token,
                attempt=claimed.attempt,
                transition=FAIL,
                provider="smtp",
                fault=fault,
            )
        )

    async def capture(
        self,
        text: str,
        *,
        sensitive: bool = False,
        id: UUID | None = None,
        source: bytes | None = None,
    ) -> None:
        """Let the sandbox capture a mail."""
        message = Message(
            id=id or compat.uuid7(),
            service="orders",
            channel=Channel.EMAIL,
            recipient="anna@example.com",
            subject="Your order",
            text=text,
            html=None,
            sensitive=sensitive,
            attempt=1,
        )
        await self.captures.add(message, source)

    async def deliver_in_app(self, recipient: str, text: str, service: str = "orders") -> UUID:
        """Put a message into an inbox; returns the notification's id."""
        id = compat.uuid7()
        message = Message(
            id=id,
            service=service,
            channel=Channel.IN_APP,
            recipient=recipient,
            subject=None,
            text=text,
            html=None,
            sensitive=False,
            attempt=1,
            action_url="/messages/1",
        )
        await self.services.inbox.deliver(message)
        return id


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[Api]:
    """Build the API over a new database in `folder`; `settings` are the config's."""
    url = sqlite_database(folder / "notifier.db")
    async with over(url, PATIENT, **settings) as api:
        api.client.headers.update(await api.headers("orders", "send", "read"))
        yield api


@asynccontextmanager
async def over(
    url: str,
    patience: Patience = USUAL,
    *,
    callbacks: Callbacks | None = None,
    reacting: Reacting | None = None,
    environ: Mapping[str, str] | None = None,
    openid: OpenIdSettings | None = None,
    **settings: Any,
) -> AsyncIterator[Api]:
    """Build the API over the database at `url`, whose schema is up to date."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(url, patience))
        stores = stores_over(database, url, StoreSettings())
        queue, clock = MemoryQueue(), ProcessClock()
        publisher = Publisher(stores.publications, queue)
        stack.push_async_callback(publisher.drain, 5)
        workshop = ChildWorkshop(clock)
        stack.push_async_callback(workshop.close)
        services = ApiPorts(
            submitter=Submitter(stores.intake, publisher),
            once=stores.once,
            orders=stores.orders,
            queries=stores.queries,
            mending=MendingPorts(stores.letters, stores.replays),
            keys=stores.keys,
            access=OperatorPorts(
                stores.operators,
                stores.sessions,
                stores.sign_in_failures,
                PASSWORDS,
                elsewhere(openid or OpenIdSettings(), stores.operators),
            ),
            inbox=stores.inbox,
            providers=stores.providers,
            receipts=stores.receipts,
            suppressions=stores.suppressions,
            categories=stores.categories,
            choosing=stores.choosing,
            links=LINKS,
            templates=stores.templates,
            attachments=stores.attachments,
            filing=stores.filing,
            brands=stores.brands,
            senders=stores.senders,
            broadcasts=stores.broadcasts,
            scheduling=SchedulingPorts(stores.schedules, stores.firing, stores.topic_zones),
            events=stores.event_store,
            digests=stores.digest_store,
            event_counts=stores.event_counts,
            event_tally=Tally(stores.event_counts),
            reacting=reacting,
            rules=stores.rules,
            expressions=ExpressionEngine(),
            topics=stores.topics,
            people=stores.people,
            preferences=stores.preferences,
            choice_history=stores.choice_history,
            caps=stores.caps,
            hook_counts=stores.hook_counts,
            keeping=KeepingPorts(
                stores.retention_rules, stores.erasures, PSEUDONYMS, stores.audit, stores.statistics
            ),
            directory=stores.directory,
            renderer=VersionRenderer(clock),
            workshop=workshop,
            markup=HtmlMarkup(),
            pages=TrustedPages(templates()),
            queue=queue,
            watching=WatchingPorts(stores.roster, examining(stores)),
            bench=bench_of(stores, environ or {}),
            clock=clock,
            new_id=compat.uuid7,
            captures=stores.captures,
        )
        routes = callbacks(clock) if callbacks else ()
        config = replace(ApiConfig(pepper=PEPPER, callbacks=routes), **settings)
        app = create_app(services, config)
        client = await stack.enter_async_context(client_of(app))
        yield Api(
            app=app,
            client=client,
            services=services,
            stores=stores,
            queue=queue,
            publisher=publisher,
            captures=stores.captures,
            clock=clock,
        )


def drafter_of(ports: ApiPorts) -> Drafter:
    """Return what goes by the rules of an API, as a relay has it."""
    config = ApiConfig(pepper=PEPPER)
    return Drafter(
        clock=ports.clock,
        new_id=ports.new_id,
        channels=config.channels,
        pinner=Pinner(Library(ports.templates, ports.clock), ports.renderer),
        senders=Senders(ports.senders, ports.clock),
        markup=ports.markup,
        attacher=Attacher(ports.attachments, config.attachments),
        sms=config.sms,
        audience=Audience(ports.directory, Categories(ports.categories, ports.clock)),
    )


@asynccontextmanager
async def listening(
    app: ASGIApp, limits: DoorLimits | None = None
) -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """Serve `app` on a free port; yields the server and its URL."""
    is_ready = asyncio.Event()
    refusal = getattr(app.state, "note_refusal", None) if isinstance(app, Starlette) else None
    told = {"on_refusal": refusal} if refusal else {}
    server = make_server(app, is_ready.set, grace_s=3, limits=limits, **told)
    with bind("127.0.0.1", 0) as listener:
        serving_it = asyncio.create_task(server.serve([listener]))
        await asyncio.wait_for(is_ready.wait(), AT_ALL_S)
        yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving_it


def client_of(app: Starlette) -> httpx2.AsyncClient:
    """Return a client that talks to `app` without a network."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://notifier")
