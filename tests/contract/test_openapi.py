"""The OpenAPI document: valid, complete, and kept by the API."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from notifier.access.keys import SCOPES
from notifier.channels.email.ses.callbacks import notification_route
from notifier.notification.model import Channel
from tests.api import PREFIX, Api, listening, serving
from tests.callbacks import SendGridSigner, twilio_routes
from tests.servers.sns import TOPIC

EVERYTHING: Mapping[str, Any] = {
    "has_metrics": True,
    "callbacks": lambda clock: [
        *twilio_routes(),
        *SendGridSigner().routes(clock),
        notification_route([TOPIC], clock),
    ],
    "routes": dict.fromkeys(Channel, ("smtp",)),
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, **EVERYTHING) as it:
        yield it


@pytest.fixture
async def document(api: Api) -> Mapping[str, Any]:
    answer = await api.client.get("/openapi.json")
    described: Mapping[str, Any] = answer.json()
    return described


def operations(document: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [
        (method, path, each)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    ]


def test_the_document_is_valid(document: Mapping[str, Any]) -> None:
    OpenAPIV31SpecValidator(dict(document)).validate()

    assert document["openapi"].startswith("3.1")


def test_every_route_is_described_and_nothing_else(api: Api, document: Mapping[str, Any]) -> None:
    routes = {
        (method.lower(), re.sub(r":\w+}", "}", route.path))
        for route in api.app.routes
        if isinstance(route, Route) and route.include_in_schema
        for method in route.methods or ()
        if method != "HEAD"
    }

    assert {(method, path) for method, path, _ in operations(document)} == routes


def test_every_field_that_can_be_sent_is_explained(document: Mapping[str, Any]) -> None:
    fields = document["components"]["schemas"]["NotificationRequest"]["properties"]

    assert all(each.get("description") for each in fields.values())


# They change nothing, or come to the same whenever they are repeated.
WITHOUT_KEY = (
    "renderTemplate",
    "makeInboxToken",
    "putRecipients",
    "mergeRecipient",
    "explainRecipient",
    "verifyErasure",
    "importRecipients",
    "cancelNotifications",
    "correctDeadLetters",
    "discardDeadLetters",
    "pauseSchedule",
    "resumeSchedule",
    "publishEvents",
    "rehearseRule",
    "checkProvider",
    "testProvider",
)


def test_every_post_of_a_service_takes_an_idempotency_key(document: Mapping[str, Any]) -> None:
    for method, path, operation in operations(document):
        names = {each["name"] for each in operation["parameters"]}
        changes = operation["operationId"] not in WITHOUT_KEY
        is_theirs = method == "post" and bool(operation["security"]) and changes
        assert ("Idempotency-Key" in names) == is_theirs, path


def test_every_operation_behind_a_key_tells_how_it_refuses(document: Mapping[str, Any]) -> None:
    for _, path, operation in operations(document):
        refusals = {"401", "403", "429"} if operation["security"] else set()
        assert refusals | {"500", "503"} <= operation["responses"].keys(), path


def test_every_answer_names_its_headers(document: Mapping[str, Any]) -> None:
    expected = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            headers = response["headers"].keys()
            assert "X-Request-ID" in headers, path
            assert status not in expected or expected[status] in headers, (path, status)


@pytest.mark.parametrize("example", range(3))
async def test_the_examples_work(api: Api, document: Mapping[str, Any], example: int) -> None:
    schema = document["components"]["schemas"]["NotificationRequest"]

    answer = await api.client.post(f"{PREFIX}/send", json=schema["examples"][example])

    assert answer.status_code == 202


_CHECKS = """
# What the document cannot say, such as which recipient fits which type.
[checks]
positive_data_acceptance.enabled = false

# A batch answers for its bad items one by one.
[[operations]]
include-path = "/api/v1/notifications/batch"
checks.negative_data_rejection.enabled = false

