"""`notifier schedules`, against an API that listens."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from notifier.commands import app
from tests.api import listening, serving
from tests.integration.test_api_schedules import content, publish
from tests.people import a_profile, an_address

Done: TypeAlias = tuple[int, str, str]
Run: TypeAlias = Callable[[str], Awaitable[Done]]

ADD = "add Reminder reminder --zone Europe/Vienna --user u-7 --variable issue:=7"


@pytest.fixture
async def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    """Return what runs a command of schedules: its exit code, stdout and stderr."""
    async with serving(tmp_path) as api, listening(api.app) as (_, url):
        headers = await api.headers("orders", "send", "schedules")
        monkeypatch.setenv("NOTIFIER_URL", url)
        monkeypatch.setenv("NOTIFIER_API_KEY", headers["Authorization"].removeprefix("Bearer "))
        await publish(api, "reminder", content())
        await api.stores.people.put_all("orders", [a_profile("u-7", an_address())])

        async def command(line: str) -> Done:
            capsys.readouterr()
            with capture_logs():
                code = await asyncio.to_thread(app.run, ["schedules", *shlex.split(line)])
            return (code, *capsys.readouterr())

        yield command


async def test_a_schedule_is_added_shown_and_listed(run: Run) -> None:
    code, id, _ = await run(f"{ADD} --at 09:30 --on mon --skip-date 2027-12-20 --catch-up none")

    shown = json.loads((await run(f"show {id}"))[1])
    listed = (await run("list"))[1].splitlines()
    (row,) = json.loads((await run("list --json"))[1])

    assert code == 0
    assert shown["when"] == {"every": "week", "on": ["mon"], "at": "09:30"}
    assert (shown["to"]["user_id"], shown["variables"]) == ("u-7", {"issue": 7})
    assert (shown["skip_dates"], shown["catch_up"]) == (["2027-12-20"], "none")
    assert listed[0] == "id\tservice\tname\texplained\tto\ttemplate\tnext at\tpaused at"
    assert listed[1].startswith(f"{id.strip()}\torders\tReminder\t")
    assert (row["id"], row["to"], row["template"]) == (id.strip(), "u-7 (email)", "reminder")


async def test_the_next_slots_are_told_in_words_and_by_the_clock(run: Run) -> None:
    _, id, _ = await run(f"{ADD} --cron '30 9 * * 1'")

    code, out, _ = await run(f"next {id.strip()} --count 3")

    words, *slots = out.splitlines()
    assert code == 0
    assert "Monday" in words
    assert len(slots) == 3
    assert {slot[11:16] for slot in slots} <= {"07:30", "08:30", "09:30"}
    assert (await run(f"next {id.strip()} --count 0"))[0] == 1


async def test_what_is_said_is_changed_and_the_rest_stays(run: Run) -> None:
    _, id, _ = await run(f"{ADD} --at 09:30")

    changed = await run(f"change {id.strip()} --name Later --at 10:00 --priority normal")
    shown = json.loads((await run(f"show {id}"))[1])
    nothing = await run(f"change {id.strip()}")

    assert changed == (0, "It is changed.\n", "")
    assert (shown["name"], shown["when"]["at"], shown["priority"]) == ("Later", "10:00", "normal")
    assert shown["zone"] == "Europe/Vienna"
    assert nothing[0] == 2
    assert "say what to change" in nothing[2]


async def test_it_is_paused_resumed_run_and_removed(run: Run) -> None:
    _, id, _ = await run(f"{ADD} --at 09:30")
    id = id.strip()

    paused = await run(f"pause {id}")
    resumed = await run(f"resume {id}")
    ran = await run(f"run-now {id}")
    (told,) = json.loads((await run(f"runs {id} --json"))[1])
    listed = (await run(f"runs {id}"))[1].splitlines()

    assert paused == (0, "It is paused.\n", "")
    assert (resumed[0], resumed[1][:18]) == (0, "It is due next at ")
    assert ran == (0, f"{told['notification_id']}\n", "")
    assert (told["kind"], told["outcome"], told["broadcast_id"]) == ("manual", "fired", None)
    assert listed[0] == "slot\tzone\tkind\toutcome\tnotification id\tbroadcast id\treason"
    assert len(listed) == 2
    assert await run(f"delete {id}") == (0, "It is gone.\n", "")
    assert (await run(f"show {id}"))[0] == 1
    assert (await run("list --json"))[1] == "[]\n"


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        (ADD, 2, "say when"),
        (f"{ADD} --cron '* * * * *' --at 09:30", 2, "say when"),
        (f"{ADD} --cron '99 * * * *'", 1, "/when"),
        (f"{ADD} --at 25:00", 1, "/when"),
        (f"{ADD} --at 09:30 --recipient ada@example.com", 1, "/to"),
        (f"{ADD} --at 09:30 --starts-at tomorrow", 1, "/starts_at"),
        (ADD.replace("Europe/Vienna", "Vienna") + " --at 09:30", 1, "/zone"),
        (ADD.replace(" reminder", " nothing") + " --at 09:30", 1, "/template"),
        (ADD.replace("u-7", "u-8") + " --at 09:30", 1, "/to/user_id"),
    ],
)
async def test_nonsense_is_refused_with_what_is_wrong(
    run: Run, line: str, code: int, told: str
) -> None:
    found, out, problem = await run(line)

    assert (found, out) == (code, "")
    assert told in problem


@pytest.mark.parametrize("order", ["show", "next", "runs", "pause", "resume", "run-now", "delete"])
async def test_what_there_is_not_is_told_so(run: Run, order: str) -> None:
    for id in (str(uuid4()), "nonsense"):
        code, out, problem = await run(f"{order} {id}")

        assert (code, out) == (1, "")
        assert problem.startswith("notifier: ")
