"""All that a search finds, as a file: from the API, the console and the command line."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from notifier.api.notifications import exporting
from notifier.commands import app
from notifier.intake.ports import Submission
from notifier.notification.transitions import FAIL
from tests.api import PREFIX, Api, serving
from tests.console import signed_in
from tests.contract.store.stores import a_submission, open_stores
from tests.integration.test_operators_commands import SANDBOX
from tests.schema import sqlite_database

EXPORT = f"{PREFIX}/export"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 2)


async def test_every_one_that_matches_is_a_line_and_holds_no_content(api: Api) -> None:
    ids = [str(await api.send(metadata={"order": "=1+1"})) for _ in range(5)]
    await api.send(metadata={"order": "2"})

    answer = await api.client.get(EXPORT, params={"metadata.order": "=1+1"})

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["content-disposition"] == 'attachment; filename="notifications.ndjson"'
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["id"] for each in told] == ids[::-1]
    assert {each["recipient"] for each in told} == {"anna@example.com"}
    assert told[0]["metadata"] == {"order": "=1+1"}
    assert "It is on its way." not in answer.text


async def test_a_table_holds_nothing_that_a_spreadsheet_calculates(api: Api) -> None:
    sms = {"type": "sms", "recipient": "+491701234567", "content": "On its way."}
    await api.client.post(f"{PREFIX}/send", json=sms)
    await api.send(metadata={"a": 'x,"y"\n=z'})

    answer = await api.client.get(EXPORT, params={"format": "csv"})

    mail, text = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert text["recipient"] == "'+491701234567"
    assert json.loads(mail["metadata"]) == {"a": 'x,"y"\n=z'}
    assert answer.headers["content-type"].startswith("text/csv")


async def test_a_table_of_nothing_has_its_heading(api: Api) -> None:
    answer = await api.client.get(EXPORT, params={"format": "csv", "type": "in_app"})

    assert answer.text.startswith("id,service,type,priority,status,recipient")
    assert answer.text.count("\n") == 1


async def test_nobody_exports_what_is_of_others_or_what_is_wrong(api: Api) -> None:
    others = await api.headers("payments", "read")
    await api.send()

    assert (await api.client.get(EXPORT, headers=others)).text == ""
    named = await api.client.get(EXPORT, params={"service": "orders"}, headers=others)
    assert named.status_code == 403
    assert (await api.client.get(EXPORT, params={"format": "xlsx"})).status_code == 422
    assert (await api.client.get(EXPORT, params={"limit": "9"})).status_code == 422


async def test_a_service_has_two_exports_at_once_and_gets_its_places_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, begun = asyncio.Event(), asyncio.Semaphore(0)
    listing = api.services.queries.list

    async def slow(*given: object, **named: object) -> object:
        begun.release()
        await held.wait()
        return await listing(*given, **named)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(api.services.queries, "list", slow)
    async with asyncio.TaskGroup() as group:
        first = [group.create_task(api.client.get(EXPORT)) for _ in range(2)]
        for _ in first:
            await begun.acquire()
        refused = await api.client.get(EXPORT)
        held.set()

    assert refused.status_code == 429
    assert [each.result().status_code for each in first] == [200, 200]
    assert (await api.client.get(EXPORT)).status_code == 200


async def test_the_console_exports_what_its_search_shows(api: Api) -> None:
    id = await api.send()
    await api.send(recipient="eve@example.com")
    reader = await signed_in(api, "read")
    address = "/console/notifications/export?recipient=anna%40example.com&format="

    table = await reader.get(f"{address}csv")

    assert [each["id"] for each in csv.DictReader(io.StringIO(table.text))] == [str(id)]
    assert table.headers["content-disposition"].endswith('filename="notifications.csv"')
    assert (await reader.get(f"{address}xlsx")).status_code == 404


def test_the_command_line_lists_and_exports_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = sqlite_database(tmp_path / "notifier.db")
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url)
    made = asyncio.run(_one_failed(url))
    searching = "notifications list --error-code 421 --status failed --metadata order=17"

    assert app.run(searching.split()) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split("\t")[:3] == ["id", "type", "service"]
    assert line.startswith(f"{made.id}\temail\torders\tfailed\t")
    assert made.recipient not in line
    assert app.run([*searching.split(), "--export", "ndjson"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], told["recipient"]) == (str(made.id), made.recipient)
    assert app.run(["notifications", "list", "--error-code", "550", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_the_command_line_sends_what_one_said_to_another_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = sqlite_database(tmp_path / "notifier.db")
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url)
    for name, value in SANDBOX.items():
        monkeypatch.setenv(name, value)
    first = asyncio.run(_one_failed(url))

    assert app.run(["notifications", "forward", str(first.id), "--recipient", "a@b.example"]) == 0
    made = capsys.readouterr().out.strip()
    assert app.run(["notifications", "forward", made, "--recipient", "a@b.example"]) == 1
    assert "it is pending" in capsys.readouterr().err
    assert app.run(["notifications", "forward", str(first.id), "--recipient", "nobody"]) == 2
    assert app.run(["notifications", "list", "--id", made, "--export", "ndjson"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["recipient"] == "a@b.example"


async def _one_failed(url: str) -> Submission:
    async with open_stores(url) as stores:
        made = a_submission()
        await stores.ended(FAIL, made)
        await stores.accept()
        return made
