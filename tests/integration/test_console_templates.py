"""Templates in the console: found, shown, and written in an editor that says what is wrong."""

from collections.abc import AsyncIterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest

from notifier.api.console.layout import inline_styles
from notifier.api.kit.checking import read_strictly
from notifier.api.templates.shapes import ContentShape
from notifier.audience.allowed import AllowedRecipients
from notifier.content.library import Archived, TemplateDraft
from notifier.content.template import Content, TemplateRef, TemplateVersion
from notifier.notification.model import Channel
from tests.api import Api, serving
from tests.console import fields_in, flaws_in, post, signed_in, text_of

TEMPLATES = "/console/templates"
BOOKED = f"{TEMPLATES}/orders/booked"
EDIT = f"{BOOKED}/edit"
DRAFT = {
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    },
    "examples": [{"name": "Ada"}, {"name": "Grace"}],
    "parts": {
        "en": {
            "email": {"subject": "Booked", "text": "Hello {{ name }}", "html": "<p>{{ name }}</p>"},
            "sms": {"text": "Booked"},
        },
        "de": {"sms": {"text": "Gebucht"}},
    },
}


def content_of(document: Mapping[str, Any]) -> Content:
    """A content, as a service would send it."""
    shape = read_strictly(ContentShape, {**document})
    assert isinstance(shape, ContentShape)
    return shape.content()


async def draft(api: Api) -> TemplateDraft:
    """The draft as it is stored."""
    found = await api.services.templates.draft("orders", "booked")
    assert isinstance(found, TemplateDraft)
    return found


async def publish(api: Api) -> None:
    """Publish the draft as the API does."""
    writer = await api.key("orders", "templates")
    answer = await api.client.post(
        "/api/v1/templates/booked/publish", headers={"Authorization": f"Bearer {writer.text}"}
    )
    assert answer.is_success, answer.text


async def sent(api: Api) -> str:
    """The subject of what is sent."""
    found = await api.services.templates.find("orders", TemplateRef("booked"))
    assert isinstance(found, TemplateVersion)
    return found.content.parts["en"][Channel.EMAIL]["subject"]


async def opened(author: httpx2.AsyncClient) -> dict[str, str]:
    """The editor's form, as it is shown."""
    return fields_in(await author.get(EDIT))


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


@pytest.fixture
async def author(api: Api) -> httpx2.AsyncClient:
    """Somebody who may write, once there is a template."""
    return await with_template(api)


async def with_template(api: Api) -> httpx2.AsyncClient:
    """Sign in as an author who finds a template."""
    client = await signed_in(api, "read", "templates")
    await api.services.templates.save(
        service="orders", name="booked", content=content_of(DRAFT), if_match=None
    )
    return client


async def test_templates_are_found_by_name_channel_kind_and_state(
    api: Api, author: httpx2.AsyncClient
) -> None:
    footer = content_of({"partial": True, "parts": {"en": {"sms": {"text": "Bye"}}}})
    await api.services.templates.save(
        service="orders", name="footer", content=footer, if_match=None
    )

    async def found(**asked: str) -> list[str]:
        page = text_of(await author.get(TEMPLATES, params=asked))
        return [name for name in ("booked", "footer") if name in page]

    assert await found() == ["booked", "footer"]
    assert await found(name="ook") == ["booked"]
    assert await found(type="email") == ["booked"]
    assert await found(partial="true") == ["footer"]
    assert await found(archived="true") == []
    assert (await author.get(TEMPLATES, params={"type": "fax"})).status_code == 422


async def test_a_template_is_shown_with_its_parts_and_versions(
    api: Api, author: httpx2.AsyncClient
) -> None:
    await publish(api)
    page = await author.get(BOOKED)

    assert "Hello {{ name }}" in text_of(page)
    assert "as version 1" in text_of(page)
    version = await author.get(f"{BOOKED}/versions/1")
    assert "Gebucht" in text_of(version)
    assert (await author.get(f"{BOOKED}/versions/2")).status_code == 404
    reader = await signed_in(api, "read")
    assert f"{EDIT}" not in (await reader.get(BOOKED)).text
    assert (await reader.get(EDIT)).status_code == 403


