"""Whatever providers answer, whoever asks and however long it takes: what a gate never does."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.notification.model import Lane
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from notifier.providers.breaker import BreakerSettings
from notifier.providers.gate import Admission, Barred, Gate
from tests.contract.store.stores import Stores, open_stores
from tests.schema import sqlite_database
from tests.servers.messages import ManualClock

SETTINGS = BreakerSettings(min_calls=4)
SENT = Sent("id-1")
ABOUT_A_RECIPIENT: tuple[Outcome, ...] = (
    SENT,
    Systemic("21408", "this country is not enabled", concerns_recipient=True),
    Transient("450", "greylisted", concerns_recipient=True),
    Transient("451", "mailbox host is down", about_one=True),
    Permanent("550", "no such user"),
    Unknown("timeout", "no answer"),
)
OUTCOMES = (
    *ABOUT_A_RECIPIENT,
    Systemic("401", "the key was refused"),
    Transient("connection_refused", "not sent"),
    Transient("429", "slow down", 7, throttled=True),
)


@dataclass(frozen=True, slots=True)
class Step:
    """After `later_s`, a process asks for a call about `recipient`; None: it dies during it."""

    process: int
    recipient: str
    outcome: Outcome | None
    later_s: float
    lane: Lane


def steps(outcomes: Sequence[Outcome | None], recipients: int) -> st.SearchStrategy[list[Step]]:
    return st.lists(
        st.builds(
            Step,
            process=st.integers(0, 1),
            recipient=st.integers(1, recipients).map("+4917012345{}".format),
            outcome=st.sampled_from(outcomes),
            later_s=st.sampled_from([0, 0, 0.5, 2, 35, 70]),
            lane=st.sampled_from(Lane),
        ),
        min_size=5,
        max_size=25,
    )


class World:
    """Two processes, one database, and time that is moved by hand."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.clock = ManualClock()
        self.gates = [Gate(stores.providers, self.clock, {}, SETTINGS) for _ in range(2)]
        self.probe_until_s = 0.0

    async def take(self, step: Step) -> Admission | Barred:
        await self.pass_time(step.later_s)
        gate = self.gates[step.process]
        answer = await gate.admit("twilio", patience_s=0, lane=step.lane)
        if isinstance(answer, Admission):
            if answer.is_probe:
                assert self.clock.elapsed_s >= self.probe_until_s, "two probes at once"
                self.probe_until_s = self.clock.elapsed_s + SETTINGS.probe_lease_s - 1
            if step.outcome is not None:
                await gate.report(answer, step.outcome, recipient=step.recipient)
                self.probe_until_s = 0
        return answer

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if seconds:
            await self.stores.pass_time(seconds)


def in_a_world(folder: Path, taken: Sequence[Step]) -> list[Admission | Barred]:
    """Take these steps, and check that it ends well; returns the answers."""

    async def work() -> list[Admission | Barred]:
        async with open_stores(sqlite_database(folder / "notifier.db")) as stores:
            world = World(stores)
            answers = [await world.take(step) for step in taken]
            await world.pass_time(SETTINGS.open_max_s + SETTINGS.probe_lease_s)
            last = [Step(process, "+491", SENT, 2, Lane.BULK) for process in (0, 1, 0)]
            assert all([isinstance(await world.take(step), Admission) for step in last])
            assert all(state.opened_at is None for state in await stores.providers.states())
            return answers

    return asyncio.run(work())


LIVES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@LIVES
@given(taken=steps((*OUTCOMES, None), recipients=6))
def test_only_one_probes_at_a_time_and_the_first_success_lets_everybody_through(
    tmp_path_factory: pytest.TempPathFactory, taken: list[Step]
) -> None:
    answers = in_a_world(tmp_path_factory.mktemp("life"), taken)

    assert all(0 < each.retry_after_s <= 600 for each in answers if isinstance(each, Barred))


@LIVES
@given(taken=steps(ABOUT_A_RECIPIENT, recipients=2))
def test_nothing_that_is_said_about_one_or_two_recipients_bars_anybody(
    tmp_path_factory: pytest.TempPathFactory, taken: list[Step]
) -> None:
    answers = in_a_world(tmp_path_factory.mktemp("life"), taken)

    assert set(answers) == {Admission("twilio")}
