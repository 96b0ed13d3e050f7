"""A run: which measurements, how often, in which order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tools.bench.accepting import accept, accept_batches
from tools.bench.addressing import accept_to_address, accept_to_person
from tools.bench.broadcasting import broadcast
from tools.bench.draining import Contestant, drain, drain_slowly
from tools.bench.embedding import embed
from tools.bench.eventing import gather_events
from tools.bench.growing import grow
from tools.bench.idling import idle
from tools.bench.importing import import_people
from tools.bench.keying import accept_with_keys
from tools.bench.lanes import overtake, overtake_all_at_once, overtake_what_is_due
from tools.bench.limits import limits
from tools.bench.place import Servers
from tools.bench.reacting import react
from tools.bench.reading import ASKS, open_reader
from tools.bench.results import (
    ADDRESS,
    ALL_AT_ONCE,
    CELERY,
    CROWDED,
    DRAMATIQ,
    FASTSTREAM,
    GATHERING,
    INLINE_CONTENT,
    MANY_DUE,
    MANY_OLD,
    NO_OLD,
    NOTIFIER,
    PARTS,
    PERSON,
    PLAIN,
    TEMPLATE,
    TEMPLATE_AMONG_MANY,
    TEMPLATE_OF_ROWS,
    UNDISTURBED,
    Results,
    Sample,
)
from tools.bench.scaling import open_scaled
from tools.bench.scheduling import fire_at_once
from tools.bench.stacks import (
    PEERS,
    Slots,
    Stack,
    deploy_notifier,
    peer_stack,
)
from tools.bench.templating import LONG, ROWS, accept_inline, accept_template

Turn: TypeAlias = Callable[[], Awaitable[Sample]]
Turns: TypeAlias = Mapping[str, Turn]
Say: TypeAlias = Callable[[str], None]

_VERSIONS = 100_000
_IDLE_S, _URGENT_S = 6, 3  # times as long as other loads
_SLOTS, _SLOW_SLOTS = Slots(2, 32), Slots(2, 640)
# Threads and processes cost more than coroutines do: as many of them as their users would run.
_CONNECTIONS = (1, 8, 64, 256)
_SPREADS = (Slots(1, 8), Slots(1, 32), Slots(1, 128), Slots(2, 32), Slots(4, 32))
_DRAIN = {
    GATHERING: [_SLOTS],
    PLAIN: [_SLOTS],
    FASTSTREAM: [_SLOTS],
    DRAMATIQ: [Slots(2, 8)],
    CELERY: [Slots(2, 1), Slots(4, 1)],
}
_KILLS = 50
_EVENT_KILLS = 10
_SLOW = {
    GATHERING: [_SLOW_SLOTS],
    PLAIN: [_SLOW_SLOTS],
    FASTSTREAM: [_SLOW_SLOTS],
    DRAMATIQ: [Slots(2, 100)],
    CELERY: [Slots(4, 1), Slots(16, 1)],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to measure; peers are measured if there is an interpreter that has them.

    `notifications` wait in the queue before a drain; what needs many takes ten times as many
    (lanes, reactions, memory), 40 or 100 times as many are due there, a broadcast has 100 times
    as many members, as many schedules are due at once, as many events are published, and `old`
    are the old ones of `scale`; `reads` has twice as many.
    """

    repeats: int
    notifications: int
    seconds: float
    old: int
    peers: Path | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Something to measure, in turns whose samples are kept under `name`.

    `repeats` is false where a turn is long, and itself a mean over many.
    """

    name: str
    turns: Callable[[Servers, Options, Say], AbstractAsyncContextManager[Turns]]
    repeats: bool = True


def _alone(name: str, turns: Callable[[Servers, Options], Turns], *, repeats: bool) -> Measurement:
    """A measurement whose turns share nothing."""

    @asynccontextmanager
    async def opened(servers: Servers, options: Options, say: Say) -> AsyncIterator[Turns]:
        del say
        yield turns(servers, options)

    return Measurement(name, opened, repeats)


def _accept(servers: Servers, options: Options) -> Turns:
    stacks = [Stack(NOTIFIER, deploy_notifier), *_peers(options)]
    return {stack.name: partial(accept, servers, stack, options.seconds) for stack in stacks}


def _drain(servers: Servers, options: Options) -> Turns:
    return {
        each.name: partial(drain, servers, each, options.notifications)
        for each in _contestants(options, _SLOTS, _DRAIN)
    }


def _slow(servers: Servers, options: Options) -> Turns:
    return {
        each.name: partial(drain_slowly, servers, each, options.seconds)
        for each in _contestants(options, _SLOW_SLOTS, _SLOW)
    }


def _peers(options: Options) -> Sequence[Stack]:
    if options.peers is None:
        return []
    return [peer_stack(name, options.peers) for name in PEERS]


def _contestants(
    options: Options, ours: Slots, theirs: Mapping[str, Sequence[Slots]]
) -> Sequence[Contestant]:
    return [
        Contestant(Stack(NOTIFIER, deploy_notifier), ours),
        *(Contestant(peer, slots) for peer in _peers(options) for slots in theirs[peer.name]),
    ]


def _lanes(servers: Servers, options: Options) -> Turns:
    bulk, seconds = 10 * options.notifications, _URGENT_S * options.seconds
    turn = partial(overtake, servers, _SLOTS, bulk, seconds)
    due = partial(overtake_what_is_due, servers, _SLOTS, 4 * bulk, seconds)
    at_once = partial(overtake_all_at_once, servers, _SLOTS, bulk, 10 * bulk, seconds)
    return {
        NOTIFIER: turn,
        CROWDED: partial(turn, is_crowded=True),
        MANY_DUE: due,
        ALL_AT_ONCE: at_once,
    }


def _templates(servers: Servers, options: Options) -> Turns:
    turn, seconds = partial(accept_template, servers, options.seconds), options.seconds
    return {
        INLINE_CONTENT: partial(accept_inline, servers, seconds),
        TEMPLATE: turn,
        TEMPLATE_AMONG_MANY: partial(turn, others=_VERSIONS),
        TEMPLATE_OF_ROWS: partial(turn, content=LONG, variables=ROWS),
    }


def _broadcast(servers: Servers, options: Options) -> Turns:
    turn = partial(broadcast, servers, _SLOTS, 100 * options.notifications)
    return {NOTIFIER: partial(turn, kills=_KILLS), UNDISTURBED: partial(turn, kills=0)}


def _schedules(servers: Servers, options: Options) -> Turns:
    return {NOTIFIER: partial(fire_at_once, servers, _SLOTS, 100 * options.notifications)}


def _events(servers: Servers, options: Options) -> Turns:
    return {
        NOTIFIER: partial(gather_events, servers, 100 * options.notifications, kills=_EVENT_KILLS)
    }


def _people(servers: Servers, options: Options) -> Turns:
    return {
        ADDRESS: partial(accept_to_address, servers, options.seconds),
        PERSON: partial(accept_to_person, servers, options.seconds),
    }


def _connections(servers: Servers, options: Options) -> Turns:
    stack = Stack(NOTIFIER, deploy_notifier)
    return {
        f"{NOTIFIER}, {count} at once": partial(
            accept, servers, stack, options.seconds, connections=count
        )
        for count in _CONNECTIONS
    }


def _slots(servers: Servers, options: Options) -> Turns:
    stack = Stack(NOTIFIER, deploy_notifier)
    contestants = [Contestant(stack, slots) for slots in _SPREADS]
    return {each.name: partial(drain, servers, each, options.notifications) for each in contestants}


def _ours(
    name: str,
    turn: Callable[[Servers, Options], Turn],
    *,
    subject: str = NOTIFIER,
    repeats: bool = True,
) -> Measurement:
    """A measurement of notifier alone."""
    return _alone(name, lambda servers, options: {subject: turn(servers, options)}, repeats=repeats)


@asynccontextmanager
async def _scale(servers: Servers, options: Options, say: Say) -> AsyncIterator[Turns]:
    async with AsyncExitStack() as stack:
        places = {
            subject: await stack.enter_async_context(open_scaled(servers, _SLOTS, old, say))
            for subject, old in ((NO_OLD, 0), (MANY_OLD, options.old))
        }
        yield {subject: partial(each.run, options.seconds) for subject, each in places.items()}


@asynccontextmanager
async def _reads(servers: Servers, options: Options, say: Say) -> AsyncIterator[Turns]:
    async with open_reader(servers, 2 * options.old, say) as reader:
        yield {name: partial(reader.ask, each) for name, each in ASKS.items()}


MEASUREMENTS = (
    _ours("limits", lambda s, o: partial(limits, s, o.seconds), subject=PARTS, repeats=False),
    _alone("accept", _accept, repeats=True),
    _ours("keys", lambda s, o: partial(accept_with_keys, s, o.seconds), repeats=False),
    _ours("batch", lambda s, o: partial(accept_batches, s, o.seconds)),
    _alone("drain", _drain, repeats=True),
    _alone("slow", _slow, repeats=True),
    _alone("lanes", _lanes, repeats=True),
    _alone("templates", _templates, repeats=True),
    _alone("broadcast", _broadcast, repeats=False),
    _alone("schedules", _schedules, repeats=False),
    _alone("events", _events, repeats=False),
    _ours(
        "reactions",
        lambda s, o: partial(react, s, _SLOTS, 10 * o.notifications, _URGENT_S * o.seconds),
        repeats=False,
    ),
    _alone("people", _people, repeats=True),
    _ours("import", lambda s, o: partial(import_people, s, 10 * o.notifications), repeats=False),
    _ours("memory", lambda s, o: partial(grow, s, _SLOTS, 10 * o.notifications), repeats=False),
    Measurement("scale", _scale),
    Measurement("reads", _reads, repeats=False),
    _ours("embedded", lambda s, o: partial(embed, s, o.seconds)),
    _alone("connections", _connections, repeats=False),
    _alone("slots", _slots, repeats=False),
    _ours("idle", lambda s, o: partial(idle, s, _SLOTS, _IDLE_S * o.seconds), repeats=False),
)


class Command(StrEnum):
    """What can be asked for."""

    LIMITS = "limits"
    ACCEPT = "accept"
    DRAIN = "drain"
    SLOW = "slow"
    LANES = "lanes"
    TEMPLATES = "templates"
    BROADCAST = "broadcast"
    SCHEDULES = "schedules"
    EVENTS = "events"
    REACTIONS = "reactions"
    PEOPLE = "people"
    IMPORT = "import"
    MEMORY = "memory"
    SCALE = "scale"
    READS = "reads"
    EMBEDDED = "embedded"
    IDLE = "idle"
    GROWTH = "growth"
    ALL = "all"
    REPORT = "report"

    @property
    def measurements(self) -> Sequence[Measurement]:
        """What is measured for it."""
        together = {
            Command.ACCEPT: {"accept", "keys", "batch"},
            Command.GROWTH: {"connections", "slots"},
        }
        names = together.get(self, {self.value})
        return [each for each in MEASUREMENTS if self is Command.ALL or each.name in names]


async def run(
    command: Command, servers: Servers, options: Options, results: Results, path: Path, say: Say
) -> None:
    """Measure, and write what was found after each turn."""
    for measurement in command.measurements:
        async with measurement.turns(servers, options, say) as turns:
            repeats = options.repeats if measurement.repeats else 1
            for repeat in range(repeats):
                # Side by side, and nobody always first.
                for subject in rotated(list(turns), repeat):
                    say(f"{measurement.name}, {repeat + 1} of {repeats}: {subject}")
                    try:
                        sample = await turns[subject]()
                    except Exception as error:
                        error.add_note(f"{measurement.name}: {subject}; logs: {servers.folder}")
                        raise
                    results.add(measurement.name, subject, sample)
                    results.write(path)
                    say(f"  {_brief(sample)}")


def rotated(names: Sequence[str], by: int) -> Sequence[str]:
    """The same names, beginning with another one."""
    start = by % len(names)
    return [*names[start:], *names[:start]]


def _brief(sample: Sample) -> str:
    return ", ".join(f"{name} {value:,.1f}" for name, value in sample.items())
