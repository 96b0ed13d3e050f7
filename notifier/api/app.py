"""The web application, built from what it serves."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeAlias

from starlette.applications import Starlette

from notifier.access.subscribers import SubscriberTokens
from notifier.api.console.console import console
from notifier.api.console.people import PEOPLE
from notifier.api.endpoints import all_operations
from notifier.api.inbox.shapes import PREFIX as INBOX_PREFIX
from notifier.api.inbox_stream import InboxFeed
from notifier.api.kit.access import Doorkeeper, KeyRing
from notifier.api.kit.auditing import Auditor
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.fixed_paths import FixedPaths
from notifier.api.kit.middleware import RequestFrame, Rooms
from notifier.api.kit.origins import Origins
from notifier.api.kit.rooms import Room
from notifier.api.kit.serving import Desk, routes
from notifier.api.making import make_common
from notifier.api.metrics import Metrics, Subjects
from notifier.api.pages import static_files
from notifier.api.ports import ApiPorts
from notifier.api.recipients.shapes import PREFIX as RECIPIENTS_PREFIX

Lifespan: TypeAlias = Callable[[Starlette], AbstractAsyncContextManager[None]]


def create_app(ports: ApiPorts, config: ApiConfig, lifespan: Lifespan | None = None) -> Starlette:
    """Build the application; `lifespan` is entered while it is served.

    It may be mounted into another application, which then has to enter its lifespan. Whoever
    refuses a request before it gets here tells `app.state.note_refusal`.
    """
    _silence_stream_bodies()
    feed = InboxFeed(ports.inbox, ports.clock, poll_s=config.stream_poll_s)
    ring = KeyRing(ports.keys, ports.clock, pepper=config.pepper, ttl_s=config.key_cache_s)
    tokens = SubscriberTokens(config.pepper)
    doorkeeper = Doorkeeper(ring, tokens, config, ports.clock)
    metrics = _metrics(ports, config) if config.has_metrics else None
    common = make_common(ports, config)
    auditor = _auditor(ports)
    operations = all_operations(ports, config, common, doorkeeper, tokens, feed, metrics=metrics)
    pages = console(ports, config, common, doorkeeper, auditor) if config.has_console else ()
    desk = _desk(ports, config, auditor)
    app = Starlette(
        routes=[*routes(operations, doorkeeper, desk), *pages, static_files()],
        lifespan=_closing(feed, lifespan or (lambda _: nullcontext())),
    )
    app.router.redirect_slashes = False
    # Instead of the framework's own layers, which would only catch what this answers for anyway.
    observe = metrics.observe if metrics else None
    frame = RequestFrame(
        FixedPaths(app.router),
        _rooms(config),
        observe,
        slashes_under=(INBOX_PREFIX, RECIPIENTS_PREFIX, PEOPLE),
        origins=Origins(config.allowed_origins, under=INBOX_PREFIX),
    )
    app.middleware_stack = frame
    app.state.note_refusal = frame.note_refusal
    return app


def _desk(ports: ApiPorts, config: ApiConfig, auditor: Auditor) -> Desk:
    return Desk(
        once=ports.once,
        auditor=auditor,
        pepper=config.pepper,
        max_body_bytes=config.max_body_bytes,
        body_timeout_s=config.body_timeout_s,
    )


def _auditor(ports: ApiPorts) -> Auditor:
    kept = ports.keeping
    return Auditor(log=kept.audit, pseudonyms=kept.pseudonyms, new_id=ports.new_id)


def _metrics(ports: ApiPorts, config: ApiConfig) -> Metrics:
    return Metrics(
        queries=ports.queries,
        queue=ports.queue,
        providers=ports.providers,
        subjects=Subjects(
            broadcasts=ports.broadcasts,
            erasures=ports.keeping.erasures,
            hook_counts=ports.hook_counts,
            replays=ports.mending.replays,
            schedules=ports.scheduling.schedules,
            event_counts=ports.event_counts,
            digests=ports.digests,
            roster=ports.watching.roster,
        ),
        clock=ports.clock,
        are_policies_ok=ports.are_policies_ok,
        queue_members=ports.queue_members,
        config=config,
    )


def _rooms(config: ApiConfig) -> Rooms:
    callbacks, held = config.max_concurrent_callbacks, config.max_held_bytes
    return Rooms(
        requests=Room(config.max_concurrent_requests),
        probes=Room(config.max_concurrent_probes),
        callbacks=Room(callbacks, callbacks // 2),
        public=Room(config.max_concurrent_public, config.max_concurrent_public // 2),
        bodies=Room(held, held // 2),
    )


def _closing(feed: InboxFeed, inner: Lifespan) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with inner(app):
            yield
            await feed.close()

    return lifespan


def _silence_stream_bodies() -> None:
    """Keep what streams carry out of the log: the library writes every chunk at DEBUG."""
    logging.getLogger("sse_starlette").setLevel(logging.INFO)
