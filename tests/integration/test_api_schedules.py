"""Schedules over HTTP: added, fired, changed, stopped."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from uuid_utils import compat

from notifier.audience.topic import Member
from notifier.broadcasts.broadcast import StoredBroadcast, Whom
from notifier.content.library import TemplateDraft
from notifier.content.template import Content
from notifier.notification.model import Channel, Lane, Notification, Status
from notifier.notification.reading import NotificationFilter
from notifier.schedules.firing import FiringPace
from tests.api import Api, serving
from tests.people import a_profile, an_address
from tests.scheduling import expand, fire, relay_at

SCHEDULES = "/api/v1/schedules"
VIENNA = ZoneInfo("Europe/Vienna")
DAILY: dict[str, Any] = {
    "name": "Reminder",
    "when": {"every": "day", "at": "09:30"},
    "zone": "Europe/Vienna",
    "to": {"user_id": "u-7"},
    "template": "reminder",
    "variables": {"issue": 7},
}
DAY = timedelta(days=1)
MOMENT = timedelta(seconds=20)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        scopes = ("send", "read", "templates", "recipients", "broadcasts", "schedules")
        it.client.headers.update(await it.headers("orders", *scopes))
        await publish(it, "reminder", content())
        await it.stores.people.put_all("orders", [a_profile("u-7", an_address())])
        yield it


def content(*channels: Channel) -> Content:
    parts = {Channel.EMAIL: {"subject": "News", "text": "Issue {{ issue }}."}}
    others = {each: {"text": "Issue {{ issue }}."} for each in channels}
    return Content(
        category="newsletter",
        default_locale="en",
        parts={"en": {**parts, **others}},
        schema={
            "type": "object",
            "properties": {"issue": {"type": "integer"}},
            "required": ["issue"],
        },
    )


async def publish(api: Api, name: str, what: Content) -> None:
    draft = await api.stores.templates.save(
        service="orders", name=name, content=what, if_match=None
    )
    assert isinstance(draft, TemplateDraft)
    await api.stores.templates.publish(draft=draft, compiled=what, id=compat.uuid7())


async def add(api: Api, **changes: Any) -> str:
    answer = await api.client.post(SCHEDULES, json={**DAILY, **changes})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{SCHEDULES}/{answer.json()['id']}"
    return str(answer.json()["id"])


async def shown(api: Api, id: str) -> Any:
    answer = await api.client.get(f"{SCHEDULES}/{id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def due(api: Api, id: str) -> datetime:
    return datetime.fromisoformat((await shown(api, id))["next_at"])


async def runs(api: Api, id: str) -> Sequence[Any]:
    answer = await api.client.get(f"{SCHEDULES}/{id}/runs")
    assert answer.status_code == 200, answer.text
    found: Sequence[Any] = answer.json()["items"]
    return found


async def outcomes(api: Api, id: str) -> Sequence[str]:
    return [each["outcome"] for each in await runs(api, id)]


async def notifications(api: Api) -> Sequence[Notification]:
    page = await api.stores.queries.list(
        NotificationFilter(), service="orders", limit=100, after=None
    )
    return [await api.stores.get(each.id) for each in page.items]


async def test_a_daily_schedule_makes_one_notification_a_slot(api: Api) -> None:
    id = await add(api)
    first = await due(api, id)

    await fire(api, first - MOMENT)
    assert not await notifications(api)
    await fire(api, first + MOMENT)
    await fire(api, first + MOMENT)

    [sent] = await notifications(api)
    assert (sent.recipient, sent.variables, sent.lane) == (
        "ada@example.org",
        {"issue": 7},
        Lane.BULK,
    )
    assert (sent.service, sent.status) == ("orders", Status.PENDING)
    [run] = await runs(api, id)
    assert (run["outcome"], run["kind"], run["notification_id"]) == (
        "fired",
        "scheduled",
        str(sent.id),
    )
    assert datetime.fromisoformat(run["slot"]) == first
    assert first.astimezone(VIENNA).strftime("%H:%M") == "09:30"
    assert (await due(api, id)).astimezone(VIENNA).date() == first.astimezone(VIENNA).date() + DAY


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"when": {"cron": "61 9 * * *"}}, "/when/cron"),
        ({"when": {"cron": "0 30 9 * * 1"}}, "/when/cron"),
        ({"when": {"cron": "*/90 * * * *"}}, "/when/cron"),
        ({"when": {"every": "week", "at": "09:30"}}, "/when/on"),
        ({"when": {"every": "day", "at": "9:30"}}, "/when/at"),
        ({"when": {}}, "/when"),
        ({"zone": "Vienna"}, "/zone"),
        ({"zone": "recipient", "to": {"recipient": "ada@example.org"}}, "/zone"),
        ({"to": {"user_id": "u-9"}}, "/to/user_id"),
        ({"to": {"user_id": "u-7", "topic": "news"}}, "/to"),
        ({"to": {"recipient": "ada"}}, "/to/recipient"),
        ({"to": {"topic": "nothing"}}, "/to/topic"),
        ({"to": {"user_id": "u-7", "type": "sms"}}, "/to/user_id"),
        ({"template": "nothing"}, "/template"),
        ({"variables": {}}, "/variables/issue"),
        ({"ends_at": "2027-01-01T00:00:00Z", "starts_at": "2027-02-01T00:00:00Z"}, "/ends_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/when"),
        ({"skip_dates": ["24.12.2027"]}, "/skip_dates/0"),
        ({"skip_dates": ["20271224"]}, "/skip_dates/0"),
        ({"skip_dates": ["2027-W51-5"]}, "/skip_dates/0"),
        ({"skip_dates": ["2027-02-30"]}, "/skip_dates/0"),
        ({"catch_up": "some"}, "/catch_up"),
        ({"catch_up_within_s": 86_401}, "/catch_up_within_s"),
        ({"name": "two\nlines"}, "/name"),
        ({"starts_at": "0001-01-01T00:00:00Z", "name": ""}, "/name"),
    ],
)
async def test_what_is_wrong_with_a_schedule_is_said_at_its_place(
    api: Api, changes: dict[str, Any], pointer: str
) -> None:
    answer = await api.client.post(SCHEDULES, json={**DAILY, **changes})

    assert answer.status_code == 422, answer.text
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]


async def test_the_channel_is_to_be_said_where_a_template_has_several(api: Api) -> None:
    await publish(api, "both", content(Channel.IN_APP))

    answer = await api.client.post(SCHEDULES, json={**DAILY, "template": "both"})
    assert answer.json()["errors"] == [
        {
            "pointer": "/to/type",
            "detail": "say which of the template's channels is meant: email, in_app",
        }
    ]
    await add(api, template="both", to={"user_id": "u-7", "type": "in_app"})


async def test_a_name_is_one_schedules(api: Api) -> None:
    first = await add(api)
    other = await add(api, name="Other")

    again = await api.client.post(SCHEDULES, json=DAILY)
    renamed = await api.client.patch(f"{SCHEDULES}/{other}", json={"name": "Reminder"})
    for answer in (again, renamed):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/name"
    listed = (await api.client.get(SCHEDULES)).json()["items"]
    assert [each["id"] for each in listed] == [other, first]


async def test_the_same_request_adds_one_schedule(api: Api) -> None:
    key = {"Idempotency-Key": "reminder"}
    answers = [await api.client.post(SCHEDULES, json=DAILY, headers=key) for _ in range(2)]

    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]


async def test_a_schedule_is_shown_as_it_was_said_and_in_words(api: Api) -> None:
    said = {
        **DAILY,
        "when": {"every": "week", "on": ["mon", "fri"], "at": "09:30"},
        "to": {"user_id": "u-7", "type": "email"},
        "skip_dates": ["2027-12-24"],
        "starts_at": "2027-01-31T17:00:00Z",
        "ends_at": None,
        "priority": "normal",
        "catch_up": "all",
        "catch_up_within_s": 60,
    }
    id = await add(api, **said)

    found = await shown(api, id)
    assert {name: found[name] for name in said} == said
    assert found["explained"] == "Every Monday and Friday at 09:30, Europe/Vienna"
    assert (found["service"], found["next_at"]) == ("orders", "2027-02-01T08:30:00Z")
    upcoming = (await api.client.get(f"{SCHEDULES}/{id}/next?count=2")).json()["items"]
    assert upcoming == ["2027-02-01T09:30:00+01:00", "2027-02-05T09:30:00+01:00"]


async def test_only_its_service_and_operators_know_of_a_schedule(api: Api) -> None:
    id = await add(api)
    stranger = await api.headers("billing", "schedules")
    operator = await api.headers("operators", "admin")
    reader = await api.headers("orders", "read")

    for verb, path in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/run-now")):
        asked = f"{SCHEDULES}/{id}{path}"
        assert (await api.client.request(verb, asked, headers=stranger)).status_code == 404
        assert (await api.client.request(verb, asked, headers=reader)).status_code == 403
    assert (await api.client.get(SCHEDULES, headers=stranger)).json()["items"] == []
    assert (await api.client.get(f"{SCHEDULES}/{id}", headers=operator)).status_code == 200


async def test_a_change_of_words_leaves_what_is_due_and_one_of_times_counts_from_now(
    api: Api,
) -> None:
    id = await add(api)
    first = await due(api, id)
    patch = {"variables": {"issue": 8}, "skip_dates": None}
    changed = await api.client.patch(f"{SCHEDULES}/{id}", json=patch)
    assert (changed.status_code, changed.json()["next_at"]) == (200, first.isoformat()[:-6] + "Z")
    await fire(api, first + MOMENT)

    assert [each.variables for each in await notifications(api)] == [{"issue": 8}]
    again = await api.client.patch(f"{SCHEDULES}/{id}", json={"when": {"cron": "0 8 1 * *"}})
    found = datetime.fromisoformat(again.json()["next_at"])
    assert (found.astimezone(VIENNA).day, found.astimezone(VIENNA).hour) == (1, 8)
    assert again.json()["when"] == {"cron": "0 8 1 * *"}


async def test_nobodys_change_is_overwritten_unasked(api: Api) -> None:
    id = await add(api)
    etag = (await api.client.get(f"{SCHEDULES}/{id}")).headers["ETag"]
    first = await api.client.patch(
        f"{SCHEDULES}/{id}", json={"name": "First"}, headers={"If-Match": etag}
    )
    second = await api.client.patch(
        f"{SCHEDULES}/{id}", json={"name": "Second"}, headers={"If-Match": etag}
    )

    any_one = await api.client.patch(
        f"{SCHEDULES}/{id}", json={"priority": "normal"}, headers={"If-Match": "*"}
    )

    assert (first.status_code, second.status_code, any_one.status_code) == (200, 412, 200)
    assert (await shown(api, id))["name"] == "First"


async def test_what_was_due_while_it_was_paused_is_not_made_up_for(api: Api) -> None:
    id = await add(api)
    first = await due(api, id)
    paused = await api.client.post(f"{SCHEDULES}/{id}/pause")
    assert paused.json()["next_at"] is None
    assert paused.json()["paused_at"]
    await fire(api, first + MOMENT)
    assert not await notifications(api)

    api.clock.days_on = 3
    resumed = await api.client.post(f"{SCHEDULES}/{id}/resume")
    api.clock.days_on = 0
    later = datetime.fromisoformat(resumed.json()["next_at"])
    await fire(api, later - MOMENT)
    assert later >= first + 3 * DAY
    assert await runs(api, id) == []
    await fire(api, later + MOMENT)
    assert len(await notifications(api)) == 1


async def test_what_is_run_by_hand_leaves_its_own_slots_alone(api: Api) -> None:
    id = await add(api)
    first = await due(api, id)
    key = {"Idempotency-Key": "now"}
    answers = [await api.client.post(f"{SCHEDULES}/{id}/run-now", headers=key) for _ in range(2)]

    assert [each.status_code for each in answers] == [202, 202]
    [sent] = await notifications(api)
    assert {each.json()["notification_id"] for each in answers} == {str(sent.id)}
    [run] = await runs(api, id)
    assert (run["kind"], run["outcome"]) == ("manual", "fired")
    assert await due(api, id) == first
    await fire(api, first + MOMENT)
    assert [each["kind"] for each in await runs(api, id)] == ["scheduled", "manual"]


async def test_what_cannot_be_run_by_hand_is_refused(api: Api) -> None:
    id = await add(api)
    await api.stores.people.delete("orders", "u-7", if_match=None)

    answer = await api.client.post(f"{SCHEDULES}/{id}/run-now")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/to/user_id"
    assert await runs(api, id) == []


async def test_a_slot_of_which_nothing_can_be_made_has_failed_and_the_next_is_tried(
    api: Api,
) -> None:
    id = await add(api)
    other = await add(api, name="Other", to={"recipient": "eve@example.org", "type": "email"})
    first = await due(api, id)
    await api.stores.people.delete("orders", "u-7", if_match=None)
    await fire(api, first + MOMENT)

    [run] = await runs(api, id)
    assert (run["outcome"], run["notification_id"]) == ("failed", None)
    assert run["reason"].startswith("to.user_id: there is no such recipient")
    assert await outcomes(api, other) == ["fired"]
    await api.stores.people.put_all("orders", [a_profile("u-7", an_address())])
    await fire(api, await due(api, id) + MOMENT)
    assert await outcomes(api, id) == ["fired", "failed"]


async def test_after_two_weeks_the_last_slot_fires_and_the_others_are_skipped(api: Api) -> None:
    id = await add(api, catch_up_within_s=7_200)
    none = await add(api, name="None", catch_up="none", catch_up_within_s=7_200)
    late = await add(api, name="Late", catch_up_within_s=3_599)
    first = await due(api, id)
    stopped_for = first + 14 * DAY + timedelta(hours=1)
    await fire(api, stopped_for)

    outcomes = {
        each: [run["outcome"] for run in await runs(api, each)] for each in (id, none, late)
    }
    assert outcomes == {
        id: ["fired", *["skipped"] * 14],
        none: ["skipped"] * 15,
        late: ["skipped"] * 15,
    }
    [sent] = await notifications(api)
    assert (await runs(api, id))[0]["notification_id"] == str(sent.id)
    assert {run["reason"] for run in await runs(api, none)} == {"its time was over"}
    assert await due(api, id) > stopped_for


async def test_all_slots_fire_that_are_not_too_late_and_a_hundred_at_most(api: Api) -> None:
    often = {"when": {"cron": "*/5 * * * *"}, "catch_up": "all"}
    id = await add(api, **often, catch_up_within_s=86_400)
    first = await due(api, id)
    await fire(api, first + 2 * DAY)

    tallies = (await api.stores.schedules.tallies()).items()
    counted = {outcome.value: tally.runs for outcome, tally in tallies}
    assert counted == {"fired": 100, "skipped": 577 - 100, "failed": 0}
    page = (await api.client.get(f"{SCHEDULES}/{id}/runs?limit=101")).json()
    assert [each["outcome"] for each in page["items"]] == ["fired"] * 100 + ["skipped"]
    rest = (await api.client.get(page["next"])).json()["items"]
    assert rest[0]["slot"] < page["items"][-1]["slot"]


async def test_slots_that_came_are_counted_for_everybody_to_see(tmp_path: Path) -> None:
    async with serving(tmp_path, has_metrics=True) as api:
        api.client.headers.update(await api.headers("orders", "schedules"))
        await publish(api, "reminder", content())
        await api.stores.people.put_all("orders", [a_profile("u-7", an_address())])
        id = await add(api, catch_up_within_s=7_200)
        await fire(api, await due(api, id) + 2 * DAY + timedelta(hours=1))

        metrics = (await api.client.get("/metrics")).text
    assert 'notifier_schedule_runs_total{outcome="fired"} 1.0' in metrics
    assert 'notifier_schedule_runs_total{outcome="skipped"} 2.0' in metrics
    assert 'notifier_schedule_late_seconds_total{outcome="fired"} 3600.0' in metrics


async def test_who_moves_is_sent_to_by_their_new_clocks_and_once_a_day(api: Api) -> None:
    id = await add(api, zone="recipient")
    in_vienna = await due(api, id)
    assert in_vienna.astimezone(VIENNA).strftime("%H:%M") == "09:30"
    await fire(api, in_vienna + MOMENT)
    await move(api, "America/New_York")
    await relay_at(api, in_vienna + timedelta(minutes=30)).reckon()
    await fire(api, in_vienna + timedelta(minutes=30))

    in_new_york = await due(api, id)
    assert shown_in("America/New_York", in_new_york) == "09:30"
    assert in_new_york.date() == in_vienna.date() + DAY
    await move(api, "Asia/Tokyo")
    await fire(api, in_new_york + MOMENT)

    # There it was half past nine before they came.
    assert await outcomes(api, id) == ["skipped", "fired"]
    assert len(await notifications(api)) == 1
    assert shown_in("Asia/Tokyo", await due(api, id)) == "09:30"


async def test_who_moved_is_not_sent_to_by_their_old_clocks_even_before_anybody_looked(
    api: Api,
) -> None:
    id = await add(api, zone="recipient")
    in_vienna = await due(api, id)
    await move(api, "America/New_York")
    await fire(api, in_vienna + MOMENT)

    assert not await notifications(api)
    assert await runs(api, id) == []
    assert shown_in("America/New_York", await due(api, id)) == "09:30"


async def move(api: Api, zone: str) -> None:
    profile = a_profile("u-7", an_address(), time_zone=zone)
    await api.stores.people.put_all("orders", [profile])


def shown_in(zone: str, at: datetime) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M")


async def test_a_topic_gets_a_broadcast_for_each_slot(api: Api) -> None:
    await join(api, **{"u-7": "Europe/Vienna", "u-8": "Asia/Tokyo"})
    id = await add(api, to={"topic": "news"})
    await fire(api, await due(api, id) + MOMENT)

    [run] = await runs(api, id)
    broadcast = await api.stores.broadcasts.get(UUID(run["broadcast_id"]), service="orders")
    assert isinstance(broadcast, StoredBroadcast)
    assert (broadcast.whom, broadcast.variables) == (Whom(topic="news"), {"issue": 7})
    assert (run["zone"], broadcast.lane) == (None, Lane.BULK)


async def test_a_topic_by_its_members_clocks_gets_one_for_each_zone_when_it_is_time(
    api: Api,
) -> None:
    zones = {"u-1": "Asia/Tokyo", "u-2": "Europe/Vienna", "u-3": "Europe/Vienna", "u-4": None}
    await join(api, **zones)
    id = await add(api, to={"topic": "news"}, zone="recipient")
    first = await due(api, id)
    await fire(api, first - MOMENT)
    assert await runs(api, id) == []
    await fire(api, first + DAY - MOMENT, FiringPace(every_s=86_400))
    await expand(api)

    found = await runs(api, id)
    assert {run["zone"] for run in found} == {"Asia/Tokyo", "Europe/Vienna", "UTC"}
    assert len(found) == 3
    for run in found:
        assert shown_in(run["zone"], datetime.fromisoformat(run["slot"])) == "09:30"
    told = sorted(each.recipient for each in await notifications(api))
    assert told == [f"{each}@example.org" for each in zones]


async def join(api: Api, **zones: str | None) -> None:
    people = [
        a_profile(each, an_address(f"{each}@example.org"), time_zone=zone)
        for each, zone in zones.items()
    ]
    await api.stores.people.put_all("orders", people)
    await api.stores.topics.set(service="orders", key="news", title="News")
    await api.stores.topics.add("orders", "news", [Member(each) for each in zones])


async def test_a_removed_schedule_fires_no_more_and_what_it_sent_stays(api: Api) -> None:
    id = await add(api)
    first = await due(api, id)
    await fire(api, first + MOMENT)

    assert (await api.client.delete(f"{SCHEDULES}/{id}")).status_code == 204
    assert (await api.client.delete(f"{SCHEDULES}/{id}")).status_code == 404
    await fire(api, first + 2 * DAY)
    assert len(await notifications(api)) == 1


async def test_a_schedule_that_ends_comes_no_more(api: Api) -> None:
    id = await add(api)
    first = await due(api, id)
    until = (first + DAY).isoformat()
    await api.client.patch(f"{SCHEDULES}/{id}", json={"ends_at": until})
    await fire(api, first + MOMENT)
    await fire(api, first + 2 * DAY)

    assert (await shown(api, id))["next_at"] is None
    assert len(await runs(api, id)) == 1


async def test_a_schedule_whose_template_is_archived_is_renamed_but_not_resumed(api: Api) -> None:
    id = await add(api)
    await api.client.post(f"{SCHEDULES}/{id}/pause")
    author = await api.headers("orders", "templates")
    await api.client.post(f"/api/v1/templates/{DAILY['template']}/archive", headers=author)

    renamed = await api.client.patch(f"{SCHEDULES}/{id}", json={"name": "Of old"})
    changed = await api.client.patch(f"{SCHEDULES}/{id}", json={"variables": {"issue": 9}})
    resumed = await api.client.post(f"{SCHEDULES}/{id}/resume")

    assert (renamed.status_code, renamed.json()["name"]) == (200, "Of old")
    for refused in (changed, resumed):
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/template"
    assert (await shown(api, id))["next_at"] is None
