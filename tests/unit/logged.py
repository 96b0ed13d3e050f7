"""Programs whose output the tests of logging read: `python -m tests.unit.logged NAME LEVEL FORM`.

Set-up of logging is for a whole OS process, so that each runs in one of its own.
"""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Mapping

import structlog

from notifier.telemetry import configure_logging

CANARY = "canary-493021"

log = structlog.get_logger(__name__)


def events() -> None:
    """One event of each level."""
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)("an.event", id="42", level_name=level)


def crash() -> None:
    """An exception with causes, and one given as a value."""
    try:
        _raise_from_a_cause()
    except ValueError as error:
        log.exception("it.crashed", id="42", given=error)
        logging.getLogger("somebody").exception("It broke\nbecause of %s", CANARY)


def group() -> None:
    """A group of exceptions."""
    try:
        _raise_a_group()
    except ExceptionGroup:
        log.exception("it.crashed")


def libraries() -> None:
    """What libraries say, some of them with a level of their own."""
    logging.getLogger("outspoken").setLevel(logging.DEBUG)
    for name in ("aiormq.connection", "python_http_client", "uvicorn.access", "outspoken", "new"):
        logging.getLogger(name).debug(CANARY)
        logging.getLogger(name).info(CANARY)
        logging.getLogger(name).warning("heard from %s", name)


def uncaught() -> None:
    """Die of an exception, after a thread did."""
    thread = threading.Thread(target=_raise)
    thread.start()
    thread.join()
    _raise()


def _raise() -> None:
    raise ValueError(CANARY)


def _raise_from_a_cause() -> None:
    try:
        dict[str, str]()[CANARY]
    except KeyError as error:
        raise ValueError(CANARY) from error


def _raise_a_group() -> None:
    raise ExceptionGroup(CANARY, [OSError(CANARY), KeyError(CANARY)])


def lost() -> None:
    """A task whose exception nobody asks for."""

    async def lose() -> None:
        task = asyncio.create_task(asyncio.to_thread(_raise))
        await asyncio.wait({task})

    asyncio.run(lose())


PROGRAMS: Mapping[str, Callable[[], None]] = {
    "events": events,
    "crash": crash,
    "group": group,
    "libraries": libraries,
    "uncaught": uncaught,
    "lost": lost,
}

if __name__ == "__main__":
    configure_logging(level=sys.argv[2], as_json=sys.argv[3] == "json")
    PROGRAMS[sys.argv[1]]()
