"""Images of templates: checked when they are published, and there as long as a version is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from notifier.audience.allowed import AllowedRecipients
from tests.api import Api, serving
from tests.contract.store.test_attachments import DAY_S, content_of, erase
from tests.integration.test_api_attachments import PDF, PNG, details, upload
from tests.integration.test_api_templates import BOOKED, a_content, sent
from tests.integration.test_sending_files import delivered, files_of, uploaded
from tests.servers.scripted_smtp import SmtpServer, open_smtp

PAGE = (
    '<!doctype html><html lang="en"><head><title>Booked</title></head><body>'
    '<img src="cid:logo" alt="Evently"><p>Hello {{ name }}</p></body></html>'
)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        it.client.headers.update(await it.headers("orders", "send", "read", "templates"))
        yield it


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with open_smtp() as it:
        yield it


def showing(images: dict[str, str], page: str = PAGE) -> dict[str, Any]:
    content = a_content()
    email = {"subject": "Booked", "text": "Hello {{ name }}, {{ title }}", "html": page}
    return {**content, "parts": {"en": {"email": email}}, "images": images}


async def saved(api: Api, content: dict[str, Any]) -> list[tuple[str, str]]:
    """Save a draft; returns the findings about images."""
    answer = await api.client.put(f"{BOOKED}/draft", json=content)
    assert answer.status_code == 200, answer.text
    found = answer.json()["findings"]
    return [(each["severity"], each["detail"]) for each in found if "image" in each["code"]]


async def published(api: Api) -> httpx2.Response:
    return await api.client.post(f"{BOOKED}/publish")


async def test_a_version_brings_its_images_along(api: Api, server: SmtpServer) -> None:
    logo, other = await uploaded(api, PNG, "a.png"), await uploaded(api, PDF)

    assert await saved(api, showing({"logo": logo})) == []
    assert (await published(api)).status_code == 200
    answer = await sent(api, attachments=[{"id": other}])

    assert answer.status_code == 202, answer.text
    mail = await delivered(api, server, answer.json()["id"])
    assert files_of(mail) == {"a.png": ("<logo>", PNG), "ticket.pdf": (None, PDF)}


async def test_what_is_shown_has_to_be_there_to_be_published(api: Api) -> None:
    gone, pdf = str(uuid4()), await uploaded(api)

    for images, words in (
        ({}, "images names none"),
        ({"logo": gone}, "no attachment of this service has that id"),
        ({"logo": pdf}, "it is no image"),
    ):
        assert words in str(await saved(api, showing(images)))
        refused = await published(api)
        assert refused.status_code == 422
        assert words in str(refused.json()["findings"])


async def test_anothers_image_is_none_of_ones_own(api: Api) -> None:
    theirs = await api.headers("payments", "send")
    logo = (await upload(api, PNG, "a.png", "image/png", headers=theirs)).json()["id"]

    assert "no attachment" in str(await saved(api, showing({"logo": logo})))


async def test_a_name_that_only_a_variable_knows_can_not_be_checked(api: Api) -> None:
    page = PAGE.replace("cid:logo", "cid:{{ name }}")

    assert "without variables" in str(await saved(api, showing({}, page)))


async def test_an_image_that_nothing_shows_is_told(api: Api) -> None:
    logo = await uploaded(api, PNG, "a.png")
    images = {"logo": logo, "footer": logo}

    assert await saved(api, showing(images)) == [("warning", "no html shows cid:footer")]
    assert (await published(api)).status_code == 200


@pytest.mark.parametrize("images", [{"a b": str(uuid4())}, {"logo": "mine"}, {"": str(uuid4())}])
async def test_what_is_no_image_at_all_is_no_draft(api: Api, images: dict[str, str]) -> None:
    answer = await api.client.put(f"{BOOKED}/draft", json=showing(images))

    assert answer.status_code == 422


async def test_drafts_and_versions_keep_their_images(api: Api) -> None:
    logo, next_logo = [await uploaded(api, PNG, "a.png") for _ in range(2)]
    await saved(api, showing({"logo": logo}))
    await api.stores.pass_time(3 * DAY_S)
    await erase(api.stores)
    assert (await published(api)).status_code == 200

    second = await uploaded(api, PNG, "a.png")
    await saved(api, showing({"logo": second}))
    await saved(api, showing({"logo": logo}))
    await api.stores.pass_time(3 * DAY_S)
    await erase(api.stores)

    assert await content_of(api.stores, UUID(logo)) == PNG
    # One that only a draft had, for a while, and one that nothing ever had.
    assert await content_of(api.stores, UUID(second)) is None
    assert await content_of(api.stores, UUID(next_logo)) is None


async def test_a_version_that_was_rolled_back_to_has_its_images(
    api: Api, server: SmtpServer
) -> None:
    logo = await uploaded(api, PNG, "a.png")
    await saved(api, showing({"logo": logo}))
    await published(api)
    await saved(api, showing({}, PAGE.replace('<img src="cid:logo" alt="Evently">', "")))
    await published(api)
    await api.stores.pass_time(3 * DAY_S)
    await erase(api.stores)
    await api.client.post(f"{BOOKED}/rollback", json={"version": 1})

    id = (await sent(api)).json()["id"]

    assert files_of(await delivered(api, server, id)) == {"a.png": ("<logo>", PNG)}


async def test_html_of_a_template_may_show_what_only_the_template_brings(api: Api) -> None:
    logo = await uploaded(api, PNG, "logo.png")
    await saved(api, showing({"logo": logo}))
    await published(api)

    answer = await sent(api, attachments=[{"id": logo, "inline": True}])

    assert answer.status_code == 422
    assert "no cid:logo.png" in details(answer)


async def test_a_test_of_a_draft_shows_its_images(tmp_path: Path, server: SmtpServer) -> None:
    allowed = AllowedRecipients.read(["ada@example.org"])
    async with serving(tmp_path, test_recipients=allowed) as api:
        api.client.headers.update(await api.headers("orders", "send", "read", "templates"))
        logo = await uploaded(api, PNG, "a.png")
        await saved(api, showing({"logo": logo}))

        body = {"type": "email", "to": "ada@example.org", "draft": True, "variables": {"name": "A"}}
        answer = await api.client.post(f"{BOOKED}/test", json=body)

        assert answer.status_code == 202, answer.text
        mail = await delivered(api, server, answer.json()["id"])
    assert files_of(mail) == {"a.png": ("<logo>", PNG)}


async def test_a_test_of_a_draft_shows_the_images_of_its_layout(
    tmp_path: Path, server: SmtpServer
) -> None:
    allowed = AllowedRecipients.read(["ada@example.org"])
    async with serving(tmp_path, test_recipients=allowed) as api:
        api.client.headers.update(await api.headers("orders", "send", "read", "templates"))
        logo = await uploaded(api, PNG, "a.png")
        page = PAGE.replace("<p>Hello {{ name }}</p>", "{% block content %}{% endblock %}")
        text = "{% block content %}{% endblock %}"
        layout = {
            "partial": True,
            "parts": {"en": {"email": {"html": page, "text": text}}},
            "images": {"logo": logo},
        }
        await api.client.put("/api/v1/templates/mail/draft", json=layout)
        await api.client.post("/api/v1/templates/mail/publish")
        await saved(api, {**showing({}, "<p>Hello {{ name }}</p>"), "layout": "mail"})

        body = {"type": "email", "to": "ada@example.org", "draft": True, "variables": {"name": "A"}}
        answer = await api.client.post(f"{BOOKED}/test", json=body)

        assert answer.status_code == 202, answer.text
        mail = await delivered(api, server, answer.json()["id"])
    assert files_of(mail) == {"a.png": ("<logo>", PNG)}
