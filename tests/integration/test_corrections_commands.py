"""`notifier dead-letters correct`: letters are sent anew."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import pytest

from notifier.commands import app
from notifier.notification.model import Notification
from notifier.notification.transitions import FAIL
from tests.contract.store.stores import a_submission, open_stores
from tests.schema import sqlite_database

Command: TypeAlias = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_database(tmp_path / "notifier.db")


@pytest.fixture
def command(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return what runs a command: its exit code, stdout and stderr."""
    settings = {
        "DATABASE_URL": url,
        "BROKER_URL": "memory://",
        "KEY_PEPPER": "of sixteen letters",
        "EMAIL__PROVIDERS": "sandbox",
        "SMS__PROVIDERS": "none",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"NOTIFIER_{name}", value)

    def run(line: str) -> tuple[int, str, str]:
        code = app.run(line.split())
        out, err = capsys.readouterr()
        return code, out, err

    return run


def failed(url: str, count: int) -> list[UUID]:
    async def make() -> list[UUID]:
        said: dict[str, Any] = {
            "subject": "Order",
            "content": "{{ order }}: {{ url }}",
            "html": None,
            "variables": {"order": 1, "url": "x"},
        }
        async with open_stores(url) as stores:
            wanted = [replace(a_submission(), **said) for _ in range(count)]
            made = [await stores.ended(FAIL, each) for each in wanted]
            return [each.id for each in made]

    return asyncio.run(make())


def successor(url: str, letter: UUID) -> Notification:
    async def look() -> Notification:
        async with open_stores(url) as stores:
            [id] = await stores.queries.forwards(letter)
            return await stores.get(id)

    return asyncio.run(look())


def test_a_group_is_tried_and_then_sent_anew_with_another_value(command: Command, url: str) -> None:
    letters = failed(url, 2)
    line = "dead-letters correct --code 421 --variable url=https://new.example --variable order=7"

    tried = json.loads(command(f"{line} --dry-run --json")[1])
    assert (tried["corrected"], tried["refused"], tried["dry_run"]) == (2, 0, True)
    assert command(line) == (0, "Sent 2 anew; 0 stay as they are.\n", "")

    made = successor(url, letters[0])
    assert made.variables == {"order": 7, "url": "https://new.example"}
    assert command(line)[1].startswith("Sent 0 anew")


def test_one_letter_goes_to_another_address(command: Command, url: str) -> None:
    letter, other = failed(url, 2)

    code, out, _ = command(f"dead-letters correct {letter} --recipient eva@example.com")

    assert (code, out) == (0, "Sent 1 anew; 0 stay as they are.\n")
    assert successor(url, letter).recipient == "eva@example.com"
    for wrong in (f"{letter}", f"{letter} {other} --recipient eva@example.com", "--variable url"):
        assert command(f"dead-letters correct {wrong}")[0] == 2
