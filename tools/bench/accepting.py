"""How fast an API process accepts."""

from dataclasses import replace

from tests.waiting import require
from tools.bench.place import Place, Servers
from tools.bench.processes import CpuMeter, memory_of, tree_of
from tools.bench.results import Sample
from tools.bench.stacks import PATH, Deployment, Stack, deploy_notifier
from tools.bench.wrk import CONNECTIONS, Endpoint, LoadError, post

_WARM_UP_S = 3
_BATCH = 1_000
_BATCH_CONNECTIONS = 4
NOBODY = 9  # the port of a server that is not there: no mail is sent
_LAG_P99 = (
    "SELECT 1000 * extract(epoch FROM percentile_cont(0.99) WITHIN GROUP"
    " (ORDER BY published_at - created_at)) FROM notifications"
)
# From the first that was accepted until the last is published.
_PUBLISHED = (
    "SELECT count(*) / extract(epoch FROM max(published_at) - min(created_at)) FROM notifications"
)


async def accept(
    servers: Servers, stack: Stack, seconds: float, *, connections: int = CONNECTIONS
) -> Sample:
    """Singly, and no email is delivered meanwhile."""
    async with servers.place(f"accept-{_file_name(stack.name)}") as place:
        deployment = await stack.deploy(place, NOBODY)
        await deployment.start_api()
        sample = await loaded(deployment, deployment.endpoint, seconds, connections=connections)
        if deployment.relay is None:
            return sample
        return {**sample, "lag_p99_ms": await _lag_p99_ms(place)}


async def accept_batches(servers: Servers, seconds: float) -> Sample:
    """By `batch`, 1,000 in a request."""
    async with servers.place("batch") as place:
        deployment = await deploy_notifier(place, NOBODY)
        await deployment.start_api()
        url = f"{deployment.url}{PATH}/batch"
        endpoint = replace(deployment.endpoint, url=url, batch=_BATCH)
        sample = await loaded(deployment, endpoint, seconds, connections=_BATCH_CONNECTIONS)
        lag_ms = await _lag_p99_ms(place)
        return {**sample, "lag_p99_ms": lag_ms, "published per s": await place.value(_PUBLISHED)}


async def loaded(
    deployment: Deployment, endpoint: Endpoint, seconds: float, *, connections: int
) -> Sample:
    """Post for so long: how many a second, and at which cost; all of them must be stored."""
    await warm_up(deployment, endpoint, seconds, connections=connections)
    sample = await measured(deployment, endpoint, seconds, connections=connections)
    return {**sample, "api_mib": memory_of(tree_of(deployment.api.pid)).pss_mib}


async def warm_up(
    deployment: Deployment, endpoint: Endpoint, seconds: float, *, connections: int
) -> None:
    """Post for a while, and count nothing."""
    tool, seconds = deployment.place.servers.wrk, min(_WARM_UP_S, seconds)
    await post(tool, endpoint, seconds=seconds, connections=connections)


async def measured(
    deployment: Deployment,
    endpoint: Endpoint,
    seconds: float,
    *,
    connections: int,
    first: int = 10_000_000,
) -> Sample:
    """The same without a warm-up, of notifications whose numbers begin with `first`."""
    place = deployment.place
    tool = place.servers.wrk
    before = await place.value("SELECT count(*) FROM notifications")
    parts = {"API": deployment.api.pid}
    if deployment.relay is not None:
        parts["relay"] = deployment.relay.pid
    meter = CpuMeter(parts)
    answered = await post(tool, endpoint, seconds=seconds, connections=connections, first=first)
    used = meter.read()
    stored = await place.value("SELECT count(*) FROM notifications") - before
    accepted = answered.requests * endpoint.batch
    if not accepted:
        raise LoadError(f"nothing was answered within {seconds:g} s")
    if stored < accepted:
        raise LoadError(f"{accepted} were accepted, and {stored:.0f} are stored")
    return {
        "per_s": answered.per_s * endpoint.batch,
        "p50_ms": answered.p50_ms,
        "p99_ms": answered.p99_ms,
        "max_ms": answered.max_ms,
        **{f"cpu_us {name}": 1e6 * each / accepted for name, each in used.items()},
    }


async def _lag_p99_ms(place: Place) -> float:
    """From created to published; all must be."""

    async def all_published() -> bool:
        left = "SELECT count(*) FROM notifications WHERE published_at IS NULL"
        return await place.value(left) == 0

    await require(all_published, timeout_s=60, every_s=0.3, what="all published")
    return await place.value(_LAG_P99)


def _file_name(name: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in name.lower())
