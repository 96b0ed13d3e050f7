"""What the API is made of."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from zoneinfo import ZoneInfo

import structlog
import uvloop
from uuid_utils.compat import uuid7

from notifier.access.passwords import Passwords
from notifier.api.app import create_app
from notifier.api.console.layout import templates
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.door import DoorLimits
from notifier.api.kit.server import bind, serve
from notifier.api.ports import (
    ApiPorts,
    KeepingPorts,
    MendingPorts,
    OperatorPorts,
    SchedulingPorts,
    WatchingPorts,
)
from notifier.channels.registry import callback_routes, captured_channels, channel_settings
from notifier.clock import Clock
from notifier.composition.bench import SettingsBench
from notifier.composition.development import reached_at
from notifier.composition.doctor import look_at
from notifier.composition.drafting import renderer
from notifier.composition.events import warn_of_unbound_events
from notifier.composition.one_process import workers_inside
from notifier.composition.openid import elsewhere
from notifier.composition.presence import identify, present
from notifier.composition.resources import (
    Resources,
    allowed_recipients,
    attachment_limits,
    has_workers_inside,
    links,
    open_resources,
    pseudonyms_of,
    retention_terms,
    sms_rules,
    spare_collector,
    warn_of_readers,
)
from notifier.composition.stores import Stores
from notifier.composition.workers import watching_topology
from notifier.content.ports import Workshop
from notifier.intake.submission import Submitter
from notifier.rendering.expressions import ExpressionEngine
from notifier.rendering.markup import HtmlMarkup
from notifier.rendering.trusted import TrustedPages
from notifier.rendering.workshop import ChildWorkshop
from notifier.roster import Role
from notifier.settings.groups import ApiSettings, Settings

log = structlog.get_logger(__name__)


def serve_api(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve the API until SIGTERM or SIGINT; `announce` is called with its URL when it is ready.

    Where the workers are inside, the caller is `alone`.

    Raises:
        SettingsError, SchemaError: it cannot start like this.
    """
    uvloop.run(_serve_api(settings, announce))


def log_start(url: str) -> None:
    """Say in the log that the API is ready at `url`."""
    log.info("api.started", url=url)


async def _serve_api(settings: Settings, announce: Callable[[str], None]) -> None:
    channel_settings(settings)
    warn_of_readers(settings)
    warn_of_unbound_events(settings)
    with bind(settings.host, settings.port) as listener:
        settings = reached_at(settings, listener.getsockname()[1])
        async with open_resources(settings, "api") as resources, AsyncExitStack() as stack:
            workshop = ChildWorkshop(
                resources.clock,
                sms=sms_rules(settings),
                default_zone=settings.audience.time_zone,
            )
            stack.push_async_callback(workshop.close)
            api = replace(
                _api_ports(settings, resources, workshop),
                clock_problem=resources.stores.clock.problem,
            )
            # The runner watches too: this is for the metrics.
            if settings.metrics and not has_workers_inside(settings):
                watch = await stack.enter_async_context(watching_topology(settings))
                api = replace(
                    api,
                    are_policies_ok=lambda: watch.is_ok,
                    queue_members=lambda: watch.members,
                )
            await stack.enter_async_context(_working(settings, resources))
            app = create_app(api, _api_config(settings, resources.clock))
            spare_collector()
            limits = _door_limits(settings.api)
            await serve(app, listener, announce, limits, app.state.note_refusal)
    log.info("api.stopped")


@asynccontextmanager
async def _working(settings: Settings, resources: Resources) -> AsyncIterator[None]:
    """Stand in the roster, and run the workers if they are inside."""
    role = Role.ONE_PROCESS if has_workers_inside(settings) else Role.API
    async with (
        present(resources.stores.roster, identify(role)) as presence,
        workers_inside(settings, resources, presence),
    ):
        yield


def _api_ports(settings: Settings, resources: Resources, workshop: Workshop) -> ApiPorts:
    return _over(resources.stores)(
        submitter=Submitter(resources.stores.intake, resources.publisher),
        event_tally=resources.event_tally,
        mending=MendingPorts(resources.stores.letters, resources.stores.replays),
        access=_access(settings, resources.stores),
        links=links(settings),
        keeping=_keeping(settings, resources.stores),
        directory=resources.stores.directory,
        renderer=renderer(settings, resources.clock),
        workshop=workshop,
        markup=HtmlMarkup(),
        expressions=ExpressionEngine(),
        pages=TrustedPages(templates()),
        captures=resources.stores.captures if settings.sandbox_page else None,
        queue=resources.queue,
        watching=WatchingPorts(
            resources.stores.roster, partial(look_at, settings, resources.stores)
        ),
        bench=SettingsBench(settings, resources.stores),
        clock=resources.clock,
        new_id=uuid7,
    )


def _over(stores: Stores) -> partial[ApiPorts]:
    return partial(
        ApiPorts,
        once=stores.once,
        orders=stores.orders,
        queries=stores.queries,
        keys=stores.keys,
        inbox=stores.inbox,
        providers=stores.providers,
        receipts=stores.receipts,
        suppressions=stores.suppressions,
        categories=stores.categories,
        choosing=stores.choosing,
        templates=stores.templates,
        attachments=stores.attachments,
        filing=stores.filing,
        brands=stores.brands,
        senders=stores.senders,
        topics=stores.topics,
        broadcasts=stores.broadcasts,
        scheduling=SchedulingPorts(stores.schedules, stores.firing, stores.topic_zones),
        events=stores.event_store,
        digests=stores.digest_store,
        event_counts=stores.event_counts,
        rules=stores.rules,
        people=stores.people,
        preferences=stores.preferences,
        choice_history=stores.choice_history,
        caps=stores.caps,
        hook_counts=stores.hook_counts,
    )


def _access(settings: Settings, stores: Stores) -> OperatorPorts:
    return OperatorPorts(
        stores.operators,
        stores.sessions,
        stores.sign_in_failures,
        Passwords(),
        elsewhere(settings.openid, stores.operators),
    )


def _keeping(settings: Settings, stores: Stores) -> KeepingPorts:
    return KeepingPorts(
        rules=stores.retention_rules,
        erasures=stores.erasures,
        pseudonyms=pseudonyms_of(settings),
        audit=stores.audit,
        statistics=stores.statistics,
    )


def _api_config(settings: Settings, clock: Clock) -> ApiConfig:
    return ApiConfig(
        pepper=settings.key_pepper.get_secret_value().encode(),
        routes={channel: group.providers for channel, group in channel_settings(settings).items()},
        callbacks=callback_routes(settings, clock),
        allowed_hosts=settings.api.allowed_hosts,
        allowed_origins=settings.api.allowed_origins,
        test_recipients=allowed_recipients(settings.api),
        captured=captured_channels(settings),
        sms=sms_rules(settings),
        default_zone=ZoneInfo(settings.audience.time_zone),
        has_metrics=settings.metrics,
        has_console=settings.console,
        signs_in_by_key=settings.sign_in.by_key,
        max_body_bytes=settings.api.max_body_bytes,
        max_batch_bytes=settings.api.max_batch_bytes,
        requests_per_minute=settings.api.rate_limit,
        attachments=attachment_limits(settings),
        retention=retention_terms(settings),
    )


def _door_limits(settings: ApiSettings) -> DoorLimits:
    return DoorLimits(
        max_connections=settings.max_connections,
        max_per_address=settings.max_connections_per_address,
        trusted_proxies=settings.trusted_proxies,
        head_s=settings.head_timeout_s,
    )
