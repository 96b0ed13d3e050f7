"""Templates as files, against an API that listens."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from structlog.testing import capture_logs

from notifier.audience.category import Category
from notifier.commands import app
from tests.api import Api, listening, serving
from tests.servers.processes import free_port

Done: TypeAlias = tuple[int, str, str]
OTP = {
    "template.json": json.dumps(
        {
            "category": "security",
            "schema": {
                "type": "object",
                "properties": {"code": {"type": "string"}},
                "required": ["code"],
            },
            "examples": [{"code": "123456"}],
        }
    ),
    "en/email.subject.txt": "Your code\n",
    "en/email.txt": "It is {{ code }}.\n",
    "en/sms.txt": "{{ code }} is your code\n",
}
WRONG = "It is {{ kode }}.\n"


@dataclass(frozen=True, slots=True)
class Team:
    """A team that has a folder, a URL and a key."""

    api: Api
    url: str
    folder: Path
    run: Callable[[str], Awaitable[Done]]

    def write(self, files: dict[str, str] = OTP, *, name: str = "otp") -> None:
        """Write a template into the folder, as an editor would."""
        for path, text in files.items():
            file = self.folder / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def read(self, path: str) -> str:
        """Read a file of the template."""
        return (self.folder / "otp" / path).read_text(encoding="utf-8")

    def every_file(self) -> dict[str, bytes]:
        """Read the whole folder."""
        files = (each for each in self.folder.rglob("*") if each.is_file())
        return {str(each.relative_to(self.folder)): each.read_bytes() for each in files}

    async def draft(self) -> dict[str, str]:
        """The draft's email on the server."""
        answer = await self.api.client.get("/api/v1/templates/otp/draft")
        parts: dict[str, str] = answer.json()["content"]["parts"]["en"]["email"]
        return parts

    async def colleague_writes(self, text: str) -> None:
        """Change the draft on the server."""
        path = "/api/v1/templates/otp/draft"
        content = (await self.api.client.get(path)).json()["content"]
        content["parts"]["en"]["email"]["text"] = text
        assert (await self.api.client.put(path, json=content)).status_code == 200

    async def versions(self) -> list[int]:
        """The versions that were published."""
        answer = await self.api.client.get("/api/v1/templates/otp/versions")
        return [each["version"] for each in answer.json()["items"]]


@asynccontextmanager
async def quiet() -> AsyncIterator[None]:
    """Keep the API's log out of what commands say."""
    with capture_logs():
        yield


@pytest.fixture
async def team(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Team]:
    monkeypatch.chdir(tmp_path)

    async def run(line: str) -> Done:
        code = await asyncio.to_thread(app.run, ["templates", *line.split()])
        out, err = capsys.readouterr()
        return code, out, err

    async with serving(tmp_path) as api, listening(api.app) as (_, url), quiet():
        headers = await api.headers("orders", "send", "read", "templates")
        api.client.headers.update(headers)
        monkeypatch.setenv("NOTIFIER_URL", url)
        monkeypatch.setenv("NOTIFIER_API_KEY", headers["Authorization"].removeprefix("Bearer "))
        yield Team(api, url, tmp_path / "templates", run)


async def test_a_folder_becomes_drafts_and_is_published_if_asked(team: Team) -> None:
    team.write()

    assert await team.run("push") == (0, "otp: draft written\n", "")
    assert await team.versions() == []
    assert await team.run("push --publish") == (
        0,
        "otp: version 1 published\n",
        "",
    )
    assert await team.versions() == [1]


async def test_what_is_published_already_becomes_no_version_again(team: Team) -> None:
    team.write()
    await team.run("push --publish")

    assert await team.run("push --publish") == (0, "", "")
    assert await team.versions() == [1]


