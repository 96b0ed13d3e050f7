"""Whether memory grows with what was handled."""

from tests.e2e.processes import workers_of
from tools.bench.draining import sent
from tools.bench.place import Servers
from tools.bench.processes import memory_of
from tools.bench.results import Sample
from tools.bench.stacks import Slots, deploy_notifier
from tools.bench.wrk import post

_SLICE_S = 10


async def grow(servers: Servers, slots: Slots, notifications: int) -> Sample:
    """Accept and send so many, look, and do it again."""
    async with servers.place("memory") as place:
        sink = await place.sink()
        deployment = await deploy_notifier(place, sink.port)
        await deployment.start_api()
        workers = deployment.workers(slots)
        workers.start()
        found: dict[str, float] = {}
        for turn in ("first", "second"):
            goal = notifications * (1 if turn == "first" else 2)
            posted = 0
            while (accepted := await place.value("SELECT count(*) FROM notifications")) < goal:
                posted += 1
                await post(
                    place.servers.wrk,
                    deployment.endpoint,
                    seconds=_SLICE_S,
                    first=int(accepted) + posted * 1_000_000,
                )
            await sent(deployment, goal)
            api = memory_of([deployment.api.pid])
            each = [memory_of([pid]) for pid in workers_of(workers.pid)]
            found[f"API {turn} MiB (RSS)"] = api.rss_mib
            found[f"API {turn} MiB (PSS)"] = api.pss_mib
            found[f"worker {turn} MiB (RSS)"] = max(memory.rss_mib for memory in each)
            found[f"worker {turn} MiB (PSS)"] = max(memory.pss_mib for memory in each)
            found[f"{turn} notifications"] = accepted
        return found | {
            f"{name} growth": found[f"{name} second MiB (PSS)"] / found[f"{name} first MiB (PSS)"]
            for name in ("API", "worker")
        }
