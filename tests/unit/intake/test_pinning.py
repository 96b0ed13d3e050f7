"""Pinning a notification to a version of its template."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from notifier.content.template import TemplateRef
from notifier.intake.draft import Draft, Flaw
from notifier.intake.pinning import Pinner
from notifier.intake.said import Said
from notifier.notification.model import Channel, Pin
from notifier.rendering.renderer import VersionRenderer
from tests.clock import SystemClock
from tests.templates import BOOKED, GUEST, KeptTemplates

NAME = "booking.confirmed"
LATEST = TemplateRef(NAME)
MAIL = Draft(channel=Channel.EMAIL, recipient="ada@example.org", variables=GUEST)
ID = UUID(int=7)


@pytest.fixture
def templates() -> KeptTemplates:
    kept = KeptTemplates()
    kept.publish(NAME, BOOKED)
    return kept


async def pinned(
    templates: KeptTemplates, draft: Draft = MAIL, ref: TemplateRef = LATEST
) -> Said | list[Flaw]:
    pinner = Pinner(templates.library(), VersionRenderer(SystemClock()))
    return await pinner.pinned(draft, ref, service="orders", id=ID)


async def good(templates: KeptTemplates, draft: Draft = MAIL, ref: TemplateRef = LATEST) -> Said:
    found = await pinned(templates, draft, ref)
    assert isinstance(found, Said), found
    return found


async def flaws(
    templates: KeptTemplates, draft: Draft = MAIL, ref: TemplateRef = LATEST
) -> list[Flaw]:
    found = await pinned(templates, draft, ref)
    assert isinstance(found, list), found
    return found


def pin_of(said: Said) -> Pin:
    assert said.template
    return said.template


async def test_what_is_published_now_is_pinned(templates: KeptTemplates) -> None:
    second = templates.publish(NAME, BOOKED)
    first = templates.versions[NAME][0]

    assert pin_of(await good(templates)).version_id == second.id
    assert pin_of(await good(templates, ref=TemplateRef(NAME, 1))).version_id == first.id


async def test_defaults_are_kept_with_the_notification(templates: KeptTemplates) -> None:
    assert (await good(templates)).variables == {**GUEST, "title": "your seat"}


async def test_the_wanted_language_is_kept_and_the_default_without_one(
    templates: KeptTemplates,
) -> None:
    assert pin_of(await good(templates, replace(MAIL, locale="de-AT"))).locale == "de-AT"
    assert pin_of(await good(templates)).locale == "en"


async def test_each_variable_that_is_wrong_is_named(templates: KeptTemplates) -> None:
    draft = replace(MAIL, variables={"guest": {"name": 5}, "title": None, "colour": "blue"})

    found = await flaws(templates, draft)

    assert {(each.field, each.path) for each in found} == {
        ("variables", ("guest", "name")),
        ("variables", ("title",)),
        ("variables", ("colour",)),
    }
    assert not any("5" in each.words or "blue" in each.words for each in found)


async def test_a_missing_variable_is_named_where_it_is_missing(templates: KeptTemplates) -> None:
    (flaw,) = await flaws(templates, replace(MAIL, variables={"guest": {}}))

    assert (flaw.field, flaw.path) == ("variables", ("guest", "name"))


async def test_what_the_template_holds_is_not_brought_along(templates: KeptTemplates) -> None:
    found = await flaws(templates, replace(MAIL, content="Hello", subject="Hi", html="<p>Hi</p>"))

    assert {each.field for each in found} == {"content", "subject", "html"}


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        (
            TemplateRef("booking.moved"),
            f"no template of this name, or nothing of it is published: see {NAME}",
        ),
        (TemplateRef(NAME, 9), "there are 1"),
    ],
)
async def test_a_template_that_is_not_there_is_a_flaw_that_says_what_is(
    templates: KeptTemplates, ref: TemplateRef, words: str
) -> None:
    (flaw,) = await flaws(templates, ref=ref)

    assert flaw.field == "template"
    assert words in flaw.words


async def test_where_nothing_is_published_that_is_said(templates: KeptTemplates) -> None:
    templates.archived.add(NAME)

    (flaw,) = await flaws(templates, ref=TemplateRef("booking.moved"))

    assert flaw.words == "no template is published yet"


async def test_what_is_no_locale_is_a_flaw(templates: KeptTemplates) -> None:
    (flaw,) = await flaws(templates, replace(MAIL, locale="zz_!"))

    assert (flaw.field, flaw.words) == (
        "locale",
        "expected a language's tag, such as en or de-AT",
    )


async def test_an_archived_template_is_a_flaw(templates: KeptTemplates) -> None:
    templates.archived.add(NAME)

    assert await flaws(templates) == [Flaw("template", "it is archived")]


async def test_a_channel_that_the_template_lacks_is_a_flaw(templates: KeptTemplates) -> None:
    (flaw,) = await flaws(templates, replace(MAIL, channel=Channel.IN_APP))

    assert flaw.field == "template"
    assert flaw.words.endswith("in_app, only for email, sms")


async def test_what_cannot_be_filled_is_a_flaw_without_a_value(templates: KeptTemplates) -> None:
    parts = {"en": {Channel.SMS: {"text": "{{ title | money('EUR') }}"}}}
    templates.publish(NAME, replace(BOOKED, parts=parts))
    draft = replace(MAIL, channel=Channel.SMS, variables={**GUEST, "title": "secret"})

    (flaw,) = await flaws(templates, draft)

    assert flaw.field == "template"
    assert "secret" not in flaw.words


@pytest.mark.parametrize(
    ("channel", "title", "words"),
    [
        (Channel.SMS, "x" * 39_016, "longer than 39015"),
        (Channel.SMS, " ", "text is empty"),
        (Channel.EMAIL, "a\x07b", "control characters"),
        (Channel.EMAIL, " ", "subject is empty"),
    ],
)
async def test_what_a_channel_would_not_carry_is_a_flaw(
    templates: KeptTemplates, channel: Channel, title: str, words: str
) -> None:
    parts = {
        "en": {
            Channel.SMS: {"text": "{{ title }}"},
            Channel.EMAIL: {"subject": "{{ title }}", "text": "Hello"},
        }
    }
    templates.publish(NAME, replace(BOOKED, parts=parts))
    draft = replace(MAIL, channel=channel, variables={**GUEST, "title": title})

    (flaw,) = await flaws(templates, draft)

    assert flaw.field == "template"
    assert words in flaw.words


async def test_versions_are_looked_for_once_in_a_while(templates: KeptTemplates) -> None:
    pinner = Pinner(templates.library(), VersionRenderer(SystemClock()))

    for _ in range(10):
        await pinner.pinned(MAIL, LATEST, service="orders", id=uuid4())

    assert templates.looks == 1