async def test_what_was_pulled_and_pushed_is_unchanged(team: Team) -> None:
    team.write()
    await team.run("push")
    before = team.every_file()
    draft = (await team.api.client.get("/api/v1/templates/otp/draft")).json()["etag"]

    assert (await team.run("pull elsewhere"))[0] == 0
    assert (await team.run("push elsewhere"))[0] == 0
    assert await team.run("diff elsewhere") == (0, "", "")
    assert await team.run("pull") == (0, "", "")

    assert team.every_file() == before
    assert (await team.api.client.get("/api/v1/templates/otp/draft")).json()["etag"] == draft


async def test_what_a_colleague_changed_on_the_server_is_not_overwritten_unasked(
    team: Team,
) -> None:
    team.write()
    await team.run("push")
    await team.colleague_writes("By a colleague: {{ code }}.")
    team.write({"en/email.txt": "By me: {{ code }}.\n"})

    code, _, problem = await team.run("push")
    assert (code, "pull first, or --force" in problem) == (1, True)
    assert (await team.draft())["text"] == "By a colleague: {{ code }}."

    assert (await team.run("push --force"))[0] == 0
    assert (await team.draft())["text"] == "By me: {{ code }}."


async def test_a_change_between_the_look_and_the_write_is_not_overwritten(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    from notifier.commands.syncing import Server  # noqa: PLC0415

    team.write()
    await team.run("push")
    team.write({"en/email.txt": "By me: {{ code }}.\n"})
    loop, look = asyncio.get_running_loop(), Server.draft

    def late(server: Server, name: str) -> object:
        found = look(server, name)
        change = team.colleague_writes("By a colleague: {{ code }}.")
        asyncio.run_coroutine_threadsafe(change, loop).result()
        return found

    monkeypatch.setattr(Server, "draft", late)

    code, _, problem = await team.run("push")
    assert (code, "If-Match" in problem) == (1, True)
    assert (await team.draft())["text"] == "By a colleague: {{ code }}."


async def test_a_clone_without_memory_pushes_over_what_it_is_told_to_expect(team: Team) -> None:
    team.write()
    await team.run("push")
    team.folder.rename(team.folder.parent / "before")
    team.write({**OTP, "en/email.txt": "Changed: {{ code }}.\n"})

    assert (await team.run("push"))[0] == 1
    assert (await team.run("push --expect before"))[0] == 0
    assert (await team.draft())["text"] == "Changed: {{ code }}."


async def test_what_was_changed_in_the_folder_is_not_overwritten_unasked(team: Team) -> None:
    team.write()
    await team.run("push")
    team.write({"en/email.txt": "Mine: {{ code }}.\n"})

    assert await team.run("pull") == (0, "otp: changed here, left alone\n", "")
    assert team.read("en/email.txt") == "Mine: {{ code }}.\n"

    await team.colleague_writes("Theirs: {{ code }}.")
    code, _, problem = await team.run("pull")
    assert (code, "changed here and on the server" in problem) == (1, True)
    assert team.read("en/email.txt") == "Mine: {{ code }}.\n"

    assert (await team.run("pull --force"))[0] == 0
    assert team.read("en/email.txt") == "Theirs: {{ code }}.\n"


async def test_a_folder_that_is_no_template_any_more_is_not_overwritten_unasked(
    team: Team,
) -> None:
    team.write()
    await team.run("push")
    team.write({"template.json": "{half written"})

    assert await team.run("pull") == (0, "otp: changed here, left alone\n", "")
    assert team.read("template.json") == "{half written"


async def test_parts_that_are_gone_on_the_server_go_in_the_folder(team: Team) -> None:
    team.write()
    team.write({"README.md": "Ours"})
    await team.run("push")
    path = "/api/v1/templates/otp/draft"
    content = (await team.api.client.get(path)).json()["content"]
    del content["parts"]["en"]["sms"]
    await team.api.client.put(path, json=content)

    assert (await team.run("pull"))[0] == 0
    assert not (team.folder / "otp/en/sms.txt").exists()
    assert team.read("README.md") == "Ours"


async def test_a_difference_is_shown_from_the_server_to_the_folder(team: Team) -> None:
    team.write()
    await team.run("push")
    team.write({"en/email.txt": "Changed: {{ code }}.\n"})
    team.write(name="welcome")

    code, shown, _ = await team.run("diff --only otp")
    assert code == 1
    assert shown.splitlines() == [
        f"--- {team.url}/otp/en/email.txt",
        "+++ templates/otp/en/email.txt",
        "@@ -1 +1 @@",
        "-It is {{ code }}.",
        "+Changed: {{ code }}.",
    ]
    assert "+++ templates/welcome/en/sms.txt" in (await team.run("diff"))[1]


async def test_an_error_is_told_with_its_place_and_not_published(team: Team) -> None:
    team.write({**OTP, "en/email.txt": "Hello,\n{{ code\n"})
    team.write(name="welcome")

    code, said, _ = await team.run("push --publish")

    assert code == 1
    assert "templates/otp/en/email.txt:2:" in said
    assert " error syntax " in said
    assert "otp: version" not in said
    assert "welcome: version 1 published" in said


async def test_a_check_needs_no_server_and_finds_what_the_server_finds(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.write({**OTP, "en/email.txt": WRONG})
    _, said, _ = await team.run("push")
    monkeypatch.delenv("NOTIFIER_API_KEY")
    monkeypatch.setenv("NOTIFIER_URL", f"http://127.0.0.1:{free_port()}")

    code, found, _ = await team.run("check")

    assert code == 1
    assert said == "otp: draft written\n" + found
    assert "templates/otp/en/email.txt:1:10: error variable-unknown kode is not" in found


async def test_a_check_knows_what_people_can_switch_off_from_what_was_pulled(team: Team) -> None:
    described = {**json.loads(OTP["template.json"]), "category": "news"}
    team.write({**OTP, "template.json": json.dumps(described)})
    assert (await team.run("check"))[0] == 0
    await team.api.stores.categories.set(Category(service="orders", key="news"))
    security = Category(service="orders", key="security", can_switch_off=False)
    await team.api.stores.categories.set(security)
    await team.api.stores.categories.set(Category(service="payments", key="otp"))

    said = (await team.run("pull"))[1]
    code, found, _ = await team.run("check")

    assert "categories.json: written" in said
    assert "categories.json" not in (await team.run("pull"))[1]
    assert json.loads((team.folder / "categories.json").read_text()) == {"switchable": ["news"]}
    assert (code, " error unsubscribe " in found) == (1, True), found
    (team.folder / "categories.json").write_text("[1]")
    code, _, problem = await team.run("check")
    assert (code, "as pull writes it" in problem) == (2, True), problem


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"en/email.subjct.txt": "x"}, "otp/en/email.subjct.txt:1:1: error file-unknown"),
        ({"template.json": '{"default_locale": 7}'}, "file-shape /default_locale: "),
        ({"template.json": '{"layuot": "x"}'}, "file-shape /layuot: unknown field"),
        ({"template.json": '{"category": "x",\n}'}, "template.json:2:1: error file-json"),
    ],
)
async def test_files_that_make_no_template_are_told_of_and_not_pushed(
    team: Team, files: dict[str, str], told: str
) -> None:
    team.write({**OTP, **files})

    for command in ("check", "push"):
        code, said, _ = await team.run(command)
        assert (code, told in said) == (1, True), said


