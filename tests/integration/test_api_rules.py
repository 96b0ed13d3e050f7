"""Rules over HTTP: what is refused, what is in force, and what takes it back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from notifier.notification.model import Status
from notifier.notification.origin import Origin
from tests.api import Api, serving
from tests.contract.store.stores import a_submission

RULES = "/api/v1/rules"
DRAFT = f"{RULES}/shipped/draft"
SEND = {"send": ["email"], "template": "order.shipped"}
RULE: dict[str, Any] = {"on": "order.shipped", "to": "data.user_id", "steps": [SEND]}
TEMPLATE = {
    "default_locale": "en",
    "schema": {"type": "object", "properties": {"order": {"type": "string"}}},
    "examples": [{"order": "o-1"}],
    "parts": {"en": {"email": {"subject": "Shipped", "text": "{{ order }} is on its way"}}},
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "rules", "templates", "send"))
        yield it


async def publish_template(api: Api) -> None:
    path = "/api/v1/templates/order.shipped"
    await api.client.put(f"{path}/draft", json=TEMPLATE)
    assert (await api.client.post(f"{path}/publish")).status_code == 200


async def test_a_rule_is_written_published_and_taken_back(api: Api) -> None:
    await publish_template(api)
    saved = await api.client.put(DRAFT, json=RULE)
    assert saved.status_code == 200
    assert saved.json()["rule"] == RULE
    assert (saved.json()["published"], saved.json()["findings"]) == (None, [])

    first = await api.client.post(f"{RULES}/shipped/publish")
    await api.client.put(DRAFT, json={**RULE, "when": "data.total > 100"})
    second = await api.client.post(f"{RULES}/shipped/publish")
    third = await api.client.post(f"{RULES}/shipped/rollback", json={"version": 1})

    versions = [each.json()["version"] for each in (first, second, third)]
    assert versions == [1, 2, 3]
    listed = (await api.client.get(f"{RULES}/shipped/versions")).json()["items"]
    assert [each["version"] for each in listed] == [3, 2, 1]
    assert listed[0]["rule"] == RULE
    [rule] = (await api.client.get(RULES)).json()["items"]
    assert (rule["service"], rule["name"], rule["published"]) == ("orders", "shipped", 3)
    assert (await api.client.delete(f"{RULES}/shipped")).status_code == 204
    for answer in (
        await api.client.delete(f"{RULES}/shipped"),
        await api.client.get(DRAFT),
        await api.client.post(f"{RULES}/shipped/publish"),
    ):
        assert answer.status_code == 404


async def test_what_is_no_rule_is_refused_with_all_that_is_wrong(api: Api) -> None:
    wrong = {**RULE, "to": "user.id", "then": 1, "steps": [{"delay": "soon"}]}

    answer = await api.client.put(DRAFT, json=wrong)

    assert answer.status_code == 422
    pointers = {each["pointer"] for each in answer.json()["errors"]}
    assert pointers == {"/to", "/then", "/steps/0/delay", "/steps/0"}
    assert (await api.client.put(DRAFT, json={})).status_code == 422
    assert (await api.client.put(f"{RULES}/No%20Name/draft", json=RULE)).status_code == 422
    assert (await api.client.get(DRAFT)).status_code == 404


async def test_a_rule_whose_template_is_not_there_is_kept_and_not_published(api: Api) -> None:
    saved = (await api.client.put(DRAFT, json=RULE)).json()
    refused = await api.client.post(f"{RULES}/shipped/publish")
    await publish_template(api)
    in_app = {**RULE, "steps": [{**SEND, "send": ["in_app"]}]}
    lacking = (await api.client.put(DRAFT, json=in_app)).json()

    assert [each["pointer"] for each in saved["findings"]] == ["/steps/0/template"]
    assert refused.status_code == 422
    assert lacking["findings"] == [
        {"pointer": "/steps/0/template", "detail": "it has nothing for in_app"}
    ]


async def test_who_comes_second_is_told(api: Api) -> None:
    first = await api.client.put(DRAFT, json=RULE)
    etag = {"If-Match": first.headers["ETag"]}
    await api.client.put(DRAFT, json={**RULE, "key": "data.order"})

    late = await api.client.put(DRAFT, json=RULE, headers=etag)
    published = await api.client.post(f"{RULES}/shipped/publish", headers=etag)

    assert (late.status_code, published.status_code) == (412, 412)
    assert (await api.client.get(DRAFT)).json()["rule"]["key"] == "data.order"


async def test_rules_need_their_scope_and_are_their_services_own(api: Api) -> None:
    await api.client.put(DRAFT, json=RULE)
    sender = await api.headers("orders", "send", "read")
    other = await api.headers("payments", "rules")

    assert (await api.client.get(RULES, headers=sender)).status_code == 403
    assert (await api.client.get(RULES, headers=other)).json()["items"] == []
    assert (await api.client.get(DRAFT, headers=other)).status_code == 404


async def test_what_rules_made_is_taken_back_by_its_key(api: Api) -> None:
    origin = Origin(rule="shipped", key="o-1")
    mine = replace(a_submission(), origin=origin, variables={})
    others = replace(a_submission(service="payments"), origin=origin)
    await api.stores.intake.insert([mine, others])

    reader = await api.headers("orders", "read")
    path = f"/api/v1/notifications/{mine.id}"
    shown = (await api.client.get(path, headers=reader)).json()["origin"]

    answer = await api.client.post("/api/v1/notifications/cancel", json={"key": "o-1"})
    again = await api.client.post("/api/v1/notifications/cancel", json={"key": "o-1"})

    assert (answer.status_code, answer.json(), again.json()) == (
        200,
        {"cancelled": 1},
        {"cancelled": 0},
    )
    nothing = {"depends_on": None, "unless": None, "unless_event": None}
    assert shown == {"rule": "shipped", "key": "o-1", **nothing}
    stands = await api.stores.queries.get(others.id, service=None)
    assert stands is not None
    assert stands.status is Status.PENDING


async def test_a_dry_run_shows_what_would_be_sent_and_why_not(api: Api) -> None:
    await publish_template(api)
    headers = await api.headers("orders", "recipients")
    address = {"channel": "email", "address": "ada@example.org", "is_primary": True}
    await api.client.put("/api/v1/recipients/u-7", json={"addresses": [address]}, headers=headers)
    steps = [{"delay": "10m"}, {"unless": {"event": "order.delivered"}}, SEND]
    rule = {**RULE, "key": "data.order", "when": "data.total > 100", "steps": steps}
    await api.client.put(DRAFT, json=rule)
    path = f"{RULES}/shipped/dry-run"
    data = {"user_id": "u-7", "order": "o-1", "total": 120}

    shown = await api.client.post(path, json={"event": {"data": data}})
    cheap = await api.client.post(path, json={"event": {"data": {**data, "total": 5}}})
    other = await api.client.post(path, json={"event": {"type": "order.paid", "data": data}})

    assert shown.status_code == 200
    [match] = shown.json()["matches"]
    assert (match["person"], match["key"], match["outcome"]) == ("u-7", "o-1", "matched")
    [sent] = match["notifications"]
    assert (sent["type"], sent["subject"], sent["text"]) == (
        "email",
        "Shipped",
        "o-1 is on its way",
    )
    assert sent["send_at"] is not None
    assert sent["unless_event"] == "order.delivered"
    assert "ada@example.org" not in shown.text
    assert cheap.json()["matches"][0]["reason"] == "when: it is not so"
    assert "not on this type" in other.json()["matches"][0]["reason"]
    account = await api.client.get("/api/v1/notifications", headers=await api.headers("orders"))
    assert account.json().get("items", []) == []


async def test_a_dry_run_is_of_a_version_or_of_the_draft(api: Api) -> None:
    await publish_template(api)
    digest = {"digest": {"window": "1h", "max_items": 5}}
    await api.client.put(DRAFT, json={**RULE, "steps": [digest, SEND]})
    await api.client.post(f"{RULES}/shipped/publish")
    throttle = {"throttle": {"count": 2, "per": "1h"}}
    await api.client.put(DRAFT, json={**RULE, "on": "order.*", "steps": [throttle, SEND]})
    path, event = f"{RULES}/shipped/dry-run", {"data": {"user_id": "u-7"}}

    first = (await api.client.post(path, json={"event": event, "version": 1})).json()
    draft = (await api.client.post(path, json={"event": event})).json()
    nothing = await api.client.post(path, json={"event": event, "version": 9})
    no_event = await api.client.post(path, json={"event": {"id": "", "data": {}}})

    assert (first["version"], draft["version"]) == (1, 2)
    [match] = first["matches"]
    assert match["digest"]["max_items"] == 5
    assert "there is no such recipient" in match["digest"]["unfinished"]
    assert draft["matches"][0]["throttle"] == {"count": 2, "per_s": 3600, "key": ""}
    assert (nothing.status_code, no_event.status_code) == (422, 422)
    for most in (2**31, 2**63, 10**30):
        for answer in (
            await api.client.post(path, json={"event": event, "version": most}),
            await api.client.post(f"{RULES}/shipped/rollback", json={"version": most}),
            await api.client.get(f"{RULES}/shipped/versions", params={"after": most}),
        ):
            assert answer.status_code == 422, most
    assert [each["pointer"] for each in no_event.json()["errors"]] == ["/event/id"]


async def test_an_event_for_a_topic_becomes_a_broadcast(api: Api) -> None:
    await publish_template(api)
    headers = await api.headers("orders", "recipients", "broadcasts", "events")
    await api.client.put("/api/v1/topics/news", json={"title": "News"}, headers=headers)
    to = "{'topic': data.topic}"
    await api.client.put(DRAFT, json={**RULE, "to": to, "steps": [{"delay": "1h"}, SEND]})
    await api.client.post(f"{RULES}/shipped/publish")
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.shipped"}

    for number, topic in enumerate(("news", "nothing")):
        told = {**event, "id": str(number), "data": {"topic": topic, "order": "o-1"}}
        answer = await api.client.post("/api/v1/events", json=told, headers=headers)
        assert answer.status_code == 202

    [made] = (await api.client.get("/api/v1/broadcasts", headers=headers)).json()["items"]
    assert (made["topic"], made["priority"], made["state"]) == ("news", "bulk", "scheduled")
    dry = await api.client.post(
        f"{RULES}/shipped/dry-run", json={"event": {"data": {"topic": "nothing"}}}
    )
    [match] = dry.json()["matches"]
    assert (match["outcome"], match["broadcast"]) == ("failed", None)
    assert match["reason"] == "topic: there is no such topic"


@pytest.mark.parametrize("steps", [[{"throttle": {"count": 1, "per": "1h"}}, SEND], [SEND, SEND]])
async def test_what_a_topic_cannot_have_is_told(api: Api, steps: list[Any]) -> None:
    await publish_template(api)
    await api.client.put(DRAFT, json={**RULE, "to": "{'topic': 'news'}", "steps": steps})

    dry = await api.client.post(f"{RULES}/shipped/dry-run", json={"event": {"data": {}}})

    assert "one send over one channel" in dry.json()["matches"][0]["reason"]
