"""A service is had in one of several ways; a way may need a second attempt."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from tests.servers.errors import ServerEndedError, ServiceUnavailableError, WayClosedError

T = TypeVar("T")
Way = Callable[[], AbstractContextManager[T]]

_START_ATTEMPTS = 3

_log = logging.getLogger(__name__)


@contextmanager
def first_open(ways: Sequence[Way[T]], *, install: str) -> Iterator[T]:
    """Yield what the first way that is not closed yields, and log those that are.

    Raises:
        ServiceUnavailableError: all are closed; its text is `install` and why each is.
    """
    closed = []
    with ExitStack() as stack:
        for way in ways:
            try:
                service = stack.enter_context(way())
                break
            except WayClosedError as error:
                _log.warning("%s; trying the next way to the service", error)
                closed.append(str(error))
        else:
            raise ServiceUnavailableError(f"{install} ({'; '.join(closed)}).")
        yield service


@contextmanager
def started(start: Way[T]) -> Iterator[T]:
    """Yield what `start` yields, starting again if it was not ready in time, or ended before.

    Between choosing a port and listening on it, somebody else may take it.
    """
    with ExitStack() as stack:
        yield _enter(stack, start, attempts=_START_ATTEMPTS)


def _enter(stack: ExitStack, start: Way[T], *, attempts: int) -> T:
    try:
        return stack.enter_context(start())
    except (TimeoutError, ServerEndedError):
        if attempts == 1:
            raise
    return _enter(stack, start, attempts=attempts - 1)
