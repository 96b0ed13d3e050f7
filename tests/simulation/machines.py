"""The machines of a world: processes of notifier, started again when they end."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from notifier.composition import workers
from notifier.settings.groups import Settings
from notifier.worker import supervisor
from tests.simulation.loop import Process, WorldLoop, this_loop, this_process

_RESTART_S = 1.5


class Machine:
    """Keeps one process of notifier running."""

    def __init__(
        self,
        loop: WorldLoop,
        name: str,
        keeper: Process,
        nursery: "Nursery",
        main: Callable[[], Coroutine[Any, Any, object]],
        grace_s: float,
    ) -> None:
        self.name = name
        self.process: Process | None = None
        self.crashes: list[str] = []
        self.clock_ahead_s = 0.0
        self.back_s = 0.0
        """Until when it stays down, once it is."""
        self._loop = loop
        self._keeper = keeper
        self._nursery = nursery
        self._main = main
        self.grace_s = grace_s
        self._numbers = count(1)

    @property
    def children(self) -> "list[WorldChild]":
        """The workers of a runner that live."""
        return [child for child in self._nursery.living if child.runner is self.process]

    @property
    def processes(self) -> list[Process]:
        """Its process, if it lives, and its workers."""
        own = [] if self.process is None else [self.process]
        return [*own, *(child.worker for child in self.children)]

    def start(self) -> None:
        """Start it, unless it runs or is to stay down."""
        if self.process is not None:
            return
        if (down_s := self.back_s - self._loop.time()) > 0:
            self._keeper.post(down_s, self.start)
            return
        process = Process(f"{self.name}.{next(self._numbers)}", self._loop)
        process.clock_ahead_s = self.clock_ahead_s
        self.process = process
        process.on_death.append(lambda: self._keeper.post(0, self._restart, process))
        task = process.spawn(self._main())
        task.add_done_callback(lambda task: self._exit(process, task))

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self.process is not None:
            self.process.kill()

    def stop(self) -> None:
        """Ask it to end, and kill it when it has not in its grace."""
        process = self.process
        if process is not None:
            process.post(0, process.stopping.set)
            self._keeper.post(self.grace_s, self._lose_patience, process)

    def _lose_patience(self, process: Process) -> None:
        if not process.is_dead:
            self.crashes.append(f"{process.name} did not stop within {self.grace_s:.0f} s")
            process.kill()

    def _exit(self, process: Process, task: "asyncio.Task[object]") -> None:
        if not task.cancelled() and (error := task.exception()):
            self.crashes.append(f"{process.name} crashed: {error!r}")
        self._keeper.post(0, process.kill)

    def _restart(self, process: Process) -> None:
        if self.process is process:
            self.process = None
            self._keeper.post(_RESTART_S, self.start)


class Nursery:
    """The workers of all runners."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.living: list[WorldChild] = []
        self.deaths: dict[str, float] = {}
        self.asked_to_end: set[str] = set()
        self.crashes: list[str] = []
        self._numbers = count(1)

    def note_death(self, child: "WorldChild") -> None:
        """Keep when a worker died."""
        self.living.remove(child)
        self.deaths[child.name] = child.worker.loop.time()

    def start(self, _target: object, index: int, restarts: int) -> "WorldChild":
        """Start a worker of the runner whose turn it is."""
        name = f"{this_process().name}:{index}:{next(self._numbers)}"
        return WorldChild(self, supervisor.Life(name, restarts))


class WorldChild(supervisor.Child):
    """A worker process of a world, as its runner's supervisor sees it."""

    def __init__(self, nursery: Nursery, life: supervisor.Life) -> None:
        loop, runner = this_loop(), this_process()
        self.name = life.name
        self.exit_code = None
        self._sign = asyncio.Event()
        self._dead = asyncio.Event()
        self.runner = runner
        self.worker = Process(self.name, loop)
        self.worker.clock_ahead_s = runner.clock_ahead_s
        self._nursery = nursery
        nursery.living.append(self)
        self._process = self  # type: ignore[assignment]  # it is asked to end as the real one is
        runner.on_death.append(self._lose_parent)
        self.worker.on_death.append(lambda: nursery.note_death(self))
        self.worker.on_death.append(lambda: runner.post(0.001, self._on_death))
        work = workers._work(nursery.settings, runner.name, life, self)  # type: ignore[arg-type]  # noqa: SLF001
        task = self.worker.spawn(work)
        task.add_done_callback(self._exit)

    def send_bytes(self, _sign: bytes) -> None:
        """Its beat."""
        self.runner.post(0.0005, self._sign.set)

    def kill(self) -> None:
        """As `kill -9` does."""
        if not self.worker.is_dead:
            self.exit_code = -9
            self.worker.kill()

    def terminate(self) -> None:
        """As SIGTERM does."""
        self._nursery.asked_to_end.add(self.name)
        self.worker.post(0, self.worker.stopping.set)

    def _exit(self, task: "asyncio.Task[str | None]") -> None:
        if self.exit_code is None:
            failed = task.cancelled() or task.exception() or task.result()
            self.exit_code = 1 if failed else 0
            if isinstance(failed, BaseException):
                self._nursery.crashes.append(f"{self.name} crashed: {failed!r}")
        self.runner.loop.call_soon(self.worker.kill)

    def _on_death(self) -> None:
        if self.exit_code is None:
            self.exit_code = -9
        self._dead.set()
        self._sign.set()

    def _lose_parent(self) -> None:
        self.terminate()
        # The real one ends by force when it has not ended in time.
        self.worker.post(120, self.worker.kill)
