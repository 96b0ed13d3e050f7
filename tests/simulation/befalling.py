"""What each kind of fault does to a world."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import UUID

from notifier.content.encoding import content_document
from notifier.notification.model import Lane
from notifier.queue import topology
from tests.simulation import templating
from tests.simulation.audience import acts
from tests.simulation.broker.server import Broker
from tests.simulation.clients import Wish
from tests.simulation.database import DatabaseServer
from tests.simulation.ended import Ended
from tests.simulation.eventing.publishing import publish_events
from tests.simulation.loop import Process
from tests.simulation.machines import Machine
from tests.simulation.mending import way_of
from tests.simulation.network import Network
from tests.simulation.operators import Operator
from tests.simulation.plan import Fault, Kind, Plan
from tests.simulation.providers import Fate, Provider
from tests.simulation.web import Site

T = TypeVar("T")

_FOR_EVER_S = 1e9
_MOST_REFUSING_S = 10.0


class Befallen(Protocol):
    """What faults reach of a world."""

    plan: Plan
    keeper: Process
    machines: list[Machine]
    sites: Sequence[Site]
    network: Network
    database: DatabaseServer
    providers: dict[str, Provider]
    broker: Broker
    broker_process: Process
    operator: Operator
    ended: Ended

    def act(self, work: Coroutine[Any, Any, None]) -> None: ...
    def failed_ids(self) -> list[UUID]: ...

    def row_of(self, wish: Wish) -> str: ...

    def note_happening(
        self, fault: Fault, whom: Collection[Process] | None, for_s: float = 0.0
    ) -> None: ...


def befall(world: Befallen, fault: Fault) -> None:
    """Let it happen, and end when its time is over."""
    _ACTS[fault.kind](world, fault)


def _one(among: list[T], fault: Fault) -> T:
    return among[int(fault.who * len(among)) % len(among)]


def _alive(world: Befallen) -> list[Process]:
    return [process for machine in world.machines for process in machine.processes]


def _kill(world: Befallen, fault: Fault) -> None:
    if alive := _alive(world):
        victim = _one(alive, fault)
        # The workers of a runner that is killed end with it.
        workers = [child.worker for machine in world.machines for child in machine.children]
        befallen = {victim, *(worker for worker in workers if worker.name.startswith(victim.name))}
        world.note_happening(fault, befallen)
        victim.kill()


def _stop(world: Befallen, fault: Fault) -> None:
    is_of_all = fault.level < 0.5
    for machine in world.machines if is_of_all else [_one(world.machines, fault)]:
        world.note_happening(fault, machine.processes, machine.grace_s)
        machine.stop()


def _days(world: Befallen, fault: Fault) -> None:
    """Stop all of notifier for days: nothing happens meanwhile, but time goes on."""
    until_s = world.keeper.loop.time() + fault.for_s
    world.note_happening(fault, None, fault.for_s)
    for site in world.sites:
        site.back_s = max(site.back_s, until_s)
    for machine in world.machines:
        machine.back_s = max(machine.back_s, until_s)
        machine.stop()


def _freeze(world: Befallen, fault: Fault) -> None:
    if alive := _alive(world):
        process = _one(alive, fault)
        world.note_happening(fault, [process], fault.for_s)
        process.freeze()
        world.keeper.post(fault.for_s, process.thaw)


def _clock(world: Befallen, fault: Fault) -> None:
    machine = _one(world.machines, fault)
    machine.clock_ahead_s = (fault.level - 0.5) * 600
    world.note_happening(fault, (), _FOR_EVER_S)
    for process in machine.processes:
        process.clock_ahead_s = machine.clock_ahead_s


def _database_away(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, None, fault.for_s)
    world.database.restart(fault.for_s)


def _database_busy(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, None, fault.for_s)
    world.database.busy_share = 0.2 + 0.8 * fault.level

    def end() -> None:
        world.database.busy_share = 0

    world.keeper.post(fault.for_s, end)


def _database_slow(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, None, fault.for_s)
    world.database.slow_s = 3 * fault.level

    def end() -> None:
        world.database.slow_s = 0

    world.keeper.post(fault.for_s, end)


def _answer_lost(world: Befallen, fault: Fault) -> None:
    count = 1 + int(5 * fault.level)
    world.database.lose_answers(count, lambda: world.note_happening(fault, None))


def _database_cut(world: Befallen, fault: Fault) -> None:
    if alive := _alive(world):
        process = _one(alive, fault)
        world.note_happening(fault, [process])
        for connection in world.network.between(process, world.database.process):
            connection.cut()


def _database_parted(world: Befallen, fault: Fault) -> None:
    if alive := _alive(world):
        process = _one(alive, fault)
        world.note_happening(fault, [process], fault.for_s)
        is_silent = fault.level < 0.5
        server = world.database.process
        world.network.part(process, server, fault.for_s, is_silent=is_silent)


def _database_frozen(world: Befallen, fault: Fault) -> None:
    _freeze_server(world, fault, world.database.process)


def _broker_frozen(world: Befallen, fault: Fault) -> None:
    _freeze_server(world, fault, world.broker_process)


def _freeze_server(world: Befallen, fault: Fault, server: Process) -> None:
    world.note_happening(fault, None, fault.for_s)
    server.freeze()
    world.keeper.post(fault.for_s, server.thaw)


def _row_busy(world: Befallen, fault: Fault) -> None:
    if told := _told(world):
        world.note_happening(fault, None, fault.for_s)
        world.database.busy_row = world.row_of(_one(told, fault))

        def end() -> None:
            world.database.busy_row = ""

        world.keeper.post(fault.for_s, end)


def _row_refused(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, (), _FOR_EVER_S)
    with_addresses = [wish for wish in _wishes(world) if "recipient" in wish.body]
    if with_addresses:
        wish = _one(with_addresses, fault)
        wish.is_unacceptable = True
        world.database.refused_text = wish.body["recipient"]


def _provider_weather(world: Befallen, fault: Fault) -> None:
    provider = _one(list(world.providers.values()), fault)
    fate = _one(list(Fate)[1:], replace(fault, who=fault.level))
    provider.weather = {Fate.TAKEN: 0.4, fate: 0.6}
    world.note_happening(fault, (), fault.for_s)

    def clear() -> None:
        provider.weather = provider.fair

    world.keeper.post(fault.for_s, clear)


def _broker_away(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, None, fault.for_s)
    world.broker_process.run(world.broker.restart, fault.for_s)


def _broker_cut(world: Befallen, fault: Fault) -> None:
    if alive := _alive(world):
        process = _one(alive, fault)
        world.note_happening(fault, [process])
        for connection in world.network.between(process, world.broker_process):
            connection.cut()


def _consumers_forgotten(world: Befallen, fault: Fault) -> None:
    if queues := _queues(world):
        world.note_happening(fault, None)
        world.broker_process.run(world.broker.forget_consumers, _one(queues, fault))


def _alarm(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, None, fault.for_s)
    world.broker_process.run(partial(world.broker.alarm, on=True))
    world.broker_process.post(fault.for_s, partial(world.broker.alarm, on=False))


def _publishes_refused(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, None, fault.for_s)
    world.broker.refuse_publishes(on=True)
    world.broker_process.post(fault.for_s, partial(world.broker.refuse_publishes, on=False))


def _confirms_held(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, None, fault.for_s)
    world.broker.hold_confirms(on=True)
    world.broker_process.post(fault.for_s, partial(world.broker.hold_confirms, on=False))


def _confirm_lost(world: Befallen, fault: Fault) -> None:
    world.broker.lose_confirm(partial(world.note_happening, fault, None))


def _purge(world: Befallen, fault: Fault) -> None:
    if queues := _queues(world):
        world.note_happening(fault, None)
        world.broker_process.run(world.broker.purge, _one(queues, fault))


def _queue_deleted(world: Befallen, fault: Fault) -> None:
    if queues := _queues(world):
        world.note_happening(fault, None)
        world.broker_process.run(world.broker.delete_queue, _one(queues, fault))


def _letters_moved(world: Befallen, fault: Fault) -> None:
    spec = _one(list(topology.DEAD_QUEUES), fault)
    target = topology.work_queue(spec.channel, Lane.NORMAL)
    if {spec.name, target} <= set(world.broker.depths()):
        world.note_happening(fault, None)
        world.broker_process.run(world.broker.move, spec.name, target)


def _pause(world: Befallen, fault: Fault) -> None:
    provider = _one(list(world.providers.values()), fault)
    world.note_happening(fault, (), fault.for_s)
    world.act(world.operator.pause(provider.name, fault.for_s))


def _replay(world: Befallen, fault: Fault) -> None:
    if ids := world.failed_ids():
        world.note_happening(fault, ())
        world.act(world.operator.replay(ids))


def _replays(world: Befallen, fault: Fault) -> None:
    """Let providers refuse nearly all for a while, and try what failed again, slowly."""
    world.note_happening(fault, (), fault.for_s)
    for provider in world.providers.values():
        provider.weather = {Fate.TAKEN: 0.1, Fate.REFUSED: 0.9}
    world.act(_mend(world, fault))


async def _mend(world: Befallen, fault: Fault) -> None:
    await asyncio.sleep(min(fault.for_s, _MOST_REFUSING_S))
    for provider in world.providers.values():
        provider.weather = provider.fair
    mended = await world.operator.mend(
        1 + int(fault.who * 3), f"mend-{fault.at_s}", way_of(fault.level), 1 + 3 * fault.who
    )
    if mended is not None:
        world.ended.mended.append(mended)


def _cancel(world: Befallen, fault: Fault) -> None:
    if told := _told(world):
        world.note_happening(fault, ())
        world.act(world.operator.cancel(_one(told, fault)))


def _suppress(world: Befallen, fault: Fault) -> None:
    world.note_happening(fault, ())
    wish = _one(_wishes(world), fault)
    wish.is_suppressed = True
    world.act(world.operator.suppress(acts.suppressed(world.ended.past, wish.body, fault)))


def _publish(world: Befallen, fault: Fault) -> None:
    draft = content_document(templating.content(f"from {fault.at_s} on"))
    world.note_happening(fault, ())
    world.act(world.operator.publish(draft, f"publish-{fault.at_s}"))


def _told(world: Befallen) -> list[Wish]:
    return [wish for wish in _wishes(world) if wish.told is not None]


def _wishes(world: Befallen) -> list[Wish]:
    """Those of clients: the others' are of who comes for something of their own."""
    return world.ended.wishes[: world.ended.plan.notifications]


