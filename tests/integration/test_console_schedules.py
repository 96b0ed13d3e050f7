"""Schedules in the console: listed, added, changed, paused, sent by hand, deleted."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from uuid_utils import compat

from notifier.audience.topic import Member
from notifier.audit import AuditFilter, AuditOutcome, Via
from notifier.content.library import TemplateDraft
from notifier.content.template import Content
from notifier.notification.model import Channel
from notifier.notification.reading import NotificationFilter
from notifier.schedules.schedule import StoredSchedule
from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of
from tests.people import a_profile, an_address

SCHEDULES = "/console/schedules"
NEW = f"{SCHEDULES}/new"
FILLED: Mapping[str, Any] = {
    "name": "Weekly digest",
    "every": "week",
    "on": ["mon", "thu"],
    "at": "09:30",
    "zone": "Europe/Vienna",
    "template": "news",
    "to_kind": "user_id",
    "to": "u-7",
    "type": "",
    "variables": '{"issue": 7}',
    "priority": "bulk",
    "catch_up": "last",
    "catch_up_within": "60",
}

WRONG: Sequence[tuple[Mapping[str, Any], str, str]] = (
    ({"name": " "}, "name", "this is needed"),
    ({"name": "x" * 201}, "name", "at most 200 characters"),
    ({"template": "nothing"}, "template", "no template"),
    ({"template": ""}, "template", "this is needed"),
    ({"to": ""}, "to", "this is needed"),
    ({"to": "u-8"}, "to", ""),
    ({"to_kind": "topic", "to": "nothing"}, "to", "no such topic"),
    ({"to_kind": "recipient", "to": "nobody"}, "to", ""),
    ({"to_kind": "everybody"}, "to", "expected one of"),
    ({"type": "fax"}, "type", "offered"),
    ({"type": "sms"}, "template", "sms"),
    ({"every": "year"}, "every", "expected day or week"),
    ({"every": ""}, "every", "expected"),
    ({"on": []}, "on", "at least one day"),
    ({"on": ["someday"]}, "on", "expected some of"),
    ({"at": "25:00"}, "at", "such as 09:30"),
    ({"every": "cron", "cron": "30 9 * *"}, "cron", "expected five fields"),
    ({"zone": "Europe/Wien"}, "zone", "Europe/Vienna"),
    ({"zone": "recipient", "to_kind": "recipient", "to": "a@example.org"}, "zone", "clocks"),
    ({"variables": "[1]"}, "variables", "JSON object"),
    ({"variables": "{"}, "variables", "JSON object"),
    ({"variables": '{"issue": "x"}'}, "variables", "issue"),
    ({"variables": ""}, "variables", "issue"),
    ({"starts_at": "soon"}, "starts_at", "a date and a time"),
    ({"starts_at": "2030-01-02T00:00", "ends_at": "2030-01-01T00:00"}, "ends_at", "after"),
    ({"ends_at": "2020-01-01T00:00"}, "every", "never comes"),
    ({"skip_dates": "Christmas"}, "skip_dates", "2027-12-24"),
    ({"catch_up": "some"}, "catch_up", "offered"),
    ({"catch_up_within": "an hour"}, "catch_up_within", "minutes"),
    ({"catch_up_within": "9999"}, "catch_up_within", "86400"),
    ({"priority": "highest"}, "priority", "offered"),
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        content = Content(
            category="newsletter",
            default_locale="en",
            parts={"en": {Channel.EMAIL: {"subject": "News", "text": "Issue {{ issue }}."}}},
            schema={
                "type": "object",
                "properties": {"issue": {"type": "integer"}},
                "required": ["issue"],
            },
        )
        draft = await it.stores.templates.save(
            service="orders", name="news", content=content, if_match=None
        )
        assert isinstance(draft, TemplateDraft)
        await it.stores.templates.publish(draft=draft, compiled=content, id=compat.uuid7())
        ada = a_profile("u-7", an_address("ada@example.org"), time_zone="Asia/Tokyo")
        await it.stores.people.put_all("orders", [ada])
        yield it


@pytest.fixture
async def client(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "schedules")


async def add(client: httpx2.AsyncClient, **changes: Any) -> str:
    """Add one; returns the path of its page."""
    answer = await post(client, NEW, {**FILLED, **changes})
    assert answer.status_code == 303, text_of(answer)
    return str(answer.headers["location"]).partition("?")[0]


async def stored(api: Api, path: str) -> StoredSchedule:
    found = await api.services.scheduling.schedules.get(UUID(path.rpartition("/")[2]), service=None)
    assert isinstance(found, StoredSchedule)
    return found


def filled_in(html: str) -> dict[str, Any]:
    """The fields of the form on a page, as a browser would post them."""
    fields: dict[str, Any] = {"on": []}
    for tag in re.findall(r"<input [^>]*>", html):
        given = {name: unescape(value) for name, value in re.findall(r'([a-z-]+)="([^"]*)"', tag)}
        is_choice = given.get("type") in ("radio", "checkbox")
        if "name" not in given or (is_choice and " checked" not in tag):
            continue
        if given.get("type") == "checkbox":
            fields["on"].append(given["value"])
        else:
            fields[given["name"]] = given.get("value", "")
    for name, text in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', html):
        fields[name] = unescape(text)
    for name, inner in re.findall(
        r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', html, re.DOTALL
    ):
        chosen = re.search(r'value="([^"]*)" selected', inner)
        fields[name] = chosen[1] if chosen else ""
    return fields


async def test_what_is_filled_in_becomes_a_schedule(api: Api, client: httpx2.AsyncClient) -> None:
    path = await add(client, skip_dates="2026-12-24\r\n2026-12-25", starts_at="2026-07-01T00:00")

    page = await client.get(f"{path}?done=added")
    listed = await client.get(SCHEDULES)

    made = await stored(api, path)
    assert made.service == "orders"
    assert made.variables == {"issue": 7}
    assert made.timing.starts_at is not None
    assert made.timing.starts_at.isoformat() == "2026-06-30T22:00:00+00:00"
    words = text_of(page)
    for expected in (
        "The schedule was added.",
        "Every Monday and Thursday at 09:30, Europe/Vienna",
        "user u-7 Email",
        "Never on 2026-12-24, 2026-12-25",
        "Not before Wed 2026-07-01 00:00 +02:00",
        '{"issue": 7}',
        "It has not been due yet.",
    ):
        assert expected in words
    assert (
        len(re.findall(r"<li>(?:Mon|Thu) \d{4}-\d\d-\d\d 09:30 \+0[12]:00</li>", page.text)) == 10
    )
    assert "Weekly digest Email news to user u-7 Every Monday" in text_of(listed)


async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    api: Api, client: httpx2.AsyncClient
) -> None:
    for changes, field, words in WRONG:
        filled = {**FILLED, **changes}
        answer = await post(client, NEW, filled)

        assert answer.status_code == 422, changes
        assert words in flaws_in(answer).get(field, ""), changes
        assert f'<a href="#{field}">' in answer.text, changes
        again = filled_in(answer.text)
        assert again["name"] == filled["name"].strip()
        assert again["variables"] == filled["variables"]

    assert await api.services.scheduling.schedules.list(service=None, limit=9, after=None) == []


async def test_all_that_cannot_be_read_is_told_at_once(client: httpx2.AsyncClient) -> None:
    answer = await post(client, NEW, {"every": "day"})

    assert {*flaws_in(answer)} == {
        "name", "template", "to", "at", "zone", "catch_up_within",
    }  # fmt: skip


async def test_a_name_is_taken_once(client: httpx2.AsyncClient) -> None:
    await add(client)

    answer = await post(client, NEW, FILLED)

    assert flaws_in(answer) == {"name": "another schedule has this name"}


async def test_the_form_of_one_holds_what_it_is_and_saving_it_changes_nothing(
    api: Api, client: httpx2.AsyncClient
) -> None:
    path = await add(
        client,
        every="cron",
        cron="*/5 8-18 * * 1-5",
        starts_at="2026-01-02T03:04",
        ends_at="2036-10-25T02:30",
        skip_dates="2026-12-24",
        catch_up="all",
        catch_up_within="1.5",
        type="email",
    )
    before = await stored(api, path)

    form = await client.get(f"{path}/change")
    answer = await client.post(f"{path}/change", data={**filled_in(form.text), "do": "save"})

    assert answer.headers["location"] == f"{path}?done=changed"
    after = await stored(api, path)
    assert after.etag == before.etag
    assert after.progress == before.progress
    assert after.catch_up_within_s == 90


async def test_a_change_that_somebody_else_was_faster_with_is_not_lost_unseen(
    api: Api, client: httpx2.AsyncClient
) -> None:
    path = await add(client)
    mine = filled_in((await client.get(f"{path}/change")).text)
    await client.post(f"{path}/change", data={**mine, "name": "Theirs"})

    refused = await client.post(f"{path}/change", data={**mine, "name": "Mine"})
    assert refused.status_code == 422
    assert "Somebody else changed it" in refused.text
    assert (await stored(api, path)).name == "Theirs"

    again = await client.post(f"{path}/change", data=filled_in(refused.text))
    assert again.status_code == 303
    assert (await stored(api, path)).name == "Mine"


async def test_a_look_at_what_is_filled_in_needs_no_more_than_when(
    client: httpx2.AsyncClient,
) -> None:
    look, script = f"{SCHEDULES}/preview", {"HX_Request": "true"}
    fields = {"every": "cron", "cron": "30 2 * * *", "zone": "Europe/Vienna",
              "starts_at": "2027-03-27T00:00"}  # fmt: skip

    whole = await post(client, look, fields, **script)
    missing = await post(client, look, {**fields, "cron": ""}, **script)
    never = await post(client, look, {**fields, "ends_at": "2027-03-27T01:00"}, **script)

    times = re.findall(r"<li>(.*?)</li>", whole.text)
    assert times[:3] == [
        "Sat 2027-03-27 02:30 +01:00", "Sun 2027-03-28 03:00 +02:00", "Mon 2027-03-29 02:30 +02:00",
    ]  # fmt: skip
    assert len(times) == 10
    assert not whole.text.lstrip().startswith("<!doctype")
    assert "expected five fields" in missing.text
    assert "It never comes." in never.text


async def test_by_the_recipients_clock_times_are_shown_as_they_see_them(
    client: httpx2.AsyncClient,
) -> None:
    path = await add(client, every="day", zone="recipient")

    page = await client.get(path)

    assert "09:30 +09:00" in page.text


async def test_by_the_clocks_of_many_times_are_in_utc_and_say_so(
    api: Api, client: httpx2.AsyncClient
) -> None:
    await api.stores.topics.set(service="orders", key="news", title="News")
    people = [a_profile("u-9", an_address("nine@example.org"), time_zone="Europe/Vienna")]
    await api.stores.people.put_all("orders", people)
    members = [Member(user_id=each) for each in ("u-7", "u-9")]
    await api.stores.topics.add("orders", "news", members)
    path = await add(client, every="day", zone="recipient", to_kind="topic", to="news")

    page = await client.get(path)

    assert "In UTC: at each of these times it comes for some of them." in text_of(page)
    assert len(re.findall(r"<li>\w{3} [-\d]{10} (?:00:30|0[78]:30) UTC</li>", page.text)) == 10


async def test_without_scripts_a_button_shows_when_it_comes(client: httpx2.AsyncClient) -> None:
    path = await add(client)

    for form in (NEW, f"{path}/change"):
        answer = await post(client, form, {**FILLED, "at": "11:45", "do": "preview"})
        assert answer.status_code == 200
        assert flaws_in(answer) == {}
        assert len(re.findall(r"<li>(?:Mon|Thu) \d{4}-\d\d-\d\d 11:45", answer.text)) == 10


async def test_one_is_paused_and_goes_on_from_where_the_button_was(
    api: Api, client: httpx2.AsyncClient
) -> None:
    path = await add(client)

    paused = await post(client, f"{path}/pause", {"from": "list"})
    listed = await client.get(paused.headers["location"])
    assert (await stored(api, path)).paused_at is not None
    resumed = await post(client, f"{path}/resume", {})

    assert "It is paused" in listed.text
    assert 'aria-label="Resume Weekly digest"' in listed.text
    assert resumed.headers["location"] == f"{path}?done=resumed"
    assert (await stored(api, path)).paused_at is None


async def test_running_by_hand_is_asked_for_and_done_once_however_often_it_is_pressed(
    api: Api, client: httpx2.AsyncClient
) -> None:
    path = await add(client)
    asked = await client.get(f"{path}/run")
    assert "user u-7" in text_of(asked)

    answers = [await client.post(f"{path}/run", data=filled_in(asked.text)) for _ in range(2)]

    assert {each.headers["location"] for each in answers} == {f"{path}?done=ran"}
    page = await client.get(path)
    assert text_of(page).count("run by hand fired notification") == 1
    assert await api.services.queries.count(NotificationFilter(), service="orders") == 1


async def test_what_cannot_be_run_by_hand_says_why(api: Api, client: httpx2.AsyncClient) -> None:
    path = await add(client)
    await api.services.people.delete("orders", "u-7", if_match=None)

    answer = await post(client, f"{path}/run", {"at": "2027-01-01T00:00:00+00:00"})

    assert answer.status_code == 422
    assert "Nothing was sent. " in text_of(answer)


async def test_one_is_deleted_after_a_question(client: httpx2.AsyncClient) -> None:
    path = await add(client)

    asked = await client.get(f"{path}/delete")
    assert "Delete “Weekly digest”?" in text_of(asked)
    assert (await client.get(path)).status_code == 200
    answer = await post(client, f"{path}/delete", {})

    assert answer.headers["location"] == f"{SCHEDULES}?done=removed"
    assert (await client.get(path)).status_code == 404
    assert "No schedules yet" in (await client.get(SCHEDULES)).text


async def test_what_is_changed_is_noted_with_the_sessions_key(
    api: Api, client: httpx2.AsyncClient
) -> None:
    path = await add(client)
    await post(client, f"{path}/pause", {"from": "list"})

    paused, added, _signed_in = await api.stores.audit.list(
        AuditFilter(via=Via.CONSOLE), limit=9, after=None
    )
    assert (added.act.action, added.act.service) == ("POST /console/schedules/new", "orders")
    assert paused.act.target == f"{path}/pause"
    assert paused.outcome is AuditOutcome.DONE


async def test_another_services_schedules_are_not_there(
    api: Api, client: httpx2.AsyncClient
) -> None:
    path = await add(client)
    other = await signed_in(api, "schedules", service="shop")

    assert "Weekly digest" not in (await other.get(SCHEDULES)).text
    for each in (path, f"{path}/change", f"{path}/delete", f"{path}/run"):
        assert (await other.get(each)).status_code == 404
    for each in ("change", "delete", "run", "pause", "resume"):
        answer = await post(other, f"{path}/{each}", {**FILLED, "at": "2027-01-01T00:00:00Z"})
        assert answer.status_code == 404, each
    assert (await stored(api, path)).paused_at is None


async def test_an_admin_sees_all_and_says_whose_a_new_one_is(
    api: Api, client: httpx2.AsyncClient
) -> None:
    await add(client)
    admin = await signed_in(api, "admin", service="operations")

    form = await admin.get(NEW)
    path = await add(admin, name="Theirs", service="orders")
    wrong = await post(admin, NEW, {**FILLED, "service": "x" * 300})
    foreign = await post(client, NEW, {**FILLED, "name": "Foreign", "service": "shop"})

    assert 'name="service" value="operations"' in form.text
    assert (await stored(api, path)).service == "orders"
    assert "· orders" in text_of(await admin.get(SCHEDULES))
    assert [*flaws_in(wrong)] == ["service"]
    assert foreign.status_code == 403


async def test_a_key_for_broadcasts_opens_no_schedules(api: Api) -> None:
    client = await signed_in(api, "broadcasts")

    answer = await client.get(SCHEDULES)

    assert answer.status_code == 403
    assert "It needs the scope 'schedules'." in text_of(answer)
    assert f'href="{SCHEDULES}"' not in answer.text


@pytest.mark.parametrize(
    "path", ["?after=x", f"/{UUID(int=0)}", "/{id}?runs_after=x", "/{id}?runs_after=2027-01-01"]
)
async def test_places_that_are_none_are_not_found(client: httpx2.AsyncClient, path: str) -> None:
    known = (await add(client)).rpartition("/")[2]

    answer = await client.get(f"{SCHEDULES}{path.format(id=known)}")

    assert answer.status_code == 404
