"""An event loop in virtual time, on which the processes of a world take turns as a seed says.

Inside a process the ready handles keep their order, as asyncio promises; which process goes next
is random. So every order that is seen here may be seen on real machines.
"""

import asyncio
import random
import weakref
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from itertools import count
from typing import Any, NoReturn, Protocol, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_PROCESS: ContextVar["Process"] = ContextVar("process")


class UnrealError(Exception):
    """A world reached for what it does not have: threads, files, the real network."""


class Process:
    """One of a world's OS processes, or another party: what its handles start belongs to it."""

    def __init__(self, name: str, loop: "WorldLoop") -> None:
        self.name = name
        self.loop = loop
        self.is_dead = False
        self.is_frozen = False
        self.stopping = asyncio.Event()
        """Set to ask it to end."""
        self.clock_ahead_s = 0.0
        """How far its machine's clock is ahead of the database's."""
        self.on_death: list[Callable[[], None]] = []
        """Called, outside the process, when it has ended, however it did."""
        self.ready: deque[asyncio.Handle] = deque()
        self.tasks: list[weakref.ref[asyncio.Task[Any]]] = []
        self._context = copy_context()
        self._context.run(_PROCESS.set, self)

    def __repr__(self) -> str:
        return self.name

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in this process."""
        return self._context.copy().run(self.loop.create_task, work)

    def run(self, callback: Callable[..., T], *args: Any) -> T:
        """Call `callback` at once, as this process; what it starts belongs to it."""
        return self._context.run(callback, *args)

    def post(self, delay_s: float, callback: Callable[..., object], *args: object) -> None:
        """Call `callback` in this process in `delay_s`, whoever asked, and even if that one dies.

        A dead process is called no more; a frozen one when it is thawed.
        """
        if not self.is_dead:
            self.loop.call_later(delay_s, callback, *args, context=self._context)

    def kill(self) -> None:
        """End it at once: nothing that it had begun goes on, and nothing is cleaned up."""
        if self.is_dead:
            return
        self.is_dead = True
        self.loop.bury(self)
        callbacks, self.on_death = self.on_death, []
        for callback in callbacks:
            callback()

    def freeze(self) -> None:
        """Let it stand still; what is meant for it waits."""
        self.is_frozen = True
        self.loop.pause(self)

    def thaw(self) -> None:
        """Let it go on."""
        self.is_frozen = False
        self.loop.resume(self)


class _Task(asyncio.Task[T]):
    """A task whose hash, and so its place in a set, is the same in every run."""

    # Each has one from the loop; an initializer of Python's own takes longer than all the rest.
    number: int

    def __hash__(self) -> int:
        return self.number


class _Future(asyncio.Future[Any]):
    number: int

    def __hash__(self) -> int:
        return self.number


def _nothing() -> None:
    """What is called where something was cancelled."""


class _Handle(asyncio.Handle):
    """asyncio's, made with less ado: a world has some ten thousand."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: Sequence[Any],
        loop: AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None

    def cancel(self) -> None:
        self._cancelled = True
        self._callback, self._args = _nothing, ()


class _TimerHandle(_Handle, asyncio.TimerHandle):
    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: Sequence[Any],
        loop: AbstractEventLoop,
        context: Context | None,
    ) -> None:
        _Handle.__init__(self, callback, args, loop, context)
        self._when = when
        self._scheduled = True


class _Network(Protocol):
    async def connect(
        self, protocol: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]: ...


class WorldLoop(asyncio.BaseEventLoop):
    """The loop of a world. `order` chooses between processes; time moves when none can go on."""

    _stopping: bool
    """What the base calls it: set by `stop`."""

    def __init__(self, order: random.Random) -> None:
        super().__init__()
        self.steps = 0
        self.network: _Network | None = None
        self._order = order
        self._now_s = 0.0
        self._numbers = count(1)
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._runnable: list[Process] = []
        self._graves: list[object] = []
        self.set_task_factory(self._new_task)

    @property
    def process(self) -> Process:
        """The process whose turn it is."""
        return _PROCESS.get()

    def time(self) -> float:
        """Seconds since the world began."""
        return self._now_s

    def live(self, process: Process, work: Coroutine[Any, Any, T]) -> T:
        """Run the world until `work`, which `process` does, is done; returns its answer.

        Raises:
            UnrealError: nothing can happen any more, or something reached out of the world.
        """
        task = process.spawn(work)
        process.run(task.add_done_callback, lambda _: self.stop())
        self.run_forever()
        return task.result()

    def bury(self, process: Process) -> None:
        """Drop what a dead process had ready. Its tasks are kept: collected, they would go on."""
        tasks = (task() for task in process.tasks)
        self._graves += [*(task for task in tasks if task is not None), *process.ready]
        process.ready.clear()
        self.pause(process)

    def pause(self, process: Process) -> None:
        """Give it no turns."""
        if process in self._runnable:
            self._runnable.remove(process)

    def resume(self, process: Process) -> None:
        """Give it turns if it has anything to do."""
        if process.ready and process not in self._runnable:
            self._runnable.append(process)

    # --- what asyncio asks of a loop ------------------------------------------------------------

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._enqueue(handle)
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = _TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        future = _Future(loop=self)
        future.number = next(self._numbers)
        return future

    def _new_task(
        self,
        _loop: AbstractEventLoop,
        coroutine: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task: _Task[T] = _Task.__new__(_Task)
        task.number = next(self._numbers)  # it is asked for its hash while it is made
        task.__init__(coroutine, loop=self, context=context)  # type: ignore[misc]
        _PROCESS.get().tasks.append(weakref.ref(task))
        return task

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        host: str,
        port: int,
        **_options: object,
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        if self.network is None:
            raise UnrealError("this world has no network")
        return await self.network.connect(protocol_factory, host, port)

    async def getaddrinfo(  # type: ignore[override]
        self, host: str, port: int | None, **_options: object
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        """Every name is its own only address."""
        return [(2, 1, 6, "", (host, port or 0))]

    def run_in_executor(self, *_arguments: object) -> NoReturn:
        raise UnrealError("a world has no threads")

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        pass

    def _run_once(self) -> None:
        """Run all until it is stopped, in one go: the base asks for it again after each call."""
        runnable, chance = self._runnable, self._order.random
        while not self._stopping:
            while not runnable:
                self._move_time()
            process = runnable[int(chance() * len(runnable))]
            handle = process.ready.popleft()
            if not process.ready:
                runnable.remove(process)
            self.steps += 1
            if not handle.cancelled():
                handle._run()  # noqa: SLF001  as the base does

    def _move_time(self) -> None:
        if not self._timers:
            raise UnrealError("nobody can go on, and nothing will happen")
        self._now_s = max(self._now_s, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now_s:
            _, _, handle = heappop(self._timers)
            if not handle.cancelled():
                self._enqueue(handle)

    def _enqueue(self, handle: asyncio.Handle) -> None:
        process = handle._context.get(_PROCESS)  # type: ignore[attr-defined]  # noqa: SLF001
        # What is collected after the world has ended is nobody's.
        if process is None or process.is_dead:
            self._graves.append(handle)
            return
        process.ready.append(handle)
        if len(process.ready) == 1 and not process.is_frozen:
            self._runnable.append(process)


def this_loop() -> WorldLoop:
    """The world's loop that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WorldLoop)
    return loop


def this_process() -> Process:
    """The process whose turn it is."""
    return _PROCESS.get()
