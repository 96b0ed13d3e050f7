"""Logs: one JSON object a line on stdout, or coloured lines on a terminal.

A log line names events and ids. It never holds a body, an address, a key or an exception's
text, which may quote any of these: an exception is logged as its type and its places.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from types import TracebackType
from typing import Any, TypeAlias

import orjson
import structlog

Event: TypeAlias = MutableMapping[str, Any]

_MAX_CAUSES = 10

log = structlog.get_logger(__name__)


def configure_logging(*, level: str, as_json: bool) -> None:
    """Set up logging for this OS process, uncaught exceptions included.

    `level` is that of notifier's own events. Libraries are heard from WARNING on, and the web
    server's requests not at all: their lines quote frames, bodies, addresses and URLs.
    """
    number = logging.getLevelNamesMapping()[level]
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(_to_json) if as_json else structlog.dev.ConsoleRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_exception,
    ]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # One write a line, so that the lines of several processes do not mix.
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    _configure_libraries(max(number, logging.WARNING), shared, render)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _to_json(event: Event, *, default: Callable[[Any], Any]) -> str:
    return orjson.dumps(event, default=default).decode()


def _configure_libraries(
    level: int, shared: list[structlog.typing.Processor], render: structlog.typing.Processor
) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[*shared, _keep_first_line],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # Unlike a level this also holds for loggers that set their own, and for those to come.
    logging.disable(level - 1)


def _name_exception(_logger: object, _method: str, event: Event) -> Event:
    """Put the type and places of an exception in the place of its text."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    for key, value in event.items():
        if isinstance(value, BaseException):
            event[key] = type(value).__name__
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        event["error"] = type(error).__name__
        event["places"] = [f"{frame.filename}:{frame.lineno}" for frame in frames]
        event["causes"] = [type(cause).__name__ for cause in _causes(error)]
    return event


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The members of a group, or the chain of causes."""
    if isinstance(error, BaseExceptionGroup):
        yield from error.exceptions[:_MAX_CAUSES]
        return
    for _ in range(_MAX_CAUSES):
        hidden = error.__suppress_context__
        cause = error.__cause__ or (None if hidden else error.__context__)
        if cause is None:
            return
        yield cause
        error = cause


def _keep_first_line(_logger: object, _method: str, event: Event) -> Event:
    """Cut a library's message: asyncio appends the exception's text, and so may others."""
    event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _log_uncaught(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    log.critical("process.crashed", exc_info=error)


def _log_uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is not None and not isinstance(hook.exc_value, SystemExit):
        log.critical("thread.crashed", exc_info=hook.exc_value)
