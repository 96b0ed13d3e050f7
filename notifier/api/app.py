"""The web application, built from what it serves."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeAlias

import orjson
from starlette.applications import Starlette
from starlette.responses import Response

from notifier.api.config import ApiConfig, ApiServices
from notifier.api.health import OperateEndpoints
from notifier.api.inbox import InboxEndpoints
from notifier.api.inbox_stream import InboxFeed
from notifier.api.kit.access import Doorkeeper, KeyRing
from notifier.api.kit.calls import Call
from notifier.api.kit.middleware import RequestFrame, Rooms
from notifier.api.kit.openapi import openapi_document
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.rooms import Room
from notifier.api.kit.serving import Desk, routes
from notifier.api.metrics import Metrics
from notifier.api.notifications.moving import MovingEndpoints
from notifier.api.notifications.reading import ReadingEndpoints
from notifier.api.notifications.sending import SendingEndpoints
from notifier.api.pages import docs_operation, home_operation, static_files
from notifier.api.providers import ProviderEndpoints
from notifier.api.receipts import ReceiptDesk, ReceiptEndpoints
from notifier.api.sandbox import SandboxEndpoints
from notifier.api.suppressions import SuppressionEndpoints

Lifespan: TypeAlias = Callable[[Starlette], AbstractAsyncContextManager[None]]


def create_app(
    services: ApiServices, config: ApiConfig, lifespan: Lifespan | None = None
) -> Starlette:
    """Build the application; `lifespan` is entered while it is served.

    It may be mounted into another application, which then has to enter its lifespan. Whoever
    refuses a request before it gets here tells `app.state.note_refusal`.
    """
    _silence_stream_bodies()
    feed = InboxFeed(services.inbox, services.clock, poll_s=config.stream_poll_s)
    ring = KeyRing(services.keys, services.clock, pepper=config.pepper, ttl_s=config.key_cache_s)
    doorkeeper = Doorkeeper(ring, config, services.clock)
    metrics = Metrics(services, config) if config.has_metrics else None
    operations = _operations(services, config, doorkeeper, feed, metrics)
    desk = Desk(
        once=services.once,
        pepper=config.pepper,
        max_body_bytes=config.max_body_bytes,
        body_timeout_s=config.body_timeout_s,
    )
    app = Starlette(
        routes=[*routes(operations, doorkeeper, desk), static_files()],
        lifespan=_closing(feed, lifespan or (lambda _: nullcontext())),
    )
    app.router.redirect_slashes = False
    # Instead of the framework's own layers, which would only catch what this answers for anyway.
    frame = RequestFrame(app.router, _rooms(config), metrics.observe if metrics else None)
    app.middleware_stack = frame
    app.state.note_refusal = frame.note_refusal
    return app


def _rooms(config: ApiConfig) -> Rooms:
    callbacks, held = config.max_concurrent_callbacks, config.max_held_bytes
    return Rooms(
        requests=Room(config.max_concurrent_requests),
        probes=Room(config.max_concurrent_probes),
        callbacks=Room(callbacks, callbacks // 2),
        bodies=Room(held, held // 2),
    )


def _operations(
    services: ApiServices,
    config: ApiConfig,
    doorkeeper: Doorkeeper,
    feed: InboxFeed,
    metrics: Metrics | None,
) -> Sequence[Operation]:
    found: list[Operation] = [
        *SendingEndpoints(
            submitter=services.submitter,
            clock=services.clock,
            new_id=services.new_id,
            channels=config.channels,
            max_batch_bytes=config.max_batch_bytes,
            doorkeeper=doorkeeper,
        ).operations(),
        *ReadingEndpoints(queries=services.queries).operations(),
        *MovingEndpoints(orders=services.orders).operations(),
        *InboxEndpoints(
            inbox=services.inbox,
            config=config,
            feed=feed,
            doorkeeper=doorkeeper,
            streams=Room(config.max_streams, max(1, config.max_streams // 2)),
            tabs=Room(config.max_streams, config.max_streams_per_inbox),
        ).operations(),
        *OperateEndpoints(services=services, config=config).operations(),
        *ProviderEndpoints(providers=services.providers, routes=config.routes).operations(),
        *SuppressionEndpoints(
            suppressions=services.suppressions, pepper=config.pepper
        ).operations(),
        *ReceiptEndpoints(
            routes=config.callbacks,
            desk=ReceiptDesk(
                services.receipts,
                patience_s=config.callback_patience_s,
                max_waiting=config.max_waiting_callbacks,
            ),
            body_timeout_s=config.callback_timeout_s,
        ).operations(),
        home_operation(),
        docs_operation(),
    ]
    if metrics:
        found.append(metrics.operation())
    if services.captures:
        found += SandboxEndpoints(services.captures, config.allowed_hosts).operations()
    return [*found, _openapi_operation(found)]


def _openapi_operation(others: Sequence[Operation]) -> Operation:
    async def openapi(call: Call[None, None]) -> Response:
        root: str = call.request.scope.get("root_path", "")
        served = {**document, "servers": [{"url": root or "/"}]}
        return Response(orjson.dumps(served), media_type="application/json")

    operation = Operation(
        id="openapi",
        method="GET",
        path="/openapi.json",
        summary="This description (OpenAPI 3.1)",
        tag="Pages",
        serve=openapi,
        replies={200: Reply(description="The document")},
    )
    document = openapi_document([*others, operation])
    return operation


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
