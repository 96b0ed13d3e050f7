"""What every mode needs, opened: the database, the broker, the clock.

The schemes of NOTIFIER_DATABASE_URL and NOTIFIER_BROKER_URL choose the store and the queue.
Where the queue lives in the process, so do the workers.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog
from pydantic import SecretStr

from notifier.audience.allowed import AllowedRecipients
from notifier.audience.links import Links
from notifier.audience.pseudonym import Pseudonyms
from notifier.clock import Clock
from notifier.composition.running import running
from notifier.composition.stores import Stores
from notifier.content.attachment import AttachmentLimits
from notifier.errors import RecipientError, SchemaError, SettingsError, StoreUnavailableError
from notifier.events.counts import Tally
from notifier.intake.publishing import Publisher
from notifier.notification.queueing import Queue
from notifier.notification.retention import Terms
from notifier.notification.sms import SmsRules
from notifier.queue.memory import MemoryQueue
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.queue import open_rabbit_queue
from notifier.sealing import SealedLinks
from notifier.settings.groups import ApiSettings, DatabaseSettings, Settings
from notifier.settings.lists import ListSettings
from notifier.store.kit.opening import open_database, unprotected_host
from notifier.store.kit.seals import Seals
from notifier.store.notification.settings import StoreSettings
from notifier.telemetry import configure_logging
from notifier.worker.stopping import StopBudget

log = structlog.get_logger(__name__)

# Of the time until a relay takes over; the rest is for the publish under way.
_PUBLISH_SHARE = 0.8
_COLLECT_AFTER = 10_000
_COUNT_EVERY_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What every mode needs, opened."""

    stores: Stores
    queue: Queue
    publisher: Publisher
    event_tally: Tally
    clock: Clock
    """The database's time: no machine's own clock is compared with what others say."""


@asynccontextmanager
async def open_stores(
    settings: DatabaseSettings, store_settings: StoreSettings | None = None
) -> AsyncIterator[Stores]:
    """Open the database that the settings name."""
    async with open_database(settings.database_url.get_secret_value()) as database:
        limits = _with_pseudonyms(store_settings or StoreSettings(), settings)
        yield Stores(database, _with_seals(limits, settings))


@asynccontextmanager
async def open_resources(settings: Settings, role: str) -> AsyncIterator[Resources]:
    """Open the database and the broker; `role` names the connections to operators.

    Raises:
        SchemaError: the schema is old; says what to run.
    """
    limits = StoreSettings(
        grace_s=settings.relay.publish_grace_s,
        lost_after_s=settings.relay.lost_after_s,
        default_zone=settings.audience.time_zone,
        events_kept_days=settings.events.kept_days,
        failed_digests_kept_days=settings.events.failed_digests_kept_days,
        schedule_runs_kept_days=settings.relay.schedule_runs_kept_days,
        audit_kept_days=settings.audit.kept_days,
        replays_kept_days=settings.relay.replays_kept_days,
    )
    async with (
        open_stores(settings, limits) as stores,
        _open_queue(settings, role, stores.clock) as queue,
        running(stores.clock.run()),
    ):
        await _check_schema(stores)
        patience_s = settings.relay.publish_grace_s * _PUBLISH_SHARE
        publisher = Publisher(stores.publications, queue, patience_s=patience_s)
        async with _counting(Tally(stores.event_counts)) as tally:
            yield Resources(
                stores=stores,
                queue=queue,
                publisher=publisher,
                event_tally=tally,
                clock=stores.clock,
            )
        await publisher.drain(stop_budget(settings).drain_s)


@asynccontextmanager
async def _counting(tally: Tally) -> AsyncIterator[Tally]:
    """Have what is counted written down every few seconds, and at the end of the block."""

    async def write() -> None:
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            await tally.write()

    async with running(write()):
        yield tally
    await tally.write()


def _with_pseudonyms(limits: StoreSettings, settings: DatabaseSettings) -> StoreSettings:
    """Let what is accepted be looked for among what was erased, where there is a secret for it."""
    if not isinstance(settings, Settings | ListSettings):
        return limits
    secret = settings.erasure.key or settings.key_pepper
    return replace(limits, pseudonyms=_pseudonyms_under(secret)) if secret else limits


