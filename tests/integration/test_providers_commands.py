"""`notifier providers`: the list, a handshake and a test, by the settings of the environment."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from notifier.commands import app
from tests.schema import sqlite_database
from tests.servers.background import in_background
from tests.servers.scripted_smtp import SmtpServer, open_smtp

Command: TypeAlias = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with in_background(lambda: open_smtp(None, None)) as server:
        yield server


@pytest.fixture
def command(
    tmp_path: Path,
    smtp: SmtpServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Return what runs a command: its exit code, stdout and stderr."""
    settings = {
        "DATABASE_URL": sqlite_database(tmp_path / "notifier.db"),
        "BROKER_URL": "memory://",
        "KEY_PEPPER": "of sixteen letters",
        "API__TEST_RECIPIENTS": "@shop.example",
        "EMAIL__PROVIDERS": "smtp",
        "EMAIL__SENDER": "Shop <no-reply@shop.example>",
        "SMS__PROVIDERS": "none",
        "SMTP__HOST": "127.0.0.1",
        "SMTP__PORT": str(smtp.port),
        "SMTP__SECURITY": "none",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"NOTIFIER_{name}", value)

    def run(line: str) -> tuple[int, str, str]:
        code = app.run(line.split())
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_the_list_has_every_provider_of_the_settings(command: Command) -> None:
    listed = json.loads(command("providers list --json")[1])

    assert [(each["provider"], each["asked"], each["state"]) for each in listed] == [
        ("in_app", "in_app 1", "closed"),
        ("smtp", "email 1", "closed"),
    ]


def test_a_test_shows_how_far_it_came_and_is_noted(command: Command, smtp: SmtpServer) -> None:
    smtp.script("RCPT", "550 5.1.1 no such mailbox")

    refused = command("providers test smtp --to ops@shop.example --json")
    taken = command("providers test smtp --to ops@shop.example")

    assert (refused[0], taken[0]) == (1, 0)
    failed = next(each for each in json.loads(refused[1]) if each["state"] == "failed")
    assert (failed["step"], failed["code"]) == ("recipient", "550 5.1.1")
    assert "no such mailbox" in failed["detail"]
    assert "try another recipient" in failed["advice"]
    assert taken[1].splitlines()[-1].startswith("content\tpassed")
    assert len(smtp.mails) == 1
    audited = command("audit list --json")[1]
    assert audited.count("providers test") == 2
    assert "ops@" not in audited


def test_a_test_goes_to_whom_the_settings_allow_alone(command: Command, smtp: SmtpServer) -> None:
    code, _, problem = command("providers test smtp --to anna@other.example")

    assert (code, smtp.sessions) == (2, 0)
    assert "NOTIFIER_API__TEST_RECIPIENTS" in problem


def test_a_handshake_sends_nothing_and_says_what_is_wrong(
    command: Command, smtp: SmtpServer
) -> None:
    assert command("providers check smtp")[0] == 0

    smtp.script("CONNECT", "554 5.7.1 go away")
    code, told, _ = command("providers check smtp")

    assert (code, "554 5.7.1" in told, smtp.mails) == (1, True, [])
    assert command("providers check ses")[0] == 2