def _queues(world: Befallen) -> list[str]:
    there = world.broker.depths()
    return [spec.name for spec in topology.WORK_QUEUES if spec.name in there]


_ACTS: Mapping[Kind, Callable[[Befallen, Fault], None]] = {
    Kind.KILL: _kill,
    Kind.STOP: _stop,
    Kind.DAYS: _days,
    Kind.FREEZE: _freeze,
    Kind.CLOCK: _clock,
    Kind.DATABASE_AWAY: _database_away,
    Kind.DATABASE_BUSY: _database_busy,
    Kind.DATABASE_SLOW: _database_slow,
    Kind.ANSWER_LOST: _answer_lost,
    Kind.DATABASE_CUT: _database_cut,
    Kind.DATABASE_PARTED: _database_parted,
    Kind.DATABASE_FROZEN: _database_frozen,
    Kind.ROW_BUSY: _row_busy,
    Kind.ROW_REFUSED: _row_refused,
    Kind.PROVIDER_WEATHER: _provider_weather,
    Kind.BROKER_AWAY: _broker_away,
    Kind.BROKER_CUT: _broker_cut,
    Kind.BROKER_FROZEN: _broker_frozen,
    Kind.CONSUMERS_FORGOTTEN: _consumers_forgotten,
    Kind.ALARM: _alarm,
    Kind.PUBLISHES_REFUSED: _publishes_refused,
    Kind.CONFIRMS_HELD: _confirms_held,
    Kind.CONFIRM_LOST: _confirm_lost,
    Kind.PURGE: _purge,
    Kind.QUEUE_DELETED: _queue_deleted,
    Kind.LETTERS_MOVED: _letters_moved,
    Kind.PAUSE: _pause,
    Kind.REPLAY: _replay,
    Kind.REPLAYS: _replays,
    Kind.CANCEL: _cancel,
    Kind.SUPPRESS: _suppress,
    Kind.PUBLISH: _publish,
    **acts.ACTS,
    Kind.EVENTS: publish_events,
}
