"""The doors between notifier and its machine, and a world's own behind them.

All else in a world is the product as it is composed for production.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any, Protocol
from unittest import mock

import structlog

from notifier.broadcasts.pacing import ExpansionPace
from notifier.channels.provider import Parts
from notifier.channels.registry import channel_settings
from notifier.composition import api, one_process, relaying, resources, stores, workers
from notifier.delivery.ports import ChannelAdapter
from notifier.notification.model import Channel
from notifier.store.kit.database import Database, Patience
from notifier.worker import supervisor
from tests.simulation.driver import connected_database
from tests.simulation.loop import this_loop, this_process
from tests.simulation.machines import Nursery
from tests.simulation.templating import NearWorkshop


class _Opened(Protocol):
    epoch_s: float
    nursery: Nursery

    async def serve(self, app: Any) -> None: ...
    def adapter(self, provider: str) -> ChannelAdapter: ...
    def note_log(self, event: Mapping[str, Any]) -> None: ...


class WorldClock:
    """The clock of the machine whose process has its turn."""

    def __init__(self, epoch_s: float) -> None:
        self._epoch_s = epoch_s

    def now(self) -> datetime:
        """The time that this machine takes for the right one."""
        seconds = self._epoch_s + this_loop().time() + this_process().clock_ahead_s
        return datetime.fromtimestamp(seconds, UTC)

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        return this_loop().time()


class _Listener:
    """A socket that nobody connects to: a site is asked without one."""

    def __init__(self, host: str, port: int) -> None:
        self._at = (host, port)

    def getsockname(self) -> tuple[str, int]:
        return self._at


_COMPOSITION = (resources, stores, api, relaying, workers, one_process)


@contextlib.contextmanager
def opened_into(world: _Opened) -> Iterator[None]:
    """Let notifier, wherever it would meet its machine, meet the world."""

    @contextlib.asynccontextmanager
    async def open_database(_url: str, patience: Patience = Patience()) -> AsyncIterator[Database]:  # noqa: B008 - frozen
        database = connected_database(patience)
        try:
            yield database
        finally:
            await database.close()

    def make_routes(parts: Parts) -> Mapping[Channel, Sequence[ChannelAdapter]]:
        return {
            channel: [world.adapter(provider) for provider in group.providers]
            for channel, group in channel_settings(parts.settings).items()
        }

    async def serve(app: Any, *_rest: object) -> None:
        await world.serve(app)

    @contextlib.asynccontextmanager
    async def watching_topology(_settings: object) -> AsyncIterator[None]:
        yield

    doors: dict[str, Callable[..., Any]] = {
        "open_database": open_database,
        "ChildWorkshop": NearWorkshop,
        "SystemClock": lambda: WorldClock(world.epoch_s),
        "make_routes": make_routes,
        "bind": lambda *where: contextlib.nullcontext(_Listener(*where)),
        "serve": serve,
        "watching_topology": watching_topology,
        "stop_signal": lambda: this_process().stopping,
        "spare_collector": lambda: None,
        # The topic of a world has few members.
        "ExpansionPace": partial(ExpansionPace, chunk=4),
    }
    with contextlib.ExitStack() as stack:
        hung: set[str] = set()
        for module, (name, door) in product(_COMPOSITION, doors.items()):
            if hasattr(module, name):
                stack.enter_context(mock.patch.object(module, name, door))
                hung.add(name)
        assert hung == set(doors), "what these stand for is made somewhere else now"
        stack.enter_context(mock.patch.object(supervisor, "Child", world.nursery.start))
        _log_into(world)
        yield


def _log_into(world: _Opened) -> None:
    def note(_logger: object, method: str, event: Any) -> Any:
        world.note_log({"level": method, **event})
        raise structlog.DropEvent

    # What aiormq and asyncio write of connections that end is none of notifier's lines.
    logging.disable(logging.CRITICAL)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, note],
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=False,
    )
