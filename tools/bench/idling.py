"""What a worker costs that has nothing to do."""

import asyncio
from dataclasses import dataclass

from tests.e2e.processes import workers_of
from tests.waiting import require
from tools.bench import statements
from tools.bench.place import Place, Servers
from tools.bench.processes import cpu_s, tree_of
from tools.bench.results import Sample
from tools.bench.stacks import Slots, deploy_notifier

_NOBODY = 9
_SETTLING_S = 10


@dataclass(frozen=True, slots=True)
class _Idle:
    cpu_percent: float
    statements_per_s: float


async def idle(servers: Servers, slots: Slots, seconds: float) -> Sample:
    """A worker alone, then the whole runner with its relay, for so long each."""
    worker = await _idle(servers, slots, seconds, with_relay=False)
    runner = await _idle(servers, slots, seconds, with_relay=True)
    return {
        "worker CPU, % of a core": worker.cpu_percent,
        "worker statements/s": worker.statements_per_s,
        "runner CPU, % of a core": runner.cpu_percent,
        "runner statements/s": runner.statements_per_s,
    }


async def _idle(servers: Servers, slots: Slots, seconds: float, *, with_relay: bool) -> _Idle:
    async with servers.place("idle") as place:
        changes = {"RELAY__ENABLED": str(with_relay).lower()}
        deployment = await deploy_notifier(place, _NOBODY, changes)
        await statements.count_statements(place)
        runner = deployment.workers(Slots(1, slots.each))
        runner.start()
        workers = await _consuming(place, runner.pid, deployment.queue, slots.each)
        await asyncio.sleep(_SETTLING_S)
        pids = tree_of(runner.pid) if with_relay else workers
        await statements.begin(place)
        before = cpu_s(pids)
        await asyncio.sleep(seconds)
        used, found = cpu_s(pids) - before, await statements.totals(place)
        return _Idle(100 * used / seconds, found.calls / seconds)


async def _consuming(place: Place, runner: int, queue: str, consumers: int) -> list[int]:
    async def all_consume() -> bool:
        return await place.consumers(queue) == consumers

    await require(all_consume, timeout_s=60, every_s=0.3, what="a worker consuming")
    return workers_of(runner)
