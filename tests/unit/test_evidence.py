import asyncio
from collections.abc import Callable

from structlog.testing import capture_logs

from notifier.evidence import Evidence, Outage


class Hand:
    """A hand on the clock of an evidence, and a server that its probes ask."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.probes = 0
        self.answers: Callable[[], None] = lambda: None
        self.evidence = Evidence("broker", lambda: self.now_s)

    async def problem(self) -> str | None:
        return await self.evidence.proved(self.probe)

    async def probe(self) -> None:
        self.probes += 1
        await asyncio.sleep(0)
        self.answers()

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds


async def test_what_nobody_asked_lately_is_asked() -> None:
    hand = Hand()
    hand.answers = hand.evidence.worked

    assert await hand.problem() is None
    assert hand.probes == 1
    hand.pass_time(9)
    assert await hand.problem() is None
    assert hand.probes == 1
    hand.pass_time(2)
    assert await hand.problem() is None
    assert hand.probes == 2


async def test_what_worked_a_moment_ago_is_believed() -> None:
    hand = Hand()
    hand.evidence.worked()

    assert await hand.problem() is None
    assert hand.probes == 0


async def test_a_failure_is_told_with_its_reason_until_something_works_again() -> None:
    hand = Hand()
    hand.evidence.failed("its disk is full")
    hand.answers = lambda: hand.evidence.failed("its disk is full", is_probe=True)

    for _ in range(5):
        assert await hand.problem() == "its disk is full"
        hand.pass_time(5)
    hand.answers = hand.evidence.worked

    assert await hand.problem() is None


async def test_what_fails_and_works_in_turns_is_not_well() -> None:
    hand = Hand()
    for _ in range(5):
        hand.evidence.failed("its disk is full")
        hand.evidence.worked()
        hand.pass_time(1)

    assert hand.evidence.problem == "its disk is full"
    hand.pass_time(3)
    hand.evidence.worked()
    assert hand.evidence.problem is None


async def test_each_turn_is_logged_once_with_each_reason() -> None:
    hand = Hand()
    with capture_logs() as logs:
        for reason in ("it does not answer", "one of its alarms is on", "it does not answer") * 2:
            hand.evidence.failed(reason)
        hand.pass_time(3)
        for _ in range(3):
            hand.evidence.worked()

    assert logs == [
        *(
            {
                "event": "health.failing",
                "log_level": "error",
                "part": "broker",
                "reason": reason,
            }
            for reason in ("it does not answer", "one of its alarms is on")
        ),
        {"event": "health.recovered", "log_level": "info", "part": "broker"},
    ]


async def test_however_many_ask_one_probe_is_under_way() -> None:
    hand = Hand()
    hand.evidence.failed("it is read-only")

    problems = await asyncio.gather(*(hand.problem() for _ in range(50)))

    assert set(problems) == {"it is read-only"}
    assert hand.probes == 1


async def test_silence_makes_the_next_who_asks_look() -> None:
    hand = Hand()
    hand.evidence.worked()
    hand.evidence.silent("it does not answer")
    hand.answers = hand.evidence.worked

    assert await hand.problem() is None
    assert hand.probes == 1


async def test_the_silence_of_a_probe_is_a_fact() -> None:
    hand = Hand()
    hand.answers = lambda: hand.evidence.silent("it does not answer", is_probe=True)

    assert await hand.problem() == "it does not answer"


async def test_the_silence_of_a_probe_is_no_news_where_something_worked_meanwhile() -> None:
    hand = Hand()

    def fall_silent_alone() -> None:
        hand.pass_time(1)
        hand.evidence.worked()
        hand.pass_time(1)
        hand.evidence.silent("it does not answer", is_probe=True)

    hand.answers = fall_silent_alone
    assert await hand.problem() is None

    hand.answers = hand.evidence.worked
    assert await hand.problem() is None
    assert hand.probes == 2


def test_an_outage_lasts_from_what_first_failed() -> None:
    hand = Hand()
    hand.evidence.worked()
    assert hand.evidence.outage is None

    hand.evidence.failed("it does not answer")
    hand.pass_time(4)
    hand.evidence.failed("nothing listens", is_probe=True)
    hand.pass_time(2)

    assert hand.evidence.outage == Outage("nothing listens", lasted_s=6)


def test_short_outages_are_none_that_lasts_although_it_is_not_well_in_between() -> None:
    hand = Hand()
    for _ in range(5):
        hand.evidence.failed("it does not answer")
        hand.pass_time(2)
        hand.evidence.worked()
        assert hand.evidence.problem == "it does not answer"
        assert hand.evidence.outage is None

    hand.evidence.failed("it does not answer")
    hand.pass_time(1)

    assert hand.evidence.outage == Outage("it does not answer", lasted_s=1)


def test_what_works_for_a_probe_alone_is_no_end_while_others_fail() -> None:
    hand = Hand()
    for _ in range(5):
        hand.evidence.failed("its disk is full")
        hand.pass_time(2)
        hand.evidence.worked(is_probe=True)
    assert hand.evidence.outage == Outage("its disk is full", lasted_s=10)

    hand.pass_time(1)
    hand.evidence.worked(is_probe=True)

    assert hand.evidence.outage is None


async def test_an_outage_that_the_silence_of_a_probe_tells_of_lasts_since_it_was_asked() -> None:
    hand = Hand()

    def fall_silent() -> None:
        hand.pass_time(3)
        hand.evidence.silent("it does not answer", is_probe=True)

    hand.answers = fall_silent
    await hand.problem()

    assert hand.evidence.outage == Outage("it does not answer", lasted_s=3)


async def test_an_outage_that_a_probe_tells_of_begins_after_what_worked_meanwhile() -> None:
    hand = Hand()

    def be_turned_away_late() -> None:
        hand.pass_time(1)
        hand.evidence.worked()
        hand.pass_time(2)
        hand.evidence.failed("it is read-only", is_probe=True)

    hand.answers = be_turned_away_late
    await hand.problem()

    assert hand.evidence.outage == Outage("it is read-only", lasted_s=2)
