"""Operators from the command line."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from notifier.commands import app
from tests.schema import sqlite_database

Command: TypeAlias = Callable[..., tuple[int, str, str]]
PASSWORD = "correct horse battery"


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return what runs a command, with a line on stdin: its exit code, stdout and stderr."""
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", sqlite_database(tmp_path / "notifier.db"))
    monkeypatch.setenv("NOTIFIER_KEY_PEPPER", "a pepper of sixteen letters")

    def run(line: str, typed: str = PASSWORD) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
        code = app.run(line.split())
        out, err = capsys.readouterr()
        return code, out, err

    return run


def add(command: Command, rest: str = "--role viewer --service orders --password-stdin") -> None:
    code, _, err = command(f"operators add anna {rest}")
    assert code == 0, err


def listed(command: Command) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(command("operators list --json")[1])
    return found


def test_an_operator_is_added_with_a_password_from_stdin(command: Command) -> None:
    add(command)

    [anna] = listed(command)

    assert {name: anna[name] for name in ("login", "role", "sees", "state")} == {
        "login": "anna",
        "role": "viewer",
        "sees": "orders",
        "state": "active",
    }
    assert PASSWORD not in command("operators list")[1]


def test_who_is_invited_gets_a_link_and_no_password(command: Command) -> None:
    add(command, "--role admin --service ops --invite-at https://notify.example.com/")

    [anna] = listed(command)
    code, link, _ = command("operators invite anna --at https://notify.example.com")

    assert (anna["state"], anna["sees"]) == ("invited", "every service")
    assert code == 0
    assert link.startswith("https://notify.example.com/console/welcome?token=")
    assert len(link.splitlines()) == 1


def test_what_an_operator_may_is_changed_and_taken(command: Command) -> None:
    add(command)

    steps = {
        "assign anna --role author --service shop --every-service": ("author", "active"),
        "disable anna": ("author", "disabled"),
        "enable anna": ("author", "active"),
        "password anna --password-stdin": ("author", "active"),
    }
    for step, (role, state) in steps.items():
        assert command(f"operators {step}")[0] == 0
        [anna] = listed(command)
        assert (anna["role"], anna["state"], anna["sees"]) == (role, state, "every service")

    assert command("operators sessions anna --json")[1].strip() == "[]"
    assert command("operators sign-out anna")[1] == "Ended 0 of anna's sessions.\n"
    assert command("operators remove anna")[0] == 0
    assert listed(command) == []


def test_what_is_wrong_is_said(command: Command) -> None:
    add(command)
    role = "--role viewer --service orders --password-stdin"

    wrong = {
        (f"add anna {role}", PASSWORD): "somebody is called 'anna' already",
        (f"add Anna@example.com {role}", PASSWORD): "a login is of small letters",
        (f"add ben {role}", "short"): "the password: expected 12 to 256 characters",
        ("add ben --role viewer --service orders", PASSWORD): "--password-stdin",
        ("password ben --password-stdin", PASSWORD): "there is no operator of this login",
        ("disable ben", ""): "there is no operator of this login",
        ("invite ben --at https://notify.example.com", ""): "there is no operator of this login",
    }
    for (line, typed), words in wrong.items():
        code, out, err = command(f"operators {line}", typed)
        assert (code, out) == (2, ""), line
        assert words in err


def test_what_commands_do_is_noted_with_the_login_and_never_the_password(command: Command) -> None:
    add(command)
    command("operators disable anna")

    _, noted, _ = command("audit list --json")

    actions = [(each["action"], each["target"]) for each in json.loads(noted)]
    assert actions == [("operators disable", "anna"), ("operators add", "anna")]
    assert PASSWORD not in noted
