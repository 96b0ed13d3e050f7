"""Partials and layouts over HTTP: taken in when a template is published, and kept."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api import PREFIX, Api, serving

TEMPLATES = "/api/v1/templates"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "send", "read", "templates"))
        yield it


def a_partial(text: str, **others: str) -> dict[str, Any]:
    texts = {"en": text, **others}
    return {
        "partial": True,
        "parts": {tag: {"email": {"text": each}} for tag, each in texts.items()},
    }


def a_template(text: str, **changes: object) -> dict[str, Any]:
    return {"parts": {"en": {"email": {"subject": "Hello", "text": text}}}, **changes}


async def written(api: Api, name: str, content: dict[str, Any]) -> httpx2.Response:
    answer = await api.client.put(f"{TEMPLATES}/{name}/draft", json=content)
    assert answer.status_code == 200, answer.text
    return answer


async def published(api: Api, name: str, content: dict[str, Any], **query: str) -> dict[str, Any]:
    await written(api, name, content)
    answer = await api.client.post(f"{TEMPLATES}/{name}/publish", params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def text_of(api: Api, name: str, **wanted: object) -> str:
    answer = await api.client.post(f"{TEMPLATES}/{name}/render", json={"type": "email", **wanted})
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["text"]
    return text


async def test_a_template_takes_in_partials_and_its_layout(api: Api) -> None:
    await published(api, "footer", a_partial("Bye", de="Tschüs"))
    page = '[{% block content %}{% endblock %}] {% include "footer" %}'
    await published(api, "main", a_partial(page))
    await published(api, "hello", a_template("Hi", layout="main"))

    draft = (await api.client.get(f"{TEMPLATES}/hello/draft")).json()

    assert (draft["content"]["layout"], draft["content"]["partial"]) == ("main", False)
    assert await text_of(api, "hello") == "[Hi] Bye"
    assert await text_of(api, "hello", version=1) == "[Hi] Bye"


async def test_a_new_footer_changes_nothing_that_is_published(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    await published(api, "hello", a_template('Hi {% include "footer" %}'))

    await published(api, "footer", a_partial("new"))

    assert await text_of(api, "hello", version=1) == "Hi old"
    assert await text_of(api, "hello") == "Hi new"


async def test_a_draft_of_a_partial_is_seen_where_it_is_asked_for_alone(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    await written(api, "hello", a_template('Hi {% include "footer" %}'))
    await written(api, "footer", a_partial("draft"))

    assert await text_of(api, "hello") == "Hi old"
    assert await text_of(api, "hello", drafts=["footer", "none"]) == "Hi draft"


async def test_a_partial_is_looked_at_and_not_sent(api: Api) -> None:
    await published(api, "footer", a_partial("Bye {{ name }}"))

    seen = await text_of(api, "footer", variables={"name": "Ada"})
    sent = await api.client.post(
        f"{PREFIX}/send",
        json={"type": "email", "recipient": "ada@example.org", "template": "footer"},
    )

    assert seen == "Bye Ada"
    assert await text_of(api, "footer", version=1, variables={"name": "Ada"}) == "Bye Ada"
    assert sent.status_code == 422
    assert sent.json()["errors"][0]["pointer"] == "/template"
    assert "partial" in sent.json()["errors"][0]["detail"]


async def test_what_a_template_takes_in_from_another_service_is_not_there(api: Api) -> None:
    theirs = await api.headers("payments", "templates")
    await api.client.put(f"{TEMPLATES}/footer/draft", json=a_partial("theirs"), headers=theirs)
    await api.client.post(f"{TEMPLATES}/footer/publish", headers=theirs)

    answer = await written(api, "hello", a_template('{% include "footer" %}'))

    [finding] = answer.json()["findings"]
    assert (finding["code"], finding["line"], finding["partial"]) == ("include-unknown", 1, None)


async def test_a_finding_in_a_partial_says_so(api: Api) -> None:
    await published(api, "footer", a_partial("\n{{ missing }}"))
    text = '{% include "footer" %}'

    answer = await written(api, "hello", a_template(text, schema={}))
    refused = await api.client.post(f"{TEMPLATES}/hello/publish")

    [finding] = answer.json()["findings"]
    assert (finding["code"], finding["part"]) == ("variable-unknown", "text")
    assert refused.status_code == 422


async def test_partials_that_take_in_one_another_are_not_published(api: Api) -> None:
    await published(api, "a", a_partial("a"))
    await published(api, "b", a_partial('{% include "a" %}'))
    await written(api, "a", a_partial('{% include "b" %}'))

    refused = await api.client.post(f"{TEMPLATES}/a/publish")

    assert refused.status_code == 422
    assert [each["code"] for each in refused.json()["findings"]] == ["include-circular"]


async def test_an_archived_partial_is_taken_in_no_more(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    await published(api, "hello", a_template('Hi {% include "footer" %}'))

    await api.client.post(f"{TEMPLATES}/footer/archive")

    refused = await api.client.post(f"{TEMPLATES}/hello/publish")
    assert refused.json()["findings"][0]["code"] == "include-unknown"
    assert await text_of(api, "hello", version=1) == "Hi old"
