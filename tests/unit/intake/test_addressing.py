from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest

from notifier.audience.quiet_hours import QuietHours
from notifier.content.attachment import AttachmentLimits
from notifier.content.template import TemplateRef
from notifier.intake.attaching import Attacher
from notifier.intake.draft import Draft
from notifier.intake.drafting import Drafter
from notifier.intake.pinning import Pinner
from notifier.intake.ports import Submission
from notifier.intake.senders import Senders
from notifier.notification.model import Addressee, Channel, Lane
from notifier.notification.outcomes import Fault
from notifier.notification.sms import SmsRules
from notifier.rendering.markup import HtmlMarkup
from notifier.rendering.renderer import VersionRenderer
from tests.audience import KeptAudience, a_category, a_person
from tests.files import KeptFiles
from tests.senders import KeptSenders
from tests.templates import BOOKED, KeptTemplates

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
"""In Vienna it is half past midnight."""
NIGHT = QuietHours(time(22), time(7))
MAIL = Draft(channel=Channel.EMAIL, user_id="u-7", subject="News", content="There are some.")
NEWS = replace(MAIL, category="news")


class Still:
    """A clock that stands still."""

    def __init__(self, at: datetime = NOW) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def monotonic_s(self) -> float:
        return 0


@pytest.fixture
def kept() -> KeptAudience:
    kept = KeptAudience()
    kept.add(a_person())
    kept.declare(a_category("news"), a_category("security", can_switch_off=False))
    return kept


def drafter(
    kept: KeptAudience, at: datetime = NOW, templates: KeptTemplates | None = None
) -> Drafter:
    clock = Still(at)
    pinner = Pinner((templates or KeptTemplates()).library(), VersionRenderer(clock))
    return Drafter(
        clock=clock,
        new_id=uuid4,
        channels=frozenset(Channel),
        pinner=pinner,
        senders=Senders(KeptSenders(), clock),
        markup=HtmlMarkup(),
        attacher=Attacher(KeptFiles(), AttachmentLimits()),
        sms=SmsRules(),
        audience=kept.audience(clock),
    )


async def accepted(kept: KeptAudience, draft: Draft, *, at: datetime = NOW) -> Submission:
    [made] = await drafter(kept, at).submissions([draft], service="orders")
    assert isinstance(made, Submission), made
    return made


async def wrong(kept: KeptAudience, draft: Draft) -> dict[str, str]:
    [made] = await drafter(kept).submissions([draft], service="orders")
    assert isinstance(made, list), made
    return {each.field: each.words for each in made}


async def test_a_persons_address_is_looked_up(kept: KeptAudience) -> None:
    made = await accepted(kept, MAIL)

    assert (made.recipient, made.withheld) == ("ada@example.org", None)
    assert made.addressee == Addressee(user_id="u-7")


async def test_an_address_that_comes_along_is_for_this_once(kept: KeptAudience) -> None:
    made = await accepted(kept, replace(MAIL, recipient="office@EXAMPLE.org"))

    assert made.recipient == "office@example.org"
    assert made.addressee == Addressee(user_id="u-7", is_address_given=True)


async def test_an_inbox_is_called_by_the_persons_id(kept: KeptAudience) -> None:
    made = await accepted(kept, Draft(channel=Channel.IN_APP, user_id="u-7", content="Hello."))

    assert made.recipient == "u-7"


async def test_whoever_is_unknown_or_out_of_reach_is_told_with_all_else(
    kept: KeptAudience,
) -> None:
    unknown = await wrong(kept, replace(MAIL, user_id="u-8", subject=None, content="{{ x }}"))
    out_of_reach = await wrong(kept, Draft(channel=Channel.SMS, user_id="u-7", content="Hello."))
    both_wrong = await wrong(kept, replace(MAIL, user_id="u-8", recipient="nowhere"))

    assert set(unknown) == {"user_id", "subject", "content"}
    assert "PUT /api/v1/recipients/{user_id}" in unknown["user_id"]
    assert out_of_reach == {"user_id": "this recipient has no address for sms"}
    assert set(both_wrong) == {"user_id", "recipient"}


async def test_a_notification_is_for_somebody(kept: KeptAudience) -> None:
    found = await wrong(kept, replace(MAIL, user_id=None))

    assert found == {"recipient": "this field is required, or user_id"}


async def test_a_thousand_drafts_look_once_who_they_are_for(kept: KeptAudience) -> None:
    kept.add(*(a_person(f"u-{number}") for number in range(100)))
    drafts = [replace(MAIL, user_id=f"u-{number % 101}") for number in range(1_000)]

    made = await drafter(kept).submissions(drafts, service="orders")

    assert kept.looks == 1
    assert sum(isinstance(each, list) for each in made) == 1_000 // 101


