"""Schedules over HTTP: added, fired, changed, stopped."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from uuid_utils import compat

from notifier.content.library import TemplateDraft
from notifier.content.template import Content
from notifier.notification.model import Channel, Lane, Notification, Status
from notifier.notification.reading import NotificationFilter
from tests.api import Api, serving
from tests.people import a_profile, an_address
from tests.scheduling import fire

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
