import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.patience import AT_ALL_S

CANARY = "canary-493021"


def run(program: str, level: str = "DEBUG", form: str = "json") -> str:
    """The output of one of the programs in `tests.unit.logged`."""
    return output_of("tests.unit.logged", program, level, form)


def output_of(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=AT_ALL_S, text=True)
    return done.stdout + done.stderr


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_line_is_one_json_object_with_its_event_level_and_time() -> None:
    [first, *_] = lines(run("events"))

    assert first["event"] == "an.event"
    assert (first["level"], first["id"]) == ("debug", "42")
    assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("ERROR", ["error"]),
    ],
)
def test_only_events_of_the_level_are_logged(level: str, heard: list[str]) -> None:
    assert [line["level_name"] for line in lines(run("events", level))] == heard


def test_on_a_terminal_lines_are_for_people() -> None:
    output = run("events", form="console")

    assert len(output.splitlines()) == 4
    assert "an.event" in output


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_logged_by_type_and_place_and_never_by_its_text(form: str) -> None:
    output = run("crash", form=form)

    assert CANARY not in output
    assert output.count("ValueError") >= 2
    assert "KeyError" in output
    assert "logged.py:" in output


def test_an_exception_is_logged_with_the_types_of_its_causes() -> None:
    ours, foreign = lines(run("crash"))

    assert (ours["event"], ours["error"], ours["given"]) == (
        "it.crashed",
        "ValueError",
        "ValueError",
    )
    assert ours["causes"] == ["KeyError"]
    assert (foreign["event"], foreign["error"]) == ("It broke", "ValueError")


def test_a_group_is_logged_with_the_types_of_its_members() -> None:
    [line] = lines(run("group"))

    assert (line["error"], line["causes"]) == ("ExceptionGroup", ["OSError", "KeyError"])
    assert CANARY not in str(line)


def test_libraries_are_heard_from_warnings_on_whatever_the_level() -> None:
    output = run("libraries")

    assert CANARY not in output
    assert [line["level"] for line in lines(output)] == ["warning"] * 5


def test_what_nobody_caught_is_logged_without_its_text() -> None:
    output = run("uncaught")

    assert CANARY not in output
    assert [line["event"] for line in lines(output)] == ["thread.crashed", "process.crashed"]


def test_a_lost_exception_is_logged_without_its_text() -> None:
    output = run("lost")

    assert CANARY not in output
    [line] = lines(output)
    assert (line["event"], line["error"]) == ("Task exception was never retrieved", "ValueError")


def test_a_whole_delivery_shows_nothing_private_at_any_level(tmp_path: Path) -> None:
    output = output_of("tests.unit.logged_delivery", "DEBUG", str(tmp_path))

    assert CANARY not in output
    logged = {line["event"] for line in lines(output)}
    assert {"delivery.finished", "send.crashed", "publish.crashed"} <= logged