async def test_findings_stand_beside_the_source_that_they_are_about(
    api: Api, author: httpx2.AsyncClient
) -> None:
    form = {**await opened(author), "text": "Hello\n{{ nmae }}", "do": "preview"}

    looked = await post(author, EDIT, form)

    beside = looked.text.split('id="text-findings"')[1].split("</ul>")[0]
    assert "Line 2" in beside
    assert "<code>{{ nmae }}</code>" in beside
    assert "error" in text_of(looked)
    assert (await draft(api)).content == content_of(DRAFT)


async def test_the_editor_saves_one_place_and_leaves_the_others(
    api: Api, author: httpx2.AsyncClient
) -> None:
    form = {**await opened(author), "subject": "Got it", "html": "", "text": "  Hello {{ name }}\n"}

    saved = await post(author, EDIT, form)

    assert "done=saved" in saved.headers["location"]
    parts = (await draft(api)).content.parts
    assert parts["en"][Channel.EMAIL] == {"subject": "Got it", "text": "  Hello {{ name }}\n"}
    assert parts["de"] == content_of(DRAFT).parts["de"]


async def test_a_new_language_begins_as_the_default_one_says_it(
    api: Api, author: httpx2.AsyncClient
) -> None:
    place = {"locale": "fr", "type": "email"}
    page = await author.get(EDIT, params=place)
    assert "It begins as en says it" in text_of(page)
    form = {**fields_in(page), "subject": "Réservé"}

    await post(author, f"{EDIT}?locale=fr&type=email", form)

    parts = (await draft(api)).content.parts
    assert parts["fr"][Channel.EMAIL]["subject"] == "Réservé"
    assert parts["fr"][Channel.EMAIL]["text"] == "Hello {{ name }}"
    assert (await author.get(EDIT, params={"type": "fax"})).status_code == 404


async def test_who_was_outrun_is_shown_what_the_others_wrote_and_may_save_over_it(
    api: Api, author: httpx2.AsyncClient
) -> None:
    mine = {**await opened(author), "subject": "Mine"}
    await post(author, EDIT, {**await opened(author), "subject": "Theirs"})

    refused = await post(author, EDIT, mine)

    assert refused.status_code == 422
    assert "Somebody else changed the draft" in text_of(refused)
    assert "-Theirs" in text_of(refused)
    assert "+Mine" in text_of(refused)
    assert (await draft(api)).content.parts["en"][Channel.EMAIL]["subject"] == "Theirs"
    await post(author, EDIT, {**fields_in(refused)})
    assert (await draft(api)).content.parts["en"][Channel.EMAIL]["subject"] == "Mine"


async def test_the_preview_is_a_frame_that_runs_nothing(author: httpx2.AsyncClient) -> None:
    form = {**await opened(author), "html": "<script>bad()</script><p>Dear {{ name }}</p>"}

    looked = await post(author, f"{BOOKED}/look", {**form, "example": "1"}, hx_request="true")

    assert looked.headers["content-security-policy"] == next(iter(inline_styles().values()))
    frame = looked.text.split("<iframe")[1].split(">")[0]
    assert " sandbox" in frame
    assert "Dear Grace" in unescape(frame)
    assert "<script>" not in looked.text
    other = {**form, "variables": '{"name": "Linus"}'}
    shown = await post(author, f"{BOOKED}/look", other, hx_request="true")
    assert "Dear Linus" in unescape(shown.text)
    wrong = await post(author, f"{BOOKED}/look", {**form, "variables": "{"}, hx_request="true")
    assert "It is not valid JSON" in text_of(wrong)


