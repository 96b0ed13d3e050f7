"""Work that runs beside a block, and signals to stop."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


def stop_signal() -> asyncio.Event:
    """Return what is set once this OS process is to stop (SIGTERM, SIGINT)."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run `work` beside the block, and cancel it at its end."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def first_of(stop: Coroutine[Any, Any, Any], *others: asyncio.Task[Any]) -> Any:
    """Wait for `stop` (then the answer is None) or one of `others` (then it is its result)."""
    stopping = asyncio.ensure_future(stop)
    await asyncio.wait({stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    ended = next((task for task in others if task.done()), None)
    return ended.result() if ended else None
