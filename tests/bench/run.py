"""A run: which measurements, how often, in which order."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tests.bench.accepting import accept, accept_batches
from tests.bench.draining import Contestant, drain
from tests.bench.place import Servers
from tests.bench.results import NOTIFIER, Results, Sample
from tests.bench.stacks import Slots, Stack, deploy_notifier, peer_stack

Turn: TypeAlias = Callable[[], Awaitable[Sample]]
Say: TypeAlias = Callable[[str], None]

_NOTIFIER = Stack(NOTIFIER, deploy_notifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to measure; peers are measured if there is an interpreter that has them."""

    repeats: int
    notifications: int
    seconds: float
    peers: Path | None


def _accept(servers: Servers, options: Options) -> Mapping[str, Turn]:
    stacks = [_NOTIFIER, *_peers(options)]
    return {stack.name: partial(accept, servers, stack, options.seconds) for stack in stacks}


def _batch(servers: Servers, options: Options) -> Mapping[str, Turn]:
    return {NOTIFIER: partial(accept_batches, servers, options.seconds)}


def _drain(servers: Servers, options: Options) -> Mapping[str, Turn]:
    slots = {
        NOTIFIER: Slots(2, 32),
        "FastAPI + FastStream": Slots(2, 32),
    }
    contestants = [Contestant(each, slots[each.name]) for each in (_NOTIFIER, *_peers(options))]
    return {each.name: partial(drain, servers, each, options.notifications) for each in contestants}


def _peers(options: Options) -> Iterator[Stack]:
    if options.peers is not None:
        yield peer_stack("FastAPI + FastStream", options.peers)


_MEASUREMENTS: Mapping[str, Callable[[Servers, Options], Mapping[str, Turn]]] = {
    "accept": _accept,
    "batch": _batch,
    "drain": _drain,
}


class Command(StrEnum):
    """What can be asked for."""

    ACCEPT = "accept"
    DRAIN = "drain"
    ALL = "all"

    @property
    def measurements(self) -> Sequence[str]:
        """What is measured for it."""
        if self is Command.ALL:
            return list(_MEASUREMENTS)
        return ("accept", "batch") if self is Command.ACCEPT else (self.value,)


async def run(
    command: Command,
    servers: Servers,
    options: Options,
    results: Results,
    path: Path,
    say: Say,
) -> None:
    """Measure, and write what was found after each turn."""
    for measurement in command.measurements:
        turns = _MEASUREMENTS[measurement](servers, options)
        for repeat in range(options.repeats):
            # Side by side, and nobody always first.
            for subject in _rotated(list(turns), repeat):
                say(f"{measurement}, {repeat + 1} of {options.repeats}: {subject}")
                sample = await turns[subject]()
                results.add(measurement, subject, sample)
                results.write(path)
                say(f"  {_brief(sample)}")


def _rotated(names: Sequence[str], by: int) -> Sequence[str]:
    start = by % len(names)
    return [*names[start:], *names[:start]]


def _brief(sample: Sample) -> str:
    return ", ".join(f"{name} {value:,.1f}" for name, value in sample.items())