async def test_a_template_is_begun_and_its_settings_changed(
    api: Api, author: httpx2.AsyncClient
) -> None:
    new = {"name": "News", "category": "news", "default_locale": "deutsch!"}
    assert set(flaws_in(await post(author, f"{TEMPLATES}/new", new))) == {"name", "default_locale"}
    new["default_locale"] = "de"
    made = await post(author, f"{TEMPLATES}/new", {**new, "name": "news"})
    assert made.headers["location"] == f"{TEMPLATES}/orders/news/edit"
    again = await post(author, f"{TEMPLATES}/new", {**new, "name": "booked"})
    assert "there is a template of this name" in flaws_in(again)["name"]

    settings = f"{BOOKED}/settings"
    form = fields_in(await author.get(settings))
    wrong = await post(author, settings, {**form, "schema": "[", "category": "A b"})
    assert set(flaws_in(wrong)) == {"schema", "category"}
    await post(author, settings, {**form, "examples": '[{"name": "Joan"}]'})
    stored = (await draft(api)).content
    assert stored.examples == [{"name": "Joan"}]
    assert stored.parts == content_of(DRAFT).parts
    late = await post(author, settings, form)
    assert "somebody else changed the draft" in text_of(late)


async def test_a_draft_is_published_compared_and_taken_back(
    api: Api, author: httpx2.AsyncClient
) -> None:
    await publish(api)
    await post(author, EDIT, {**await opened(author), "subject": "Reserved"})
    differ = text_of(await author.get(f"{BOOKED}/compare", params={"from": "1"}))
    assert "-Booked +Reserved" in differ
    asked = await author.get(f"{BOOKED}/publish")
    assert "It becomes version 2" in text_of(asked)

    published = await post(author, f"{BOOKED}/publish", fields_in(asked))

    assert "done=published" in published.headers["location"]
    assert await sent(api) == "Reserved"
    twice = await post(author, f"{BOOKED}/publish", fields_in(asked))
    assert "Somebody else changed it" in text_of(twice)
    back = await author.get(f"{BOOKED}/rollback", params={"version": "1"})
    assert "Publish version 1 of booked again?" in text_of(back)
    await post(author, f"{BOOKED}/rollback?version=1", fields_in(back))
    assert await sent(api) == "Booked"
    assert "as version 3" in text_of(await author.get(BOOKED))
    assert (await author.get(f"{BOOKED}/rollback", params={"version": "9"})).status_code == 404
    assert "They say the same." in text_of(
        await author.get(f"{BOOKED}/compare", params={"from": "1", "to": "3"})
    )


async def test_a_draft_that_was_changed_after_it_was_shown_is_not_published(
    api: Api, author: httpx2.AsyncClient
) -> None:
    asked = fields_in(await author.get(f"{BOOKED}/publish"))
    await post(author, EDIT, {**await opened(author), "subject": "Not looked at"})

    refused = await post(author, f"{BOOKED}/publish", asked)

    assert refused.status_code == 422
    assert "Somebody else changed it" in text_of(refused)
    assert await api.services.templates.versions("orders", "booked", limit=1, before=None) == []


async def test_a_draft_with_errors_is_not_published(api: Api, author: httpx2.AsyncClient) -> None:
    form = {**await opened(author), "text": "{{ name"}
    await post(author, EDIT, form)

    asked = await author.get(f"{BOOKED}/publish")

    assert "it cannot be published like this" in text_of(asked)
    assert "Publish it" not in text_of(asked)
    fields = {"etag": (await draft(api)).etag, "number": "1"}
    assert (await post(author, f"{BOOKED}/publish", fields)).status_code == 422
    assert await api.services.templates.versions("orders", "booked", limit=1, before=None) == []


async def test_whoever_publishes_a_partial_is_told_what_becomes_of_those_that_take_it_in(
    api: Api, author: httpx2.AsyncClient
) -> None:
    def footer(text: str) -> Content:
        return content_of({"partial": True, "parts": {"en": {"email": {"text": text}}}})

    templates = api.services.templates
    await templates.save(service="orders", name="footer", content=footer("Bye"), if_match=None)
    path = f"{TEMPLATES}/orders/footer/publish"
    await post(author, path, fields_in(await author.get(path)))
    text = 'Hello {{ name }} {% include "footer" %}'
    await post(author, EDIT, {**await opened(author), "text": text})
    await publish(api)
    await templates.save(service="orders", name="footer", content=footer("Ciao"), if_match=None)

    asked = await author.get(path)
    assert "booked is published again as version 2" in text_of(asked)
    told = await post(author, path, fields_in(asked))

    assert "booked is published again as version 2" in text_of(told)
    found = await templates.find("orders", TemplateRef("booked"))
    assert isinstance(found, TemplateVersion)
    assert "Ciao" in found.content.parts["en"][Channel.EMAIL]["text"]
    assert "booked" in text_of(await author.get(f"{TEMPLATES}/orders/footer"))


