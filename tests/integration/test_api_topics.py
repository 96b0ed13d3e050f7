"""Topics over HTTP and from the command line: members with an answer for each."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from structlog.testing import capture_logs

from notifier.commands import app
from tests.api import Api, listening, serving

TOPICS = "/api/v1/topics"
MEMBERS = f"{TOPICS}/news/members"
Run: TypeAlias = Callable[[str], Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "recipients"))
        await it.client.put(f"{TOPICS}/news", json={"title": "News"})
        yield it


async def add(api: Api, *members: Any) -> Any:
    answer = await api.client.put(MEMBERS, json={"members": list(members)})
    return answer.json()


async def test_a_topic_is_set_shown_listed_and_removed(api: Api) -> None:
    answer = await api.client.put(f"{TOPICS}/fair", json={"title": "The fair"})
    topic = answer.json()

    assert topic == {
        "service": "orders",
        "key": "fair",
        "title": "The fair",
        "updated_at": topic["updated_at"],
    }
    assert (await api.client.get(f"{TOPICS}/fair")).json() == {**topic, "members": 0}
    page = (await api.client.get(TOPICS, params={"limit": 1})).json()
    assert page["items"] == [topic]
    rest = (await api.client.get(page["next"])).json()
    assert [each["key"] for each in rest["items"]] == ["news"]
    assert (await api.client.delete(f"{TOPICS}/fair")).status_code == 204
    assert (await api.client.get(f"{TOPICS}/fair")).status_code == 404


async def test_each_member_has_an_answer_and_a_bad_one_spoils_no_other(api: Api) -> None:
    await add(api, {"user_id": "u1"})

    answer = await add(
        api, {"user_id": "u1", "properties": {"seat": 7}}, {"user_id": ""}, {"user_id": "u2"}, 3,
        {"user_id": "u2"},
    )  # fmt: skip

    told = [(each["user_id"], each["status"]) for each in answer["items"]]
    assert told == [
        ("u1", "updated"), ("", "rejected"), ("u2", "added"), (None, "rejected"),
        ("u2", "rejected"),
    ]  # fmt: skip
    assert [answer["added"], answer["updated"], answer["rejected"]] == [1, 1, 3]
    assert answer["items"][4]["errors"][0]["pointer"] == "/members/4/user_id"
    assert (await api.client.get(MEMBERS)).json()["items"] == [
        {"user_id": "u1", "properties": {"seat": 7}},
        {"user_id": "u2", "properties": {}},
    ]


async def test_members_come_page_by_page_and_go_with_an_answer_for_each(api: Api) -> None:
    await add(api, *({"user_id": f"u {index}"} for index in range(3)))

    page = (await api.client.get(MEMBERS, params={"limit": 2})).json()
    rest = (await api.client.get(page["next"])).json()
    gone = await api.client.request("DELETE", MEMBERS, json={"user_ids": ["u 1", "u 9"]})

    assert [each["user_id"] for each in page["items"] + rest["items"]] == ["u 0", "u 1", "u 2"]
    assert rest["next"] is None
    assert gone.json() == {
        "removed": 1,
        "items": [
            {"user_id": "u 1", "status": "removed"},
            {"user_id": "u 9", "status": "no_member"},
        ],
    }


@pytest.mark.parametrize(
    "members",
    [
        [],
        [{"user_id": "u"}] * 1_001,
        [{"user_id": "a\nb"}],
        [{"user_id": "u", "properties": {"x": "y" * 2_000}}],
    ],
)
async def test_members_that_cannot_be_are_refused(api: Api, members: list[object]) -> None:
    answer = await api.client.put(MEMBERS, json={"members": members})

    assert answer.status_code == 422
    assert (await api.client.get(MEMBERS)).json()["items"] == []


async def test_a_key_without_the_scope_or_of_another_service_changes_nothing(api: Api) -> None:
    body = {"members": [{"user_id": "u1"}]}
    sender = await api.headers("orders", "send", "read")
    other = await api.headers("payments", "recipients")

    assert (await api.client.put(MEMBERS, json=body, headers=sender)).status_code == 403
    assert (await api.client.put(MEMBERS, json=body, headers=other)).status_code == 404
    wrong = await api.client.put(f"{TOPICS}/No Key", json={"title": "T"})
    assert (wrong.status_code, (await api.client.get(MEMBERS)).json()["items"]) == (422, [])


@pytest.fixture
async def run(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    async def run(line: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(app.run, ["topics", *line.split()])
        return (code, *capsys.readouterr())

    key = str(api.client.headers["Authorization"])
    async with listening(api.app) as (_, url):
        with capture_logs():
            monkeypatch.setenv("NOTIFIER_URL", url)
            monkeypatch.setenv("NOTIFIER_API_KEY", key.removeprefix("Bearer "))
            yield run


async def test_a_file_of_members_is_imported_and_takes_the_place_of_others(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "members.ndjson"
    people = [f"u{index:04}" for index in range(1_500)]
    file.write_text("\n".join(json.dumps({"user_id": each}) for each in people))
    sheet = tmp_path / "members.csv"
    sheet.write_text("user_id,name\nu0001,Ada\nu0002,\n")

    assert await run("add news old u0001") == (0, "2 added, 0 there already.\n", "")
    assert (await run(f"import news {file}"))[1] == "1499 added, 1 there already.\n"
    assert (await run(f"import news {sheet} --replace"))[1] == (
        "0 added, 2 there already.\n1499 removed.\n"
    )

    listed = await run("members news --json")
    assert [each["user_id"] for each in json.loads(listed[1])] == ["u0001", "u0002"]
    assert json.loads(json.loads(listed[1])[0]["properties"]) == {"name": "Ada"}


async def test_a_bad_line_is_named_and_nobody_is_removed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "members.ndjson"
    file.write_text('{"user_id": "u1"}\n\n{"user": "u2"}\n')
    await run("add news old")

    code, _, told = await run(f"import news {file} --replace")

    assert (code, "1 added; line 3: " in told) == (1, True)
    assert len(json.loads((await run("members news --json"))[1])) == 2
    file.write_text("user_id\n")
    assert "line 1 of the file is no JSON" in (await run(f"import news {file}"))[2]
    file.write_text('{"user_id": "u1"}')
    assert (await run(f"import nowhere {file}"))[0] == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("members.csv", b"user_id\nu\xff\n", "expected CSV in UTF-8"),
        ("members.csv", b"user_id\n" + b"x" * 200_000, "expected CSV in UTF-8"),
        ("members.ndjson", b'{"user_id": "\xff"}', "expected NDJSON in UTF-8"),
        ("members.ndjson", b"[" * 100_000, "line 1 of the file is no JSON"),
        ("members.ndjson", b"\n", "names nobody"),
        ("members.csv", b"user_id\n", "names nobody"),
    ],
)
async def test_a_file_that_is_none_is_told_of_and_nobody_is_removed(
    run: Run, tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(content)
    await run("add news old")

    code, _, problem = await run(f"import news {tmp_path / name} --replace")

    assert (code, told in problem, "Traceback" in problem) == (2, True, False), problem
    assert len(json.loads((await run("members news --json"))[1])) == 1


async def test_topics_are_set_listed_and_removed_from_the_command_line(run: Run) -> None:
    assert await run("set fair Fair") == (0, "There is fair.\n", "")
    await run("add fair u1 u2")
    assert await run("drop fair u1 u9") == (0, "1 removed.\n", "")
    assert "\tfair\tFair\t" in (await run("list"))[1]
    assert await run("remove fair") == (0, "It is gone.\n", "")
    assert (await run("remove fair"))[0] == 1
    assert (await run("members fair"))[0] == 1
