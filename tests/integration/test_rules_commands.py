"""Rules as files, against an API that listens."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from structlog.testing import capture_logs

from notifier.commands import app
from tests.api import Api, listening, serving
from tests.integration.test_api_rules import RULE, publish_template

Done: TypeAlias = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Team:
    """A team that has a folder, a URL and a key."""

    api: Api
    folder: Path
    run: Callable[[str], Awaitable[Done]]

    def write(self, **changes: Any) -> None:
        """Write the rule into the folder, as an editor would."""
        self.folder.mkdir(exist_ok=True)
        text = json.dumps({**RULE, **changes})
        (self.folder / "shipped.json").write_text(text, encoding="utf-8")

    async def there(self) -> Any:
        """Return the server's draft."""
        return (await self.api.client.get("/api/v1/rules/shipped/draft")).json()


@pytest.fixture
async def team(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Team]:
    async with serving(tmp_path) as api, listening(api.app) as (_, url):
        headers = await api.headers("orders", "rules", "templates")
        api.client.headers.update(headers)
        monkeypatch.setenv("NOTIFIER_URL", url)
        monkeypatch.setenv("NOTIFIER_API_KEY", headers["Authorization"].removeprefix("Bearer "))
        monkeypatch.chdir(tmp_path)

        async def run(line: str) -> Done:
            capsys.readouterr()
            with capture_logs():
                code = await asyncio.to_thread(app.run, ["rules", *line.split()])
            return (code, *capsys.readouterr())

        yield Team(api, tmp_path / "rules", run)


async def test_rules_go_from_a_folder_to_a_server_and_in_force(team: Team) -> None:
    team.write()
    without = await team.run("push --publish")
    await publish_template(team.api)

    code, out, _ = await team.run("push --publish")
    again = await team.run("push --publish")

    assert without[0] == 1
    assert "shipped: /steps/0/template" in without[2]
    assert (code, out) == (0, "shipped: version 1 is in force\n")
    assert again == (0, "", "")
    assert "shipped\t1\t" in (await team.run("list"))[1]
    assert json.loads((await team.run("show shipped"))[1]) == RULE


async def test_nobodys_change_is_lost(team: Team) -> None:
    await publish_template(team.api)
    team.write()
    await team.run("push")
    path = "/api/v1/rules/shipped/draft"
    await team.api.client.put(path, json={**RULE, "when": "data.theirs"})
    team.write(when="data.mine")

    pushed, pulled = await team.run("push"), await team.run("pull")
    still = (await team.there())["rule"]["when"]
    forced = await team.run("push --force")

    assert (pushed[0], pulled[0], forced[0]) == (1, 1, 0)
    assert "pull first" in pushed[2]
    assert "another one on the server" in pulled[2]
    assert still == "data.theirs"
    assert (await team.there())["rule"]["when"] == "data.mine"


async def test_what_was_changed_only_there_is_pulled(team: Team) -> None:
    team.write()
    await team.run("push")
    await team.api.client.put("/api/v1/rules/shipped/draft", json={**RULE, "when": "data.new"})

    assert await team.run("pull") == (0, "shipped: written\n", "")

    assert json.loads((team.folder / "shipped.json").read_text())["when"] == "data.new"


async def test_a_folder_is_checked_without_a_server(team: Team) -> None:
    team.write(to="user.id")

    code, _, told = await team.run("check")

    assert code == 1
    assert "rules/shipped.json: /to there is no user" in told
    team.write()
    assert (await team.run("check"))[0] == 0
    (team.folder / "shipped.json").write_text("{")
    assert (await team.run("check"))[0] == 2


async def test_a_version_is_published_and_taken_back_by_command(team: Team) -> None:
    await publish_template(team.api)
    team.write()
    await team.run("push")

    published = await team.run("publish shipped")
    back = await team.run("rollback shipped 1")

    assert published == (0, "shipped: version 1 is in force\n", "")
    assert back == (0, "shipped: version 2 is in force, which says what 1 does\n", "")
    assert (await team.run("rollback shipped 9"))[0] == 1
    assert (await team.run("show nothing"))[0] == 2


async def test_what_an_event_would_come_to_is_told(team: Team) -> None:
    await publish_template(team.api)
    team.write()
    await team.run("push")
    event = team.folder.parent / "event.json"
    event.write_text(json.dumps({"data": {"user_id": "u-7", "order": "o-1"}}))

    code, out, _ = await team.run(f"dry-run shipped {event}")
    event.write_text("{")

    assert code == 0
    assert "u-7\tfailed" in out
    assert "there is no such recipient" in out
    assert (await team.run(f"dry-run shipped {event}"))[0] == 2


async def test_rules_are_listed_for_people_and_for_programs(team: Team) -> None:
    await publish_template(team.api)
    team.write()
    await team.run("push")

    heading, row = (await team.run("list"))[1].splitlines()
    (told,) = json.loads((await team.run("list --json"))[1])

    assert heading == "service\tname\tpublished\tupdated at"
    assert row.startswith("orders\tshipped\t\t")
    assert (told["service"], told["name"], told["published"]) == ("orders", "shipped", None)


async def test_what_an_event_would_come_to_is_told_to_programs_and_of_a_version(
    team: Team,
) -> None:
    await publish_template(team.api)
    team.write()
    await team.run("push --publish")
    event = team.folder.parent / "event.json"
    event.write_text(json.dumps({"data": {"user_id": "u-7", "order": "o-1"}}))

    (told,) = json.loads((await team.run(f"dry-run shipped {event} --version 1 --json"))[1])

    assert (told["person"], told["outcome"]) == ("u-7", "failed")
    assert set(told) == {"person", "outcome", "type", "send_at", "unless", "says", "reason"}
    assert (await team.run(f"dry-run shipped {event} --version 9"))[0] == 1
    assert (await team.run(f"dry-run nothing {event}"))[0] == 1


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("publish nothing", 1, "notifier: "),
        ("rollback nothing 1", 1, "notifier: "),
        ("rollback shipped one", 2, "rules rollback"),
        ("show nothing", 2, "there is no rule nothing"),
        ("check empty", 2, "empty: there are no rules"),
        ("check --only nothing", 2, "there is no rule nothing; there are shipped"),
        ("push --only nothing", 2, "there is no rule nothing; there are shipped"),
        ("pull --only nothing", 2, "there is no rule nothing"),
    ],
)
async def test_nonsense_is_refused_with_what_is_wrong(
    team: Team, line: str, code: int, told: str
) -> None:
    team.write()

    found, out, problem = await team.run(line)

    assert (found, out) == (code, "")
    assert told in problem
