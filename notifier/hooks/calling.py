"""Calling hooks: each in a thread of its own, so that nobody waits for it, whatever it does.

What it is told waits in line, so much and no more; what is too much is dropped, and counted.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import isawaitable
from queue import Empty, Full, Queue
from typing import Any, TypeAlias

import structlog

from notifier.clock import Clock
from notifier.hooks.counts import Calls, Result
from notifier.hooks.moments import Accepted, Final, Moment, Sending
from notifier.trouble import Trouble

log = structlog.get_logger(__name__)

MOST_WAITING = 1_000
"""What one hook may still have to be told."""

Told: TypeAlias = Accepted | Sending | Final
_Call: TypeAlias = tuple[Moment, Told]


class Hook:
    """One hook, and what it still has to be told."""

    def __init__(self, name: str, target: object, *, timeout_s: float, clock: Clock) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._clock = clock
        self._functions: Mapping[Moment, Callable[[Any], object]] = {
            moment: function
            for moment in Moment
            if callable(function := getattr(target, moment, None))
        }
        self._waiting: Queue[_Call | None] = Queue(MOST_WAITING)
        self._trouble = Trouble("hook.failing", "hook.recovered", clock.monotonic_s, hook=name)
        self._counting = threading.Lock()
        self._counts: Counter[Calls] = Counter()
        self._due_at_s: float | None = None
        # A hook that never returns must not keep the process.
        self._thread = threading.Thread(target=self._run, name=f"hook-{name}", daemon=True)

    @property
    def moments(self) -> frozenset[Moment]:
        """When it wants to be told."""
        return frozenset(self._functions)

    @property
    def room(self) -> int:
        """How much more it can be told."""
        return MOST_WAITING - self._waiting.qsize()

    def start(self) -> None:
        """Begin to tell it."""
        self._thread.start()

    def tell(self, moment: Moment, value: Told) -> None:
        """Have it told, soon; returns at once."""
        if moment not in self._functions:
            return
        try:
            self._waiting.put_nowait((moment, value))
        except Full:
            self._note(moment, Result.DROPPED, reason="too much waits for it")

    def taken_counts(self) -> Counter[Calls]:
        """Return what was counted since the last time; says in the log if it hangs."""
        due_at_s = self._due_at_s
        if due_at_s is not None and self._clock.monotonic_s() > due_at_s:
            self._trouble.met(reason="it does not return")
        with self._counting:
            counts, self._counts = self._counts, Counter()
        return counts

    def stop(self, until_s: float) -> None:
        """Tell it what waits, and give up at `until_s`."""
        try:
            self._waiting.put(None, timeout=max(0.0, until_s - self._clock.monotonic_s()))
        except Full:
            self._leave_the_rest()
            return
        self._thread.join(max(0.0, until_s - self._clock.monotonic_s()))
        self._leave_the_rest()

    def _leave_the_rest(self) -> None:
        while True:
            try:
                call = self._waiting.get_nowait()
            except Empty:
                return
            if call is not None:
                self._note(call[0], Result.DROPPED, reason="the process ends")

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while (call := self._waiting.get()) is not None:
                self._call(runner, *call)

    def _call(self, runner: asyncio.Runner, moment: Moment, value: Told) -> None:
        began_s = self._clock.monotonic_s()
        self._due_at_s = began_s + self._timeout_s
        try:
            answer = self._functions[moment](value)
            if isawaitable(answer):
                runner.run(_within(answer, self._timeout_s))
        except TimeoutError:
            self._note(moment, Result.LATE, reason="it took too long")
        except BaseException as error:  # noqa: BLE001  whatever others' code raises ends here
            self._note(moment, Result.FAILED, error=type(error).__name__)
        else:
            is_late = self._clock.monotonic_s() > self._due_at_s
            self._note(moment, Result.LATE if is_late else Result.DONE, reason="it took too long")
        self._due_at_s = None

    def _note(self, moment: Moment, result: Result, **why: str) -> None:
        with self._counting:
            self._counts[Calls(self._name, moment, result)] += 1
        if result is Result.DONE:
            self._trouble.ended()
        else:
            self._trouble.met(moment=moment.value, **why)


class Hooks:
    """All hooks of a process."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self._hooks = hooks

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self._hooks

    def want(self, *moments: Moment) -> bool:
        """Whether any wants to be told at one of these moments."""
        return any(not each.moments.isdisjoint(moments) for each in self._hooks)

    @property
    def room(self) -> int:
        """How much more can be told without loss."""
        return min((each.room for each in self._hooks), default=MOST_WAITING)

    def start(self) -> None:
        """Begin to tell them."""
        for each in self._hooks:
            each.start()

    def tell(self, moment: Moment, value: Told) -> None:
        """Have those told that want to be; returns at once."""
        for each in self._hooks:
            each.tell(moment, value)

    def taken_counts(self) -> Counter[Calls]:
        """Return what was counted since the last time."""
        return sum((each.taken_counts() for each in self._hooks), Counter())

    def stop(self, until_s: float) -> None:
        """Tell them what waits, and give up at `until_s`. Blocks."""
        for each in self._hooks:
            each.stop(until_s)


NO_HOOKS = Hooks(())


async def _within(answer: Awaitable[object], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        await answer