async def test_a_partial_is_looked_at_within_a_template_that_takes_it_in(
    api: Api, author: httpx2.AsyncClient
) -> None:
    templates = api.services.templates
    footer = content_of({"partial": True, "parts": {"en": {"email": {"text": "Bye"}}}})
    await templates.save(service="orders", name="footer", content=footer, if_match=None)
    path = f"{TEMPLATES}/orders/footer"
    await post(author, f"{path}/publish", fields_in(await author.get(f"{path}/publish")))
    text = 'Hello {{ name }} {% include "footer" %}'
    await post(author, EDIT, {**await opened(author), "text": text})
    await publish(api)

    form = fields_in(await author.get(f"{path}/edit"))
    assert form["within"] == "booked"
    ciao = {**form, "text": "Ciao"}
    looked = await post(author, f"{path}/look", ciao, hx_request="true")
    alone = await post(author, f"{path}/look", {**ciao, "within": ""}, hx_request="true")

    assert "Hello Ada Ciao" in text_of(looked)
    assert "Ciao" in text_of(alone)
    assert "Hello" not in text_of(alone)
    draft = await templates.draft("orders", "footer")
    assert isinstance(draft, TemplateDraft)
    assert draft.content == footer


async def test_an_archived_template_says_so(api: Api, author: httpx2.AsyncClient) -> None:
    await publish(api)
    assert "Archive booked?" in text_of(await author.get(f"{BOOKED}/archive"))

    archived = await post(author, f"{BOOKED}/archive", {})

    assert "done=archived" in archived.headers["location"]
    assert "archived" in text_of(await author.get(BOOKED))
    assert await api.services.templates.find("orders", TemplateRef("booked")) == Archived()


async def test_a_test_is_sent_to_whom_the_operator_allows(tmp_path: Path) -> None:
    allowed = AllowedRecipients.read(["ada@example.com"])
    async with serving(tmp_path, test_recipients=allowed) as api:
        author = await with_template(api)
        path = f"{BOOKED}/test"
        form = fields_in(await author.get(path))
        refused = await post(author, path, {**form, "type": "email", "to": "eve@example.com"})
        assert "NOTIFIER_API__TEST_RECIPIENTS" in flaws_in(refused)["to"]
        wrong = {**form, "type": "email", "to": "ada@example.com", "variables": "{"}
        assert "not valid JSON" in flaws_in(await post(author, path, wrong))["variables"]

        mail = {**form, "type": "email", "to": "ada@example.com", "example": "1"}
        made = await post(author, path, mail)

        shown = text_of(await author.get(made.headers["location"]))
        assert "The test is on its way" in shown
        assert "[Test] Booked" in shown
        assert "Hello Grace" in shown


@pytest.mark.usefixtures("author")
async def test_somebody_elses_templates_are_not_shown(api: Api) -> None:
    stranger = await signed_in(api, "read", "templates", service="other")

    assert "booked" not in text_of(await stranger.get(TEMPLATES))
    assert (await stranger.get(BOOKED)).status_code == 403
    assert (await post(stranger, EDIT, {"subject": "Mine"})).status_code == 403


async def test_saving_a_draft_is_audited(api: Api, author: httpx2.AsyncClient) -> None:
    await post(author, EDIT, {**await opened(author), "subject": "Noted"})

    operator = await signed_in(api, "admin")
    assert "/templates/orders/booked/edit" in text_of(await operator.get("/console/audit"))
