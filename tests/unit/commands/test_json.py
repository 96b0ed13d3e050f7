"""Every command as programs use it: with --json, and nothing else on stdout."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import pytest
import structlog

from notifier.commands.answering import answering
from notifier.commands.app import COMMANDS, command, run
from notifier.commands.calling import RefusedError
from notifier.commands.showing import Answer, Aside, alone, refused, table, told

Said: TypeAlias = tuple[int, str, str]
Notifier: TypeAlias = Callable[..., Said]

_LONG_RUNNING = {"dev", "serve", "work"}
"""Their stdout is their log."""


def _every() -> Iterator[tuple[str, Any]]:
    for name in COMMANDS:
        found = command(name)
        for each, one in getattr(found, "commands", {"": found}).items():
            yield f"{name} {each}".strip(), one


_EVERY = dict(_every())


@pytest.mark.parametrize("name", _EVERY)
def test_every_command_takes_json_but_those_whose_output_is_their_log(name: str) -> None:
    takes = any("--json" in each.opts for each in _EVERY[name].params)

    assert takes == (name not in _LONG_RUNNING)


@pytest.fixture
def notifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Notifier:
    """The command line on a database of its own, with --json."""
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", f"sqlite:///{tmp_path}/notifier.db")
    monkeypatch.setenv("NOTIFIER_KEY_PEPPER", "p" * 32)

    def say(*arguments: str, as_json: bool = True) -> Said:
        exit_code = run([*arguments, *(["--json"] if as_json else [])])
        return exit_code, *capsys.readouterr()

    assert say("db", "upgrade")[0] == 0
    return say


def lines(text: str) -> Sequence[Any]:
    return [orjson.loads(line) for line in text.splitlines()]


def test_what_is_printed_alone_has_a_name(notifier: Notifier) -> None:
    _, made, _ = notifier("keys", "create", "--service", "orders", "--scope", "send")

    assert orjson.loads(made)["key"].startswith("ntf_")


def test_a_list_is_an_array_of_objects(notifier: Notifier) -> None:
    notifier("keys", "create", "--service", "orders", "--scope", "send")

    exit_code, listed, _ = notifier("keys", "list")

    assert exit_code == 0
    [key] = orjson.loads(listed)
    assert (key["service"], key["scopes"], key["state"]) == ("orders", ["send"], "usable")
    assert orjson.loads(notifier("senders", "list")[1]) == []


def test_what_changes_something_says_what_and_how_it_is_now(notifier: Notifier) -> None:
    _, paused, _ = notifier("providers", "pause", "smtp")

    assert orjson.loads(paused) == {"provider": "smtp", "state": "paused"}


def test_what_happens_one_after_the_other_is_an_object_a_line(
    notifier: Notifier, tmp_path: Path
) -> None:
    _, installed, _ = notifier("templates", "install", "--folder", str(tmp_path / "templates"))

    assert {each["did"] for each in lines(installed)} == {"written"}
    assert len(lines(installed)) > 1


def test_an_export_is_an_object_a_line(notifier: Notifier) -> None:
    notifier("providers", "pause", "smtp")

    _, exported, _ = notifier("audit", "export")

    assert [each["action"] for each in lines(exported)] == ["providers pause"]


def test_an_export_as_a_table_is_safe_from_a_spreadsheets_formulas(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", '=HYPERLINK("http://evil.example")')
    notifier("providers", "pause", "smtp")

    _, exported, _ = notifier("audit", "export", "--csv", as_json=False)

    [heading, row] = csv.reader(exported.splitlines())
    assert row[heading.index("actor")] == """'=HYPERLINK("http://evil.example")"""
    assert row[heading.index("service")] == ""


def test_a_table_is_no_json(notifier: Notifier) -> None:
    exit_code, out, err = notifier("audit", "export", "--csv")

    assert (exit_code, out) == (2, "")
    assert "one of them" in orjson.loads(err)["error"]


def test_an_error_is_an_object_on_stderr_with_the_exit_code(notifier: Notifier) -> None:
    exit_code, out, err = notifier("keys", "revoke", "nothing")

    assert (exit_code, out) == (2, "")
    told = orjson.loads(err)
    assert told["exit_code"] == 2
    assert "no API key" in told["error"]


def spoken(answer: Callable[[], Any], capsys: pytest.CaptureFixture[str], *, as_json: bool) -> Said:
    """Have a command answer so, and return its exit code and what it printed."""
    exit_code = 0
    try:
        answering(answer)(as_json=as_json)
    except Exception as error:  # noqa: BLE001  typer's Exit
        exit_code = getattr(error, "exit_code", 99)
    return exit_code, *capsys.readouterr()


def test_what_is_logged_meanwhile_never_stands_in_the_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def answer() -> Answer:
        structlog.get_logger().warning("smtp.refused")
        return told("It is done.", id=1)

    for as_json in (True, False):
        _, out, err = spoken(answer, capsys, as_json=as_json)

        assert "smtp.refused" not in out
        assert "smtp.refused" in err


def test_the_same_answer_is_words_without_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": 1, "more": "for programs"}]

    assert spoken(lambda: told("It is done.", id=1), capsys, as_json=False)[1] == "It is done.\n"
    assert spoken(lambda: alone("id", 7), capsys, as_json=False)[1] == "7\n"
    assert spoken(lambda: table(("id",), rows, above="All of them:"), capsys, as_json=False)[1] == (
        "All of them:\nid\n1\n"
    )


def test_a_table_in_a_pipe_has_its_heading_with_no_rows_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert spoken(lambda: table(("id", "sent_at"), []), capsys, as_json=False)[1] == "id\tsent at\n"


def test_what_was_not_done_stands_aside_in_words_and_among_the_others_as_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def answer() -> Iterator[Answer]:
        yield told("a: written", name="a", did="written")
        yield refused("b", "changed meanwhile")

    _, out, err = spoken(answer, capsys, as_json=False)
    assert (out, err) == ("a: written\n", "b: changed meanwhile\n")
    _, out, err = spoken(answer, capsys, as_json=True)
    assert lines(out) == [
        {"name": "a", "did": "written"}, {"name": "b", "failed": "changed meanwhile"},
    ]  # fmt: skip
    assert err == ""


def test_what_fails_says_first_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    error = RefusedError("it is invalid", {"status": 422, "errors": []})

    def answer() -> Answer:
        return Answer(value=[1], words=["one", Aside("but not two")], failing=error)

    exit_code, out, err = spoken(answer, capsys, as_json=True)

    assert orjson.loads(out) == [1]
    assert orjson.loads(err) == {
        "error": "it is invalid", "exit_code": 1, "problem": {"status": 422, "errors": []},
    }  # fmt: skip
    assert exit_code == 1