def _with_seals(limits: StoreSettings, settings: DatabaseSettings) -> StoreSettings:
    """Let what sensitive notifications say be sealed and opened, where there is a secret for it."""
    if not isinstance(settings, Settings) or not settings.secrets.content_keys:
        return limits
    keys = [key.get_secret_value().encode() for key in settings.secrets.content_keys]
    return replace(limits, seals=Seals(keys))


def pseudonyms_of(settings: Settings) -> Pseudonyms:
    """Return what stands for whom was erased, and signs that they were."""
    return _pseudonyms_under(settings.erasure.key or settings.key_pepper)


def allowed_recipients(settings: ApiSettings) -> AllowedRecipients:
    """Return who gets tests.

    Raises:
        SettingsError: what names them cannot be read.
    """
    try:
        return AllowedRecipients.read(settings.test_recipients)
    except RecipientError as error:
        words = f"expected addresses, and domains such as @example.org: {error}"
        raise SettingsError(f"NOTIFIER_API__TEST_RECIPIENTS: {words}") from None


def _pseudonyms_under(secret: SecretStr) -> Pseudonyms:
    return Pseudonyms(secret.get_secret_value().encode())


def sms_rules(settings: Settings) -> SmsRules:
    """Return how long an SMS may be, and how it is written."""
    return SmsRules(max_segments=settings.sms.max_segments, folds=settings.sms.fold)


def has_workers_inside(settings: Settings) -> bool:
    """Whether the queue, and so its workers, live in the API's process."""
    return settings.broker_url.get_secret_value().lower().startswith("memory:")


@asynccontextmanager
async def _open_queue(settings: Settings, role: str, clock: Clock) -> AsyncIterator[Queue]:
    if has_workers_inside(settings):
        yield MemoryQueue()
        return
    rabbit = RabbitSettings(connection_name=f"notifier-{role}", declare=settings.declare_topology)
    url = settings.broker_url.get_secret_value()
    async with open_rabbit_queue(url, rabbit, clock) as queue:
        yield queue


def warn_of_readers(settings: Settings) -> None:
    """Say in the log where others could read what is said to the database, or rests in it."""
    _warn_of_unprotected_database(settings)
    if not settings.secrets.content_keys:
        log.warning("content.unsealed", advice="set NOTIFIER_SECRETS__CONTENT_KEYS")


def _warn_of_unprotected_database(settings: Settings) -> None:
    host = unprotected_host(settings.database_url.get_secret_value())
    if host:
        log.warning(
            "database.unprotected",
            host=host,
            advice="add sslmode=verify-full to NOTIFIER_DATABASE_URL, or say sslmode=disable",
        )


async def _check_schema(stores: Stores) -> None:
    try:
        problem = await stores.queries.schema_problem()
    except StoreUnavailableError as error:
        log.warning("database.away", reason=str(error))
        return
    if problem:
        raise SchemaError(problem)


def spare_collector() -> None:
    """Keep the garbage collector from what stays as long as the process, and look less often.

    Modules and tables are several hundred thousand objects, and going through them again and
    again took an eighth of the time of a loaded process.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


def set_up_logging(settings: Settings) -> None:
    """Set up this OS process's logging."""
    configure_logging(level=settings.log_level, as_json=settings.log_format == "json")


def stop_budget(settings: Settings) -> StopBudget:
    """How long a stop may take, with what the settings give to what is in flight."""
    return StopBudget(grace_s=settings.worker.grace_s)


def links(settings: Settings) -> Links | None:
    """Return what makes links to unsubscribe and opens them; None where they lead nowhere."""
    if settings.links.base_url is None:
        return None
    keys = settings.links.keys or (settings.key_pepper,)
    secrets = [key.get_secret_value().encode() for key in keys]
    return SealedLinks(settings.links.base_url, secrets)


def retention_terms(settings: Settings) -> Terms:
    """Return how long is kept what no rule is for."""
    return Terms(**settings.retention.model_dump())


def attachment_limits(settings: Settings) -> AttachmentLimits:
    """How much may be attached."""
    return AttachmentLimits(**settings.attachments.model_dump())
