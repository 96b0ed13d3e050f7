"""`notifier events`, against an API that listens."""

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from structlog.testing import capture_logs

from notifier.commands import app
from tests.api import listening, serving
from tests.events import Rules
from tests.integration.test_api_events import an_event, shipped

Done: TypeAlias = tuple[int, str, str]
Run: TypeAlias = Callable[[str], Awaitable[Done]]


@pytest.fixture
async def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    """Return what runs a command of events: its exit code, stdout and stderr."""
    reacting = Rules(shipped)
    async with serving(tmp_path, reacting=reacting) as api, listening(api.app) as (_, url):
        headers = await api.headers("orders", "read", "events")
        monkeypatch.setenv("NOTIFIER_URL", url)
        monkeypatch.setenv("NOTIFIER_API_KEY", headers["Authorization"].removeprefix("Bearer "))
        monkeypatch.setenv("NOTIFIER_BROKER_URL", "memory://")
        monkeypatch.chdir(tmp_path)

        async def command(line: str) -> Done:
            capsys.readouterr()
            with capture_logs():
                code = await asyncio.to_thread(app.run, ["events", *line.split()])
            return (code, *capsys.readouterr())

        yield command


def write(body: Any, file: str = "events.json") -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    Path(file).write_text(text, encoding="utf-8")


async def test_an_event_is_published_from_a_file_and_shown(run: Run) -> None:
    write(an_event())

    code, out, _ = await run("publish events.json")
    answer = json.loads(out)
    shown = json.loads((await run(f"show {answer['id']}"))[1])

    assert (code, answer["matched"]) == (0, 1)
    assert shown["event"]["source"] == "/shop"
    assert [each["rule"] for each in shown["matches"]] == ["shipped"]


async def test_several_are_published_from_what_is_piped(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [an_event("1"), an_event("2", type="order.placed")]
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(both)))

    code, out, _ = await run("publish -")

    assert code == 0
    assert [each["matched"] for each in json.loads(out)["items"]] == [1, 0]


async def test_events_are_listed_and_looked_for(run: Run) -> None:
    write([an_event("1"), an_event("2", type="order.placed", source="/till")])
    await run("publish events.json")

    async def ids(options: str) -> list[str]:
        return [each["event_id"] for each in json.loads((await run(f"list --json {options}"))[1])]

    heading, first, _ = (await run("list"))[1].splitlines()
    assert heading == "id\tservice\ttype\tsource\tevent id\tmatched\tcancelled\treceived at"
    assert first.split("\t")[1:6] == ["orders", "order.placed", "/till", "2", "0"]
    assert await ids("") == ["2", "1"]
    assert await ids("--type order.shipped") == ["1"]
    assert await ids("--source /till") == ["2"]
    assert await ids("--source /shop --event-id 1") == ["1"]
    assert await ids("--unmatched") == ["2"]
    assert await ids("--type nothing") == []


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("publish missing.json", 2, "missing.json: expected JSON (FileNotFoundError)"),
        ("publish broken.json", 2, "broken.json: expected JSON"),
        ("publish wrong.json", 1, "/type"),
        ("show 01999999-0000-7000-8000-000000000001", 1, "there is no event of this id"),
        ("show nonsense", 1, "there is no event of this id"),
        ("dead", 2, "memory:// has no broker"),
        ("replay", 2, "memory:// has no broker"),
        ("replay --limit 0", 2, "limit"),
        ("list --service billing", 1, "notifier: "),
    ],
)
async def test_nonsense_is_refused_with_what_is_wrong(
    run: Run, line: str, code: int, told: str
) -> None:
    write("{", "broken.json")
    write(an_event(type=7), "wrong.json")

    found, out, problem = await run(line)

    assert (found, out) == (code, "")
    assert told in problem
