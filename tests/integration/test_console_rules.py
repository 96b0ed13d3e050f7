"""Rules in the console: written, tried, put in force and taken back."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from notifier.access.operators import Role
from notifier.events.rules import RuleDraft
from notifier.idempotency import NotFound
from tests.api import Api, serving
from tests.console import entered, fields_in, flaws_in, post, signed_in, text_of

RULES = "/console/rules"
SHIPPED = f"{RULES}/orders/shipped"
EDIT = f"{SHIPPED}/edit"
RULE: dict[str, Any] = {
    "on": "order.shipped",
    "to": "data.user_id",
    "variables": {"order": "data.order_id"},
    "steps": [{"send": ["email"], "template": "order.shipped"}, {"delay": "10m"}],
}
TEMPLATE = {
    "schema": {"type": "object", "properties": {"order": {"type": "string"}}},
    "parts": {"en": {"email": {"subject": "Shipped", "text": "{{ order }} is on its way"}}},
}
ADA = {"addresses": [{"channel": "email", "address": "ada@example.org", "is_primary": True}]}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        scopes = ("rules", "templates", "recipients", "send", "read")
        it.client.headers.update(await it.headers("orders", *scopes))
        await it.client.put("/api/v1/templates/order.shipped/draft", json=TEMPLATE)
        assert (await it.client.post("/api/v1/templates/order.shipped/publish")).is_success
        assert (await it.client.put("/api/v1/recipients/ada", json=ADA)).is_success
        yield it


@pytest.fixture
async def team(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "rules")


def sending(rule: dict[str, Any] | None = None) -> dict[str, Any]:
    """A rule that can be put in force."""
    return {**(rule or RULE), "steps": [{"send": ["email"], "template": "order.shipped"}]}


async def save(api: Api, rule: dict[str, Any]) -> RuleDraft:
    """Store a draft."""
    saved = await api.services.rules.save(
        service="orders", name="shipped", document=rule, if_match=None
    )
    assert isinstance(saved, RuleDraft)
    return saved


async def draft(api: Api) -> RuleDraft:
    """The draft as it is stored."""
    found = await api.services.rules.draft("orders", "shipped")
    assert isinstance(found, RuleDraft)
    return found


async def test_a_rule_is_begun_with_an_example_and_saved(
    api: Api, team: httpx2.AsyncClient
) -> None:
    assert "No rules yet" in text_of(await team.get(RULES))
    assert set(flaws_in(await post(team, f"{RULES}/new", {"name": "No Name"}))) == {"name"}
    begun = await post(team, f"{RULES}/new", {"name": "shipped"})
    assert begun.headers["location"] == EDIT
    form = fields_in(await team.get(EDIT))

    saved = await post(team, EDIT, form)

    assert "done=saved" in saved.headers["location"]
    assert (await draft(api)).document == json.loads(form["source"])
    again = await post(team, f"{RULES}/new", {"name": "shipped"})
    assert "there is a rule of this name" in flaws_in(again)["name"]
    assert "on order.shipped" in text_of(await team.get(RULES))


async def test_what_is_wrong_is_said_beside_the_source_by_line(
    api: Api, team: httpx2.AsyncClient
) -> None:
    await save(api, sending())
    form = fields_in(await team.get(EDIT))
    source = form["source"].replace("data.user_id", "user.id")
    line = next(nth for nth, text in enumerate(source.split("\n"), 1) if "user.id" in text)

    refused = await post(team, EDIT, {**form, "source": source})

    assert refused.status_code == 422
    beside = refused.text.split('id="source-findings"')[1].split("</ul>")[0]
    assert f"Line {line}" in beside
    assert "user.id" in beside
    assert (await draft(api)).document == sending()
    broken = await post(team, EDIT, {**form, "source": "{"})
    assert "It is not valid JSON" in text_of(broken)


async def test_what_would_come_of_an_event_is_shown_while_it_is_written(
    api: Api, team: httpx2.AsyncClient
) -> None:
    await save(api, sending())
    form = fields_in(await team.get(EDIT))
    assert json.loads(form["event"]) == {"data": {"user_id": "user_id-1", "order_id": "order_id-1"}}
    event = json.dumps({"data": {"user_id": "ada", "order_id": "o-7"}})
    delayed = form["source"].replace('"steps": [', '"steps": [\n{"delay": "10m"},')

    tried = await post(
        team, f"{SHIPPED}/look", {**form, "source": delayed, "event": event}, hx_request="true"
    )

    shown = text_of(tried)
    assert "ada matched" in shown
    assert "o-7 is on its way" in shown
    assert "at once" not in shown
    assert (await draft(api)).document == sending()
    wrong = await post(team, f"{SHIPPED}/look", {**form, "event": "["}, hx_request="true")
    assert "The event: It is not valid JSON" in text_of(wrong)


async def test_the_event_to_try_is_the_last_of_its_type_for_those_who_may_see_events(
    api: Api, team: httpx2.AsyncClient
) -> None:
    await save(api, sending())
    headers = await api.headers("orders", "events")
    data = {"user_id": "ada", "order_id": "o-9"}
    sent = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.shipped"}
    answer = await api.client.post("/api/v1/events", json={**sent, "data": data}, headers=headers)
    assert answer.is_success, answer.text
    seeing = await signed_in(api, "rules", "events")

    begun = await seeing.get(EDIT)

    assert json.loads(fields_in(begun)["event"]) == {"type": "order.shipped", "data": data}
    assert "o-9 is on its way" in text_of(begun)
    assert "o-9" not in (await team.get(EDIT)).text


async def test_who_may_not_see_content_is_told_what_would_be_sent_and_not_what_it_says(
    api: Api,
) -> None:
    await save(api, sending())
    author = await entered(api, role=Role.AUTHOR)
    form = fields_in(await author.get(EDIT))
    event = json.dumps({"data": {"user_id": "ada", "order_id": "o-7"}})

    tried = await post(author, f"{SHIPPED}/look", {**form, "event": event}, hx_request="true")

    assert "ada matched" in text_of(tried)
    assert "for those who may see content" in text_of(tried)
    assert "is on its way" not in text_of(tried)


async def test_who_was_outrun_sees_the_others_lines_and_may_save_over_them(
    api: Api, team: httpx2.AsyncClient
) -> None:
    await save(api, sending())
    mine = fields_in(await team.get(EDIT))
    await save(api, {**sending(), "on": "order.sent"})

    refused = await post(team, EDIT, mine)

    assert refused.status_code == 422
    assert '- "on": "order.sent"' in text_of(refused)
    assert (await draft(api)).document == {**sending(), "on": "order.sent"}
    await post(team, EDIT, fields_in(refused))
    assert (await draft(api)).document == sending()


async def test_a_rule_is_put_in_force_taken_back_and_put_out_of_force(
    api: Api, team: httpx2.AsyncClient
) -> None:
    await save(api, sending())
    asked = fields_in(await team.get(f"{SHIPPED}/publish"))
    assert "done=published" in (await post(team, f"{SHIPPED}/publish", asked)).headers["location"]
    twice = await post(team, f"{SHIPPED}/publish", asked)
    assert "Somebody else changed it" in text_of(twice)
    await save(api, {**sending(), "on": "order.sent"})
    changed = await team.get(f"{SHIPPED}/publish")
    assert '+ "on": "order.sent"' in text_of(changed)
    await post(team, f"{SHIPPED}/publish", fields_in(changed))

    back = await team.get(f"{SHIPPED}/rollback", params={"version": "1"})
    await post(team, f"{SHIPPED}/rollback?version=1", fields_in(back))

    [rule] = await api.services.rules.in_force("orders")
    assert (rule.number, rule.rule.on) == (3, "order.shipped")
    shown = text_of(await team.get(SHIPPED))
    assert "in force as version 3" in shown
    assert "What changed in 2" in shown
    assert (await team.get(f"{SHIPPED}/rollback", params={"version": "9"})).status_code == 404
    assert "Put shipped out of force?" in text_of(await team.get(f"{SHIPPED}/remove"))
    assert "done=removed" in (await post(team, f"{SHIPPED}/remove", {})).headers["location"]
    assert await api.services.rules.draft("orders", "shipped") == NotFound()


async def test_a_rule_that_would_not_work_is_not_put_in_force(
    api: Api, team: httpx2.AsyncClient
) -> None:
    stored = await save(api, {**sending(), "category": "nowhere"})

    asked = text_of(await team.get(f"{SHIPPED}/publish"))

    assert "it cannot be published like this" in asked
    fields = {"etag": stored.etag, "number": "1"}
    assert (await post(team, f"{SHIPPED}/publish", fields)).status_code == 422
    assert await api.services.rules.in_force("orders") == []


async def test_rules_are_for_those_who_may_and_their_own(api: Api) -> None:
    await save(api, sending())
    stranger = await signed_in(api, "rules", service="other")
    reader = await signed_in(api, "read")

    assert "shipped" not in text_of(await stranger.get(RULES))
    assert (await stranger.get(SHIPPED)).status_code == 403
    assert (await post(stranger, f"{SHIPPED}/remove", {})).status_code == 403
    assert (await reader.get(RULES)).status_code == 403
