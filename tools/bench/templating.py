"""What a template costs: when a notification is accepted, and when its mail is made."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp

from notifier.content.encoding import decode
from notifier.content.ports import Offered
from notifier.content.template import TemplateVersion, Variables
from notifier.notification.model import Channel
from notifier.rendering.renderer import VersionRenderer
from tests.clock import SystemClock
from tools.bench.accepting import NOBODY, loaded
from tools.bench.place import Place, Servers
from tools.bench.results import Sample
from tools.bench.stacks import Deployment, deploy_notifier
from tools.bench.wrk import CONNECTIONS, LoadError

_PATH = "/api/v1/templates"
_NAME = "order.shipped"
_FILLINGS = 2_000
_VERSIONS_OF_ONE = 100

_HELLO = (
    "Hello {{ name }}, your order {{ order }} is on its way and should be with you by {{ day }}."
)
_SUBJECT = "Your order {{ order }}"
_VALUES = {"name": "Ada Lovelace", "order": "{n}", "day": "Friday"}
INLINE = {
    "type": "email",
    "recipient": "user{n}@example.com",
    "subject": _SUBJECT,
    "content": _HELLO,
    "variables": _VALUES,
}
PINNED = {
    "type": "email",
    "recipient": "user{n}@example.com",
    "template": _NAME,
    "variables": _VALUES,
}
ROWS: Mapping[str, Any] = {
    **_VALUES,
    "at": "2026-12-24T18:30:00Z",
    "rows": [{"title": f"Seat {number}", "price": "24.50"} for number in range(10)],
}
_TEXT = {"type": "string"}
_ROW = {"type": "object", "properties": {"title": _TEXT, "price": _TEXT}}
_WORDS = dict.fromkeys(_VALUES, _TEXT)
_MJML = """
<mjml lang="en"><mj-head><mj-title>Shipped</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-text>Hello {{ name }}, order {{ order }} of {{ at | datetime("medium") }}:</mj-text>
<mj-table role="presentation">{% for row in rows %}<tr><td>{{ row.title }}</td>
<td>{{ row.price | money("EUR") }}</td></tr>{% endfor %}</mj-table>
</mj-column></mj-section></mj-body></mjml>
"""
_LINES = "{% for row in rows %}{{ row.title }}: {{ row.price | money('EUR') }}\n{% endfor %}"


def _content(properties: Mapping[str, Any], example: Variables, **parts: str) -> Mapping[str, Any]:
    email = {"subject": _SUBJECT, "preheader": "On its way", "text": _HELLO, **parts}
    return {
        "default_locale": "en",
        "schema": {"type": "object", "properties": properties, "required": list(example)},
        "examples": [example],
        "parts": {"en": {"email": email}},
    }


SHORT = _content(_WORDS, _VALUES)
LONG = _content(
    {**_WORDS, "at": _TEXT, "rows": {"type": "array", "items": _ROW}},
    ROWS,
    text=f"{_HELLO}\n{_LINES}",
    mjml=_MJML,
)


async def accept_inline(servers: Servers, seconds: float) -> Sample:
    """With the same words and variables as `accept_template`."""
    async with servers.place("inline") as place:
        deployment = await deploy_notifier(place, NOBODY)
        await deployment.start_api()
        endpoint = replace(deployment.endpoint, notification=INLINE)
        return await loaded(deployment, endpoint, seconds, connections=CONNECTIONS)


async def accept_template(
    servers: Servers,
    seconds: float,
    *,
    content: Mapping[str, Any] = SHORT,
    variables: Mapping[str, Any] = _VALUES,
    others: int = 0,
) -> Sample:
    """By a template of this content, beside so many versions of others.

    What its mail takes to fill is measured in this process.
    """
    async with servers.place("templates") as place:
        deployment = await deploy_notifier(place, NOBODY)
        await deployment.start_api()
        await publish(deployment, content)
        if others:
            await _fill(place, others)
        notification = {**PINNED, "variables": variables}
        endpoint = replace(deployment.endpoint, notification=notification)
        sample = await loaded(deployment, endpoint, seconds, connections=CONNECTIONS)
        return {**sample, "filling, µs": await _filling_us(place, variables)}


async def publish(deployment: Deployment, content: Mapping[str, Any], name: str = _NAME) -> None:
    """Publish a template of this content."""
    url = f"{deployment.url}{_PATH}/{name}"
    async with aiohttp.ClientSession(headers=deployment.endpoint.headers) as session:
        for call in (
            session.put(f"{url}/draft", json=content),
            session.post(f"{url}/publish"),
        ):
            async with call as answer:
                if not answer.ok:
                    raise LoadError(f"{answer.status}: {await answer.text()}")


async def _fill(place: Place, versions: int) -> None:
    """Copy the published version so many times, a hundred of each name."""
    async with place.connection() as connection:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute(_COPY_TEMPLATES, versions // _VERSIONS_OF_ONE)
        await connection.execute(_COPY_VERSIONS, versions, _VERSIONS_OF_ONE)


_COPY_TEMPLATES = """
    INSERT INTO templates (service, name, published, is_archived, updated_at)
    SELECT t.service, 'other.' || g, 100, false, t.updated_at
    FROM templates AS t, generate_series(0, $1::bigint - 1) AS g
"""
_COPY_VERSIONS = """
    INSERT INTO template_versions
        (id, service, name, number, content, source, checksum, created_at)
    SELECT gen_random_uuid(), v.service, 'other.' || g / $2::bigint, 1 + g % $2::bigint,
        v.content, v.source, v.checksum, v.created_at
    FROM template_versions AS v, generate_series(0, $1::bigint - 1) AS g
"""


async def _filling_us(place: Place, variables: Variables) -> float:
    """CPU time of making the mail of the published version, as a worker does."""
    async with place.connection() as connection:
        content = await connection.fetchval(
            "SELECT content FROM template_versions WHERE name = $1", _NAME
        )
    version = TemplateVersion(
        id=uuid4(),
        service="bench",
        name=_NAME,
        number=1,
        content=decode(content),
        checksum="",
        created_at=datetime.now(UTC),
    )
    renderer, offered = VersionRenderer(SystemClock()), Offered(notification={"id": "1"})

    async def fill() -> None:
        await renderer.render(
            version, Channel.EMAIL, locale="en", variables=variables, offered=offered
        )

    await fill()
    began_s = time.process_time()
    for _ in range(_FILLINGS):
        await fill()
    return 1e6 * (time.process_time() - began_s) / _FILLINGS
