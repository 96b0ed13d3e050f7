"""Doing what the plan says, and writing down what was done when."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from notifier.queue.topology import WORK_QUEUES
from tests.chaos.links import Link
from tests.chaos.plan import LINKS, Kind, Planned
from tests.chaos.stack import Runner, Stack, await_gone
from tests.services.rabbitmq import vhost_of

_ORPHANS_S = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that happened, in seconds since the epoch."""

    kind: Kind
    target: str
    began_at: float
    ended_at: float


class Faults:
    """Carries out a plan; each fault is mended before `run` returns."""

    def __init__(self, stack: Stack) -> None:
        self.done: list[Fault] = []
        self.under_way: set[str] = set()
        self._stack = stack
        named = ("broker", "database", "providers", *stack.runners, *stack.apis)
        self._locks = {name: asyncio.Lock() for name in named}

    async def run(self, plan: Sequence[Planned]) -> None:
        """Begin each fault at its time, or as soon as what it hits is whole again."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for planned in plan:
                group.create_task(self._do_at(planned, began_s + planned.at_s))

    async def _do_at(self, planned: Planned, at_s: float) -> None:
        await asyncio.sleep(max(0, at_s - time.monotonic()))
        target = self._target(planned)
        lock = self._locks.get(target) or self._locks.get(target.rpartition("-")[2])
        async with lock or asyncio.Lock():
            await self._do(planned, target)

    def _target(self, planned: Planned) -> str:
        match planned.kind:
            case Kind.WORKER_KILLED | Kind.RUNNER_KILLED | Kind.RUNNER_FROZEN | Kind.RUNNER_STOPPED:
                free = [name for name in self._stack.runners if not self._locks[name].locked()]
                return planned.pick(free or list(self._stack.runners))
            case Kind.API_KILLED:
                return planned.pick(list(self._stack.apis))
            case Kind.BROKER_KILLED | Kind.MEMORY_ALARM | Kind.QUEUES_PURGED:
                return "broker"
            case Kind.DATABASE_RESTARTED:
                return "database"
            case Kind.ALL_STOPPED:
                return "everything"
            case Kind.PROVIDER_FAILING:
                return "providers"
            case Kind.LINK_CUT | Kind.LINK_STALLED:
                return planned.pick(list(LINKS))

    async def _do(self, planned: Planned, target: str) -> None:
        label = f"{planned.kind}: {target}"
        self.under_way.add(label)
        began_at = time.time()
        try:
            await self._cause(planned, target)
        finally:
            self.under_way.discard(label)
            self.done.append(
                Fault(kind=planned.kind, target=target, began_at=began_at, ended_at=time.time())
            )

    async def _cause(self, planned: Planned, target: str) -> None:
        if target in self._stack.links:
            await self._disturb(self._stack.links[target], planned)
        elif target in ("broker", "database"):
            await self._hit_server(planned)
        elif target == "everything":
            await self._stop_all()
        elif target == "providers":
            await self._fail_mail(planned.hold_s)
        else:
            await self._hit_process(planned, target)

    async def _hit_process(self, planned: Planned, target: str) -> None:
        match planned.kind:
            case Kind.WORKER_KILLED:
                await self._kill_worker(self._stack.runners[target], planned)
            case Kind.RUNNER_KILLED:
                await self._kill_runner(self._stack.runners[target], planned)
            case Kind.RUNNER_FROZEN:
                await self._freeze(self._stack.runners[target], planned.hold_s)
            case Kind.RUNNER_STOPPED:
                await self._stack.redeploy(self._stack.runners[target])
            case Kind.API_KILLED:
                await self._stack.restart(self._stack.apis[target])
                await self._stack.apis[target].ready()

    async def _hit_server(self, planned: Planned) -> None:
        match planned.kind:
            case Kind.BROKER_KILLED:
                await asyncio.to_thread(self._stack.outside.rabbitmq.kill)
                await asyncio.to_thread(self._stack.outside.rabbitmq.start)
            case Kind.MEMORY_ALARM:
                await self._alarm(planned.hold_s)
            case Kind.QUEUES_PURGED:
                await asyncio.to_thread(self._purge)
            case Kind.DATABASE_RESTARTED:
                await asyncio.to_thread(self._stack.outside.postgres.kill)
                await asyncio.to_thread(self._stack.outside.postgres.start)

    async def _stop_all(self) -> None:
        """A deployment: one process after the other, each asked to end and started again."""
        for name, api in self._stack.apis.items():
            async with self._locks[name]:
                await self._stack.redeploy(api)
                await api.ready()
        for name, runner in self._stack.runners.items():
            async with self._locks[name]:
                await self._stack.redeploy(runner)
                await runner.ready()

    async def _fail_mail(self, hold_s: float) -> None:
        """A deployment while one of the two mail providers puts everything off."""
        self._stack.providers.fail_mail()
        try:
            await asyncio.sleep(hold_s)
            await self._stop_all()
        finally:
            self._stack.providers.mend_mail()

    async def _kill_worker(self, runner: Runner, planned: Planned) -> None:
        workers = runner.workers()
        if workers:  # all of them may be between two lives
            pid = int(planned.pick([str(pid) for pid in workers]))
            os.kill(pid, signal.SIGKILL)
            await await_gone([pid], timeout_s=10)

    async def _kill_runner(self, runner: Runner, planned: Planned) -> None:
        """Kill the parent alone, as its own crash would, or all of it, as a lost host is."""
        orphans = runner.workers()
        if planned.pick(["alone", "all"]) == "all":
            runner.send_all(signal.SIGKILL)
        await self._stack.restart(runner)
        await await_gone(orphans, timeout_s=_ORPHANS_S)

    async def _freeze(self, runner: Runner, hold_s: float) -> None:
        runner.send_all(signal.SIGSTOP)
        try:
            await asyncio.sleep(hold_s)
        finally:
            runner.send_all(signal.SIGCONT)

    async def _alarm(self, hold_s: float) -> None:
        ctl = self._stack.outside.rabbitmq.ctl
        await asyncio.to_thread(ctl, "set_vm_memory_high_watermark", "0.0")
        try:
            await asyncio.sleep(hold_s)
        finally:
            await asyncio.to_thread(ctl, "set_vm_memory_high_watermark", "absolute", "512MB")

    def _purge(self) -> None:
        vhost = vhost_of(self._stack.outside.amqp_url)
        for queue in WORK_QUEUES:
            self._stack.outside.rabbitmq.management.call(
                "DELETE", "queues", vhost, queue.name, "contents"
            )

    async def _disturb(self, link: Link, planned: Planned) -> None:
        if planned.kind is Kind.LINK_CUT:
            link.cut()
        else:
            link.stall()
        try:
            await asyncio.sleep(planned.hold_s)
        finally:
            link.restore()

    def write(self, path: Path) -> None:
        """Write what happened."""
        path.write_text("".join(json.dumps(asdict(fault)) + "\n" for fault in self.done))
