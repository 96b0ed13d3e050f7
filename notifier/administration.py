"""What operators do from the command line, apart from running notifier."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from uuid import UUID

from notifier import development
from notifier.access import keys
from notifier.access.keys import ApiKey
from notifier.audience.recipient import normalise
from notifier.audience.suppression import Lifted, Protected, Suppression, SuppressionPlace
from notifier.bootstrap import open_stores
from notifier.channels.registry import provider_names
from notifier.errors import RecipientError, SettingsError
from notifier.idempotency import Applied
from notifier.notification.model import Channel, Notification, Status
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.reading import NotificationFilter
from notifier.notification.transitions import REPLAY
from notifier.providers.standing import Standing, standings
from notifier.queue.rabbitmq import topology
from notifier.queue.rabbitmq.topology import TopologyReport
from notifier.settings.groups import BrokerSettings, DatabaseSettings, KeySettings
from notifier.store.upgrading import upgrade

_PAGE = 500


async def upgrade_schema(settings: DatabaseSettings) -> str | None:
    """Bring the schema up to date; returns the revision of one that is newer than this code.

    Raises StoreUnavailableError, and SchemaError where the tables are something else's.
    """
    return await upgrade(settings.database_url.get_secret_value())


def apply_topology(settings: BrokerSettings) -> TopologyReport:
    """Make what the broker lacks.

    Raises:
        SettingsError: there is no broker, or the settings are wrong.
        TopologyError, QueueUnavailableError: it could not be made.
    """
    return topology.apply_topology(*_broker(settings))


def check_topology(settings: BrokerSettings) -> TopologyReport:
    """Look what the broker lacks; changes nothing.

    Raises:
        SettingsError: there is no broker, or the settings are wrong.
        QueueUnavailableError: it could not be looked at.
    """
    return topology.check_topology(*_broker(settings))


def _broker(settings: BrokerSettings) -> tuple[str, str | None]:
    url = settings.broker_url.get_secret_value()
    if url.startswith("memory:"):
        raise SettingsError("NOTIFIER_BROKER_URL: memory:// has no broker with queues")
    management_url = settings.broker_management_url
    return url, management_url.get_secret_value() if management_url else None


async def create_key(
    settings: KeySettings, service: str, scopes: Collection[str], lifetime: timedelta | None
) -> str:
    """Make an API key and return it; only its digest is stored.

    Raises:
        SettingsError: a scope does not exist, or the service's name is none.
    """
    _check_service(service)
    unknown = sorted(set(scopes) - set(keys.SCOPES))
    if unknown:
        raise SettingsError(f"no scope {unknown[0]!r}; there are {', '.join(keys.SCOPES)}")
    key = keys.mint()
    async with open_stores(settings) as stores:
        await stores.clock.measure()
        await stores.keys.add(
            id=key.id,
            service=service,
            scopes=scopes,
            digest=key.digest(_pepper(settings)),
            expires_at=stores.clock.now() + lifetime if lifetime else None,
        )
    return key.text


async def list_keys(settings: KeySettings, service: str | None) -> Sequence[ApiKey]:
    """The API keys of a service (None: of all), oldest first."""
    async with open_stores(settings) as stores:
        found = await stores.keys.list()
    return [key for key in found if service in (None, key.service)]


async def revoke_key(settings: KeySettings, named: str) -> str | None:
    """Revoke a key, named by its id or by itself; returns its id, None if there is none."""
    presented = keys.parse(named.strip())
    id = presented.id if presented else named.strip()
    async with open_stores(settings) as stores:
        return id if await stores.keys.revoke(id) else None


async def working_key(settings: KeySettings, kept: str | None) -> str:
    """Return `kept` if it is an API key that still works; else a new one with every scope."""
    presented = keys.parse(kept or "")
    if presented:
        async with open_stores(settings) as stores:
            stored = await stores.keys.find(presented.id)
        if stored and stored.is_usable and presented.matches(stored.digest, _pepper(settings)):
            return presented.text
    return await create_key(settings, development.SERVICE, keys.SCOPES, None)


async def list_failed(
    settings: DatabaseSettings, channel: Channel | None, service: str | None, limit: int
) -> Sequence[Notification]:
    """The failed notifications of a channel and a service (None: of all), newest first."""
    found: list[Notification] = []
    after: UUID | None = None
    async with open_stores(settings) as stores:
        while len(found) < limit:
            page = await stores.queries.list(
                _failed(channel), service=service, limit=limit - len(found), after=after
            )
            found += page.items
            if (after := page.goes_on_after) is None:
                break
    return found


async def replay_some(settings: DatabaseSettings, ids: Sequence[UUID]) -> int:
    """Replay these; returns how many were failed and could be replayed."""
    async with open_stores(settings) as stores:
        results = [await stores.orders.move(REPLAY, each, service=None) for each in ids]
    return sum(isinstance(result, Applied) for result in results)


async def replay_all(
    settings: DatabaseSettings, channel: Channel | None, advance: Callable[[int], None]
) -> int:
    """Replay every failed notification of a channel (None: of all), page by page.

    `advance` is called with the number of each page; returns how many were replayed.
    """
    total = 0
    after: UUID | None = None
    async with open_stores(settings) as stores:
        while page := await stores.orders.replay_failed(channel=channel, limit=_PAGE, after=after):
            after = page[-1]
            total += len(page)
            advance(len(page))
    return total


async def count_failed(settings: DatabaseSettings, channel: Channel | None) -> int:
    """How many notifications of a channel (None: of all) are failed."""
    async with open_stores(settings) as stores:
        return await stores.queries.count(_failed(channel), service=None)


async def list_providers(settings: DatabaseSettings) -> Sequence[Standing]:
    """The provider accounts that ever were in trouble, paused or paced, and what waits for them."""
    async with open_stores(settings) as stores:
        states = await stores.providers.states()
        return list(standings({}, states, await stores.providers.put_off()).values())


async def pause_provider(settings: DatabaseSettings, name: str, reason: str) -> None:
    """Keep a provider from being asked until it is resumed; by all workers within a second.

    Raises:
        SettingsError: notifier has no such provider.
    """
    await _check_provider(settings, name)
    async with open_stores(settings) as stores:
        await stores.providers.pause(name, reason=reason)


async def resume_provider(settings: DatabaseSettings, name: str) -> None:
    """End a provider's pause, and close its breaker.

    Raises:
        SettingsError: notifier has no such provider.
    """
    await _check_provider(settings, name)
    async with open_stores(settings) as stores:
        await stores.providers.resume(name)


async def list_suppressions(
    settings: DatabaseSettings, service: str | None, channel: Channel | None
) -> Sequence[Suppression]:
    """The addresses that a service (None: any) must not send to, in their order."""
    found: list[Suppression] = []
    after: SuppressionPlace | None = None
    async with open_stores(settings) as stores:
        while page := await stores.suppressions.list(
            service=service, channel=channel, limit=_PAGE, after=after
        ):
            found += page
            last = page[-1]
            after = SuppressionPlace(last.compared, last.service, last.channel)
    return found


async def add_suppression(
    settings: DatabaseSettings,
    service: str,
    channel: Channel,
    recipient: str,
    reason: SuppressionReason,
) -> None:
    """Put an address on a service's suppression list.

    Raises:
        SettingsError: it is no address of this channel, or no service can be called so.
    """
    _check_service(service)
    address = _address(channel, recipient)
    async with open_stores(settings) as stores:
        await stores.suppressions.add(
            service=service, channel=channel, recipient=address, reason=reason
        )


async def remove_suppression(
    settings: DatabaseSettings, service: str, channel: Channel, recipient: str, why: str | None
) -> bool:
    """Take an address off a service's suppression list; False if it was not there.

    Raises:
        SettingsError: it is no address of this channel, or the recipient asked for it and nobody
            says why it may be sent to again.
    """
    address = _address(channel, recipient)
    async with open_stores(settings) as stores:
        result = await stores.suppressions.remove(
            service=service, channel=channel, recipient=address, why=(why or "").strip() or None
        )
    if isinstance(result, Protected):
        raise SettingsError(
            f"it is there as {result.reason}: the recipient asked for it. Say why it may be sent "
            "to again: --reason '...'"
        )
    return isinstance(result, Lifted)


def _check_service(name: str) -> None:
    if not keys.is_service_name(name):
        raise SettingsError(
            "the name of a service has 1 to 100 characters, no control characters or line breaks, "
            "and no space at its ends"
        )


def _address(channel: Channel, recipient: str) -> str:
    try:
        return normalise(channel, recipient)
    except RecipientError as error:
        raise SettingsError(f"recipient: {error}") from error


async def _check_provider(settings: DatabaseSettings, name: str) -> None:
    known = {*provider_names(), *(each.state.name for each in await list_providers(settings))}
    if name not in known:
        raise SettingsError(f"no provider {name!r}; there are {', '.join(sorted(known))}")


def _failed(channel: Channel | None) -> NotificationFilter:
    return NotificationFilter(statuses={Status.FAILED}, channels={channel} if channel else ())


def _pepper(settings: KeySettings) -> bytes:
    return settings.key_pepper.get_secret_value().encode()
