"""A world: everything that a plan names, put together and run to its end in virtual time."""

import asyncio
import random
import sqlite3
from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from notifier.composition import api, resources, workers
from notifier.composition.settings import read_settings
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from notifier.queue import message, topology
from notifier.queue.rabbitmq import event_entities
from tests.simulation import clients, doors
from tests.simulation.audience.erasing import note_traces
from tests.simulation.audience.past import WATCHED
from tests.simulation.befalling import befall
from tests.simulation.broker.publishing import UNNOTICED
from tests.simulation.broker.server import Broker
from tests.simulation.clients import Wish
from tests.simulation.database import DatabaseServer
from tests.simulation.ended import DEAD_S, KEPT_S, LATE_S, Ended, Happening
from tests.simulation.environ import EMAIL, environ
from tests.simulation.epoch import EPOCH_S
from tests.simulation.loop import Process, WorldLoop, this_loop, this_process
from tests.simulation.machines import Machine, Nursery
from tests.simulation.network import Network
from tests.simulation.operators import Operator, call_back
from tests.simulation.plan import Fault, Kind, Plan
from tests.simulation.providers import Call, Provider, WorldAdapter, fair_weather
from tests.simulation.reality import unreal
from tests.simulation.web import Site

SETTLE_S = 2_500.0
"""How long all may take to be final once faults are over."""
_SHARE_DELIVERED = 0.8
_POLICIES = (*topology.POLICIES, *event_entities.POLICIES)
_OPEN = "SELECT count(*) FROM notifications WHERE status IN ('pending', 'processing')"
_UNDER_WAY = "SELECT count(*) FROM broadcasts WHERE finished_at IS NULL"
_MENDED = "SELECT count(*) FROM replays WHERE state IN ('running', 'undoing')"
_GATHERED = "SELECT count(*) FROM digests WHERE settled_at IS NULL"
_FORGOTTEN = "SELECT count(*) FROM erasures WHERE finished_at IS NULL"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_PAUSED = "SELECT name FROM providers WHERE is_paused ORDER BY name"
_LEASED = "SELECT id, leased_by FROM notifications WHERE status = 'processing'"
_PUBLISHED = """
SELECT id, channel, lane, attempt FROM notifications
WHERE status = 'pending' AND published_at IS NOT NULL
"""
_ENDING = """
SELECT id, expires_at FROM notifications WHERE status = 'pending' AND expires_at IS NOT NULL
"""
_WAITING = "SELECT id, attempt FROM notifications WHERE status = 'pending'"
_LOOK_S = 5.0


