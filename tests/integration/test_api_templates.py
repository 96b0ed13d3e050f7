"""Templates over HTTP: written, published, sent, and taken back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import httpx2
import pytest

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.content.ports import Checked, Workshop
from notifier.content.shared import Shared
from notifier.content.template import Content
from notifier.delivery.ports import Claimed
from notifier.errors import WorkshopUnavailableError
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from tests.api import PEPPER, PREFIX, Api, client_of, serving
from tests.clock import SystemClock

TEMPLATES = "/api/v1/templates"
BOOKED = f"{TEMPLATES}/booking.confirmed"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "send", "read", "templates"))
        yield it


def a_content(subject: str = "Booked: {{ title }}", **changes: object) -> dict[str, Any]:
    return {
        "category": "bookings",
        "layout": None,
        "partial": False,
        "images": {},
        "default_locale": "en",
        "schema": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "title": {"type": "string", "default": "your seat"},
            },
            "required": ["name"],
        },
        "examples": [{"name": "Ada", "title": "Jazz"}],
        "parts": {
            "en": {
                "email": {
                    "subject": subject,
                    "preheader": "See you there",
                    "text": "Hello {{ name }}, {{ title }} is booked.",
                },
                "sms": {"text": "Booked: {{ title }}, {{ name }}"},
            },
            "de": {
                "email": {
                    "subject": "Gebucht: {{ title }}",
                    "preheader": "Bis bald",
                    "text": "Hallo {{ name }}, {{ title }} ist gebucht.",
                },
                "sms": {"text": "Gebucht: {{ title }}, {{ name }}"},
            },
        },
        **changes,
    }


async def written(api: Api, content: dict[str, Any] | None = None) -> httpx2.Response:
    answer = await api.client.put(f"{BOOKED}/draft", json=content or a_content())
    assert answer.status_code == 200, answer.text
    return answer


async def published(api: Api, content: dict[str, Any] | None = None) -> int:
    await written(api, content)
    answer = await api.client.post(f"{BOOKED}/publish")
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["version"]
    return number


async def sent(api: Api, **changes: object) -> httpx2.Response:
    mail = {
        "type": "email",
        "recipient": "ada@example.org",
        "template": "booking.confirmed",
        "variables": {"name": "Ada"},
    }
    return await api.client.post(f"{PREFIX}/send", json={**mail, **changes})


async def message_of(api: Api, id: str) -> tuple[str | None, str]:
    """Claim a notification as a worker does, and fill it."""
    envelope = Envelope(id=UUID(id), channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)
    claimed = await api.stores.leases.claim(
        envelope, lease_token=uuid4(), lease_s=60, leased_by="test"
    )
    assert isinstance(claimed, Claimed)
    message = await api.stores.composer(SystemClock()).message(claimed)
    return message.subject, message.text


async def test_a_draft_is_shown_as_it_was_written(api: Api) -> None:
    answer = await written(api)
    shown = await api.client.get(f"{BOOKED}/draft")

    assert shown.status_code == 200
    assert shown.json() == answer.json()
    assert shown.json()["content"] == a_content()
    assert shown.json()["findings"] == []
    assert shown.headers["etag"] == answer.headers["etag"] == shown.json()["etag"]


async def test_a_draft_may_hold_anything_and_is_told_all_that_is_found(api: Api) -> None:
    content = a_content("{{ name")
    content["parts"]["en"]["email"]["text"] = "Hello {{ nobody }}"

    answer = await written(api, content)

    errors = [each for each in answer.json()["findings"] if each["severity"] == "error"]
    places = {(each["locale"], each["type"], each["part"]) for each in errors}
    assert {("en", "email", "subject"), ("en", "email", "text")} <= places
    assert all(each["line"] == 1 for each in errors if each["part"] == "subject")


async def test_who_lost_the_race_is_told(api: Api) -> None:
    first = (await written(api)).headers["etag"]
    second = (await written(api, a_content("Newer"))).headers["etag"]

    late = await api.client.put(
        f"{BOOKED}/draft", json=a_content("Late"), headers={"If-Match": first}
    )
    good = await api.client.put(
        f"{BOOKED}/draft", json=a_content("Good"), headers={"If-Match": second}
    )

    assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    assert second in late.json()["detail"]
    assert good.status_code == 200


async def test_a_draft_with_errors_is_not_published(api: Api) -> None:
    await written(api, a_content("{{ nobody }}"))

    answer = await api.client.post(f"{BOOKED}/publish")

    assert answer.status_code == 422
    assert any(each["part"] == "subject" for each in answer.json()["findings"])
    assert (await sent(api)).status_code == 422


async def test_what_is_published_is_sent_with_its_version(api: Api) -> None:
    assert await published(api) == 1

    answer = await sent(api, locale="de-AT")

    assert answer.status_code == 202, answer.text
    id = answer.json()["id"]
    assert await message_of(api, id) == ("Gebucht: your seat", "Hallo Ada, your seat ist gebucht.")
    shown = (await api.client.get(f"{PREFIX}/{id}")).json()
    assert shown["template"] == {"name": "booking.confirmed", "version": 1, "locale": "de-AT"}
    assert shown["content"] is None
    assert shown["variables"] == {"name": "Ada", "title": "your seat"}


async def test_what_was_accepted_is_sent_as_it_was_then(api: Api) -> None:
    await published(api)
    old = (await sent(api)).json()["id"]
    await published(api, a_content("Version two: {{ title }}"))
    new = (await sent(api)).json()["id"]
    await api.client.post(f"{BOOKED}/archive")

    assert (await message_of(api, old))[0] == "Booked: your seat"
    assert (await message_of(api, new))[0] == "Version two: your seat"


async def test_a_rollback_is_a_new_version(api: Api) -> None:
    await published(api)
    await published(api, a_content("Version two: {{ title }}"))

    answer = await api.client.post(f"{BOOKED}/rollback", json={"version": 1})
    none = await api.client.post(f"{BOOKED}/rollback", json={"version": 9})

    assert (answer.status_code, answer.json()["version"]) == (200, 3)
    assert none.status_code == 404
    assert (await message_of(api, (await sent(api)).json()["id"]))[0] == "Booked: your seat"
    listed = (await api.client.get(f"{BOOKED}/versions")).json()["items"]
    assert [each["version"] for each in listed] == [3, 2, 1]
    assert listed[0]["checksum"] == listed[2]["checksum"]


async def test_an_archived_template_is_refused_by_name(api: Api) -> None:
    await published(api)

    archived = await api.client.post(f"{BOOKED}/archive")
    answer = await sent(api)

    assert archived.status_code == 204
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/template", "detail": "it is archived"}]


async def test_each_variable_that_is_wrong_is_named(api: Api) -> None:
    await published(api)

    answer = await sent(api, variables={"title": 5, "colour": "blue"}, priority="urgent")

    assert answer.status_code == 422
    assert {each["pointer"] for each in answer.json()["errors"]} == {
        "/variables/name",
        "/variables/title",
        "/variables/colour",
        "/priority",
    }


async def test_a_batch_takes_templates_item_by_item(api: Api) -> None:
    await published(api)
    item = {"type": "sms", "recipient": "+491701234567", "template": {"name": "booking.confirmed"}}
    batch = [
        {**item, "variables": {"name": "Ada"}},
        {**item, "variables": {}},
        {**item, "content": "Hello", "variables": {"name": "Ada"}},
    ]

    answer = await api.client.post(f"{PREFIX}/batch", json={"notifications": batch})

    first, second, third = answer.json()["items"]
    assert first["status"] == "pending"
    assert [each["pointer"] for each in second["errors"]] == ["/notifications/1/variables/name"]
    assert [each["pointer"] for each in third["errors"]] == ["/notifications/2/content"]


async def test_a_look_at_a_draft_changes_nothing(api: Api) -> None:
    await written(api)

    seen = await api.client.post(f"{BOOKED}/render", json={"type": "email", "locale": "de"})
    of_mine = await api.client.post(
        f"{BOOKED}/render", json={"type": "sms", "variables": {"name": "Bo", "title": "Blues"}}
    )
    wrong = await api.client.post(f"{BOOKED}/render", json={"type": "sms", "variables": {}})

    assert seen.json()["subject"] == "Gebucht: Jazz"
    assert of_mine.json()["text"] == "Booked: Blues, Bo"
    assert [each["pointer"] for each in wrong.json()["errors"]] == ["/variables/name"]
    page = (await api.client.get(TEMPLATES)).json()["items"]
    assert [(each["name"], each["published"]) for each in page] == [("booking.confirmed", None)]


async def test_two_versions_are_compared_part_by_part(api: Api) -> None:
    await published(api)
    await published(api, a_content("Version two: {{ title }}"))

    answer = await api.client.get(f"{BOOKED}/diff?from=1&to=2")

    assert answer.json()["parts"] == {
        "en/email/subject": ["@@ -1 +1 @@", "-Booked: {{ title }}", "+Version two: {{ title }}"]
    }


async def test_a_template_is_its_services_own(api: Api) -> None:
    await published(api)
    other = await api.headers("payments", "send", "read", "templates")

    shown = await api.client.get(f"{BOOKED}/draft", headers=other)
    mail = {"type": "email", "recipient": "a@example.org", "template": "booking.confirmed"}
    used = await api.client.post(f"{PREFIX}/send", json=mail, headers=other)

    assert shown.status_code == 404
    assert used.status_code == 422


async def test_who_may_only_send_writes_no_template(api: Api) -> None:
    headers = await api.headers("orders", "send", "read")

    answer = await api.client.put(f"{BOOKED}/draft", json=a_content(), headers=headers)

    assert answer.status_code == 403


class NoWorkshop:
    """Stands where no process can be started."""

    async def check(self, content: Content, shared: Shared) -> Checked:
        del content, shared
        raise WorkshopUnavailableError("no process for drafts can be started")


async def test_where_drafts_cannot_be_looked_at_nothing_is_published(api: Api) -> None:
    await written(api)
    services = replace(api.services, workshop=cast(Workshop, NoWorkshop()))
    async with client_of(create_app(services, ApiConfig(pepper=PEPPER))) as client:
        client.headers.update(api.client.headers)
        answer = await client.post(f"{BOOKED}/publish")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    assert (await api.client.get(f"{BOOKED}/versions")).json()["items"] == []


async def test_an_order_to_publish_is_carried_out_once(api: Api) -> None:
    await written(api)
    key = {"Idempotency-Key": "once"}

    answers = [await api.client.post(f"{BOOKED}/publish", headers=key) for _ in range(2)]

    assert [each.json()["version"] for each in answers] == [1, 1]
    assert len((await api.client.get(f"{BOOKED}/versions")).json()["items"]) == 1


async def test_an_in_app_notification_leads_where_its_template_says(api: Api) -> None:
    parts = {"en": {"in_app": {"text": "Booked", "action_url": "/bookings/{{ name }}"}}}
    await published(api, a_content(parts=parts))
    wanted = {"type": "in_app", "recipient": "user-42"}

    answer = await sent(api, **wanted)
    held = await sent(api, **wanted, action_url="/mine")
    seen = await api.client.post(f"{BOOKED}/render", json={"type": "in_app", "example": 0})

    assert answer.status_code == 202, answer.text
    assert [each["pointer"] for each in held.json()["errors"]] == ["/action_url"]
    assert seen.json()["action_url"] == "/bookings/Ada"


async def test_a_notification_that_leads_astray_is_refused(api: Api) -> None:
    note = {"type": "in_app", "recipient": "user-42", "content": "Look"}

    good = await api.client.post(f"{PREFIX}/send", json={**note, "action_url": "/look"})
    bad = await api.client.post(f"{PREFIX}/send", json={**note, "action_url": "javascript:a()"})

    assert (await api.client.get(good.headers["location"])).json()["action_url"] == "/look"
    assert [each["pointer"] for each in bad.json()["errors"]] == ["/action_url"]


async def test_only_the_draft_that_is_meant_is_published(api: Api) -> None:
    seen = (await written(api)).headers["ETag"]
    theirs = (await written(api, a_content(subject="By a colleague"))).headers["ETag"]

    lost = await api.client.post(f"{BOOKED}/publish", headers={"If-Match": seen})
    assert (lost.status_code, lost.json()["code"]) == (412, "precondition-failed")
    done = await api.client.post(f"{BOOKED}/publish", headers={"If-Match": theirs})
    assert (done.status_code, done.json()["version"]) == (200, 1)


@pytest.mark.parametrize(
    "name", ["Booking", "_a", "a b", "%20", "a" * 101, "__proto__", "%00", "ä"]
)
async def test_a_name_that_no_template_can_have_is_told_what_a_name_is(api: Api, name: str) -> None:
    answer = await api.client.put(f"{TEMPLATES}/{name}/draft", json=a_content())

    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["parameter"] == "template"
    assert "booking.confirmed" in fault["detail"]


async def test_the_sandbox_tells_which_version_said_what_it_captured(api: Api) -> None:
    number = await published(api)
    id = (await sent(api)).json()["id"]
    await api.capture("text", id=UUID(id), source=b"Subject: Hi\r\n\r\ntext\r\n")
    (listed,) = (await api.client.get("/api/v1/sandbox/messages")).json()["items"]

    shown = (await api.client.get(f"/api/v1/sandbox/messages/{listed['seq']}")).json()

    assert shown["template"] == {"name": "booking.confirmed", "version": number, "locale": "en"}
    assert shown["source"] == "Subject: Hi\r\n\r\ntext\r\n"
    assert shown["message"] == listed
    assert listed["size"] == 21


class Held:
    """A workshop that keeps questions about bookings until it is let go, and counts them."""

    def __init__(self, inner: Workshop) -> None:
        self._inner = inner
        self._let_go = asyncio.Event()
        self.held = 0

    async def preview(self, content: Content, *args: Any, **options: Any) -> Any:
        if content.category == "bookings":
            self.held += 1
            await self._let_go.wait()
        return await self._inner.preview(content, *args, **options)

    def let_go(self) -> None:
        self._let_go.set()


async def test_a_service_has_one_question_at_the_workshop_at_a_time(api: Api) -> None:
    await written(api)
    other = await api.headers("payments", "read", "templates")
    await api.client.put(f"{BOOKED}/draft", json=a_content(category="paid"), headers=other)
    held = Held(api.services.workshop)
    services = replace(api.services, workshop=cast(Workshop, held))
    look = {"type": "sms"}
    async with client_of(create_app(services, ApiConfig(pepper=PEPPER))) as client:
        mine = [
            asyncio.create_task(
                client.post(f"{BOOKED}/render", json=look, headers=api.client.headers)
            )
            for _ in range(3)
        ]
        theirs = [await client.post(f"{BOOKED}/render", json=look, headers=other) for _ in "123"]
        at_once = held.held
        held.let_go()
        answers = [*theirs, *await asyncio.gather(*mine)]

    assert [each.status_code for each in answers] == [200] * 6
    assert (at_once, held.held) == (1, 3)


async def test_of_many_who_write_one_draft_at_once_one_wins(api: Api) -> None:
    etag = (await written(api)).headers["etag"]

    answers = await asyncio.gather(
        *(
            api.client.put(
                f"{BOOKED}/draft", json=a_content(f"By {number}"), headers={"If-Match": etag}
            )
            for number in range(8)
        )
    )

    assert sorted(each.status_code for each in answers) == [200] + [412] * 7


async def test_what_is_no_language_is_told_in_words(api: Api) -> None:
    answer = await api.client.put(f"{BOOKED}/draft", json=a_content(default_locale="de_AT"))

    assert answer.json()["errors"] == [
        {
            "pointer": "/default_locale",
            "detail": "expected a language's tag, such as en or de-AT",
        }
    ]
