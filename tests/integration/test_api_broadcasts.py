"""Broadcasts over HTTP: accepted, rehearsed, expanded, stopped."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from uuid_utils import compat

from notifier.audience.category import Category
from notifier.audience.person import Profile
from notifier.broadcasts.expanding import BroadcastDuties
from notifier.broadcasts.looking import Onlooker
from notifier.broadcasts.pacing import ExpansionPace
from notifier.broadcasts.roll import Roll
from notifier.commands import app
from notifier.content.library import TemplateDraft
from notifier.content.template import Content
from notifier.notification.model import Channel, Lane, Notification, Status
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.reading import NotificationFilter
from tests.api import Api, drafter_of, listening, serving
from tests.people import a_profile, an_address

BROADCASTS = "/api/v1/broadcasts"
NEWS = {"type": "email", "template": "news", "topic": "news", "variables": {"issue": 7}}
NOBODY = {
    "members": 0,
    "accepted": 0,
    "suppressed": {},
    "unknown": 0,
    "without_address": 0,
    "failed": 0,
    "excluded": 0,
    "repeated": 0,
    "cancelled": 0,
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        scopes = ("send", "read", "templates", "recipients", "broadcasts")
        it.client.headers.update(await it.headers("orders", *scopes))
        await publish(it, content())
        await it.client.put("/api/v1/topics/news", json={"title": "News"})
        yield it


def content(text: str = "Issue {{ issue }} for {{ city }}.") -> Content:
    return Content(
        category="newsletter",
        default_locale="en",
        parts={"en": {Channel.EMAIL: {"subject": "News", "text": text}}},
        schema={
            "type": "object",
            "properties": {
                "issue": {"type": "integer"},
                "city": {"type": "string", "default": "Vienna"},
            },
            "required": ["issue"],
        },
    )


async def publish(api: Api, what: Content) -> None:
    """Publish without a look at it, which takes a process of its own."""
    draft = await api.stores.templates.save(
        service="orders", name="news", content=what, if_match=None
    )
    assert isinstance(draft, TemplateDraft)
    await api.stores.templates.publish(draft=draft, compiled=what, id=compat.uuid7())


def ada(user_id: str, **changes: Any) -> Profile:
    return a_profile(user_id, an_address(f"{user_id}@example.org"), **changes)


async def know(api: Api, *people: Profile) -> None:
    await api.stores.people.put_all("orders", people)


async def join(api: Api, *members: Any) -> None:
    named = [{"user_id": each} if isinstance(each, str) else each for each in members]
    answer = await api.client.put("/api/v1/topics/news/members", json={"members": named})
    assert answer.json()["rejected"] == 0


async def send(api: Api, **changes: Any) -> str:
    answer = await api.client.post(BROADCASTS, json={**NEWS, **changes})
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"{BROADCASTS}/{answer.json()['id']}"
    return str(answer.json()["id"])


async def expand(api: Api, *, chunk: int = 2) -> None:
    """Do what a relay does for broadcasts, until there is nothing to do."""
    duties = BroadcastDuties(
        api.stores.expansion,
        Roll(api.stores.topics, api.stores.people, api.stores.topic_zones),
        Onlooker(drafter_of(api.services)),
        ExpansionPace(chunk=chunk),
    )
    for duty in duties.all():
        while await duty.run():
            pass


async def shown(api: Api, id: str) -> Any:
    return (await api.client.get(f"{BROADCASTS}/{id}")).json()


async def notifications(api: Api) -> Sequence[Notification]:
    page = await api.stores.queries.list(
        NotificationFilter(), service="orders", limit=100, after=None
    )
    return sorted(
        [await api.stores.get(each.id) for each in page.items], key=lambda each: each.recipient
    )


async def test_each_member_becomes_a_notification_once(api: Api) -> None:
    await know(api, *(ada(f"u{index}") for index in range(5)))
    await join(api, *(f"u{index}" for index in range(5)))

    id = await send(api)
    assert (await shown(api, id))["state"] == "scheduled"
    await expand(api)
    await expand(api)

    told = await shown(api, id)
    assert (told["state"], told["counts"]) == ("done", {**NOBODY, "members": 5, "accepted": 5})
    made = await notifications(api)
    assert [each.recipient for each in made] == [f"u{index}@example.org" for index in range(5)]
    assert {each.lane for each in made} == {Lane.BULK}
    assert {each.status for each in made} == {Status.PENDING}
    assert made[0].addressee is not None
    assert made[0].addressee.user_id == "u0"
    assert made[0].variables == {"issue": 7, "city": "Vienna"}


async def test_whoever_is_not_sent_to_is_counted_by_why(api: Api) -> None:
    by_telephone = a_profile("phone", an_address("+436601234567", Channel.SMS))
    await know(api, ada("listed"), ada("off"), ada("odd"), ada("fine"), by_telephone)
    await join(api, "listed", "off", "fine", "phone", "stranger")
    await join(api, {"user_id": "odd", "properties": {"issue": "seven"}})
    await api.stores.suppressions.add(
        service="orders",
        channel=Channel.EMAIL,
        recipient="listed@example.org",
        reason=SuppressionReason.HARD_BOUNCE,
    )

    id = await send(api, exclude=["off"])
    await expand(api)

    told = await shown(api, id)
    assert told["counts"] == {
        **NOBODY,
        "members": 6,
        "accepted": 1,
        "suppressed": {"suppressed": 1},
        "unknown": 1,
        "without_address": 1,
        "failed": 1,
        "excluded": 1,
    }
    assert told["fault"].startswith("variables.issue: ")
    assert {each.status for each in await notifications(api)} == {
        Status.PENDING,
        Status.SUPPRESSED,
    }


async def test_who_switched_a_category_off_is_not_sent_to(api: Api) -> None:
    await know(api, ada("u1"))
    await join(api, "u1")
    off = {Channel.EMAIL: False}
    await api.stores.categories.set(Category(service="orders", key="newsletter", defaults=off))

    id = await send(api)
    await expand(api)

    counts = (await shown(api, id))["counts"]
    assert (counts["accepted"], sum(counts["suppressed"].values())) == (0, 1)
    [made] = await notifications(api)
    assert made.status is Status.SUPPRESSED


async def test_two_names_of_one_person_are_told_once(api: Api) -> None:
    await know(api, ada("u1"))
    await join(api, "u1", {"user_id": "u2", "properties": {"city": "Graz"}})
    roll = Roll(api.stores.topics, api.stores.people, api.stores.topic_zones)
    drafter = drafter_of(api.services)
    [person] = (await drafter.audience.people("orders", ["u1"])).values()

    class OneOfTwoNames:
        async def people(self, service: str, user_ids: Any) -> Any:
            del service
            return dict.fromkeys(user_ids, person)

    id = await send(api)
    merged = replace(drafter, audience=replace(drafter.audience, directory=OneOfTwoNames()))
    duties = BroadcastDuties(api.stores.expansion, roll, Onlooker(merged), ExpansionPace(chunk=1))
    while await duties.expand():
        pass

    counts = (await shown(api, id))["counts"]
    assert counts == {**NOBODY, "members": 2, "accepted": 1, "repeated": 1}


async def test_properties_of_members_are_their_own_variables(api: Api) -> None:
    await know(api, ada("u1"), ada("u2"))
    await join(api, {"user_id": "u1", "properties": {"city": "Graz"}}, "u2")

    await send(api, variables={"issue": 7, "city": "Linz"})
    await expand(api)

    assert [each.variables for each in await notifications(api)] == [
        {"issue": 7, "city": "Graz"},
        {"issue": 7, "city": "Linz"},
    ]


async def test_a_broadcast_goes_to_those_whom_a_filter_finds_or_to_all(api: Api) -> None:
    await know(api, ada("u1"), ada("u2", attributes={"plan": "free"}), ada("u3"))
    to = {"topic": None, "filter": {"attributes": {"plan": "pro"}}}

    pro = await send(api, **to)
    everybody = await send(api, topic=None, all=True)
    await expand(api)

    assert (await shown(api, pro))["counts"]["accepted"] == 2
    assert (await shown(api, pro))["filter"] == {"plan": "pro"}
    told = await shown(api, everybody)
    assert (told["counts"]["accepted"], told["all"], told["topic"]) == (3, True, None)


async def test_what_was_published_when_it_was_accepted_is_sent(api: Api) -> None:
    await know(api, ada("u1"))
    await join(api, "u1")

    id = await send(api)
    await publish(api, content("Another one."))
    assert (await api.client.post("/api/v1/templates/news/archive")).status_code == 204
    await expand(api)

    [made] = await notifications(api)
    assert made.template is not None
    assert str(made.template.version_id) == (await shown(api, id))["template_version_id"]
    assert (await shown(api, id))["counts"]["accepted"] == 1
    assert (await api.client.post(BROADCASTS, json=NEWS)).status_code == 422


async def test_a_dry_run_says_what_would_come_of_it_and_sends_nothing(api: Api) -> None:
    await know(api, *(ada(f"u{index:02}") for index in range(12)))
    await join(api, *(f"u{index:02}" for index in range(12)), "stranger")

    answer = await api.client.post(BROADCASTS, json={**NEWS, "dry_run": True, "exclude": ["u01"]})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["members"], told["looked_at"], len(told["samples"])) == (13, 13, 10)
    assert told["counts"] == {
        **NOBODY,
        "members": 13,
        "accepted": 11,
        "unknown": 1,
        "excluded": 1,
    }
    assert told["samples"][2] == {"user_id": "u01", "outcome": "excluded", "reason": None}
    assert (await api.client.get(BROADCASTS)).json()["items"] == []
    assert "@example.org" not in answer.text


async def test_a_dry_run_counts_why_some_do_not_get_it(api: Api) -> None:
    off = Category(service="orders", key="newsletter", defaults={Channel.EMAIL: False})
    await api.stores.categories.set(off)
    await know(api, ada("u1"), ada("u2"))
    await join(api, "u1", "u2")

    answer = await api.client.post(BROADCASTS, json={**NEWS, "dry_run": True})

    assert answer.status_code == 200
    assert answer.json()["counts"]["suppressed"] == {"category_default": 2}


async def test_a_dry_run_counts_one_person_of_two_names_once(api: Api) -> None:
    await know(api, ada("u1"), ada("old1"), ada("u2"))
    merged = await api.client.post("/api/v1/recipients/u1/merge", json={"from": "old1"})
    assert merged.status_code == 200
    await join(api, "old1", "u1", "u2")

    told = (await api.client.post(BROADCASTS, json={**NEWS, "dry_run": True})).json()
    id = await send(api)
    await expand(api)

    assert told["counts"] == (await shown(api, id))["counts"]
    assert told["counts"] == {**NOBODY, "members": 3, "accepted": 2, "repeated": 1}
    assert [each["outcome"] for each in told["samples"]] == ["accepted", "repeated", "accepted"]


async def test_a_topic_that_is_removed_meanwhile_is_told_of(api: Api) -> None:
    await know(api, ada("u1"))
    await join(api, "u1")
    id = await send(api)
    assert (await api.client.delete("/api/v1/topics/news")).status_code == 204

    await expand(api)

    ended = await shown(api, id)
    assert (ended["state"], ended["counts"]["members"]) == ("done", 0)
    assert "topic was removed" in ended["fault"]


async def test_whoever_is_excluded_is_so_by_all_their_ids(api: Api) -> None:
    await know(api, ada("u1"), ada("u2"), ada("old2"), ada("u3"), ada("old3"))
    for now, before in (("u2", "old2"), ("u3", "old3")):
        merged = await api.client.post(f"/api/v1/recipients/{now}/merge", json={"from": before})
        assert merged.status_code == 200
    await join(api, "u1", "u2", "old3")

    id = await send(api, exclude=["old2", "u3"])
    await expand(api)

    counts = (await shown(api, id))["counts"]
    assert (counts["accepted"], counts["excluded"]) == (1, 2)


async def test_the_same_request_is_one_broadcast(api: Api) -> None:
    headers = {"Idempotency-Key": "news-7"}

    first = await api.client.post(BROADCASTS, json=NEWS, headers=headers)
    again = await api.client.post(BROADCASTS, json=NEWS, headers=headers)

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len((await api.client.get(BROADCASTS)).json()["items"]) == 1


REFUSED: Sequence[tuple[dict[str, Any], str]] = (
    ({"topic": None}, ""),
    ({"all": True}, ""),
    ({"topic": "nowhere"}, "/topic"),
    ({"topic": "No Key"}, "/topic"),
    ({"template": "nothing"}, "/template"),
    ({"template": None}, ""),
    ({"type": "sms"}, "/template"),
    ({"type": "pigeon"}, "/type"),
    ({"topic": None, "all": True, "variables": {}}, "/variables/issue"),
    ({"rate_per_s": 0}, "/rate_per_s"),
    ({"send_at": "2999-01-01T00:00:00Z"}, "/send_at"),
    ({"exclude": ["a\nb"]}, "/exclude/0"),
    ({"topic": None, "filter": {"attributes": {}}}, "/filter/attributes"),
)


async def test_what_cannot_be_a_broadcast_is_refused_with_the_place_of_what_is_wrong(
    api: Api,
) -> None:
    for changes, where in REFUSED:
        answer = await api.client.post(BROADCASTS, json={**NEWS, **changes})

        assert answer.status_code == 422, changes
        assert where in [each["pointer"] for each in answer.json()["errors"]], changes
    assert (await api.client.get(BROADCASTS)).json()["items"] == []


async def test_a_broadcast_is_paused_resumed_and_cancelled(api: Api) -> None:
    await know(api, *(ada(f"u{index}") for index in range(5)))
    await join(api, *(f"u{index}" for index in range(5)))
    id = await send(api, rate_per_s=2)

    async def order(verb: str) -> int:
        return (await api.client.post(f"{BROADCASTS}/{id}/{verb}")).status_code

    await expand(api)
    some = (await shown(api, id))["counts"]["accepted"]
    assert 0 < some < 5
    assert (await order("pause"), await order("pause")) == (200, 200)
    assert (await shown(api, id))["state"] == "paused"
    assert (await order("resume"), (await shown(api, id))["state"]) == (200, "expanding")
    assert await order("cancel") == 200
    await expand(api)

    told = await shown(api, id)
    assert (told["state"], told["counts"]["cancelled"]) == ("cancelled", some)
    assert told["finished_at"] is not None
    assert {each.status for each in await notifications(api)} == {Status.CANCELLED}
    refused = await api.client.post(f"{BROADCASTS}/{id}/resume")
    assert (refused.status_code, refused.json()["broadcast_state"]) == (409, "cancelled")


async def test_one_that_is_to_begin_later_waits(api: Api) -> None:
    await know(api, ada("u1"))
    await join(api, "u1")
    id = await send(api, send_at=(api.clock.now() + timedelta(hours=1)).isoformat())

    await expand(api)
    assert (await shown(api, id))["state"] == "scheduled"
    await api.stores.pass_time(3_700)
    await expand(api)

    assert (await shown(api, id))["state"] == "done"


async def test_nobody_sees_or_stops_another_services(api: Api) -> None:
    id = await send(api)
    other = await api.headers("payments", "broadcasts")
    sender = await api.headers("orders", "send", "read", "recipients")
    operator = await api.headers("ops", "admin")

    assert (await api.client.get(f"{BROADCASTS}/{id}", headers=other)).status_code == 404
    stopped = await api.client.post(f"{BROADCASTS}/{id}/cancel", headers=other)
    assert stopped.status_code == 404
    assert (await api.client.get(BROADCASTS, headers=other)).json()["items"] == []
    assert (await api.client.post(BROADCASTS, json=NEWS, headers=sender)).status_code == 403
    assert (await api.client.get(f"{BROADCASTS}/{id}", headers=operator)).status_code == 200
    assert (await api.client.get(f"{BROADCASTS}/{UUID(int=7)}")).status_code == 404


async def test_broadcasts_come_page_by_page(api: Api) -> None:
    ids = [await send(api) for _ in range(3)]

    page = (await api.client.get(BROADCASTS, params={"limit": 2})).json()
    rest = (await api.client.get(page["next"])).json()

    assert [each["id"] for each in page["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None


async def test_a_broadcast_is_sent_shown_and_stopped_from_the_command_line(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(line: str) -> tuple[int, str]:
        code = await asyncio.to_thread(app.run, ["broadcasts", *line.split()])
        return code, capsys.readouterr().out

    await know(api, ada("u1"))
    await join(api, "u1", "u2")
    key = str(api.client.headers["Authorization"]).removeprefix("Bearer ")
    monkeypatch.setenv("NOTIFIER_API_KEY", key)
    async with listening(api.app) as (_, url):
        monkeypatch.setenv("NOTIFIER_URL", url)
        with capture_logs():
            capsys.readouterr()
            sending = "send news@1 --type email --topic news --variable issue:=7 --rate 50"
            dry = await run(f"{sending} --dry-run --exclude u2")
            code, id = await run(f"{sending} --send-at 2027-01-31T18:00:00+01:00")
            listed = await run("list")
            orders = [await run(f"{verb} {id}") for verb in ("pause", "resume", "cancel", "show")]
            wrong = [
                (await run(line))[0]
                for line in (
                    "send news --type email",
                    "send news@x --type email --all",
                    "send news --type email --all --topic news",
                    "send nothing --type email --attribute plan=pro",
                    f"show {UUID(int=7)}",
                    f"resume {id}",
                )
            ]

    assert json.loads(dry[1])["counts"]["accepted"] == 1
    assert (code, UUID(id.strip())) == (0, UUID(id.strip()))
    assert "\tnews\tnews\tscheduled\t0\t" in listed[1]
    assert [each[0] for each in orders] == [0, 0, 0, 0]
    assert json.loads(orders[-1][1])["state"] == "cancelled"
    assert wrong == [2, 2, 2, 1, 1, 1]
