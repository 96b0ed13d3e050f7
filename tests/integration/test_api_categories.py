"""What services declare for their people: categories, and quiet hours."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from structlog.testing import capture_logs

from notifier.commands import app
from tests.api import Api, listening, serving

Run: TypeAlias = Callable[[str], Awaitable[tuple[int, str, str]]]

CATEGORIES = "/api/v1/categories"
HOURS = "/api/v1/quiet-hours"
NEWS = {
    "titles": {"en": "News", "de": "Neuigkeiten"},
    "kind": "marketing",
    "defaults": {"sms": False},
    "cap": {"limit": 3, "per": "week"},
}
NIGHT = {"from": "22:00", "to": "07:00"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "templates", "read"))
        yield it


async def refused(api: Api, path: str, body: object) -> dict[str | None, str]:
    answer = await api.client.put(path, json=body)
    assert answer.status_code == 422, answer.text
    return {each.get("pointer"): each["detail"] for each in answer.json()["errors"]}


async def test_a_category_is_shown_as_it_was_declared(api: Api) -> None:
    stored = (await api.client.put(f"{CATEGORIES}/news", json=NEWS)).json()

    assert stored == {
        "service": "orders",
        "key": "news",
        "titles": {"en": "News", "de": "Neuigkeiten"},
        "kind": "marketing",
        "can_switch_off": True,
        "defaults": {"email": True, "sms": False, "in_app": True},
        "cap": {"limit": 3, "per": "week"},
        "etag": stored["etag"],
        "updated_at": stored["updated_at"],
    }
    assert (await api.client.get(CATEGORIES)).json() == {"items": [stored], "next": None}


async def test_pages_of_categories_go_on(api: Api) -> None:
    for key in ("a", "b", "c"):
        await api.client.put(f"{CATEGORIES}/{key}", json={"kind": "subscribed"})

    first = (await api.client.get(f"{CATEGORIES}?limit=2")).json()
    rest = (await api.client.get(first["next"])).json()

    assert [each["key"] for each in (*first["items"], *rest["items"])] == ["a", "b", "c"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"can_switch_off": False}, "", "people can always switch off what is marketing"),
        ({"kind": "urgent"}, "/kind", "expected one of transactional, subscribed, marketing"),
        ({"defaults": {"fax": True}}, "/defaults/fax", "expected one of email, sms, in_app"),
        ({"titles": {"d\u00e9": "News"}}, "/titles/d\u00e9", "expected a language's tag"),
        ({"titles": {"de": "a\nb"}}, "/titles/de", "line breaks are not allowed"),
        ({"cap": {"limit": 0, "per": "day"}}, "/cap/limit", "expected 1 or more"),
    ],
)
async def test_what_cannot_be_declared_is_refused_with_its_place(
    api: Api, changes: dict[str, Any], pointer: str, words: str
) -> None:
    errors = await refused(api, f"{CATEGORIES}/news", {**NEWS, **changes})

    assert words in errors[pointer]


async def test_what_nobody_may_miss_is_on_and_has_no_cap(api: Api) -> None:
    codes = {"kind": "transactional", "can_switch_off": False}

    assert (await api.client.put(f"{CATEGORIES}/codes", json=codes)).status_code == 200
    off = await refused(api, f"{CATEGORIES}/codes", {**codes, "defaults": {"sms": False}})
    assert off == {"": "what cannot be switched off is on everywhere, and has no cap"}


async def test_a_key_is_plain(api: Api) -> None:
    errors = await refused(api, f"{CATEGORIES}/News", NEWS)

    assert "expected a key such as news.weekly" in next(iter(errors.values()))


async def test_a_service_has_its_own_and_only_who_owns_templates_changes_them(api: Api) -> None:
    await api.client.put(f"{CATEGORIES}/news", json=NEWS)
    reader = await api.headers("orders", "read", "send", "recipients")
    other = await api.headers("payments", "templates", "read")

    putting = await api.client.put(f"{CATEGORIES}/x", headers=reader, json=NEWS)
    removing = await api.client.delete(f"{CATEGORIES}/news", headers=reader)
    assert (putting.status_code, removing.status_code) == (403, 403)
    assert (await api.client.get(CATEGORIES, headers=reader)).json()["items"] != []
    assert (await api.client.get(CATEGORIES, headers=other)).json()["items"] == []
    answer = await api.client.delete(f"{CATEGORIES}/news", headers=other)
    assert answer.status_code == 404
    assert (await api.client.delete(f"{CATEGORIES}/news")).status_code == 204
    assert (await api.client.delete(f"{CATEGORIES}/news")).status_code == 404


async def test_quiet_hours_are_set_shown_and_taken_back(api: Api) -> None:
    every_day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert (await api.client.get(HOURS)).json() == {"service": "orders", "quiet_hours": None}

    answer = await api.client.put(HOURS, json={"quiet_hours": NIGHT})

    expected = {"service": "orders", "quiet_hours": {**NIGHT, "weekdays": every_day}}
    assert answer.json() == (await api.client.get(HOURS)).json() == expected
    answer = await api.client.put(HOURS, json={"quiet_hours": None})
    assert answer.json()["quiet_hours"] is None


@pytest.mark.parametrize(
    ("hours", "pointer", "words"),
    [
        ({"from": "22:00", "to": "22:00"}, "/quiet_hours", "never end"),
        ({"from": "24:00", "to": "07:00"}, "/quiet_hours/from", "expected a time from 00:00"),
        ({**NIGHT, "weekdays": ["monday"]}, "/quiet_hours/weekdays/0", "expected one of mon, tue"),
        ({**NIGHT, "weekdays": []}, "/quiet_hours/weekdays", "expected 1 item or more"),
    ],
)
async def test_quiet_hours_that_cannot_be_are_refused(
    api: Api, hours: dict[str, Any], pointer: str, words: str
) -> None:
    errors = await refused(api, HOURS, {"quiet_hours": hours})

    assert words in errors[pointer]


@pytest.fixture
async def run(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    async def run(line: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(app.run, ["categories", *line.split()])
        return (code, *capsys.readouterr())

    key = str(api.client.headers["Authorization"])
    async with listening(api.app) as (_, url):
        with capture_logs():
            monkeypatch.setenv("NOTIFIER_URL", url)
            monkeypatch.setenv("NOTIFIER_API_KEY", key.removeprefix("Bearer "))
            yield run


async def test_categories_are_set_listed_and_removed_from_the_command_line(run: Run) -> None:
    news = "set news --kind marketing --title en=News --off-by-default sms --cap 3/week"
    assert await run(news) == (0, "There is news.\n", "")
    assert (await run("set codes --kind transactional --required"))[0] == 0

    codes, listed = json.loads((await run("list --json"))[1])

    assert listed == {
        "service": "orders",
        "key": "news",
        "kind": "marketing",
        "can_switch_off": True,
        "titles": ["en=News"],
        "off_by_default": ["sms"],
        "cap": "3/week",
    }
    assert (codes["can_switch_off"], codes["cap"]) == (False, None)
    assert await run("remove codes") == (0, "It is gone.\n", "")
    assert (await run("remove codes"))[0] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--title News", "such as de=Neues"),
        ("--cap three/week", "such as 3/week"),
        ("--cap 3/year", "/cap/per expected one of hour, day, week"),
        ("--required", "people can always switch off what is marketing"),
    ],
)
async def test_what_cannot_be_declared_is_told(run: Run, options: str, words: str) -> None:
    code, _, told = await run(f"set news --kind marketing {options}")

    assert code != 0
    assert words in " ".join(told.split())
