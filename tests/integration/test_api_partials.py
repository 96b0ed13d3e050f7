"""Partials and layouts over HTTP: taken in when a template is published, and kept."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from notifier.api.app import create_app
from notifier.api.kit.config import ApiConfig
from notifier.content.ports import Checked, Workshop
from notifier.content.shared import Shared
from notifier.content.template import Content
from tests.api import PEPPER, PREFIX, Api, client_of, serving

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


async def cascade_of(api: Api, name: str, content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    told = await published(api, name, content, cascade="true")
    return {each["name"]: each for each in told["cascade"]}


async def test_a_cascade_publishes_again_what_takes_in_a_partial(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    await published(
        api, "main", a_partial('{% block content %}{% endblock %} {% include "footer" %}')
    )
    await published(api, "direct", a_template('Hi {% include "footer" %}'))
    await published(api, "by-layout", a_template("Hi", layout="main"))
    await published(api, "other", a_template("Hi"))

    told = await cascade_of(api, "footer", a_partial("new"))

    assert {name: (each["outcome"], each["version"]) for name, each in told.items()} == {
        "direct": ("published", 2),
        "by-layout": ("published", 2),
    }
    for name in told:
        assert await text_of(api, name, version=1) == "Hi old"
        assert await text_of(api, name, version=2) == "Hi new"


async def test_a_template_that_would_have_errors_keeps_its_version(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    await published(api, "bad", a_template('{% include "footer" %}', schema={"properties": {}}))
    named = {"properties": {"name": {"type": "string"}}, "required": ["name"]}
    good = a_template('{{ name }} {% include "footer" %}', schema=named, examples=[{"name": "Ada"}])
    await published(api, "good", good)

    told = await cascade_of(api, "footer", a_partial("Bye {{ name }}"))

    assert (told["bad"]["outcome"], told["bad"]["version"]) == ("refused", None)
    assert [each["code"] for each in told["bad"]["findings"]] == ["variable-unknown"]
    assert told["good"]["outcome"] == "published"
    assert (await api.client.get(f"{TEMPLATES}/bad/versions")).json()["items"][0]["version"] == 1
    assert await text_of(api, "good", version=2, variables={"name": "Ada"}) == "Ada Bye Ada"


async def test_a_cascade_publishes_nothing_of_a_draft(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    await published(api, "hello", a_template('Hi {% include "footer" %}'))
    draft = await written(api, "hello", a_template('Draft {% include "footer" %}'))

    await cascade_of(api, "footer", a_partial("new"))

    assert await text_of(api, "hello", version=2) == "Hi new"
    kept = await api.client.get(f"{TEMPLATES}/hello/draft")
    assert (kept.headers["etag"], kept.json()["content"]) == (
        draft.headers["etag"],
        draft.json()["content"],
    )


async def test_what_says_the_same_is_not_published_again(api: Api) -> None:
    both = {"en": {"email": {"text": "a", "html": "<p>old</p>"}}}
    await published(api, "footer", {"partial": True, "parts": both})
    await published(api, "hello", a_template('Hi {% include "footer" %}'))

    both = {"en": {"email": {"text": "a", "html": "<p>new</p>"}}}
    told = await cascade_of(api, "footer", {"partial": True, "parts": both})

    assert (told["hello"]["outcome"], told["hello"]["version"]) == ("unchanged", 1)


async def test_a_partial_is_taken_back_with_what_takes_it_in(api: Api) -> None:
    await published(api, "footer", a_partial("good"))
    await published(api, "hello", a_template('Hi {% include "footer" %}'))
    await cascade_of(api, "footer", a_partial("bad"))

    back = await api.client.post(f"{TEMPLATES}/footer/rollback?cascade=true", json={"version": 1})

    assert back.status_code == 200, back.text
    [told] = back.json()["cascade"]
    assert (back.json()["version"], told["outcome"], told["version"]) == (3, "published", 3)
    assert await text_of(api, "hello", version=3) == "Hi good"


async def test_a_cascade_with_a_key_has_one_effect_and_one_answer(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    await published(api, "hello", a_template('Hi {% include "footer" %}'))
    await written(api, "footer", a_partial("new"))

    first, again = [
        await api.client.post(
            f"{TEMPLATES}/footer/publish?cascade=true", headers={"Idempotency-Key": "k"}
        )
        for _ in range(2)
    ]

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await api.client.get(f"{TEMPLATES}/hello/versions")).json()["items"]) == 2


async def test_a_new_brand_cascades_to_what_reads_it(api: Api) -> None:
    await published(api, "named", a_template("Hi from {{ brand.name }}"))
    await published(api, "plain", a_template("Hi"))

    saved = await api.client.put("/api/v1/brand?cascade=true", json={"name": "Evently"})
    again = await api.client.put("/api/v1/brand?cascade=true", json={"name": "Evently"})

    [told] = saved.json()["cascade"]
    assert (told["name"], told["outcome"], told["version"]) == ("named", "published", 2)
    assert [each["outcome"] for each in again.json()["cascade"]] == ["unchanged"]
    assert await text_of(api, "named", version=2) == "Hi from Evently"
    assert (await api.client.put("/api/v1/brand", json={})).json()["cascade"] is None


async def test_what_uses_a_partial_is_listed_as_it_is_published(api: Api) -> None:
    await published(api, "footer", a_partial("Bye"))
    for name in ("b", "a"):
        await published(api, name, a_template('{% include "footer" %}'))
    await written(api, "c", a_template('{% include "footer" %}'))

    async def users(path: str) -> tuple[list[str], str | None]:
        told = (await api.client.get(path)).json()
        return [each["name"] for each in told["items"]], told["next"]

    first, following = await users(f"{TEMPLATES}/footer/used-by?limit=1")
    assert (first, await users(following or "")) == (["a"], (["b"], None))
    await published(api, "a", a_template("alone"))
    assert await users(f"{TEMPLATES}/footer/used-by") == (["b"], None)


class Meddling:
    """Looks at contents as the real one does, while somebody does something else, once."""

    def __init__(self, workshop: Workshop, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._workshop = workshop
        self._meanwhile: list[Callable[[], Awaitable[object]]] = [meanwhile]

    async def check(self, content: Content, shared: Shared) -> Checked:
        checked = await self._workshop.check(content, shared)
        if not content.is_partial and self._meanwhile:
            await self._meanwhile.pop()()
        return checked


async def test_a_lost_race_for_one_template_is_an_answer_for_that_one(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    for name in ("early", "quiet"):
        await published(api, name, a_template('Hi {% include "footer" %}'))
    await written(api, "footer", a_partial("new"))

    async def meanwhile() -> None:
        await published(api, "early", a_template('Newer {% include "footer" %}'))
        await published(api, "late", a_template('Late {% include "footer" %}'))

    meddling = cast(Workshop, Meddling(api.services.workshop, meanwhile))
    app = create_app(replace(api.services, workshop=meddling), ApiConfig(pepper=PEPPER))
    async with client_of(app) as client:
        client.headers.update(api.client.headers)
        answer = await client.post(f"{TEMPLATES}/footer/publish?cascade=true")

    assert answer.status_code == 200, answer.text
    told = {each["name"]: each["outcome"] for each in answer.json()["cascade"]}
    assert told == {"early": "outrun", "late": "outrun", "quiet": "published"}
    assert await text_of(api, "early", version=2) == "Newer old"
    assert await text_of(api, "quiet", version=2) == "Hi new"


async def test_a_template_is_not_published_with_a_partial_that_changed_meanwhile(api: Api) -> None:
    await published(api, "footer", a_partial("old"))
    await written(api, "hello", a_template('Hi {% include "footer" %}'))

    async def meanwhile() -> None:
        await published(api, "footer", a_partial("new"), cascade="true")

    meddling = cast(Workshop, Meddling(api.services.workshop, meanwhile))
    app = create_app(replace(api.services, workshop=meddling), ApiConfig(pepper=PEPPER))
    async with client_of(app) as client:
        client.headers.update(api.client.headers)
        lost = await client.post(f"{TEMPLATES}/hello/publish")
        again = await client.post(f"{TEMPLATES}/hello/publish")

    assert (lost.status_code, again.status_code) == (409, 200)
    assert await text_of(api, "hello", version=1) == "Hi new"
