"""Templates: drafts that change, versions that do not."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.content.library import (
    BRAND,
    Archived,
    Outrun,
    Partial,
    Renewal,
    Renewals,
    TemplateDraft,
    TemplateFilter,
    Unpublished,
    WrittenVersion,
)
from notifier.content.template import Content, TemplateRef, TemplateVersion
from notifier.idempotency import Applied, Idempotency, LostRace, NotFound, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Pin, Status
from notifier.notification.transitions import FAIL, REPLAY
from notifier.store.notification.attaching import attachment_uses
from notifier.store.templates.library import SqlTemplateStore
from tests.contract.store.stores import Stores, a_submission

NAME = "booking.confirmed"
LATEST = TemplateRef(NAME)


def content(subject: str = "Booked") -> Content:
    return Content(
        default_locale="en",
        parts={
            "en": {Channel.EMAIL: {"subject": subject, "text": "Hello {{ name }} \N{PACKAGE}"}},
            "de": {Channel.SMS: {"text": "Hallo {{ name }}"}},
        },
        schema={"type": "object", "properties": {"name": {"type": "string"}}},
        examples=[{"name": "Ada", "n": 10**30}],
    )


@pytest.fixture
def templates(stores: Stores) -> SqlTemplateStore:
    return stores.templates


async def a_draft(templates: SqlTemplateStore, subject: str = "Booked") -> TemplateDraft:
    saved = await templates.save(
        service="orders", name=NAME, content=content(subject), if_match=None
    )
    assert isinstance(saved, TemplateDraft)
    return saved


async def published(templates: SqlTemplateStore, subject: str = "Booked") -> TemplateVersion:
    draft = await a_draft(templates, subject)
    result = await templates.publish(draft=draft, compiled=draft.content, id=uuid4())
    assert result == Applied()
    found = await templates.find("orders", LATEST)
    assert isinstance(found, TemplateVersion)
    return found


async def test_a_draft_holds_what_was_written(templates: SqlTemplateStore) -> None:
    saved = await a_draft(templates)

    assert await templates.draft("orders", NAME) == saved
    assert saved.content == content()
    assert saved.next_number == 1
    assert await templates.draft("payments", NAME) == NotFound()


async def test_who_writes_over_another_draft_than_they_saw_is_refused(
    templates: SqlTemplateStore,
) -> None:
    first = await a_draft(templates)
    second = await a_draft(templates, "Booked again")

    late = await templates.save(
        service="orders", name=NAME, content=content("Late"), if_match=first.etag
    )
    in_time = await templates.save(
        service="orders", name=NAME, content=content("In time"), if_match=second.etag
    )
    of_none = await templates.save(
        service="orders", name="other", content=content(), if_match=first.etag
    )

    assert late == LostRace(second.etag)
    assert isinstance(in_time, TemplateDraft)
    assert of_none == LostRace(None)
    assert await templates.draft("orders", "other") == NotFound()


async def test_versions_are_numbered_and_never_change(templates: SqlTemplateStore) -> None:
    one, two = await published(templates, "One"), await published(templates, "Two")

    assert (one.number, two.number) == (1, 2)
    assert one.checksum != two.checksum
    assert await templates.by_id(one.id) == one
    assert await templates.find("orders", TemplateRef(NAME, 1)) == one
    assert await templates.find("orders", LATEST) == two
    assert await templates.versions("orders", NAME, limit=5, before=None) == [two, one]
    assert await templates.versions("orders", NAME, limit=5, before=2) == [one]
    assert await templates.written("orders", NAME, 1) == WrittenVersion(one, content("One"))


async def test_what_was_changed_meanwhile_is_not_published(templates: SqlTemplateStore) -> None:
    seen = await a_draft(templates)
    newer = await a_draft(templates, "Newer")

    lost = await templates.publish(draft=seen, compiled=seen.content, id=uuid4())

    assert lost == LostRace(newer.etag)
    assert await templates.find("orders", LATEST) == Unpublished()


async def test_of_many_who_publish_one_draft_at_once_one_makes_a_version(
    templates: SqlTemplateStore,
) -> None:
    draft = await a_draft(templates)

    results = await asyncio.gather(
        *(templates.publish(draft=draft, compiled=draft.content, id=uuid4()) for _ in range(5))
    )

    assert results.count(Applied()) == 1
    assert results.count(LostRace(draft.etag)) == 4
    assert len(await templates.versions("orders", NAME, limit=9, before=None)) == 1


async def test_a_repeated_order_to_publish_publishes_once(templates: SqlTemplateStore) -> None:
    draft = await a_draft(templates)
    key = Idempotency(service="orders", key="k", fingerprint="f", answer='{"version": 1}')

    async def publish(id: UUID) -> object:
        return await templates.publish(draft=draft, compiled=draft.content, id=id, idempotency=key)

    assert await publish(uuid4()) == Applied()
    assert await publish(uuid4()) == Remembered('{"version": 1}')
    assert len(await templates.versions("orders", NAME, limit=9, before=None)) == 1


async def test_a_rollback_is_a_new_version_of_an_old_content(templates: SqlTemplateStore) -> None:
    one, _two = await published(templates, "One"), await published(templates, "Two")

    async def back(number: int, as_number: int) -> object:
        return await templates.rollback(
            service="orders", name=NAME, number=number, as_number=as_number, id=uuid4()
        )

    assert await back(9, 3) == NotFound()
    assert await back(1, 2) == LostRace(None)
    assert await back(1, 3) == Applied()
    found = await templates.find("orders", LATEST)
    assert isinstance(found, TemplateVersion)
    assert (found.number, found.content, found.checksum) == (3, one.content, one.checksum)


async def test_an_archived_template_is_not_sent_until_it_is_published_again(
    templates: SqlTemplateStore,
) -> None:
    version = await published(templates)

    assert await templates.archive(service="orders", name="other") == NotFound()
    assert await templates.archive(service="orders", name=NAME) == Applied()
    assert await templates.find("orders", LATEST) == Archived()
    assert await templates.find("orders", TemplateRef(NAME, 1)) == Archived()
    assert await templates.by_id(version.id) == version
    assert (await published(templates)).number == 2


async def test_who_asks_for_what_is_not_there_is_told_what_is(templates: SqlTemplateStore) -> None:
    await published(templates)
    await published(templates, "Two")

    assert await templates.find("orders", TemplateRef(NAME, 7)) == Unpublished((2, 1))
    assert await templates.find("orders", TemplateRef("other")) == Unpublished(names=(NAME,))
    assert await templates.find("payments", LATEST) == Unpublished()


async def test_who_asks_for_what_is_only_a_draft_is_told_what_there_is_instead(
    templates: SqlTemplateStore,
) -> None:
    await published(templates)
    await templates.save(service="orders", name="other", content=content(), if_match=None)

    assert await templates.find("orders", TemplateRef("other")) == Unpublished(names=(NAME,))


async def test_templates_are_listed_in_their_order(templates: SqlTemplateStore) -> None:
    for service, name in [("b", "one"), ("a", "two"), ("a", "one")]:
        await templates.save(service=service, name=name, content=content(), if_match=None)

    everyone = await templates.list(service=None, limit=9, after=None)
    after = await templates.list(service=None, limit=9, after=("a", "one"))
    own = await templates.list(service="a", limit=1, after=None)

    assert [(each.service, each.name) for each in everyone] == [
        ("a", "one"),
        ("a", "two"),
        ("b", "one"),
    ]
    assert [(each.service, each.name) for each in after] == [("a", "two"), ("b", "one")]
    assert [each.name for each in own] == ["one"]
    assert all(each.published is None and not each.is_archived for each in everyone)


async def test_a_draft_is_begun_only_where_there_is_none(templates: SqlTemplateStore) -> None:
    async def begun() -> TemplateDraft | LostRace:
        return await templates.save(service="orders", name=NAME, content=content(), if_match="")

    first = await begun()

    assert isinstance(first, TemplateDraft)
    assert await begun() == LostRace(first.etag)


async def test_templates_are_found_by_name_channel_and_what_became_of_them(
    templates: SqlTemplateStore,
) -> None:
    sms = replace(content(), parts={"en": {Channel.SMS: {"text": "Now"}}})
    mail = replace(content(), parts={"de": {Channel.EMAIL: {"text": "Now"}}})
    footer = replace(mail, is_partial=True)
    for name, each in [("alert_sms", sms), ("footer", footer), ("news.weekly", mail)]:
        await templates.save(service="orders", name=name, content=each, if_match=None)
    await templates.archive(service="orders", name="news.weekly")

    async def found(**wanted: Any) -> list[str]:
        filter = TemplateFilter(**wanted)
        listed = await templates.list(service="orders", limit=9, after=None, filter=filter)
        return [each.name for each in listed]

    assert await found(name="s.we") == ["news.weekly"]
    assert await found(name="_") == ["alert_sms"]
    assert await found(channel=Channel.SMS) == ["alert_sms"]
    assert await found(channel=Channel.EMAIL) == ["footer", "news.weekly"]
    assert await found(is_partial=True) == ["footer"]
    assert await found(is_partial=False, is_archived=False) == ["alert_sms"]
    assert await found(is_archived=True) == ["news.weekly"]
    [listed, *_] = await templates.list(service="orders", limit=9, after=None)
    assert set(listed.channels) == {Channel.SMS}
    assert not listed.is_partial
    assert await templates.template("orders", "alert_sms") == listed
    assert await templates.template("payments", "alert_sms") == NotFound()


def pinned(pin: Pin, *, sensitive: bool = False) -> Submission:
    base = replace(a_submission(sensitive=sensitive), content=None, subject=None, html=None)
    return replace(base, template=pin, variables={})


async def test_a_notification_is_claimed_with_the_version_that_it_was_accepted_with(
    stores: Stores,
) -> None:
    pin = Pin(uuid4(), "de-AT")

    claimed = await stores.claimed(pinned(pin))

    assert (claimed.template, claimed.content, claimed.variables) == (pin, None, {})


@pytest.mark.parametrize("sensitive", [False, True])
async def test_what_was_sent_with_a_template_is_replayed_while_its_variables_are_there(
    stores: Stores,
    sensitive: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    failed = await stores.ended(FAIL, pinned(Pin(uuid4(), "en"), sensitive=sensitive))

    await stores.orders.move(REPLAY, failed.id, service=None)

    assert await stores.status(failed.id) is (Status.FAILED if sensitive else Status.PENDING)


def a_partial(text: str = "Bye") -> Content:
    parts = {"en": {Channel.SMS: {"text": text}}}
    return Content(default_locale="en", parts=parts, schema={}, examples=[], is_partial=True)


async def made(
    templates: SqlTemplateStore,
    name: str,
    compiled: Content,
    cascade: Renewals | None = None,
) -> object:
    """Write a draft and publish it."""
    draft = await templates.save(service="orders", name=name, content=compiled, if_match=None)
    assert isinstance(draft, TemplateDraft)
    return await templates.publish(draft=draft, compiled=compiled, id=uuid4(), cascade=cascade)


async def users(templates: SqlTemplateStore, used: str) -> list[str]:
    return [each.name for each in await templates.users("orders", used, limit=9, after=None)]


def a_renewal(name: str, published: int, number: int, **uses: int) -> Renewal:
    compiled = replace(content("Renewed"), uses=uses)
    return Renewal(
        name=name,
        published=published,
        number=number,
        id=uuid4(),
        compiled=compiled,
        source=content("Source"),
    )


async def test_partials_are_found_as_they_are_published(templates: SqlTemplateStore) -> None:
    await made(templates, "footer", a_partial("One"))
    await made(templates, "footer", a_partial("Two"))
    await templates.save(service="orders", name="footer", content=a_partial("3"), if_match=None)
    await made(templates, "gone", a_partial())
    await templates.archive(service="orders", name="gone")
    await made(templates, "mail", content())

    found = await templates.partials("orders", ["footer", "gone", "mail", "none"])

    assert found == {"footer": Partial(2, a_partial("Two"))}
    assert await templates.partials("payments", ["footer"]) == {}


async def test_what_a_template_uses_is_what_its_published_version_does(
    templates: SqlTemplateStore,
) -> None:
    await made(templates, "footer", a_partial())
    uses = replace(content(), uses={"footer": 1}, brand={"name": "Evently"})
    await made(templates, "a", uses)
    await made(templates, "b", uses)

    assert (await users(templates, "footer"), await users(templates, BRAND)) == (
        ["a", "b"],
        ["a", "b"],
    )
    await made(templates, "a", content())
    assert await users(templates, "footer") == ["b"]
    await templates.rollback(service="orders", name="a", number=1, as_number=3, id=uuid4())
    assert await users(templates, "footer") == ["a", "b"]


async def test_a_partial_that_was_published_meanwhile_is_not_taken_in(
    templates: SqlTemplateStore,
) -> None:
    await made(templates, "footer", a_partial("One"))
    await made(templates, "footer", a_partial("Two"))

    late = await made(templates, "a", replace(content(), uses={"footer": 1}))
    gone = await made(templates, "a", replace(content(), uses={"none": 1}))

    assert isinstance(late, LostRace)
    assert isinstance(gone, LostRace)
    assert isinstance(await templates.find("orders", TemplateRef("a")), Unpublished)


async def test_a_cascade_is_published_with_its_partial(templates: SqlTemplateStore) -> None:
    await made(templates, "footer", a_partial("One"))
    await made(templates, "a", replace(content(), uses={"footer": 1}))

    cascade = Renewals(["a"], [a_renewal("a", 1, 2, footer=2)])
    assert await made(templates, "footer", a_partial("Two"), cascade) == Applied()

    found = await templates.written("orders", "a", 2)
    assert isinstance(found, WrittenVersion)
    assert found.version.content.parts == content("Renewed").parts
    assert found.source == content("Source")
    assert await templates.find("orders", TemplateRef("a")) == found.version


@pytest.mark.parametrize(
    "cascade",
    [
        Renewals(["a"], [a_renewal("a", 1, 3, footer=2)]),
        Renewals(["a"], [a_renewal("a", 2, 4, footer=2)]),
        Renewals(["a"], [a_renewal("a", 2, 3, footer=1)]),
        Renewals([], []),
    ],
    ids=["published meanwhile", "numbered meanwhile", "of an old partial", "unknown"],
)
async def test_a_cascade_that_was_outrun_changes_nothing(
    templates: SqlTemplateStore, cascade: Renewals
) -> None:
    await made(templates, "footer", a_partial("One"))
    for subject in ("One", "Two"):
        await made(templates, "a", replace(content(subject), uses={"footer": 1}))

    assert await made(templates, "footer", a_partial("Two"), cascade) == Outrun(["a"])

    numbers = [
        [each.number for each in await templates.versions("orders", name, limit=9, before=None)]
        for name in ("a", "footer")
    ]
    assert numbers == [[2, 1], [1]]


async def test_an_archived_template_is_not_published_by_a_cascade(
    templates: SqlTemplateStore,
) -> None:
    await made(templates, "footer", a_partial("One"))
    await made(templates, "a", replace(content(), uses={"footer": 1}))
    await templates.archive(service="orders", name="a")

    cascade = Renewals(["a"], [a_renewal("a", 1, 2, footer=2)])

    assert await made(templates, "footer", a_partial("Two"), cascade) == Outrun(["a"])


async def test_the_images_of_what_a_cascade_publishes_are_kept_with_it(stores: Stores) -> None:
    templates = stores.templates
    logo = uuid4()
    await made(templates, "footer", a_partial("One"))
    await made(templates, "a", replace(content(), uses={"footer": 1}))
    renewal = a_renewal("a", 1, 2, footer=2)
    renewal = replace(renewal, compiled=replace(renewal.compiled, images={"logo": logo}))

    await made(templates, "footer", a_partial("Two"), Renewals(["a"], [renewal]))

    kept = select(attachment_uses.c.attachment_id).where(attachment_uses.c.used_by == renewal.id)

    async def images(connection: AsyncConnection) -> list[UUID]:
        return [*(await connection.scalars(kept))]

    assert await stores.database.read(images) == [logo]
