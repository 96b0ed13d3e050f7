"""Filling aside: in a child process that may use little, and may die of it."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import structlog

import notifier
from notifier.content.encoding import Document, content_document
from notifier.content.ports import Offered
from notifier.content.template import Content, Rendered, Variables
from notifier.errors import TemplateError, WorkshopUnavailableError
from notifier.notification.model import Channel
from notifier.rendering.framing import HEADER, ROOMY, framed
from notifier.rendering.limits import MAX_DEPTH
from notifier.rendering.wire import is_deeper, offered_document

log = structlog.get_logger(__name__)

TOO_EXPENSIVE = "it takes too much work or memory to fill it; make less of its values"
_MAX_FRAME_BYTES = 8_000_000
_LATE_S = 20.0
_START_WITHIN_S = 60.0
_END_WITHIN_S = 2.0
_ENDED_BY_OTHERS = frozenset(-each for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
"""Exit codes of a child that did not end of what it was asked."""


class Aside:
    """Fills contents in a child process, one at a time; it is started when it is first needed.

    It is given nothing of this process's environment, and ends with it.
    """

    def __init__(self, *, late_s: float = _LATE_S) -> None:
        self._turns = ThreadPoolExecutor(1, thread_name_prefix="aside")
        self._late_s = late_s
        self._children: list[subprocess.Popen[bytes]] = []
        weakref.finalize(self, _end_all, self._children)

    async def filled(
        self,
        content: Content,
        channel: Channel,
        *,
        variables: Variables,
        offered: Offered,
        now: str,
        default_zone: str,
    ) -> Rendered:
        """Fill the parts of a channel of a content that is in one locale.

        Raises:
            TemplateError: they cannot be filled, or not with what a child may use.
            WorkshopUnavailableError: the child could not be started, or was ended by others.
        """
        if is_deeper(variables, MAX_DEPTH):
            raise TemplateError(f"variables are nested deeper than {MAX_DEPTH}")
        frame = framed(
            {
                "do": "fill",
                "content": content_document(content),
                "channel": channel.value,
                "variables": dict(variables),
                "offered": offered_document(offered),
                "now": now,
                "default_zone": default_zone,
            }
        )
        if len(frame) > _MAX_FRAME_BYTES:
            raise TemplateError(TOO_EXPENSIVE)
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._turns, self._answered, frame)
        if "fault" in answer:
            raise TemplateError(answer["fault"])
        return Rendered(**answer["rendered"])

    def _answered(self, frame: bytes, tries: int = 2) -> Document:
        if not self._children:
            self._children.append(_started())
        try:
            return _exchanged(self._children[0], frame, self._late_s)
        except TimeoutError as error:
            _ended(self._children.pop(), within_s=0)
            log.warning("filling.late")
            raise WorkshopUnavailableError("it took too long to fill a template") from error
        except (OSError, EOFError):
            code = _ended(self._children.pop(), _END_WITHIN_S)
        log.warning("filling.child_lost", exit_code=code)
        if code in _ENDED_BY_OTHERS:
            raise WorkshopUnavailableError("the process that fills templates was ended")
        if code == -signal.SIGKILL and tries > 1:
            # The system may have run out of memory for somebody else's sake.
            return self._answered(frame, tries - 1)
        raise TemplateError(TOO_EXPENSIVE)


def _started() -> subprocess.Popen[bytes]:
    root = str(Path(notifier.__file__).parents[1])
    child = subprocess.Popen(  # noqa: S603  this program itself
        [sys.executable, "-P", "-m", "notifier.rendering.child", ROOMY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": root, "PYTHONUTF8": "1"},
        # What an operator's keys end is the worker; that ends its child.
        start_new_session=True,
        bufsize=0,
    )
    assert child.stdin  # noqa: S101  asked for
    os.set_blocking(child.stdin.fileno(), False)
    try:
        _exchanged(child, b"", _START_WITHIN_S)
    except (OSError, EOFError) as error:
        _ended(child, within_s=0)
        raise WorkshopUnavailableError("no process can be started that fills") from error
    return child


def _exchanged(child: subprocess.Popen[bytes], frame: bytes, late_s: float) -> Document:
    assert child.stdin  # noqa: S101  asked for at the start
    assert child.stdout  # noqa: S101
    by_s = time.monotonic() + late_s
    _write(child.stdin.fileno(), frame, by_s)
    (size,) = HEADER.unpack(_read(child.stdout.fileno(), HEADER.size, by_s))
    document: Mapping[str, object] = json.loads(_read(child.stdout.fileno(), size, by_s))
    return dict(document)


def _write(pipe: int, frame: bytes, by_s: float) -> None:
    left = memoryview(frame)
    while left:
        _await(pipe, select.POLLOUT, by_s)
        left = left[os.write(pipe, left) :]


def _read(pipe: int, size: int, by_s: float) -> bytes:
    read = bytearray()
    while len(read) < size:
        _await(pipe, select.POLLIN, by_s)
        piece = os.read(pipe, size - len(read))
        if not piece:
            raise EOFError
        read += piece
    return bytes(read)


def _await(pipe: int, event: int, by_s: float) -> None:
    left_s = by_s - time.monotonic()
    poll = select.poll()
    poll.register(pipe, event)
    if left_s <= 0 or not poll.poll(left_s * 1_000):
        raise TimeoutError


def _ended(child: subprocess.Popen[bytes], within_s: float) -> int:
    """Return the exit code of a child that ends by itself within that time, or else is ended."""
    for pipe in (child.stdin, child.stdout):
        with suppress(OSError):  # what it did not read any more
            pipe and pipe.close()
    try:
        return child.wait(within_s)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


def _end_all(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        _ended(child, within_s=0)
