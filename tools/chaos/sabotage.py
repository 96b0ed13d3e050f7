"""The faults that are done to notifier's own processes, its providers, and its links."""

import asyncio
import os
import signal
from collections.abc import Mapping

from tools.chaos.injectors import DATABASE, Injectors, on, on_each
from tools.chaos.links import Links
from tools.chaos.plan import Kind, Planned
from tools.chaos.stack import Api, Runner, Stack, await_gone, server_of

_ORPHANS_S = 40


def sabotage(stack: Stack, locks: Mapping[str, asyncio.Lock]) -> Injectors:
    """The injectors of such faults; each lock is that of the part of its name."""
    saboteur = _Saboteur(stack, locks)
    runners, apis, links = stack.runners, stack.apis, stack.links_by_side()
    return {
        Kind.WORKER_KILLED: on_each(runners, saboteur.kill_worker),
        Kind.RUNNER_KILLED: on_each(runners, saboteur.kill_runner),
        Kind.RUNNER_FROZEN: on_each(runners, saboteur.freeze),
        Kind.RUNNER_STOPPED: on_each(runners, saboteur.stop),
        Kind.API_KILLED: on_each(apis, saboteur.kill_api),
        Kind.ALL_STOPPED: on("everything", saboteur.stop_all),
        Kind.PROVIDER_FAILING: on("providers", saboteur.fail_mail),
        Kind.LINK_CUT: on_each(links, _cut, server_of),
        Kind.LINK_STALLED: on_each(links, _stall, server_of),
        Kind.RUNNER_CUT_OFF: on_each(
            {name: stack.links[f"{name}-{DATABASE}"] for name in runners},
            _cut_or_stall,
            part_of=lambda _name: DATABASE,
        ),
    }


class _Saboteur:
    def __init__(self, stack: Stack, locks: Mapping[str, asyncio.Lock]) -> None:
        self._stack = stack
        self._locks = locks

    async def kill_worker(self, runner: Runner, planned: Planned) -> None:
        workers = runner.workers()
        if workers:  # all of them may be between two lives
            pid = planned.pick(workers)
            os.kill(pid, signal.SIGKILL)
            await await_gone([pid], timeout_s=10)

    async def kill_runner(self, runner: Runner, planned: Planned) -> None:
        """Kill the parent alone, as its own crash would, or all of it, as a lost host is."""
        orphans = runner.workers()
        if planned.pick(["alone", "all"]) == "all":
            runner.send_all(signal.SIGKILL)
        await self._stack.restart(runner)
        await await_gone(orphans, timeout_s=_ORPHANS_S)

    async def freeze(self, runner: Runner, planned: Planned) -> None:
        runner.send_all(signal.SIGSTOP)
        try:
            await asyncio.sleep(planned.hold_s)
        finally:
            runner.send_all(signal.SIGCONT)

    async def stop(self, runner: Runner, _planned: Planned) -> None:
        await self._stack.redeploy(runner)

    async def kill_api(self, api: Api, _planned: Planned) -> None:
        await self._stack.restart(api)
        await api.ready()

    async def stop_all(self, _planned: Planned) -> None:
        """A deployment: one process after the other, each asked to end and started again."""
        programs: list[Api | Runner] = [*self._stack.apis.values(), *self._stack.runners.values()]
        for program in programs:
            async with self._locks[program.name]:
                await self._stack.redeploy(program)
                await program.ready()

    async def fail_mail(self, planned: Planned) -> None:
        """A deployment while one of the two mail providers puts everything off."""
        self._stack.providers.fail_mail()
        try:
            await asyncio.sleep(planned.hold_s)
            await self.stop_all(planned)
        finally:
            self._stack.providers.mend_mail()


async def _cut(links: Links, planned: Planned) -> None:
    links.cut()
    await _restored(links, planned.hold_s)


async def _stall(links: Links, planned: Planned) -> None:
    links.stall()
    await _restored(links, planned.hold_s)


async def _cut_or_stall(links: Links, planned: Planned) -> None:
    await planned.pick([_cut, _stall])(links, planned)


async def _restored(links: Links, after_s: float) -> None:
    try:
        await asyncio.sleep(after_s)
    finally:
        links.restore()
