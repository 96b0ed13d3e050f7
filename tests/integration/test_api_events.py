"""Events over HTTP: in each mode, once, and with what came of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from structlog.testing import capture_logs

from notifier.commands import app
from notifier.events.digest import Settling
from notifier.events.event import Effects, Event
from notifier.notification.model import Channel, Lane
from tests.api import Api, listening, serving
from tests.events import Rules, a_match, a_reaction, in_digest
from tests.events import an_event as an_internal_event

EVENTS = "/api/v1/events"
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def an_event(id: str = "1", **changes: Any) -> dict[str, Any]:
    usual = {"specversion": "1.0", "id": id, "source": "/shop", "type": "order.shipped"}
    return {**usual, "data": {"user": "ada"}, **changes}


def shipped(event: Event) -> Effects:
    return Effects([a_match(event)] if event.type == "order.shipped" else ())


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, reacting=Rules(shipped)) as it:
        it.client.headers.update(await it.headers("orders", "read", "events"))
        yield it


async def publish(
    api: Api, body: object, headers: Mapping[str, str] = STRUCTURED
) -> httpx2.Response:
    return await api.client.post(EVENTS, content=orjson.dumps(body), headers=dict(headers))


async def test_an_event_is_taken_and_what_came_of_it_is_shown(api: Api) -> None:
    answer = await publish(api, an_event(subject="17", time="2027-01-31T18:00:00+01:00"))

    assert answer.status_code == 202, answer.text
    assert answer.json()["matched"] == 1
    shown = (await api.client.get(answer.headers["Location"])).json()
    assert shown["event"] == {
        **an_event(subject="17"),
        "time": "2027-01-31T17:00:00Z",
    }
    (match,) = shown["matches"]
    assert (match["rule"], match["user_id"], match["outcome"]) == ("shipped", "ada", "matched")
    (id,) = match["notification_ids"]
    sent = (await api.client.get(f"/api/v1/notifications/{id}")).json()
    assert sent["recipient"] == "ada"
    await api.publisher.drain(5)
    depth = await api.queue.depth(Channel.IN_APP, Lane.NORMAL)
    assert depth is not None
    assert depth.ready == 1


async def test_the_same_event_again_gets_the_same_answer_in_every_mode(api: Api) -> None:
    event = an_event()
    first = await publish(api, event)
    binary = {f"ce-{name}": value for name, value in event.items() if name != "data"}

    again = [
        await publish(api, event),
        await publish(api, event, {"Content-Type": "application/json"}),
        await publish(api, event["data"], {"Content-Type": "application/json", **binary}),
    ]

    assert [each.status_code for each in again] == [202, 202, 202]
    assert [each.json() for each in again] == [first.json()] * 3
    assert again[0].headers["Idempotency-Replayed"] == "true"
    assert len((await api.client.get("/api/v1/notifications")).json()["items"]) == 1


async def test_another_event_with_the_same_id_is_refused(api: Api) -> None:
    first = await publish(api, an_event())

    other = await publish(api, an_event(data={"user": "bob"}))

    assert (other.status_code, other.json()["code"]) == (409, "different-event")
    assert other.json()["id"] == first.json()["id"]


async def test_a_batch_has_a_result_for_each_event(api: Api) -> None:
    await publish(api, an_event("0"))
    different = an_event("0", data=None)

    answer = await publish(
        api, [an_event("1"), an_event("1"), different, {"id": "2"}, an_event("0")], BATCH
    )

    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["accepted"], told["rejected"]) == (3, 2)
    outcomes = [each["outcome"] for each in told["items"]]
    assert outcomes == ["accepted", "repeated", "different", "rejected", "repeated"]
    assert told["items"][3]["errors"][0]["pointer"] == "/3/specversion"


async def test_a_batch_of_which_nothing_is_taken_says_why(api: Api) -> None:
    await publish(api, an_event())

    invalid = await publish(api, [{}], BATCH)
    different = await publish(api, [an_event(data=None)], BATCH)
    empty = await publish(api, [], BATCH)

    assert (invalid.status_code, invalid.json()["items"][0]["outcome"]) == (422, "rejected")
    assert (different.status_code, different.json()["code"]) == (409, "different-event")
    assert empty.status_code == 422


async def test_what_is_wrong_is_named_where_it_is(api: Api) -> None:
    structured = await publish(api, an_event(time="soon", data="x" * 100_000))
    headers = {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "1"}
    binary = await publish(api, {"a": 1}, headers)
    other = await publish(api, an_event(), {"Content-Type": "text/plain"})

    assert [each["pointer"] for each in structured.json()["errors"]] == ["/time", "/data"]
    assert [each["parameter"] for each in binary.json()["errors"]] == ["ce-source", "ce-type"]
    unnamed = {"Content-Type": "application/json", "ce-source": "/shop", "ce-type": "order.shipped"}
    lacking = await publish(api, {"a": 1}, unnamed)
    whole = await publish(api, an_event(), unnamed)
    assert [each["parameter"] for each in lacking.json()["errors"]] == ["ce-specversion", "ce-id"]
    assert whole.status_code == 202
    assert other.status_code == 415


async def test_events_are_listed_by_what_they_are_and_whose(api: Api) -> None:
    await publish(api, [an_event("1"), an_event("2", type="order.paid")], BATCH)
    other = await api.headers("payments", "events")
    admin = await api.headers("operators", "admin")

    async def listed(query: str = "", headers: Mapping[str, str] | None = None) -> list[str]:
        found = await api.client.get(f"{EVENTS}{query}", headers=dict(headers or {}))
        return [each["event"]["id"] for each in found.json()["items"]]

    assert await listed() == ["2", "1"]
    assert await listed("?matched=false") == ["2"]
    assert await listed("?type=order.shipped&source=/shop&event_id=1") == ["1"]
    assert await listed(headers=other) == []
    assert await listed("?service=orders", admin) == ["2", "1"]
    page = (await api.client.get(f"{EVENTS}?limit=1")).json()
    rest = (await api.client.get(page["next"])).json()
    assert [each["event"]["id"] for each in rest["items"]] == ["1"]


async def test_whose_an_event_is_comes_from_the_key(api: Api) -> None:
    answer = await publish(api, an_event(service="payments"))
    unscoped = await api.headers("orders", "send", "read")
    payments = await api.headers("payments", "events")

    id = UUID(answer.json()["id"])
    assert (await api.client.get(f"{EVENTS}/{id}")).json()["service"] == "orders"
    assert (await api.client.get(f"{EVENTS}/{id}", headers=payments)).status_code == 404
    assert (await api.client.get(EVENTS, headers=unscoped)).status_code == 403


async def test_events_are_published_and_shown_from_the_command_line(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "event.json").write_bytes(orjson.dumps(an_event("1", type="order.paid")))
    key = (await api.key("orders", "events")).text

    async with listening(api.app) as (_, url):
        monkeypatch.setenv("NOTIFIER_URL", url)
        monkeypatch.setenv("NOTIFIER_API_KEY", key)

        async def run(*arguments: str) -> str:
            with capture_logs():
                assert await asyncio.to_thread(app.run, ["events", *arguments]) == 0
            return capsys.readouterr().out

        capsys.readouterr()
        id = orjson.loads(await run("publish", str(tmp_path / "event.json")))["id"]
        assert orjson.loads(await run("show", id))["event"]["type"] == "order.paid"
        listed = await run("list", "--unmatched", "--type", "order.paid")
        assert listed.splitlines()[1].startswith(f"{id}\torders\torder.paid\t/shop\t1\t0")


async def test_what_became_of_events_is_counted_for_everybody_to_see(tmp_path: Path) -> None:
    async with serving(tmp_path, has_metrics=True, reacting=Rules(shipped)) as api:
        api.client.headers.update(await api.headers("orders", "events"))
        await publish(api, an_event())
        await publish(api, an_event())
        await publish(api, an_event(data=None))
        await publish(api, {"id": 5})
        await publish(api, [an_event("2", type="other"), {}, an_event("3"), an_event("3")], BATCH)
        await api.services.event_tally.write()

        metrics = (await api.client.get("/metrics")).text
    for line in (
        'notifier_events_total{outcome="stored"} 3.0',
        'notifier_events_total{outcome="repeated"} 2.0',
        'notifier_events_refused_total{reason="different"} 1.0',
        'notifier_events_refused_total{reason="invalid"} 2.0',
        'notifier_events_refused_total{reason="unowned"} 0.0',
        'notifier_rule_matches_total{outcome="matched"} 2.0',
        'notifier_digests_ended_total{outcome="sent"} 0.0',
        'notifier_digests{state="open"} 0.0',
        "notifier_digests_overdue_seconds 0.0",
    ):
        assert line in metrics


async def test_a_digest_that_failed_is_listed_and_replayed_by_its_service_alone(api: Api) -> None:
    async def at(path: str, method: str = "GET", **headers: str) -> httpx2.Response:
        return await api.client.request(method, f"/api/v1/digests{path}", headers=headers)

    event = an_internal_event("1", data={"user": "ada"})
    await api.services.events.record([a_reaction(event, in_digest(event))])
    (early_on,) = (await at("")).json()["items"]
    early = await at(f"/{early_on['id']}/replay", "POST")
    (digest,) = await api.stores.digests.take(limit=1, hold_s=0)
    await api.stores.digests.settle([Settling(digest, reason="there is no such template")])

    assert (early_on["state"], early_on["user_id"], early_on["count"]) == ("open", "ada", None)
    assert (early.status_code, early.json()["digest_state"]) == (409, "open")
    (failed,) = (await at("?state=failed&rule=shipped")).json()["items"]
    assert (failed["reason"], failed["count"]) == ("there is no such template", 1)
    assert (await at("?state=sent")).json()["items"] == []
    others = await api.headers("payments", "events")
    assert (await at("", **others)).json()["items"] == []
    assert (await at(f"/{failed['id']}/replay", "POST", **others)).status_code == 404
    replayed = await at(f"/{failed['id']}/replay", "POST")
    assert (replayed.status_code, replayed.json()["state"]) == (202, "closed")
    (again,) = await api.stores.digests.take(limit=1, hold_s=0)
    assert (again.id, again.count) == (digest.id, 1)


async def test_digests_that_failed_are_replayed_from_a_shell(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [an_internal_event(user, data={"user": user}) for user in ("ada", "bob")]
    await api.services.events.record([a_reaction(each, in_digest(each)) for each in events])
    taken = await api.stores.digests.take(limit=2, hold_s=0)
    await api.stores.digests.settle([Settling(each, reason="why") for each in taken])
    monkeypatch.setenv("NOTIFIER_API_KEY", api.client.headers["Authorization"].split()[1])

    async def run(*words: str) -> str:
        status = await asyncio.to_thread(app.run, ["digests", *words, "--url", base])
        said = capsys.readouterr()
        assert status == 0, said
        return said.out + said.err

    async with listening(api.app) as (_, base):
        assert "why" in await run("list", "--state", "failed")
        assert "Replayed 1." in await run("replay", str(taken[0].id))
        assert "Replayed 1." in await run("replay", "--failed", "--rule", "shipped")
        assert "why" not in await run("list")
