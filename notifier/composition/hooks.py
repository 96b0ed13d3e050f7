"""Hooks: what is installed for the entry points `notifier.hooks`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint, entry_points

import structlog

from notifier.clock import Clock
from notifier.composition.running import running
from notifier.errors import NotifierError
from notifier.hooks.calling import NO_HOOKS, Hook, Hooks
from notifier.hooks.counts import HookCounts
from notifier.settings.groups import Settings

log = structlog.get_logger(__name__)

GROUP = "notifier.hooks"
_COUNT_EVERY_S = 5
_STOP_S = 1


@asynccontextmanager
async def hooking(settings: Settings, counts: HookCounts, clock: Clock) -> AsyncIterator[Hooks]:
    """Tell the hooks that are installed what they are to be told, for the length of the block."""
    hooks = Hooks(list(_installed(settings, clock))) if settings.hooks.enabled else NO_HOOKS
    if hooks.is_empty:
        yield hooks
        return
    hooks.start()
    try:
        async with running(_counting(hooks, counts)):
            yield hooks
    finally:
        await asyncio.to_thread(hooks.stop, clock.monotonic_s() + _STOP_S)
        await _count(hooks, counts)


def _installed(settings: Settings, clock: Clock) -> Iterator[Hook]:
    for entry in entry_points(group=GROUP):
        target = _loaded(entry)
        if target is None:
            continue
        hook = Hook(entry.name, target, timeout_s=settings.hooks.timeout_s, clock=clock)
        if hook.moments:
            log.info("hook.installed", hook=entry.name, moments=sorted(hook.moments))
            yield hook
        else:
            log.error("hook.unusable", hook=entry.name, reason="it has none of the functions")


def _loaded(entry: EntryPoint) -> object | None:
    """Return what an entry point names, an instance of it if that is a class."""
    try:
        found = entry.load()
        made: object = found() if isinstance(found, type) else found
    except BaseException as error:  # noqa: BLE001  others' code keeps no worker from starting
        log.error("hook.unusable", hook=entry.name, reason=type(error).__name__)
        return None
    return made


async def _counting(hooks: Hooks, counts: HookCounts) -> None:
    while True:
        await asyncio.sleep(_COUNT_EVERY_S)
        await _count(hooks, counts)


async def _count(hooks: Hooks, counts: HookCounts) -> None:
    """Write down how calls went; what cannot be written now is not counted."""
    try:
        if taken := hooks.taken_counts():
            await counts.add(taken)
    except NotifierError as error:
        log.warning("hook.uncounted", error=type(error).__name__)
