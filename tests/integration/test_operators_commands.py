"""Pausing providers and keeping suppression lists from the command line."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest

from notifier import cli
from notifier.store.upgrading import upgrade

Command: TypeAlias = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return what runs a command: its exit code, stdout and stderr."""
    url = f"sqlite:///{tmp_path / 'notifier.db'}"
    asyncio.run(upgrade(url))
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url)

    def run(line: str) -> tuple[int, str, str]:
        code = cli.run(line.split())
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_provider_is_paused_and_resumed(command: Command) -> None:
    assert command("providers pause smtp --reason maintenance") == (0, "Paused smtp.\n", "")
    _, listed, _ = command("providers list")
    assert listed.split() == ["smtp", "paused", "0", "maintenance"]

    assert command("providers resume smtp") == (0, "Resumed smtp.\n", "")
    assert "closed" in command("providers list")[1]


def test_a_provider_that_there_is_not_is_refused_with_those_that_there_are(
    command: Command,
) -> None:
    for order in ("pause", "resume"):
        code, _, problem = command(f"providers {order} smpt")

        assert code == 2
        assert "sendgrid, smtp, twilio" in problem


def test_an_address_is_put_on_a_list_and_taken_off(command: Command) -> None:
    where = "--service orders --type email"
    assert command(f"suppressions add anna@EXAMPLE.com {where} --reason spam_report")[0] == 0
    assert command("suppressions add +491701234567 --service payments --type sms")[0] == 0

    _, listed, _ = command("suppressions list")
    assert [line.split("\t")[:4] for line in listed.splitlines()] == [
        ["payments", "sms", "+491701234567", "manual"],
        ["orders", "email", "anna@example.com", "spam_report"],
    ]
    assert len(command("suppressions list --service orders")[1].splitlines()) == 1
    assert len(command("suppressions list --type sms")[1].splitlines()) == 1

    code, _, problem = command(f"suppressions remove anna@example.com {where}")
    assert code == 2
    assert "--reason" in problem
    assert command(f"suppressions remove ANNA@example.com {where} --reason asked")[0] == 0
    code, _, problem = command(f"suppressions remove anna@example.com {where}")
    assert code == 1
    assert "not on this list" in problem
    assert command(f"suppressions add anna {where}")[0] == 2


def test_a_newer_schema_is_nothing_to_do(command: Command, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999_of_the_future'")

    code, out, err = command("db upgrade")

    assert (code, err) == (0, "")
    assert out == "The schema is newer than this version, at 9999_of_the_future: nothing to do.\n"
