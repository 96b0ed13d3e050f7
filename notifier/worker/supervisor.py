"""A parent and its OS processes: start, watch, restart, stop. Knows no notifications."""

import asyncio
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NoReturn

import structlog

log = structlog.get_logger(__name__)

_STEPS = 6


@dataclass(frozen=True, slots=True)
class Life:
    """One child, from its start to its death."""

    name: str
    """Another one for each, on all machines."""
    restarts: int
    """How often there was one in its place before it."""


Target = Callable[[Life, Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSettings:
    """How children are kept alive.

    One that does not say it is alive for `hung_after_s`, or not within `start_within_s` of its
    start, is killed. A dead one is started again after a delay that doubles from `restart_min_s`
    to `restart_max_s` while it keeps dying within `stable_after_s`. Children get `grace_s` to
    finish at a stop.
    """

    processes: int
    grace_s: float
    hung_after_s: float = 30
    start_within_s: float = 60
    restart_min_s: float = 0.2
    restart_max_s: float = 30
    stable_after_s: float = 60

    def restart_delay_s(self, quick_deaths: int) -> float:
        """Seconds before the next start, after so many lives in a row that were too short."""
        doublings = min(quick_deaths - 1, 32)
        return min(self.restart_min_s * (1 << doublings), self.restart_max_s)


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a child. `exit_code` is negative for a signal, and None if nobody knows it."""

    child: str
    exit_code: int | None

    @property
    def is_clean(self) -> bool:
        """Whether it ended by itself, done with all it had begun."""
        return self.exit_code == 0


class Supervisor:
    """Keeps a number of children running until it is cancelled, then stops them.

    Each child runs `target(life, link)` in a fresh interpreter. It beats through `link`, and
    ends by itself when the link closes, so that a killed parent leaves none behind. `on_death`
    is awaited for every child that ended, however it did; what it raises is logged, and the
    child is started again all the same.
    """

    def __init__(
        self,
        target: Target,
        settings: SupervisorSettings,
        on_death: Callable[[Death], Awaitable[None]],
    ) -> None:
        self._target = target
        self._settings = settings
        self._on_death = on_death
        self.restarts = 0
        """How often a child was started in the place of one that ended."""

    async def run(self) -> None:
        """Run until cancelled; ends once all children have ended.

        Cancelled again, it kills them at once.
        """
        lives = [
            asyncio.create_task(self._keep_alive(index))
            for index in range(self._settings.processes)
        ]
        try:
            defective, _ = await asyncio.wait(lives, return_when=asyncio.FIRST_COMPLETED)
            defective.pop().result()
        finally:
            # A task group would not pass a second cancellation on.
            try:
                await _cancelled(lives)
            finally:
                await _cancelled(lives)

    async def _keep_alive(self, index: int) -> None:
        quick_deaths = 0
        for restarts in count():
            started_s = time.monotonic()
            death = await self._live(index, restarts)
            is_stable = time.monotonic() - started_s >= self._settings.stable_after_s
            quick_deaths = 1 if is_stable else quick_deaths + 1
            delay_s = self._settings.restart_delay_s(quick_deaths)
            await asyncio.gather(self._tell(death), asyncio.sleep(delay_s))
            self.restarts += 1

    async def _live(self, index: int, restarts: int) -> Death | None:
        """One child's life; returns how it ended, None if it could not even be started."""
        try:
            child = Child(self._target, index, restarts)
        except OSError as error:
            log.error("child.not_started", index=index, error=type(error).__name__)
            return None
        try:
            await child.ended(self._settings.start_within_s, self._settings.hung_after_s)
        except asyncio.CancelledError:
            try:
                await child.stop(self._settings.grace_s)
            finally:
                await self._tell(child.death)
            raise
        log.error("child.died", child=child.name, exit_code=child.exit_code)
        return child.death

    async def _tell(self, death: Death | None) -> None:
        if death is None:
            return
        try:
            await self._on_death(death)
        except Exception:  # the child must be started again whatever became of its leases
            log.exception("child.death_not_handled", child=death.child)


class Child:
    """One started OS process and the link to it."""

    def __init__(self, target: Target, index: int, restarts: int) -> None:
        spawn = get_context("spawn")
        self.name = f"{socket.gethostname()}:{os.getpid()}:{index}:{secrets.token_hex(4)}"
        self.exit_code: int | None = None
        """What it ended with; negative for a signal, None while it runs."""
        self._link, theirs = spawn.Pipe()
        life = Life(self.name, restarts)
        self._process = spawn.Process(target=_run, args=(target, life, theirs), daemon=True)
        try:
            self._process.start()
        except BaseException:
            self._link.close()
            raise
        finally:
            theirs.close()
        self._sign = asyncio.Event()
        self._dead = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._process.sentinel, self._on_death)
        loop.add_reader(self._link.fileno(), self._on_beat)

    @property
    def death(self) -> Death:
        """How it ended, once it has."""
        return Death(self.name, self.exit_code)

    async def ended(self, start_within_s: float, hung_after_s: float) -> None:
        """Return once it has ended; kill it when it gives no sign of life for that long."""
        patience_s = start_within_s
        while not self._dead.is_set():
            self._sign.clear()
            if not await _is_set_within(self._sign, patience_s):
                log.error("child.hung", child=self.name, silent_s=patience_s)
                self._process.kill()
                await self._dead.wait()
            patience_s = hung_after_s

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, and kill it if it has not within `grace_s`. Idempotent."""
        if self._dead.is_set():
            return
        self._process.terminate()
        try:
            if await _is_set_within(self._dead, grace_s):
                return
        finally:
            self._kill()
        log.error("child.killed", child=self.name, grace_s=grace_s)

    def _kill(self) -> None:
        if not self._dead.is_set():
            self._process.kill()
            self._on_death()

    def _on_death(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._forget_link()
        self._process.join()
        self.exit_code = self._process.exitcode
        if self.exit_code is not None:  # None: somebody else waited for our child
            self._process.close()
        self._dead.set()
        self._sign.set()

    def _on_beat(self) -> None:
        try:
            self._link.recv_bytes()
        except (EOFError, OSError):
            self._forget_link()
        else:
            self._sign.set()

    def _forget_link(self) -> None:
        if not self._link.closed:
            asyncio.get_running_loop().remove_reader(self._link.fileno())
            self._link.close()


def _run(target: Target, life: Life, link: Connection) -> None:
    # Ctrl-C reaches the whole process group; the parent alone decides how to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        target(life, link)
    except Exception as error:  # Python would print its text, which may quote anything
        # Without our set-up a trace would show local variables.
        safe = structlog.is_configured()
        log.error("child.crashed", child=life.name, error=type(error).__name__, exc_info=safe)
        sys.exit(1)


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _is_set_within(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether it is set in so much time of this process.

    While that is halted, as in a paused container, so are those whom it waits for: a halt, however
    long, counts as one step.
    """
    for _ in range(_STEPS):
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s / _STEPS):
                return await event.wait()
    return False


async def beat(link: Connection, every_s: float = 5) -> None:
    """Tell the parent, from a child's event loop, that this loop turns.

    Runs until cancelled, or until the parent is gone: `end_with_parent` sees to that.
    """
    while True:
        try:
            link.send_bytes(b"beat")
        except OSError:
            return
        await asyncio.sleep(every_s)


def end_with_parent(link: Connection, grace_s: float) -> None:
    """Stop this child when its parent is gone: gracefully, or else by force after `grace_s`.

    A thread of its own, since the event loop may be what hangs.
    """
    threading.Thread(target=_wait_for_parent, args=(link, grace_s), daemon=True).start()


def _wait_for_parent(link: Connection, grace_s: float) -> NoReturn:
    with suppress(EOFError, OSError):
        link.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    os._exit(1)
