"""The one-process mode: the workers beside the API."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import structlog

from notifier.channels.registry import make_routes
from notifier.composition.hooks import hooking
from notifier.composition.relaying import delivery_duties, make_relay
from notifier.composition.resources import Resources, has_workers_inside
from notifier.composition.running import running
from notifier.composition.workers import (
    consuming,
    parts_of,
    watch_store,
)
from notifier.delivery.ports import Upkeep
from notifier.errors import NotifierError
from notifier.settings.groups import Settings
from notifier.store.kit.occupying import sole_user
from notifier.worker.presence import Presence

log = structlog.get_logger(__name__)


INSIDE = "inside"
_TAKE_OVER_AGAIN_S = 1
_UNPUBLISH_AT_ONCE = 5_000


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Be the only one-process mode on the database's file, for as long as the block lasts.

    What such a process finds under a lease, or queued, it takes for that of a dead one.

    Raises:
        SettingsError: there is another one.
    """
    with ExitStack() as stack:
        if has_workers_inside(settings):
            stack.enter_context(sole_user(settings.database_url.get_secret_value()))
        yield


@asynccontextmanager
async def workers_inside(
    settings: Settings, resources: Resources, presence: Presence
) -> AsyncIterator[None]:
    """Run consumers and a relay in this process if its queue is; what was queued died with it."""
    if not has_workers_inside(settings):
        yield
        return
    make_routes(parts_of(settings, resources))
    async with running(_work_inside(settings, resources, presence)):
        yield


async def _work_inside(settings: Settings, resources: Resources, presence: Presence) -> None:
    try:
        await _take_over(resources.stores.upkeep)
        duties = delivery_duties(settings, resources)
        async with (
            hooking(settings, resources.stores.hook_counts, resources.clock) as hooks,
            running(make_relay(settings, resources, duties, hooks).run()),
            consuming(settings, resources, INSIDE, hooks) as consumers,
        ):
            presence.consumes(consumers)
            await watch_store(resources, consumers)
    except Exception:  # nobody awaits this before the API ends
        log.exception("workers.crashed")


async def _take_over(upkeep: Upkeep) -> None:
    """Take what the process before held and had queued, as soon as the database allows it.

    Until then the API answers, and nothing is sent: a lease must not be ended once this process
    may hold it.
    """
    while True:
        try:
            await upkeep.end_leases(INSIDE)
            while await upkeep.unpublish(_UNPUBLISH_AT_ONCE):
                pass
        except NotifierError as error:
            log.warning("workers.delayed", reason=str(error))
            await asyncio.sleep(_TAKE_OVER_AGAIN_S)
        else:
            return
