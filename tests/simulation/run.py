"""Running many worlds, each in a fork of its own: what one leaves behind concerns no other."""

import asyncio
import gc
import hashlib
import os
import pickle
import resource
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from notifier.commands import keys
from notifier.settings.groups import KeySettings
from notifier.store.kit.database import Patience
from notifier.store.kit.opening import open_database
from notifier.store.rules.keeping import SqlRuleStore
from notifier.store.templates.library import SqlTemplateStore
from notifier.store.upgrading import upgrade
from tests.simulation.audience.people import settle
from tests.simulation.coverage import covered
from tests.simulation.ended import Ended
from tests.simulation.environ import PEPPER
from tests.simulation.eventing.rules import publish_rules
from tests.simulation.plan import Plan, plan_of, smaller
from tests.simulation.signs import findings
from tests.simulation.templating import publish_first
from tests.simulation.world import World

_MEMORY = Path("/dev/shm")  # noqa: S108  where a disk costs nothing
_MOST_CPU_S = 120
"""A world that takes more goes round in circles."""
DIED = "died"
"""The kind of what is found of a world that did not come to its end."""
_UNHURRIED = Patience().times(20)
"""Real time is what other processes of the machine leave of it."""
_ORDERS = 5
"""A smaller plan shifts what happens when: each is tried with so many orders."""


@dataclass(frozen=True, slots=True)
class Template:
    """A database with its schema and a key, of which each world gets a copy."""

    path: Path
    key: str


@dataclass(slots=True)
class Verdict:
    """What came of a world."""

    plan: Plan
    findings: Sequence[str]
    digest: str = ""
    """The same for two runs that went the same way."""
    steps: int = 0
    virtual_s: float = 0
    statements: int = 0
    cpu_s: float = 0
    covered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each transition was taken under each kind of fault."""
    trace: Sequence[str] = ()

    @property
    def kinds(self) -> set[str]:
        """The kinds of its findings."""
        return set(map(kind_of, self.findings))


def kind_of(finding: str) -> str:
    """What a finding is: its first word."""
    return finding.partition(":")[0]


@contextmanager
def template() -> Iterator[Template]:
    """Make a template, and the first world, from which the others are forked."""
    parent = _MEMORY if _MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="notifier-worlds-", dir=parent))
    try:
        path = folder / "template.db"
        key = asyncio.run(_prepared(path))
        made = Template(path, key)
        _warm_up(made)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _prepared(path: Path) -> str:
    url = f"sqlite:///{path}"
    await upgrade(url)
    settings = KeySettings.from_env({"NOTIFIER_DATABASE_URL": url, "NOTIFIER_KEY_PEPPER": PEPPER})
    async with open_database(url, _UNHURRIED) as database:
        await publish_first(SqlTemplateStore(database))
        await settle(database)
        await publish_rules(SqlRuleStore(database))
    return await keys.create_key(settings, "shop", ["send", "read", "admin"], None)


def _warm_up(made: Template) -> None:
    """Compile the statements once, for all forks."""
    _run(replace(plan_of(0), notifications=3, faults=[], apis=1), made, is_traced=False)
    # What the dead of a world have begun must never go on.
    gc.disable()
    gc.freeze()


def verdicts(
    plans: Iterable[Plan],
    made: Template,
    *,
    processes: int = 1,
    is_traced: bool = False,
    prepare: Callable[[], None] | None = None,
) -> Generator[Verdict, None, None]:
    """Run each plan's world, so many at a time, and say what came of it, in any order.

    `prepare` is called in the fork of each before there is anything of it.
    """
    waiting = iter(plans)
    running: dict[Connection, tuple[int, Plan]] = {}
    while True:
        for plan in islice(waiting, processes - len(running)):
            link, pid = _forked(plan, made, is_traced=is_traced, prepare=prepare)
            running[link] = (pid, plan)
        if not running:
            return
        for ready in wait(list(running)):
            assert isinstance(ready, Connection)
            yield _collected(ready, *running.pop(ready))


def verdict(
    plan: Plan,
    made: Template,
    *,
    is_traced: bool = False,
    prepare: Callable[[], None] | None = None,
) -> Verdict:
    """Run one world."""
    return next(verdicts([plan], made, is_traced=is_traced, prepare=prepare))


def shrunk(
    found: Verdict,
    made: Template,
    *,
    processes: int,
    prepare: Callable[[], None] | None = None,
) -> Verdict:
    """Return a smaller world in which the same kind of thing is found, as small as it gets."""
    kinds, best, is_smaller = found.kinds, found, True
    while is_smaller:
        is_smaller = False
        for plan in smaller(best.plan):
            orders = [replace(plan, order=plan.order + shift) for shift in range(_ORDERS)]
            tried = verdicts(orders, made, processes=processes, prepare=prepare)
            hit = next((each for each in tried if each.kinds & kinds), None)
            tried.close()
            if hit is not None:
                best, is_smaller = hit, True
                break
    return best


def _forked(
    plan: Plan,
    made: Template,
    *,
    is_traced: bool,
    prepare: Callable[[], None] | None,
) -> tuple[Connection, int]:
    ours, theirs = Pipe(duplex=False)
    pid = os.fork()
    if pid:
        theirs.close()
        return ours, pid
    try:
        ours.close()
        resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU_S, _MOST_CPU_S))
        if prepare is not None:
            prepare()
        theirs.send_bytes(pickle.dumps(_run(plan, made, is_traced=is_traced)))
    finally:
        # Nothing of a world is cleaned up: that would be its dead going on.
        os._exit(0)


def _collected(link: Connection, pid: int, plan: Plan) -> Verdict:
    try:
        found: Verdict = pickle.loads(link.recv_bytes())  # noqa: S301  our own fork's
    except EOFError:
        found = Verdict(plan, [f"{DIED}: its world took {_MOST_CPU_S} s of CPU, or crashed"])
    finally:
        link.close()
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return found


def _run(
    plan: Plan,
    made: Template,
    *,
    is_traced: bool,
) -> Verdict:
    began_s = time.process_time()
    path = made.path.with_name(f"world-{os.getpid()}.db")
    shutil.copy(made.path, path)
    try:
        ended = World(plan, path, made.key, is_traced=is_traced).run()
        return Verdict(
            plan,
            findings(ended),
            digest=_digest(ended),
            steps=ended.steps,
            virtual_s=ended.virtual_s,
            statements=ended.statements,
            cpu_s=time.process_time() - began_s,
            covered=covered(ended),
            trace=list(ended.trace),
        )
    except Exception:  # noqa: BLE001  it is what was found
        return Verdict(plan, [f"unreal: {traceback.format_exc()}"])
    finally:
        for leftover in path.parent.glob(f"{path.name}*"):
            leftover.unlink()


def _digest(ended: Ended) -> str:
    went = (ended.steps, ended.virtual_s, ended.statements, ended.records, ended.timeline)
    return hashlib.sha256(repr((went, ended.journal, ended.log)).encode()).hexdigest()
