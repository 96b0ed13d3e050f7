"""Files of people, over HTTP and from the command line: told by line, and gone on with."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from structlog.testing import capture_logs

from notifier.audience.person import Profile, Written
from notifier.commands import app
from notifier.commands import recipients as command
from notifier.errors import StoreUnavailableError
from notifier.store.recipients.store import SqlPersonStore
from tests.api import Api, listening, serving

IMPORT = "/api/v1/recipients/import"
NDJSON = {"Content-Type": "application/x-ndjson"}
Run: TypeAlias = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "recipients"))
        yield it


def lines(count: int, *, first: int = 1) -> bytes:
    people = ({"user_id": f"u-{n:05}", "locale": "de"} for n in range(first, first + count))
    return b"".join(json.dumps(each).encode() + b"\n" for each in people)


async def send(api: Api, content: bytes, **query: Any) -> Any:
    return await api.client.post(IMPORT, content=content, headers=NDJSON, params=query)


def breaking_once(monkeypatch: pytest.MonkeyPatch, *, at: int) -> list[int]:
    """Let the database be away the `at`-th time; returns how many people were put each time."""
    calls: list[int] = []
    put_all = SqlPersonStore.put_all

    async def put(self: SqlPersonStore, service: str, profiles: list[Profile]) -> "list[Written]":
        calls.append(len(profiles))
        if len(calls) == at:
            raise StoreUnavailableError("the database is away")
        return list(await put_all(self, service, profiles))

    monkeypatch.setattr(SqlPersonStore, "put_all", put)
    return calls


async def test_a_file_is_read_to_its_end_and_told_by_line(api: Api) -> None:
    content = lines(2_500) + b'{"user_id": "x", "locale": 7}\n' + b"no json\n" + lines(1)

    answer = (await send(api, content)).json()

    findings = answer.pop("findings")
    assert answer == {
        "lines_done": 2_503, "created": 2_500, "updated": 0, "unchanged": 1, "rejected": 2,
    }  # fmt: skip
    assert [(each["line"], each["pointer"]) for each in findings] == [
        (2_501, "/locale"),
        (2_502, ""),
    ]
    assert (await api.client.get("/api/v1/recipients/u-02500")).status_code == 200


async def test_an_import_that_was_broken_off_is_gone_on_with(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = breaking_once(monkeypatch, at=3)

    broken = await send(api, lines(2_500))
    done = broken.json()["lines_done"]
    rest = await send(api, lines(2_500), from_line=done + 1)

    assert (broken.status_code, done) == (503, 2_000)
    assert f"?from_line={done + 1}" in broken.json()["detail"]
    assert (rest.json()["created"], rest.json()["lines_done"]) == (500, 2_500)
    assert calls == [1_000, 1_000, 500, 500]


async def test_a_file_that_cannot_be_read_says_how_far_it_was(api: Api) -> None:
    answer = await send(api, lines(3) + b"x" * 70_000)

    assert answer.status_code == 422
    assert "longer than 64000 bytes" in answer.json()["detail"]
    assert (await send(api, b"", from_line=0)).status_code == 422
    json_body = await api.client.post(IMPORT, json={})
    assert json_body.status_code == 415
    assert (await send(api, b"")).json()["lines_done"] == 0


async def test_a_sheet_is_imported(api: Api) -> None:
    sheet = "user_id,email,attribute.plan\nu-1,Ada@example.org,pro\n"

    answer = await api.client.post(IMPORT, content=sheet, headers={"Content-Type": "text/csv"})

    assert answer.json()["created"] == 1
    person = (await api.client.get("/api/v1/recipients/u-1")).json()
    assert (person["attributes"], person["addresses"][0]["address"]) == (
        {"plan": "pro"},
        "Ada@example.org",
    )


@pytest.fixture
async def run(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    async def run(*line: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(app.run, ["recipients", *line])
        return (code, *capsys.readouterr())

    key = str(api.client.headers["Authorization"])
    async with listening(api.app) as (_, url):
        with capture_logs():
            monkeypatch.setenv("NOTIFIER_URL", url)
            monkeypatch.setenv("NOTIFIER_API_KEY", key.removeprefix("Bearer "))
            yield run


async def test_a_file_goes_on_by_itself_after_an_outage(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking_once(monkeypatch, at=2)
    monkeypatch.setattr(command, "_PART_RECORDS", 1_500)
    file = tmp_path / "people.ndjson"
    file.write_bytes(lines(2_000) + b"\n{}\n")

    code, printed, told = await run("import", str(file))

    assert (code, "line 2002: /user_id this field is required" in told) == (1, True)
    assert printed.splitlines() == [
        "Up to line 1500: 500 created, 0 updated, 1000 unchanged, 0 rejected.",
        "Up to line 2002: 1000 created, 0 updated, 1000 unchanged, 1 rejected.",
    ]


async def test_lines_of_a_sheet_are_those_of_the_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_PART_RECORDS", 2)
    file = tmp_path / "people.csv"
    file.write_text('user_id,"locale"\nu-1,de\n"u-2",\nu-3,de\nu-4,no locale\n')

    code, printed, told = await run("import", str(file), "--from-line", "3")

    assert (code, "line 5: /locale" in told) == (1, True)
    assert printed.splitlines()[-1] == (
        "Up to line 5: 2 created, 0 updated, 0 unchanged, 1 rejected."
    )


async def test_people_are_put_shown_merged_listed_and_deleted(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ada.json"
    file.write_text('{"attributes": {"plan": "pro"}, "locale": "de"}')

    assert await run("put", "a/1", str(file)) == (0, "There is a/1.\n", "")
    assert await run("put", "b", str(file)) == (0, "There is b.\n", "")
    assert json.loads((await run("show", "a/1"))[1])["locale"] == "de"
    assert await run("merge", "a/1", "b") == (0, "b is a/1.\n", "")
    assert json.loads((await run("show", "b"))[1])["user_id"] == "a/1"
    listed = json.loads((await run("list", "--attribute", "plan=pro", "--json"))[1])
    assert [each["user_id"] for each in listed] == ["a/1"]
    assert (await run("list", "--channel", "sms", "--json"))[1] == "[]\n"
    assert await run("delete", "b") == (0, "They are gone.\n", "")
    assert (await run("show", "a/1"))[0] == 1
    file.write_text("[]")
    assert "no JSON object" in (await run("put", "a", str(file)))[2]
    for content in (b"[" * 100_000, b"\xff", b"{"):
        file.write_bytes(content)
        assert await run("put", "a", str(file)) == (2, "", "notifier: that is no JSON\n")
    assert "No such file" in (await run("put", "a", str(tmp_path / "none.json")))[2]
    sheet = tmp_path / "people.csv"
    sheet.write_text("email\na@b.example\n")
    refused = (await run("import", str(sheet)))[2]
    assert "has to name the columns" in refused
    assert "go on with" not in refused
    assert "such as plan=pro" in (await run("list", "--attribute", "plan"))[2]


async def test_why_something_would_reach_somebody_is_explained(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ada.json"
    file.write_text('{"addresses": [{"channel": "email", "address": "ada@example.org"}]}')
    await run("put", "ada", str(file))

    code, printed, _ = await run("explain", "ada", "--channel", "email", "--category", "news")
    told = (await run("explain", "ada", "--channel", "email", "--json"))[1]

    assert code == 0
    assert printed.startswith("refuse: the service has declared no category news")
    assert json.loads(told)[0]["row"] == "addresses/email"
    assert (await run("explain", "bob", "--channel", "email"))[0] == 1
