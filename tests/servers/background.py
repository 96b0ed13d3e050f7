"""Services that need an event loop, for tests that have none."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from tests.patience import AT_ALL_S

T = TypeVar("T")


@contextmanager
def in_background(opening: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """Yield what `opening()` yields, served by an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        context = opening()
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(timeout=AT_ALL_S)
        leaving = context.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(leaving, loop).result(timeout=AT_ALL_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
