"""Providers in trouble, as operators see and pause them, and the metrics."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.delivery.ports import Finish
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane
from notifier.notification.outcomes import Fault
from notifier.notification.queueing import QueueMembers
from notifier.notification.transitions import SNOOZE
from tests.api import MAIL, PEPPER, PREFIX, Api, client_of, serving
from tests.integration.test_api_operating import AwayQueue

PROVIDERS = "/api/v1/providers"
ROUTES = {
    Channel.EMAIL: ("sendgrid", "smtp"),
    Channel.SMS: ("twilio",),
    Channel.IN_APP: ("in_app",),
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, routes=ROUTES, has_metrics=True, metrics_cache_s=0) as it:
        it.client.headers.update(await it.headers("operators", "admin"))
        yield it


async def providers(api: Api) -> dict[str, dict[str, Any]]:
    answer = await api.client.get(PROVIDERS)
    return {each["name"]: each for each in answer.json()["items"]}


async def test_every_provider_shows_how_it_stands(api: Api) -> None:
    await api.services.providers.open("sendgrid", reason="401", for_s=30)
    await api.services.providers.throttle("twilio", for_s=30)
    await api.services.providers.open("of-old", reason="500", for_s=30)
    await api.services.providers.close("of-old")

    found = await providers(api)

    assert {name: each["state"] for name, each in found.items()} == {
        "in_app": "closed",
        "of-old": "closed",
        "sendgrid": "open",
        "smtp": "closed",
        "twilio": "throttled",
    }
    assert (found["sendgrid"]["reason"], found["sendgrid"]["trips"]) == ("401", 1)
    assert found["sendgrid"]["opened_at"] is not None
    assert 25 < found["sendgrid"]["closed_for_s"] <= 30
    assert found["sendgrid"]["channels"] == ["email"]
    assert found["of-old"]["channels"] == []


async def put_off(api: Api) -> None:
    """Let a notification be refused for a reason of ours."""
    answer = await api.client.post(f"{PREFIX}/send", json=MAIL)
    envelope = Envelope(
        id=UUID(answer.json()["id"]), channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0
    )
    token, leases = uuid4(), api.stores.leases
    assert await leases.claim(envelope, lease_token=token, lease_s=60, leased_by="worker-1")
    refused = Fault(kind="systemic", code="401", message="the key was refused")
    ending = Finish(
        id=envelope.id,
        lease_token=token,
        attempt=1,
        transition=SNOOZE,
        provider="sendgrid",
        fault=refused,
        delay_s=60,
    )
    assert await leases.finish(ending)


async def test_what_waits_for_a_reason_of_ours_is_shown_with_its_provider(api: Api) -> None:
    await put_off(api)

    found = await providers(api)

    assert (found["sendgrid"]["put_off"], found["smtp"]["put_off"]) == (1, 0)
    assert 0 <= found["sendgrid"]["put_off_oldest_s"] < 60
    assert found["smtp"]["put_off_oldest_s"] is None
    measured = await metrics(api)
    assert measured["notifier_put_off", "sendgrid"] == 1
    assert measured["notifier_put_off_oldest_seconds", "sendgrid"] < 60


async def test_an_operator_pauses_and_resumes(api: Api) -> None:
    paused = await api.client.post(f"{PROVIDERS}/smtp/pause", json={"reason": "maintenance"})
    assert (paused.status_code, paused.json()) == (200, {"name": "smtp", "state": "paused"})
    found = await providers(api)
    assert (found["smtp"]["state"], found["smtp"]["reason"]) == ("paused", "maintenance")

    resumed = await api.client.post(f"{PROVIDERS}/smtp/resume")
    assert (resumed.status_code, resumed.json()) == (200, {"name": "smtp", "state": "closed"})
    assert (await providers(api))["smtp"]["state"] == "closed"


async def test_a_repeated_pause_does_not_undo_a_resume(api: Api) -> None:
    call: dict[str, Any] = {"json": {"reason": "x"}, "headers": {"Idempotency-Key": "p-1"}}
    await api.client.post(f"{PROVIDERS}/smtp/pause", **call)
    await api.client.post(f"{PROVIDERS}/smtp/resume")

    again = await api.client.post(f"{PROVIDERS}/smtp/pause", **call)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert (await providers(api))["smtp"]["state"] == "closed"


async def test_pausing_needs_the_scope_admin_and_a_provider(api: Api) -> None:
    service = await api.headers("orders", "send", "read")
    order = {"reason": "x"}

    assert (await api.client.get(PROVIDERS, headers=service)).status_code == 200
    for name, headers, status in (("smtp", service, 403), ("none", None, 404)):
        for verb, body in (("pause", order), ("resume", {})):
            path = f"{PROVIDERS}/{name}/{verb}"
            assert (await api.client.post(path, json=body, headers=headers)).status_code == status
    for bad in ({}, {"reason": ""}, {"reason": "two\nlines"}, {"reason": "x", "more": 1}):
        path = f"{PROVIDERS}/smtp/pause"
        assert (await api.client.post(path, json=bad)).status_code == 422


async def test_readiness_names_a_channel_that_has_no_provider_left(api: Api) -> None:
    await api.services.providers.open("sendgrid", reason="401", for_s=30)
    assert (await api.client.get("/readyz")).json()["status"] == "ready"

    await api.services.providers.pause("smtp", reason="maintenance")
    answer = await api.client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["channels"] == {
        "email": {
            "ok": False,
            "problem": "no provider may be asked: sendgrid is open, smtp is paused",
        },
        "sms": {"ok": True, "problem": None},
        "in_app": {"ok": True, "problem": None},
    }


async def metrics(api: Api) -> dict[tuple[str, ...], float]:
    async with client_of(api.app) as prometheus:
        answer = await prometheus.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_metrics_tell_how_notifier_stands(api: Api) -> None:
    await api.client.post(f"{PREFIX}/send", json=MAIL)
    await api.publisher.drain(5)
    await api.services.providers.open("sendgrid", reason="401", for_s=30)
    await api.client.get("/api/v1/inbox/anna@example.com/secret-path")
    keeper = await api.headers("orders", "recipients")
    await api.client.post("/api/v1/recipients/anna/erase", json={"reason": "asked"}, headers=keeper)

    found = await metrics(api)

    assert found["notifier_up", "database"] == 1
    assert found["notifier_up", "broker"] == 1
    assert found["notifier_notifications", "pending"] == 1
    assert found["notifier_notifications", "processing"] == 0
    assert found["notifier_outcome_unknown",] == 0
    assert found["notifier_late_completions",] == 0
    assert found["notifier_unknown_messages",] == 0
    assert found["notifier_queue_messages_ready", "email_notifications"] == 1
    assert found["notifier_provider_state", "sendgrid", "open"] == 1
    assert found["notifier_put_off", "sendgrid"] == 0
    assert found["notifier_provider_state", "smtp", "closed"] == 1
    assert found["notifier_provider_trips", "sendgrid"] == 1
    assert found["notifier_broadcasts", "paused"] == 0
    assert found["notifier_erasures",] == 1
    assert 0 <= found["notifier_erasures_oldest_seconds",] < 60
    route = f"{PREFIX}/send"
    assert found["notifier_http_requests_total", "POST", route, "202"] == 1
    assert found["notifier_http_request_duration_seconds_count", "POST", route] == 1
    assert found["notifier_http_requests_total", "GET", "none", "404"] == 1
    assert "anna" not in str(found)


async def test_metrics_tell_of_which_content_alone_was_removed(api: Api) -> None:
    keeper = await api.headers("operators", "recipients")
    await api.client.post(f"{PREFIX}/send", json=MAIL)
    also = [{"type": MAIL["type"], "address": MAIL["recipient"]}]
    asked = {"reason": "asked", "also_addresses": also}
    await api.client.post("/api/v1/recipients/u-7/erase", json=asked, headers=keeper)
    while await api.stores.erasing.step():
        pass

    assert (await metrics(api))["notifier_purged_content_total", "erasure", "email"] == 1


async def test_metrics_tell_which_nodes_hold_and_lead_the_queues(api: Api) -> None:
    queues = [
        QueueMembers(name=name, leader="c1", members=("c1", "c2", "c3"), online=("c1", "c3"))
        for name in ("email_notifications", "sms_notifications")
    ]
    services = replace(api.services, queue_members=lambda: queues)
    config = ApiConfig(pepper=PEPPER, has_metrics=True)

    found = await metrics(replace(api, app=create_app(services, config)))

    assert found["notifier_queue_members", "sms_notifications"] == 3
    assert found["notifier_queue_members_online", "sms_notifications"] == 2
    assert (found["notifier_queue_leaders", "c1"], found["notifier_queue_leaders", "c2"]) == (2, 0)


async def test_metrics_ask_the_database_once_in_a_while(api: Api) -> None:
    config = ApiConfig(pepper=PEPPER, has_metrics=True, metrics_cache_s=5)
    cached = replace(api, app=create_app(api.services, config))
    await metrics(cached)
    await api.client.post(f"{PREFIX}/send", json=MAIL)
    assert (await metrics(cached))["notifier_notifications", "pending"] == 0

    api.clock.ahead_s += 6

    assert (await metrics(cached))["notifier_notifications", "pending"] == 1


async def test_metrics_say_that_the_broker_is_away(api: Api) -> None:
    services = replace(api.services, queue=AwayQueue(api.queue, hangs=False))
    config = ApiConfig(pepper=PEPPER, has_metrics=True)

    found = await metrics(replace(api, app=create_app(services, config)))

    assert (found["notifier_up", "broker"], found["notifier_up", "database"]) == (0, 1)
    assert not [name for name in found if name[0] == "notifier_queue_messages_ready"]


async def test_without_the_setting_there_are_no_metrics(api: Api) -> None:
    async with client_of(create_app(api.services, ApiConfig(pepper=PEPPER))) as client:
        assert (await client.get("/metrics")).status_code == 404