async def test_sends_that_name_an_address_alone_ask_the_directory_nothing(
    kept: KeptAudience,
) -> None:
    made = await accepted(kept, replace(MAIL, user_id=None, recipient="bob@example.org"))

    assert (kept.looks, made.addressee, made.withheld) == (0, None, None)


async def test_what_was_switched_off_is_accepted_as_suppressed_and_says_why(
    kept: KeptAudience,
) -> None:
    kept.add(a_person(choices={("news", "*"): False}))

    made = await accepted(kept, NEWS)

    assert made.withheld == Fault(
        kind="suppressed",
        code="choice",
        message="its recipient switched news off for every channel",
    )
    assert made.addressee == Addressee(user_id="u-7", category="news")


async def test_what_cannot_be_switched_off_is_sent(kept: KeptAudience) -> None:
    kept.add(a_person(choices={("*", "*"): False}))

    made = await accepted(kept, replace(MAIL, category="security"))

    assert made.withheld is None
    assert made.addressee == Addressee(user_id="u-7", category="security", is_required=True)


async def test_a_category_that_is_off_by_default_reaches_nobody_who_is_unknown(
    kept: KeptAudience,
) -> None:
    kept.declare(a_category("news", defaults={Channel.EMAIL: False}))

    made = await accepted(kept, replace(NEWS, user_id=None, recipient="bob@example.org"))

    assert made.withheld is not None
    assert made.withheld.code == "category_default"
    assert made.addressee == Addressee(category="news")


async def test_a_category_that_nobody_declared_is_refused(kept: KeptAudience) -> None:
    assert await wrong(kept, replace(MAIL, category="offers")) == {
        "category": "there is no such category; there are news, security"
    }
    kept.declare()
    assert await wrong(kept, NEWS) == {
        "category": "there is no such category: this service has none"
    }


async def test_what_comes_at_night_waits_for_the_morning_where_its_recipient_is(
    kept: KeptAudience,
) -> None:
    kept.add(a_person(quiet_hours=NIGHT))
    morning = datetime(2026, 7, 2, 5, tzinfo=UTC)

    made = await accepted(kept, NEWS, at=MIDNIGHT)
    planned = await accepted(kept, replace(NEWS, send_at=MIDNIGHT))
    later = await accepted(kept, replace(NEWS, send_at=morning + timedelta(hours=5)))
    urgent = await accepted(kept, replace(NEWS, lane=Lane.HIGH), at=MIDNIGHT)

    assert (made.send_at, planned.send_at) == (morning, morning)
    assert made.withheld == Fault(
        kind="deferred",
        code="quiet_hours",
        message="its recipient's quiet hours end at 2026-07-02 05:00 UTC",
    )
    assert (later.send_at, later.withheld) == (morning + timedelta(hours=5), None)
    assert (urgent.send_at, urgent.withheld) == (None, None)


async def test_a_services_quiet_hours_are_for_those_who_have_none(kept: KeptAudience) -> None:
    kept.declare(a_category("news"), quiet_hours=NIGHT)
    unknown = replace(NEWS, user_id=None, recipient="bob@example.org")

    assert (await accepted(kept, NEWS, at=MIDNIGHT)).send_at is not None
    assert (await accepted(kept, unknown, at=MIDNIGHT)).send_at is None
    kept.add(a_person(quiet_hours=QuietHours(time(1), time(2))))
    assert (await accepted(kept, NEWS, at=MIDNIGHT)).send_at is None


async def test_a_template_is_pinned_in_its_recipients_language_and_category(
    kept: KeptAudience,
) -> None:
    kept.add(a_person(locale="de-AT", attributes={"name": "Ada"}))
    kept.declare(a_category("bookings"))
    templates = KeptTemplates()
    hello = {"en": "Hello {{ recipient.attributes.name }}", "de": "Hallo {{ recipient.id }}"}
    parts = {
        locale: {Channel.EMAIL: {"subject": "Booked", "text": text}}
        for locale, text in hello.items()
    }
    templates.publish("booked", replace(BOOKED, parts=parts, schema={}, category="bookings"))
    draft = Draft(channel=Channel.EMAIL, user_id="u-7", template=TemplateRef("booked"))
    stranger = replace(draft, user_id=None, recipient="bob@example.org")

    made, in_english, unknown = await drafter(kept, templates=templates).submissions(
        [draft, replace(draft, locale="en"), stranger], service="orders"
    )

    assert isinstance(made, Submission)
    assert made.template
    assert made.template.locale == "de-AT"
    assert made.addressee == Addressee(user_id="u-7", category="bookings")
    assert isinstance(in_english, Submission)
    assert in_english.template
    assert in_english.template.locale == "en"
    assert isinstance(unknown, list)
    assert [each.field for each in unknown] == ["template"]
