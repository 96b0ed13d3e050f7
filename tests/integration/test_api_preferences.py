"""What people want: shown with what comes of it, changed, noted, and explained."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from notifier.audience.caps import CapUse
from notifier.audience.category import Span
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from tests.api import Api, serving
from tests.contract.store.stores import a_submission, utc

ADA = "/api/v1/recipients/u-7"
PREFERENCES = f"{ADA}/preferences"
NOON = "2026-07-01T12:00:00+02:00"
NIGHT = "2026-07-01T23:30:00+02:00"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "recipients", "templates"))
        await put(it, "categories/news", {"kind": "marketing", "titles": {"de": "Neues"}})
        codes = {"kind": "transactional", "can_switch_off": False}
        await put(it, "categories/codes", codes)
        await put(
            it,
            "recipients/u-7",
            {
                "locale": "de-AT",
                "time_zone": "Europe/Vienna",
                "addresses": [{"channel": "email", "address": "Ada@example.org"}],
            },
        )
        yield it


async def put(api: Api, path: str, body: Mapping[str, Any]) -> None:
    answer = await api.client.put(f"/api/v1/{path}", json=body)
    assert answer.status_code in (200, 201), answer.text


async def patched(api: Api, body: Mapping[str, Any], **headers: str) -> Any:
    answer = await api.client.patch(PREFERENCES, json=body, headers=headers)
    return answer.json() if answer.status_code == 200 else answer


async def accepted(api: Api) -> UUID:
    submission = a_submission()
    await api.stores.intake.insert([submission])
    return submission.id


async def explained(api: Api, **asked: object) -> Any:
    body = {"channel": "email", "category": "news", "at": NOON, **asked}
    answer = await api.client.post(f"{ADA}/explain", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_who_chose_nothing_has_what_the_service_declared(api: Api) -> None:
    shown = (await api.client.get(PREFERENCES)).json()

    assert shown["choices"] == {}
    assert shown["quiet_hours"] is None
    assert shown["time_zone"] == "Europe/Vienna"
    codes, news = shown["categories"]
    assert (news["key"], news["title"], news["can_switch_off"]) == ("news", "Neues", True)
    assert news["channels"]["email"] == {
        "is_on": True,
        "code": "category_default",
        "detail": "news is on by default for email",
        "row": "categories/news/defaults/email",
    }
    assert {each["code"] for each in codes["channels"].values()} == {"required"}


async def test_a_choice_counts_at_once_and_can_be_taken_back(api: Api) -> None:
    shown = await patched(api, {"choices": {"news": {"email": False}, "*": {"sms": False}}})

    assert shown["choices"] == {"news": {"email": False}, "*": {"sms": False}}
    news = shown["categories"][1]["channels"]
    assert {channel: each["is_on"] for channel, each in news.items()} == {
        "email": False,
        "sms": False,
        "in_app": True,
    }
    assert (news["email"]["row"], news["sms"]["row"]) == ("choices/news/email", "choices/*/sms")

    shown = await patched(api, {"choices": {"news": None, "*": {"sms": None}}})
    assert shown["choices"] == {}
    assert shown == (await api.client.get(PREFERENCES)).json()


async def test_quiet_hours_are_changed_only_where_they_are_named(api: Api) -> None:
    night = {"from": "22:00", "to": "07:00", "weekdays": ["mon", "wed"]}
    await put(api, "quiet-hours", {"quiet_hours": {"from": "12:00", "to": "13:00"}})

    assert (await patched(api, {"quiet_hours": night}))["quiet_hours"] == night
    assert (await patched(api, {"choices": {"news": {"*": False}}}))["quiet_hours"] == night
    shown = await patched(api, {"quiet_hours": None})
    assert shown["quiet_hours"] is None
    assert shown["service_quiet_hours"]["from"] == "12:00"


async def test_a_choice_that_cannot_be_made_is_refused_with_its_place(api: Api) -> None:
    answer = await patched(
        api, {"choices": {"codes": {"email": False}, "nothing": {"*": False, "sms": None}}}
    )

    assert answer.status_code == 422
    assert {each["pointer"]: each["detail"] for each in answer.json()["errors"]} == {
        "/choices/codes/email": "it cannot be switched off",
        "/choices/nothing/*": "the service has declared no such category",
    }
    assert (await api.client.get(PREFERENCES)).json()["choices"] == {}


async def test_who_comes_second_is_told_so(api: Api) -> None:
    etag = (await api.client.get(PREFERENCES)).headers["ETag"]

    first = await patched(api, {"choices": {"news": {"email": False}}}, **{"If-Match": etag})
    second = await patched(api, {"choices": {"news": {"email": True}}}, **{"If-Match": etag})

    assert second.status_code == 412
    assert first["etag"] in second.json()["detail"]


async def test_the_history_tells_each_change_the_newest_first(api: Api) -> None:
    await patched(api, {"choices": {"news": {"email": False}}})
    await patched(api, {"choices": {"news": {"email": False, "*": False}}})
    await patched(api, {"choices": {"news": {"email": None}}})

    first = (await api.client.get(f"{PREFERENCES}/history?limit=2")).json()
    rest = (await api.client.get(first["next"])).json()

    told = [
        (each["category"], each["channel"], each["is_on"], each["source"])
        for each in (*first["items"], *rest["items"])
    ]
    assert told == [
        ("news", "email", None, "api"),
        ("news", "*", False, "api"),
        ("news", "email", False, "api"),
    ]
    assert rest["next"] is None


async def test_nobody_is_nobody_and_another_s_people_are_nobody(api: Api) -> None:
    other = await api.headers("payments", "recipients")
    reader = await api.headers("orders", "read", "send", "templates")

    for path in (PREFERENCES, f"{PREFERENCES}/history"):
        assert (await api.client.get(path, headers=other)).status_code == 404
        assert (await api.client.get(path, headers=reader)).status_code == 403
    answer = await api.client.post(f"{ADA}/explain", json={"channel": "email"}, headers=other)
    assert answer.status_code == 404
    answer = await api.client.patch(PREFERENCES, json={}, headers=other)
    assert answer.status_code == 404


async def test_it_is_explained_which_row_decides_and_which_were_looked_at(api: Api) -> None:
    await patched(api, {"choices": {"*": {"*": False}}})

    told = await explained(api)

    assert (told["decision"], told["code"], told["row"]) == ("suppress", "choice", "choices/*/*")
    assert told["detail"] == "its recipient switched everything off for every channel"
    assert [(each["row"], each["says"]) for each in told["rows"]] == [
        ("addresses/email", "there is one"),
        ("suppressions/email", None),
        ("categories/news", "can be switched off"),
        ("choices/news/email", None),
        ("choices/news/*", None),
        ("choices/*/email", None),
        ("choices/*/*", "off"),
    ]
    assert (await explained(api, category="codes"))["decision"] == "send"


async def test_a_category_that_is_not_declared_is_told_by_its_name(api: Api) -> None:
    told = await explained(api, category="unheard-of")

    assert (told["category"], told["is_declared"]) == ("unheard-of", False)
    assert (told["decision"], told["code"]) == ("refuse", "no_category")
    assert told["rows"] == [{"row": "categories/unheard-of", "says": None}]
    assert "unheard-of" in told["detail"]


async def test_what_comes_in_quiet_hours_is_held_but_for_what_is_urgent(api: Api) -> None:
    await put(api, "quiet-hours", {"quiet_hours": {"from": "22:00", "to": "07:00"}})

    told = await explained(api, at=NIGHT)

    assert (told["decision"], told["row"]) == ("hold", "quiet_hours/service")
    assert told["until"] == "2026-07-02T05:00:00Z"
    assert (await explained(api, at=NIGHT, priority="high"))["decision"] == "send"
    assert (await explained(api, at=NIGHT, category="codes"))["decision"] == "send"
    assert (await explained(api))["decision"] == "send"


async def test_a_suppressed_address_and_a_missing_one_are_told(api: Api) -> None:
    await api.stores.suppressions.add(
        service="orders",
        channel=Channel.EMAIL,
        recipient="ada@example.org",
        reason=SuppressionReason.UNSUBSCRIBED,
    )

    told = await explained(api)
    assert (told["decision"], told["code"]) == ("suppress", "suppression")
    assert told["rows"][-1] == {"row": "suppressions/email", "says": "unsubscribed"}
    assert (await explained(api, category="codes"))["decision"] == "send"

    nowhere = await explained(api, channel="sms")
    assert (nowhere["decision"], nowhere["code"]) == ("refuse", "no_address")


async def test_a_cap_that_is_used_up_is_told_and_nothing_is_spent_by_asking(api: Api) -> None:
    await put(api, "categories/news", {"kind": "marketing", "cap": {"limit": 2, "per": "day"}})
    use = CapUse(
        service="orders",
        user_id="u-7",
        cap="news/email",
        slot=utc("2026-07-01T00:00+02:00"),
        limit=2,
        per=Span.DAY,
    )

    assert (await explained(api))["rows"][-1] == {"row": "caps/news/email", "says": "0 of 2"}
    await api.stores.caps.spend(use, await accepted(api))
    assert (await explained(api))["decision"] == "send"
    await api.stores.caps.spend(use, await accepted(api))
    told = await explained(api)
    assert (told["decision"], told["code"], told["row"]) == ("suppress", "cap", "caps/news/email")


async def test_a_template_stands_for_its_category(api: Api) -> None:
    draft = {
        "category": "news",
        "default_locale": "en",
        "schema": {"type": "object", "properties": {}},
        "parts": {"en": {"in_app": {"text": "News"}}},
    }
    await put(api, "templates/weekly/draft", draft)

    answer = await api.client.post(
        f"{ADA}/explain", json={"channel": "in_app", "template": "weekly"}
    )
    assert answer.status_code == 422
    assert (await api.client.post("/api/v1/templates/weekly/publish")).status_code == 200
    told = await explained(api, channel="in_app", category=None, template="weekly")
    assert (told["category"], told["row"]) == ("news", "categories/news/defaults/in_app")
    assert (await api.client.delete("/api/v1/categories/news")).status_code == 204
    told = await explained(api, channel="in_app", category=None, template="weekly")
    assert (told["category"], told["is_declared"]) == ("news", False)
    assert (told["decision"], told["row"]) == ("send", "categories/news")
    both = {"channel": "email", "template": "weekly", "category": "news"}
    assert (await api.client.post(f"{ADA}/explain", json=both)).status_code == 422