# Parts that are too long make a body that is.
[[operations]]
include-path-regex = "/draft$"
checks.negative_data_rejection.expected-statuses = [400, 401, 404, 412, 413, 415, 422, 429]
"""


@pytest.mark.usefixtures("unmeasured")
async def test_the_api_keeps_what_the_document_promises(tmp_path: Path) -> None:
    """Sends thousands of requests that follow the document, and that break it in every way."""
    (tmp_path / "schemathesis.toml").write_text(_CHECKS)
    rates = {"requests_per_minute": 10**9, "failed_logins_per_minute": 10**9}
    rates["public_requests_per_minute"] = 10**9
    async with serving(tmp_path, **EVERYTHING, **rates) as api, listening(api.app) as (_, url):
        headers = await api.headers("orders", "admin")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from schemathesis.cli import schemathesis; schemathesis()",
            "run",
            f"{url}/openapi.json",
            f"--header=Authorization: {headers['Authorization']}",
            # Endless, for people, or refused unless they are signed.
            "--exclude-path-regex=(stream|docs|/sandbox|/callbacks/.*)$",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=8",
            "--generation-database=none",
            "--seed=1",
            "--no-color",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), 600)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert process.returncode == 0, output.decode()
    assert "Authentication failed" not in output.decode()


async def test_each_endpoint_needs_the_scope_that_it_names_and_no_other_will_do(
    api: Api, document: Mapping[str, Any]
) -> None:
    needed = {
        (method, path): found[1]
        for method, path, operation in operations(document)
        if (found := re.search(r"Needs the scope `(\w+)`", operation.get("description", "")))
    }
    secured = {
        (method, path) for method, path, each in operations(document) if each.get("security")
    }
    assert needed.keys() == secured
    scopes = {*SCOPES} - {"admin"}
    keys = {scope: await api.headers("orders", *scopes - {scope}) for scope in (*scopes, "admin")}

    for (method, path), scope in needed.items():
        answer = await api.client.request(method, _filled(path), headers=keys[scope])

        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)
        assert f"'{scope}'" in answer.json()["detail"]


async def test_nobody_names_another_service_without_the_scope_admin(
    api: Api, document: Mapping[str, Any]
) -> None:
    headers = await api.headers("orders", *({*SCOPES} - {"admin"}))

    for method, path, operation in operations(document):
        names = {each["name"]: each for each in operation["parameters"] if each["in"] == "query"}
        id = operation["operationId"]
        if "service" not in names or ("requestBody" in operation and id not in _BODIES):
            continue
        body = _BODIES.get(id)
        query = {name: _IN_QUERIES[name] for name, each in names.items() if each.get("required")}
        answer = await api.client.request(
            method,
            _filled(path),
            params={**query, "service": "payments"},
            json=body,
            headers=headers,
        )

        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (id, answer.text)


_IN_PATHS = {"id": str(UUID(int=1)), "number": "1", "seq": "1"}
_IN_QUERIES = {
    "from": "1",
    "to": "2",
    "service": "payments",
    "type": "email",
    "recipient": "ada@example.org",
}
# Those with a body that is not here are held by the tests of their subjects.
_BODIES: Mapping[str, Mapping[str, Any]] = {
    "eraseRecipient": {"reason": "user_request"},
    "putRecipients": {"recipients": [{"user_id": "u-7"}]},
    "putRecipient": {},
    "patchRecipient": {},
    "patchPreferences": {},
    "explainRecipient": {"channel": "email"},
    "mergeRecipient": {"from": "u-8"},
    "setCategory": {"kind": "marketing"},
    "setQuietHours": {"quiet_hours": None},
    "setTopic": {"title": "News"},
    "addTopicMembers": {"members": [{"user_id": "u-7"}]},
    "removeTopicMembers": {"user_ids": ["u-7"]},
    "addSuppression": {"type": "email", "recipient": "ada@example.org"},
    "sendBroadcast": {"type": "email", "template": "news", "all": True},
    "saveTemplateDraft": {"parts": {"en": {"sms": {"text": "News"}}}},
}


def _filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda part: _IN_PATHS.get(part[1], "x"), path)


def test_a_query_parameter_that_must_be_given_is_required(document: Mapping[str, Any]) -> None:
    required = {
        (method, path, each["name"])
        for method, path, operation in operations(document)
        for each in operation["parameters"]
        if each["in"] == "query" and each.get("required")
    }

    where = "/api/v1/suppressions"
    attachments = "/api/v1/attachments"
    diff = "/api/v1/templates/{template}/diff"
    assert required == {
        ("delete", "/api/v1/retention", "service"),
        ("put", "/api/v1/retention", "service"),
        ("delete", where, "type"),
        ("delete", where, "recipient"),
        ("get", diff, "from"),
        ("get", diff, "to"),
        ("post", attachments, "name"),
    }


def test_no_field_of_a_body_has_a_default_that_generators_take_for_a_value(
    document: Mapping[str, Any],
) -> None:
    fields = {
        f"{name}.{field}": schema
        for name, model in document["components"]["schemas"].items()
        for field, schema in model.get("properties", {}).items()
    }

    assert [name for name, schema in fields.items() if "default" in schema] == []
    assert 'If absent: `"normal"`.' in fields["NotificationRequest.priority"]["description"]
    assert "sensitive" not in document["components"]["schemas"]["NotificationRequest"]["required"]
