"""What an Idempotency-Key on each request costs."""

from dataclasses import replace
from itertools import count
from statistics import median

from tools.bench.accepting import NOBODY, measured, warm_up
from tools.bench.place import Servers
from tools.bench.results import Sample, cpu_us, paired, per_s
from tools.bench.stacks import deploy_notifier
from tools.bench.wrk import CONNECTIONS

_PAIRS = 8
_NUMBERS = 1_000_000
"""More than are posted in a round."""


async def accept_with_keys(servers: Servers, seconds: float) -> Sample:
    """Short rounds without and with keys take turns; ratios are medians of those of pairs."""
    async with servers.place("keys") as place:
        deployment = await deploy_notifier(place, NOBODY)
        await deployment.start_api()
        keyed = replace(deployment.endpoint, is_keyed=True)
        await warm_up(deployment, keyed, seconds, connections=CONNECTIONS)
        without: list[Sample] = []
        with_keys: list[Sample] = []
        turns = ((deployment.endpoint, without), (keyed, with_keys))
        firsts = count(_NUMBERS, _NUMBERS)
        for pair in range(_PAIRS):
            for endpoint, samples in turns if pair % 2 else reversed(turns):
                sample = await measured(
                    deployment,
                    endpoint,
                    max(1, seconds // 4),
                    connections=CONNECTIONS,
                    first=next(firsts),
                )
                samples.append(sample)
    return {
        "without: a second": median(map(per_s, without)),
        "with: a second": median(map(per_s, with_keys)),
        "rate with, to without": median(paired(with_keys, without, per_s)),
        "without: CPU, µs": median(map(cpu_us, without)),
        "with: CPU, µs": median(map(cpu_us, with_keys)),
        "CPU with, to without": median(paired(with_keys, without, cpu_us)),
    }
