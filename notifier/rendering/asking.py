"""Asking a child process, one question at a time."""

import asyncio
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import notifier
from notifier.content.encoding import Document
from notifier.errors import WorkshopUnavailableError
from notifier.rendering.framing import HEADER

_START_WITHIN_S = 60.0
_END_WITHIN_S = 2.0


class ChildLostError(Exception):
    """The child died of what it was asked, or was ended by others; -`exit_code` is a signal."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Asker:
    """Keeps a child that is started when it is first needed, and another one if that dies.

    A child is given nothing of this process's environment, and ends with it.
    """

    def __init__(self, *arguments: str, late_s: float, unavailable: str) -> None:
        """`unavailable` is said where no child can be started."""
        self._arguments = arguments
        self._late_s = late_s
        self._unavailable = unavailable
        self._turn = asyncio.Lock()
        self._child: _Child | None = None

    async def answer(self, frame: bytes) -> Document:
        """Return the answer to a question; whoever gives up ends the child with it.

        Raises:
            TimeoutError: it was late, and was ended.
            ChildLostError: it died.
            WorkshopUnavailableError: no child can be started.
        """
        async with self._turn:
            child, self._child = self._child or await self._started(), None
            try:
                answer = await child.answer(frame, self._late_s)
            except (TimeoutError, asyncio.CancelledError):
                # The answer may be on its way, and is nobody else's.
                child.end()
                raise
            except (OSError, EOFError) as error:
                raise ChildLostError(await child.ended(_END_WITHIN_S)) from error
            self._child = child
            return answer

    async def close(self) -> None:
        """End the child."""
        async with self._turn:
            child, self._child = self._child, None
            if child:
                await child.ended(_END_WITHIN_S)

    async def _started(self) -> "_Child":
        child = _Child(self._arguments)
        try:
            await child.answer(b"", _START_WITHIN_S)
        except (OSError, EOFError) as error:
            child.end()
            raise WorkshopUnavailableError(self._unavailable) from error
        except asyncio.CancelledError:
            child.end()
            raise
        return child


class _Child:
    def __init__(self, arguments: tuple[str, ...]) -> None:
        root = str(Path(notifier.__file__).parents[1])
        self._process = subprocess.Popen(  # noqa: S603  this program itself
            [sys.executable, "-P", "-m", "notifier.rendering.child", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": root, "PYTHONUTF8": "1"},
            # What an operator's keys end is its parent; that ends it.
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin  # noqa: S101  asked for
        assert self._process.stdout  # noqa: S101
        self._questions = self._process.stdin.fileno()
        self._answers = self._process.stdout.fileno()
        os.set_blocking(self._questions, False)
        os.set_blocking(self._answers, False)
        weakref.finalize(self, _end, self._process)

    async def answer(self, frame: bytes, within_s: float) -> Document:
        async with asyncio.timeout(within_s):
            await _write(self._questions, frame)
            # It takes a moment: others get their turn, and who gives up may do so.
            await asyncio.sleep(0)
            (size,) = HEADER.unpack(await _read(self._answers, HEADER.size))
            answer: Document = json.loads(await _read(self._answers, size))
        return answer

    async def ended(self, within_s: float) -> int:
        """Return the exit code of one that ends by itself within that time, or else is ended."""
        _close(self._process)
        with suppress(subprocess.TimeoutExpired):
            return await asyncio.to_thread(self._process.wait, within_s)
        return self.end()

    def end(self) -> int:
        return _end(self._process)


async def _write(pipe: int, frame: bytes) -> None:
    loop, left = asyncio.get_running_loop(), memoryview(frame)
    while left:
        try:
            left = left[os.write(pipe, left) :]
        except BlockingIOError:
            await _ready(pipe, loop.add_writer, loop.remove_writer)


async def _read(pipe: int, size: int) -> bytes:
    loop, read = asyncio.get_running_loop(), bytearray()
    while len(read) < size:
        try:
            piece = os.read(pipe, size - len(read))
        except BlockingIOError:
            await _ready(pipe, loop.add_reader, loop.remove_reader)
            continue
        if not piece:
            raise EOFError
        read += piece
    return bytes(read)


async def _ready(
    pipe: int, add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], object]
) -> None:
    ready = asyncio.Event()
    add(pipe, ready.set)
    try:
        await ready.wait()
    finally:
        remove(pipe)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):  # what it did not read any more
            pipe and pipe.close()


def _end(process: subprocess.Popen[bytes]) -> int:
    _close(process)
    process.kill()
    return process.wait()