class World:
    """Made of a plan, a fresh database with its schema and a key, and the key's text.

    With `is_traced`, what happens is kept in words.
    """

    epoch_s = EPOCH_S

    def __init__(self, plan: Plan, database: Path, key: str, *, is_traced: bool = False) -> None:
        self.plan = plan
        self.ended = Ended(plan)
        self._looked_s = 0.0
        self._is_traced = is_traced
        self._path = database
        self._key = key
        order = random.Random(plan.order)
        streams = ("turns", "network", "database", "providers", "clients", "ids", "faults")
        self.chance = {name: random.Random(order.random()) for name in streams}
        self.loop = WorldLoop(self.chance["turns"])
        self.keeper = Process("keeper", self.loop)
        self.network = Network(self.loop, self.chance["network"])
        self.loop.network = self.network
        tell = self.tell if is_traced else None
        self.database = DatabaseServer(
            Process("database", self.loop),
            self.network,
            database,
            EPOCH_S,
            self.chance["database"],
            tell,
        )
        self.database.looks.append(self._look)
        self.broker_process = Process("broker", self.loop)
        self.broker: Broker = self.broker_process.run(
            partial(Broker, self.loop, policies=_POLICIES, journal=self._hear)
        )
        self.broker_process.run(self.broker.lay_out)
        self.network.listen("broker", 5672, self.broker_process, self.broker.connection)
        self.providers = {
            name: Provider(
                name,
                Process(name, self.loop),
                self.chance["providers"],
                self.ended.journal,
                tell,
                fair_weather(plan.weather),
                self._call_back if plan.is_reported and name == "twilio" else None,
            )
            for name in (*EMAIL[: plan.providers], "twilio")
        }
        self.settings = read_settings(environ(plan))
        self.acts: list[asyncio.Task[None]] = []
        self.nursery = Nursery(self.settings)
        self.sites = [Site(self.chance["network"]) for _ in range(plan.apis)]
        self.operator = Operator(key, self.sites, self.chance["faults"])
        self._site_of: dict[str, Site] = {}
        self._operators = Process("operators", self.loop)
        self._callbacks: list[asyncio.Task[None]] = []
        self.machines = [*self._apis(), *self._runners()]

    def run(self) -> Ended:
        """Run the world to its end."""
        self.loop.set_exception_handler(self._note_crash)
        with (
            unreal(self.loop.time, EPOCH_S, self.chance["ids"]),
            doors.opened_into(self),
            closing(self.database),
        ):
            self.loop.live(self.keeper, self._live())
        self.ended.steps, self.ended.virtual_s = self.loop.steps, self.loop.time()
        self.ended.statements = self.database.statements
        self.ended.kept_locked = self.database.kept_locked
        self.ended.crashes += [crash for machine in self.machines for crash in machine.crashes]
        self.ended.crashes += self.nursery.crashes
        self.ended.deaths = self.nursery.deaths
        return self.ended

    # --- what notifier's doors open into ---------------------------------------------------------

    async def serve(self, app: Any) -> None:
        """Serve an API process's application at its site."""
        machine, _, _ = this_process().name.partition(".")
        await self._site_of[machine].serve(app)

    def adapter(self, provider: str) -> WorldAdapter:
        """The adapter of a provider."""
        return WorldAdapter(self.providers[provider])

    def note_happening(
        self, fault: Fault, whom: Collection[Process] | None, for_s: float = 0.0
    ) -> None:
        """Keep what a fault did, to these or to everybody."""
        at_s = self.loop.time()
        names = None if whom is None else frozenset(process.name for process in whom)
        self.ended.happenings.append(Happening(fault.kind, at_s, at_s + for_s, names))
        if self._is_traced:
            whose = "everybody" if names is None else ", ".join(sorted(names))
            self.tell(f"FAULT {fault.kind} for {for_s:.1f} s: {whose}")

    def act(self, work: Coroutine[Any, Any, None]) -> None:
        """Let an operator do this, before the world may end."""
        self.acts.append(self._operators.spawn(work))

    def failed_ids(self) -> list[UUID]:
        """What is failed now."""
        query = "SELECT id FROM notifications WHERE status = 'failed' ORDER BY id"
        return [UUID(id) for (id,) in self._asked(query)]

    def tell(self, words: str) -> None:
        """Keep a line of the trace."""
        self.ended.trace.append(f"{self.loop.time():9.4f} {this_process().name}: {words}")

    def _hear(self, words: str) -> None:
        """Take in what happens in the broker."""
        if self._is_traced:
            self.tell(words)
        if " is back (" in words:
            self.ended.returns[words.partition(" is back (")[0]] += 1
        elif " to notifier-worker@" in words:
            self._hear_of_delivery(words)
        self.ended.dropped += words.endswith(UNNOTICED)

    def _hear_of_delivery(self, words: str) -> None:
        message, _, to = words.partition(" to notifier-worker@")
        worker = to.split()[0]
        if worker in self.nursery.asked_to_end:
            self.ended.again[worker, message] += 1

    def row_of(self, wish: Wish) -> str:
        """What a statement that writes a notification's row names it by."""
        assert wish.told is not None
        return wish.told.hex

    def note_log(self, event: Mapping[str, Any]) -> None:
        """Keep a line of notifier's log."""
        if self._is_traced:
            words = " ".join(f"{name}={value}" for name, value in event.items() if name != "level")
            self.tell(f"LOG {words}")
        # Drawn anew for each template of worlds, and nothing that a world decides.
        told = {name: value for name, value in event.items() if name != "key_id"}
        self.ended.log.append({"at_s": self.loop.time(), "process": this_process().name, **told})

    # --- its life -------------------------------------------------------------------------------

    async def _live(self) -> None:
        for machine in self.machines:
            machine.start()
        client = Process("client", self.loop)
        chance = self.chance["clients"]
        plan = self.plan
        self.ended.wishes = clients.wishes(
            plan.notifications, random.Random(plan.load), plan.templated, plan.to_people
        )
        if plan.to_people:
            self.database.watch(WATCHED, self._note_past)
        until_s = self.plan.ends_s + 120
        sending = [client.spawn(self._send(some, chance, until_s)) for some in self._requests()]
        for fault in self.plan.faults:
            self.keeper.post(fault.at_s, befall, self, fault)
        await asyncio.sleep(self.plan.ends_s)
        await asyncio.gather(*sending)
        await asyncio.gather(*self.acts)
        await self._operators.spawn(self._resume_what_was_paused_late())
        await self._settle()
        self._read()

    def _requests(self) -> Iterator[Sequence[Wish]]:
        wishes, size = self.ended.wishes, self.plan.batch
        return (wishes[at : at + size] for at in range(0, len(wishes), size))

    async def _send(self, wishes: Sequence[Wish], chance: random.Random, until_s: float) -> None:
        await asyncio.sleep(2 + chance.uniform(0, self.plan.load_s))
        await clients.send(wishes, self._key, self.sites, chance, until_s)

    async def _resume_what_was_paused_late(self) -> None:
        """Undo what an API process that stood still did once it went on: a pause, asked for again.

        Its operator had taken it back by then.
        """
        for (name,) in self._asked(_PAUSED):
            await self.operator.resume(name)

    async def _settle(self) -> None:
        end_s = self.loop.time() + SETTLE_S
        while this_loop().time() < end_s:
            if self._is_settled():
                self.ended.settled_s = self.loop.time()
                return
            await asyncio.sleep(_LOOK_S)

    def _is_settled(self) -> bool:
        if any(
            self._asked(each) != [(0,)]
            for each in (_OPEN, _UNDER_WAY, _MENDED, _GATHERED, _FORGOTTEN)
        ) or any(not task.done() for task in self._callbacks):
            return False
        if self.plan.one_process:
            return True
        return self._letters() == len(self.failed_ids()) and not self._arriving()

    def _arriving(self) -> int:
        """Return how many events the broker holds that nobody has taken."""
        depth = self.broker.depths().get(event_entities.QUEUE)
        return depth.ready + depth.unacked if depth else 0

    def _letters(self) -> int:
        dead = [self.broker.depths().get(spec.name) for spec in topology.DEAD_QUEUES]
        return sum(depth.ready + depth.unacked for depth in dead if depth is not None)

    def _asked(self, query: str) -> list[tuple[Any, ...]]:
        return self.database.read(query)

    def _call_back(self, call: Call) -> None:
        """Let a provider tell what became of a message that it took, before or after its answer."""
        chance = self.chance["providers"]
        status = "delivered" if chance.random() < _SHARE_DELIVERED else "undelivered"

        async def later() -> None:
            await asyncio.sleep(chance.choice((0.0, 0.3, 5.0)) * chance.random())
            if await call_back(call.id, status, call.provider_id, self.sites, chance):
                self.ended.reported.append(call.id)

        self._callbacks.append(this_process().spawn(later()))

    def _note_past(self) -> None:
        self.ended.past.note(self.loop.time(), self.database.read)

    def _look(self) -> None:
        """Look from time to time for what is not to be."""
        now_s = self.loop.time()
        if now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            self._look_at_leases(now_s)
            self._look_at_published(now_s)
            self._look_at_overdue(now_s)
            self._look_at_parted(now_s)

    def _look_at_published(self, now_s: float) -> None:
        """Look for what is noted as published, and never was."""
        if self.plan.one_process:
            return
        for id_, channel, lane, attempt in self._asked(_PUBLISHED):
            envelope = Envelope(
                id=UUID(id_), channel=Channel(channel), lane=Lane(lane), attempt=attempt
            )
            queue = topology.work_queue(envelope.channel, envelope.lane)
            if not self.broker.has_taken(queue, message.encode(envelope)):
                self.ended.misnoted.append((id_, attempt, now_s))

    def _look_at_overdue(self, now_s: float) -> None:
        """Look for what should have expired long ago."""
        for id_, expires_at in self._asked(_ENDING):
            expires_s = datetime.fromisoformat(expires_at).timestamp() - EPOCH_S
            if now_s - expires_s > LATE_S:
                self.ended.overdue.append((id_, expires_s, now_s))

    def _look_at_parted(self, now_s: float) -> None:
        """Look for what is kept by who cannot reach the database for long."""
        for each in self.ended.happenings:
            if each.kind is Kind.DATABASE_PARTED and each.at_s + KEPT_S < now_s < each.until_s:
                waiting = {(UUID(id_).hex, attempt) for id_, attempt in self._asked(_WAITING)}
                for worker in each.whom or ():
                    for body in self.broker.held_by(f"notifier-worker@{worker} "):
                        named = orjson.loads(body)
                        if (UUID(named["id"]).hex, named["attempt"]) in waiting:
                            self.ended.kept[worker, named["id"]] = (each.at_s, now_s)

    def _look_at_leases(self, now_s: float) -> None:
        """Look for what is under the lease of a worker that died long ago."""
        for id_, worker in self._asked(_LEASED):
            died_s = self.nursery.deaths.get(worker, now_s)
            if now_s - died_s > DEAD_S:
                self.ended.held_by_dead.append((id_, worker, died_s, now_s))

    def _read(self) -> None:
        if not self.plan.one_process:
            self.ended.letters = self._letters()
            self.ended.published = [
                (queue, orjson.loads(body)["id"], times)
                for (queue, body), times in self.broker.taken.items()
                if len(times) > 1 and queue in topology.QUEUES
            ]
            dead = self.broker.ready(event_entities.DEAD_QUEUE)
            self.ended.refused_events = [letter.body.decode() for letter in dead]
        with closing(sqlite3.connect(self._path)) as file:
            file.row_factory = sqlite3.Row
            for table, rows in (
                ("notifications", self.ended.records),
                ("notification_events", self.ended.timeline),
                ("broadcasts", self.ended.broadcasts),
                ("schedules", self.ended.schedules),
                ("schedule_runs", self.ended.runs),
                ("replays", self.ended.replays),
                ("events", self.ended.events),
                ("event_matches", self.ended.matches),
                ("digests", self.ended.digests),
                ("digest_items", self.ended.digest_items),
                ("cap_uses", self.ended.cap_uses),
                ("template_versions", self.ended.versions),
            ):
                rows.extend(self._rows(file, table))
            if self.ended.erased:
                tables = {name: self._rows(file, name) for (name,) in file.execute(_TABLES)}
                note_traces(self.ended.erased, tables["erasures"], tables)

    def _rows(self, file: sqlite3.Connection, table: str) -> Sequence[Mapping[str, Any]]:
        return [dict(row) for row in file.execute(f"SELECT * FROM {table}")]  # noqa: S608

    def _note_crash(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.ended.crashes.append(f"{context['message']}: {error!r}")

    # --- its parts ------------------------------------------------------------------------------

    def _apis(self) -> list[Machine]:
        machines = []
        for number, site in enumerate(self.sites, 1):
            name = f"api{number}"
            self._site_of[name] = site
            machines.append(self._machine(name, self._serve))
        return machines

    def _runners(self) -> list[Machine]:
        if self.plan.one_process:
            return []
        return [self._machine(f"runner{n}", self._work) for n in range(1, self.plan.runners + 1)]

    def _machine(self, name: str, main: Any) -> Machine:
        grace_s = resources.stop_budget(self.settings).runner_s
        return Machine(self.loop, name, self.keeper, self.nursery, main, grace_s)

    async def _serve(self) -> None:
        await api._serve_api(self.settings, lambda _url: None)  # noqa: SLF001

    async def _work(self) -> None:
        await workers._run_workers(self.settings, {})  # noqa: SLF001
