"""What the benchmark computes from what it measured, and how it reads its tools."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.bench.page import PAGE, fill
from tools.bench.paper import plan
from tools.bench.peers_environment import PEERS_FOLDER, REQUIREMENTS
from tools.bench.plot import draw
from tools.bench.processes import CpuMeter
from tools.bench.results import (
    MANY_OLD,
    NO_OLD,
    PARTS,
    Judged,
    Results,
    Sample,
    Target,
    judge,
    medians,
    percentile,
    read_results,
)
from tools.bench.run import MEASUREMENTS, Command, rotated
from tools.bench.sink import last_count
from tools.bench.stacks import PEERS
from tools.bench.tables import sections
from tools.bench.wrk import NUMBER, Endpoint, LoadError, parse

_BUSY_S = 0.2
# Uses so much CPU in a thread once it may, says so, and lives on.
_BUSY = f"""
import sys, threading, time
def burn():
    while time.thread_time() < {_BUSY_S}: pass
    print("done", flush=True)
    sys.stdin.read()
sys.stdin.readline()
burning = threading.Thread(target=burn)
burning.start()
burning.join()
"""
_TOLD = {
    "requests": 3_000,
    "duration_us": 2_000_000,
    "p50_us": 4_100,
    "p99_us": 21_000,
    "max_us": 30_500,
    "refused": 0,
    "broken": 0,
    "late": 0,
}


def _results(**samples: dict[str, list[Sample]]) -> Results:
    return Results(machine={"cores": 2}, options={}, samples=samples)


def _found(results: Results, text: str) -> Judged:
    return next(each for each in judge(results) if each.target.text == text)


def test_medians_are_of_each_figure_over_the_samples_that_have_it() -> None:
    samples = [{"per_s": 10.0, "p99_ms": 5.0}, {"per_s": 30.0}, {"per_s": 20.0, "p99_ms": 7.0}]

    assert medians(samples) == {"per_s": 20, "p99_ms": 6}


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
def test_a_percentile_is_a_value_that_occurred(share: float, value: float) -> None:
    assert percentile(range(1, 101), share) == value


def test_a_ratio_is_the_median_of_those_of_the_rounds_with_however_many_slots() -> None:
    ours, theirs = (10.0, 40.0, 20.0), (50.0, 80.0, 60.0)
    results = _results(
        drain={
            "notifier, 2 x 32": [{"cpu_us workers": each, "cpu_us RabbitMQ": 0} for each in ours],
            "by hand, gathering, 2 x 32": [{"cpu_us workers": each} for each in theirs],
        }
    )

    found = _found(results, "drain: CPU by hand, gathering, times ours")

    assert found.found == 3  # the ratio of the medians is 2
    assert found.is_met is True


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    results = _results(accept={"notifier": [{"per_s": 1_000.0, "p99_ms": 61.0}]})

    assert _found(results, "accept: CPU of FastStream, times ours").is_met is None
    assert _found(results, "accept: p99 at 64 connections, ms").is_met is False
    assert _found(results, "batches of 1,000: accepted/s").found is None


def test_growth_with_the_table_is_a_ratio_of_costs() -> None:
    figure = "accept, µs in the database"
    results = _results(scale={NO_OLD: [{figure: 100.0}], MANY_OLD: [{figure: 119.0}]})

    found = _found(results, "cost of accepting, many old ones to none")

    assert found.found == pytest.approx(1.19)
    assert found.is_met is True


def test_a_bound_is_met_when_it_is_reached_exactly() -> None:
    least, most = Target("", lambda _: 3, least=3), Target("", lambda _: 3, most=3)

    assert [Judged(each, 3).is_met for each in (least, most)] == [True, True]
    assert [Judged(least, 2.9).is_met, Judged(most, 3.1).is_met] == [False, False]
    assert (least.bound, most.bound) == ("at least 3", "at most 3")


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = _results(accept={"notifier": [{"per_s": 1.5}]})
    results.add("accept", "notifier", {"per_s": 2.5})

    results.write(tmp_path / "results.json")

    assert read_results(tmp_path / "results.json") == results


def test_wrk_tells_rate_and_latencies() -> None:
    answered = parse(f"Running 2s test\n  3000 requests\n\n{json.dumps(_TOLD)}\n")

    assert answered.per_s == 1_500
    assert (answered.p50_ms, answered.p99_ms, answered.max_ms) == (4.1, 21, 30.5)


@pytest.mark.parametrize("problem", ["refused", "broken", "late"])
def test_a_request_that_was_not_accepted_fails_the_load(problem: str) -> None:
    with pytest.raises(LoadError, match=f"2 of 3000 requests were {problem}"):
        parse(json.dumps({**_TOLD, problem: 2}))


def test_a_wrk_that_could_not_begin_fails_the_load_with_its_words() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:9 Connection refused\n")


@pytest.mark.parametrize(
    ("output", "count"),
    [("", 0), ("sess=1 quit=0 mesg=9\rsess=2 quit=1 mesg=10\r", 10), ("x" * 500 + "mesg=7\r", 7)],
)
def test_the_sink_has_taken_what_its_last_counter_says(output: str, count: int) -> None:
    assert last_count(output) == count


def test_each_notification_that_is_posted_has_its_own_number() -> None:
    endpoint = Endpoint(url="", headers={}, lane="high").having(variables={"order": NUMBER})

    posted = json.loads(endpoint.body(7))

    assert (posted["recipient"], posted["priority"]) == ("user7@example.com", "high")
    assert posted["variables"] == {"order": "7"}


def test_the_programs_of_the_peers_are_where_they_are_looked_for() -> None:
    programs = [PEERS_FOLDER / f"{each.module}.py" for each in PEERS.values()]

    assert [each for each in [*programs, REQUIREMENTS] if not each.is_file()] == []


def test_nobody_is_always_first() -> None:
    assert [rotated(["a", "b", "c"], turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]


def test_every_measurement_can_be_asked_for_alone_and_all_at_once() -> None:
    alone = {
        measurement.name
        for command in Command
        if command not in {Command.ALL, Command.REPORT}
        for measurement in command.measurements
    }

    assert alone == {each.name for each in MEASUREMENTS}
    assert list(Command.ALL.measurements) == list(MEASUREMENTS)
    assert list(Command.REPORT.measurements) == []


def test_tables_add_up_the_cpu_time_and_compare_it_with_notifiers_before_all_else() -> None:
    results = _results(
        accept={
            "notifier": [{"per_s": 900.0, "cpu_us API": 400.0, "cpu_us PostgreSQL": 100.0}],
            "by hand, plain": [{"per_s": 300.0, "cpu_us API": 900.0}],
            "another": [{"per_s": 450.0, "cpu_us API": 800.0}],
        }
    )

    text = sections(results)["accept"]

    assert text.startswith("| accept: CPU, µs a notification | API | PostgreSQL | all |")
    assert "| notifier | 400 | 100 | 500 |  | 900 |  |" in text
    assert "| by hand, plain | 900 | 0 | 900 | 1.8 | 300 | 3.0 |" in text
    assert (
        "| accept: CPU by hand, plain, times ours | at least 4 | 1.80 | **missed** |"
        in (sections(results)["targets"])
    )


def test_what_is_compared_with_nobody_has_no_ratios() -> None:
    results = _results(connections={"notifier, 1 at once": [{"per_s": 9.0, "cpu_us API": 4.0}]})

    heading = sections(results)["connections"].splitlines()[0]

    assert heading == "| connections: CPU, µs a notification | API | all |"


def test_a_stack_is_measured_without_what_sends_to_it_and_what_it_sends_to() -> None:
    command, pipe = [sys.executable, "-c", _BUSY], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        meter = CpuMeter({"workers": worker.pid})
        worker.stdin.write(b"begin\n")
        worker.stdin.flush()
        worker.stdout.readline()
        used = meter.read()
        worker.stdin.close()

    assert used.keys() <= {"workers", "PostgreSQL", "RabbitMQ"}
    assert used["workers"] >= _BUSY_S


def test_the_picture_has_a_bar_for_each_stack() -> None:
    results = _results(
        drain={
            "notifier, 2 x 32": [{"cpu_us workers": 100.0, "rss_mib": 50.0}],
            "FastAPI <& co>": [{"cpu_us workers": 200.0}],
        }
    )

    picture = draw(results)

    assert picture.count("<rect") == 3
    assert "100, 50 MiB" in picture
    assert "FastAPI &lt;&amp; co&gt;" in picture
    assert "200, 2 times ours" in picture


def test_a_page_gets_the_tables_that_were_measured_and_keeps_the_others() -> None:
    end = "<!-- /bench -->"
    page = f"a\n<!-- bench: drain -->\nold\n{end}\nb\n<!-- bench: idle -->\nkept\n{end}\n"

    filled = fill(page, {"drain": "| new |"})

    assert filled == page.replace("old", "| new |")


def test_the_page_has_a_place_for_every_measurement() -> None:
    text = PAGE.read_text()

    assert [each.name for each in MEASUREMENTS if f"<!-- bench: {each.name} -->" not in text] == []


def test_the_plan_for_100_million_a_day_follows_from_what_was_measured() -> None:
    cpu = {"cpu_us API": 500.0, "cpu_us workers": 800.0}
    shared = {"cpu_us PostgreSQL": 100.0, "cpu_us RabbitMQ": 200.0}
    results = _results(
        limits={PARTS: [{"consumed and acknowledged/s, prefetch 1 on 32 channels": 2_000.0}]},
        accept={"notifier": [{**cpu, **shared}]},
        drain={"notifier, 2 x 32": [{**cpu, **shared, "bytes": 1_500.0}]},
        slow={"notifier, 2 x 500": [{"per_s": 1_000.0}]},
    )

    rows = {
        row.split(" | ")[0].strip("| "): row.split(" | ")[1] for row in plan(results).splitlines()
    }

    assert rows["on average"] == "1,157/s"
    assert rows["API processes"] == "3"
    assert rows["worker processes, if the provider takes 1 s"] == "7"
    assert rows["cores for RabbitMQ"] == "2"
    assert rows["quorum queues that take the load"] == "2"
    assert rows["database, a day (a partition)"] == "150 GB"


def test_there_is_no_plan_without_all_that_it_follows_from() -> None:
    assert plan(_results(accept={"notifier": [{"per_s": 1.0}]})) == ""