async def test_a_file_that_is_not_utf_8_is_told_of(team: Team) -> None:
    team.write()
    (team.folder / "otp/en/sms.txt").write_bytes(b"ok\n\xff\n")

    code, said, _ = await team.run("check")

    assert (code, "otp/en/sms.txt:2:1: error file-encoding" in said) == (1, True)


async def test_refusals_say_what_to_do(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.write()
    key = (await team.api.headers("orders", "read"))["Authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("NOTIFIER_API_KEY", key)
    code, _, problem = await team.run("push")
    assert (code, "403" in problem, "templates" in problem) == (1, True, True)

    monkeypatch.setenv("NOTIFIER_API_KEY", "ntf_none")
    code, _, problem = await team.run("pull")
    assert (code, "NOTIFIER_API_KEY (401)" in problem) == (1, True)
    assert "ntf_none" not in problem

    code, _, problem = await team.run(f"pull --url http://127.0.0.1:{free_port()}")
    assert (code, "does not answer" in problem, "NOTIFIER_URL" in problem) == (1, True, True)

    code, _, problem = await team.run(f"pull --url {team.url}/docs/none")
    assert (code, "is this notifier's API?" in problem) == (1, True)

    monkeypatch.delenv("NOTIFIER_API_KEY")
    code, _, problem = await team.run("pull")
    assert (code, "NOTIFIER_API_KEY: is not set" in problem) == (2, True)


async def test_a_draft_that_the_api_refuses_is_told_with_pointers(team: Team) -> None:
    deep: dict[str, object] = {}
    for _ in range(120):
        deep = {"a": deep}
    team.write({**OTP, "template.json": json.dumps({"schema": deep})})

    code, said, problem = await team.run("push")

    assert code == 1
    assert "deep" in said + problem


async def test_a_template_of_no_such_name_is_refused_with_those_that_there_are(
    team: Team,
) -> None:
    team.write()

    assert await team.run("check --only opt") == (
        2,
        "",
        "notifier: there is no template opt; there are otp\n",
    )


async def test_ready_made_templates_are_installed_and_published(team: Team) -> None:
    code, said, problem = await team.run("install --publish")

    assert (code, problem) == (0, "")
    assert [line for line in said.splitlines() if line.startswith("otp")] == [
        "otp: draft written",
        "otp: version 1 published",
    ]
    listed = (await team.api.client.get("/api/v1/templates")).json()["items"]
    assert len(listed) == 8
    assert {each["published"] for each in listed} == {1}
    assert " warning " not in said
    assert await team.run("install --publish") == (0, "", "")


async def test_a_template_of_ones_own_is_not_taken_for_the_ready_made_one(team: Team) -> None:
    team.write()
    await team.run("push")

    code, said, problem = await team.run("install")

    assert (code, problem) == (1, "otp: there is another one; --force overwrites it\n")
    assert "welcome: draft written" in said
    assert (await team.draft())["text"] == "It is {{ code }}."


async def test_ready_made_templates_are_written_into_a_folder(team: Team) -> None:
    team.write()

    code, said, problem = await team.run("install --folder templates --only otp --only welcome")
    assert said.split() == ["mail:", "written", "welcome:", "written"]
    assert (code, problem) == (1, "otp: there is another one; --force overwrites it\n")
    assert team.read("en/email.txt") == OTP["en/email.txt"]

    assert (await team.run("install --folder templates --force"))[0] == 0
    assert await team.run("check") == (0, "", "")
    assert (await team.run("push"))[0] == 0
    assert await team.run("diff") == (0, "", "")


async def test_the_brand_goes_along_with_the_folder(team: Team) -> None:
    team.write({**OTP, "en/email.txt": "{{ brand.name }}: {{ code }}, {{ brand.support_email }}\n"})
    brand = team.folder / "brand.json"
    brand.write_text('{"name": "Evently", "support_email": "help@example.com"}', encoding="utf-8")

    assert (await team.run("check"))[0] == 0
    assert "brand.json" in (await team.run("diff"))[1]
    code, said, _ = await team.run("push --force")
    assert (code, said.splitlines()[0][:16]) == (0, "brand.json: said")
    assert await team.run("diff") == (0, "", "")
    assert await team.run("push") == (0, "", "")
    there = (await team.api.client.get("/api/v1/brand")).json()
    assert (there["name"], there["support_email"]) == ("Evently", "help@example.com")

    await team.api.client.put("/api/v1/brand", json={"name": "By a colleague"})
    brand.write_text('{"name": "By me"}', encoding="utf-8")
    assert "pull first, or --force" in (await team.run("push"))[2]
    assert "changed here and on the server" in (await team.run("pull"))[2]
    assert (await team.run("pull --force"))[0] == 0
    assert json.loads(brand.read_text(encoding="utf-8"))["name"] == "By a colleague"


async def test_a_brand_that_is_none_is_told_of(team: Team) -> None:
    team.write()
    brand = team.folder / "brand.json"
    for text, told in (("{", "file-json"), ('{"color": "red"}', "file-shape /color: ")):
        brand.write_text(text, encoding="utf-8")
        for command in ("check", "push"):
            code, said, _ = await team.run(command)
            assert (code, f"templates/brand.json:1:1: error {told}" in said) == (1, True)
        assert (await team.run("pull"))[0] == 1
        assert brand.read_text(encoding="utf-8") == text


async def test_a_brand_without_a_memory_is_pushed_over_what_is_expected(team: Team) -> None:
    team.write()
    await team.api.client.put("/api/v1/brand", json={"name": "Before"})
    await team.run("push --force")
    await team.run("pull before")
    (team.folder / "brand.json").write_text('{"name": "After"}', encoding="utf-8")

    assert (await team.run("push"))[0] == 1
    assert (await team.run("push --expect before"))[0] == 0
    assert (await team.api.client.get("/api/v1/brand")).json()["name"] == "After"


FOOTER = {
    "template.json": '{"partial": true}',
    "en/email.txt": "Sent by {{ brand.name }}.\n",
}
TAKES_IN = {**OTP, "en/email.txt": "It is {{ code }}.\n{% include 'zz-footer' %}\n"}


async def test_what_others_take_in_is_published_before_them(team: Team) -> None:
    team.write(TAKES_IN)
    team.write(FOOTER, name="zz-footer")

    assert (await team.run("check"))[0] == 0
    code, said, _ = await team.run("push --publish")

    assert code == 0, said
    assert [line for line in said.splitlines() if "published" in line] == [
        "zz-footer: version 1 published",
        "otp: version 1 published",
    ]
    assert await team.run("push --publish") == (0, "", "")


async def test_a_draft_is_looked_at_once_what_it_takes_in_is_published(team: Team) -> None:
    team.write(TAKES_IN)
    team.write(FOOTER, name="zz-footer")

    assert await team.run("push") == (
        0,
        """zz-footer: draft written
otp: draft written
otp: looked at by the server once zz-footer is published
""",
        "",
    )
    assert (await team.run("push --publish --only zz-footer"))[0] == 0
    assert await team.run("push") == (0, "", "")


async def test_what_takes_in_a_new_partial_is_published_again(team: Team) -> None:
    team.write(TAKES_IN)
    team.write(FOOTER, name="zz-footer")
    team.write(name="welcome")
    await team.run("push --publish")
    team.write({"en/email.txt": "Yours, {{ brand.name }}.\n"}, name="zz-footer")

    code, said, _ = await team.run("push --publish")

    assert (code, said.splitlines()) == (
        0,
        [
            "zz-footer: draft written",
            "zz-footer: version 2 published",
            "otp: version 2 published",
        ],
    )


async def test_an_error_in_what_is_taken_in_names_its_own_file(team: Team) -> None:
    team.write(TAKES_IN)
    team.write({**FOOTER, "en/email.txt": "Sent by\n{{ code|date }}.\n"}, name="zz-footer")

    code, said, _ = await team.run("check --only otp")

    assert code == 1
    assert "templates/zz-footer/en/email.txt:2:" in said


async def test_partials_that_take_in_each_other_are_told_of(team: Team) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        text = f"{{% include '{other}' %}}\n"
        team.write({"template.json": '{"partial": true}', "en/email.txt": text}, name=name)

    for command in ("check", "push --publish"):
        code, said, _ = await team.run(command)
        assert (code, "error include" in said) == (1, True)
