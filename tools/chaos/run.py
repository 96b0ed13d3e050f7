"""One run: start everything, load it, let the plan loose, wait, and compare."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.waiting import until
from tools.chaos import causes, figures
from tools.chaos.causes import Cause, Slots
from tools.chaos.faults import Faults
from tools.chaos.journal import Entry, read_journal
from tools.chaos.ledgers import Comparison, Ledgers, compare
from tools.chaos.letters import count_letters, sorted_letters, take_letters
from tools.chaos.load import Clients, Load, make_requests, read_ledger
from tools.chaos.outside import Outside
from tools.chaos.plan import make_plan
from tools.chaos.plot import draw
from tools.chaos.records import Records, final_count
from tools.chaos.report import DeadLetters, Duplicates, Report, Requests
from tools.chaos.sabotage import sabotage
from tools.chaos.stack import CONSUMERS, LEASE_S, PROCESSES, RUNNERS, Stack, open_stack

# In-app notifications cannot be doubled: an inbox takes each once.
_SLOTS_OF_WORKER = CONSUMERS["EMAIL"] + CONSUMERS["SMS"]
SLOTS = Slots(
    of_worker=_SLOTS_OF_WORKER,
    of_runner=_SLOTS_OF_WORKER * PROCESSES,
    of_all=_SLOTS_OF_WORKER * PROCESSES * RUNNERS,
)
_LOOK_EVERY_S = 1
_LETTERS_S = 60
_PATIENCE, _MORE_S = 3, 300
_EXAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to run. The load and the faults are spread over `duration_s`.

    A run that has not settled `settle_s` after the last of them counts what is left as stuck.
    """

    notifications: int
    seed: int
    faults: int
    duration_s: float
    settle_s: float
    folder: Path
    relay: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is."""

    phase: str
    elapsed_s: float
    accepted: int
    final: int
    faults_done: int
    under_way: tuple[str, ...]


Show = Callable[[Progress], None]


async def run(options: Options, outside: Outside, show: Show) -> Report:
    """Run to the end; the folder then holds the ledgers, the logs, the report and the picture."""
    options.folder.mkdir(parents=True, exist_ok=True)
    for earlier in options.folder.glob("*.*"):
        earlier.unlink()
    async with open_stack(outside, options.folder, relay=options.relay) as stack:
        return await _Run(options, stack, show).run()


class _Run:
    def __init__(self, options: Options, stack: Stack, show: Show) -> None:
        self._options = options
        self._stack = stack
        self._show = show
        self._records = Records(stack.outside.database_url)
        locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._faults = Faults({**stack.outside.injectors, **sabotage(stack, locks)}, locks)
        self._load = Load()
        self._phase = "load and faults"
        self._final = 0
        self._began_s = time.monotonic()
        self._began_at = time.time()

    async def run(self) -> Report:
        watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(_PATIENCE * self._options.duration_s + _MORE_S):
                await asyncio.gather(self._send(), self._break())
            duration_s = time.monotonic() - self._began_s
            await self._settle()
            settled_s = time.monotonic() - self._began_s
            letters = await self._count_letters()
        finally:
            watching.cancel()
        self._show(self._progress())
        self._faults.write(self._options.folder / "faults.jsonl")
        return await self._account(duration_s, settled_s, letters)

    async def _send(self) -> None:
        options = self._options
        requests = make_requests(
            options.seed, options.notifications, options.notifications / options.duration_s
        )
        with (options.folder / "answers.jsonl").open("w") as ledger:
            urls = [api.url for api in self._stack.apis.values()]
            clients = Clients(urls, self._stack.key, ledger)
            self._load = clients.load
            await clients.run(requests)

    async def _break(self) -> None:
        options = self._options
        kinds = self._stack.outside.kinds
        plan = make_plan(options.seed, options.faults, options.duration_s, LEASE_S, kinds)
        await self._faults.run(plan)

    async def _settle(self) -> None:
        """Wait until all is final, or nothing more will be."""
        self._phase = "settling"
        await until(self._is_settled, timeout_s=self._options.settle_s, every_s=_LOOK_EVERY_S)

    async def _watch(self) -> None:
        while True:
            # It may be being restarted.
            with suppress(OSError, asyncpg.PostgresError, TimeoutError):
                await self._is_settled()
            self._show(self._progress())
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _is_settled(self) -> bool:
        """Whether all that the database has is final."""
        counts = await self._records.by_status()
        self._final = final_count(counts)
        return self._final == sum(counts.values())

    def _progress(self) -> Progress:
        return Progress(
            phase=self._phase,
            elapsed_s=time.monotonic() - self._began_s,
            accepted=self._load.accepted,
            final=self._final,
            faults_done=len(self._faults.done),
            under_way=tuple(sorted(self._faults.under_way)),
        )

    async def _count_letters(self) -> DeadLetters:
        """Count dead letters once they agree with the failed records, or will not."""
        self._phase = "counting dead letters"
        found = DeadLetters(letters={}, failed={})

        async def agree() -> bool:
            nonlocal found
            failed, unknown = await self._records.failed(), await self._records.unknown_messages()
            letters = await asyncio.to_thread(count_letters, self._stack.outside.broker_urls[0])
            found = DeadLetters(letters=letters, failed=failed)
            return sum(letters.values()) == sum(failed.values()) + unknown

        patience_s = min(_LETTERS_S, self._options.settle_s)
        await until(agree, timeout_s=patience_s, every_s=_LOOK_EVERY_S)
        if found.letters == found.failed:
            return found
        taken = await asyncio.to_thread(take_letters, self._stack.outside.broker_urls[0])
        known = {record.id for record in await self._records.all()}
        return sorted_letters(taken, known, found.failed)

    async def _account(self, duration_s: float, settled_s: float, letters: DeadLetters) -> Report:
        ledgers = await self._ledgers()
        compared = compare(ledgers)
        handovers = ledgers.handovers()
        faults = self._faults.done
        picture = self._picture(ledgers, sorted(each[0].at for each in handovers.values()))
        (self._options.folder / "course.svg").write_text(picture)
        outside = self._stack.outside
        report = Report(
            seed=self._options.seed,
            relay=self._options.relay,
            rabbitmq=outside.rabbitmq,
            postgresql=outside.postgresql,
            duration_s=round(duration_s, 1),
            settled_s=round(settled_s, 1),
            accepted=compared.accepted,
            by_status=compared.by_status,
            lost=len(compared.lost),
            stuck=len(compared.stuck),
            never_accepted=len(compared.never_accepted),
            unknown=len(compared.unknown),
            told_twice=len(compared.told_twice),
            duplicates=await self._duplicates(compared, ledgers.journal),
            late_completions=await self._records.count_events("late_completion"),
            outcome_unknown=sum(record.outcome_unknown for record in ledgers.records),
            faults=figures.recoveries(
                faults, sorted(entry.at for each in handovers.values() for entry in each)
            ),
            requests=self._requests(),
            handover=figures.latency_of(figures.handover_seconds(ledgers.accepted, handovers)),
            dead_letters=letters,
            examples=await self._examples(compared),
        )
        report.write(self._options.folder)
        return report

    async def _ledgers(self) -> Ledgers:
        # In the order of the hand-over backwards: what a record says was sent stands in a journal
        # that is read after it, also while notifications are still under way.
        records = await self._records.all()
        journal = list(read_journal(self._stack.journal))
        journal += [
            Entry(at=at, provider="in_app", id=id, answer="taken")
            for id, at in (await self._records.inbox()).items()
        ]
        accepted = read_ledger(self._options.folder / "answers.jsonl")
        return Ledgers(accepted=accepted, records=records, journal=journal)

    async def _duplicates(
        self, compared: Comparison, journal: Sequence[Entry]
    ) -> dict[Cause, Duplicates]:
        faults = self._faults.done
        timelines = await self._records.timelines(list(compared.doubled))
        found = causes.count_causes(compared.doubled, timelines, faults)
        return {
            cause: Duplicates(count=found[cause], bound=bound)
            for cause, bound in causes.bounds(faults, journal, SLOTS).items()
        }

    def _requests(self) -> Requests:
        return Requests(
            latency=figures.latency_of(self._load.latencies_s),
            slowest_s=round(self._load.slowest_s, 2),
            refused=self._load.refused,
            unanswered=self._load.unanswered,
        )

    def _picture(self, ledgers: Ledgers, first_at: list[float]) -> str:
        accepted_at = sorted(accepted.at for accepted in ledgers.accepted)
        course = figures.course_of(self._began_at, accepted_at, first_at)
        return draw(course, self._faults.done, self._began_at)

    async def _examples(self, compared: Comparison) -> dict[str, list[str]]:
        named = {"lost": compared.lost, "stuck": compared.stuck, "doubled": list(compared.doubled)}
        examples = {name: list(ids[:_EXAMPLES]) for name, ids in named.items()}
        wanting = [*examples["lost"], *examples["stuck"]]
        return {**examples, "stories": await self._records.stories(wanting)}
