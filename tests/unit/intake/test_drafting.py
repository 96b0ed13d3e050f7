"""What becomes of a draft: a submission, or all that is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from notifier.content.attachment import AttachmentLimits
from notifier.content.template import TemplateRef
from notifier.intake.attaching import Attacher
from notifier.intake.draft import Draft
from notifier.intake.drafting import Drafter
from notifier.intake.pinning import Pinner
from notifier.intake.ports import Submission
from notifier.intake.senders import Senders
from notifier.notification.model import Channel, JsonValue, Lane
from notifier.notification.sms import SmsEncoding, SmsRules, SmsSize
from notifier.rendering.markup import HtmlMarkup
from notifier.rendering.renderer import VersionRenderer
from tests.audience import KeptAudience
from tests.files import KeptFiles
from tests.senders import KeptSenders
from tests.templates import KeptTemplates

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MAIL = Draft(
    channel=Channel.EMAIL,
    recipient="anna@example.com",
    subject="Your order",
    content="It is on its way.",
)
SMS = Draft(channel=Channel.SMS, recipient="+491701234567", content="On its way.")
IN_APP = Draft(channel=Channel.IN_APP, recipient="user 42", content="On its way.")


_RULES = SmsRules()


@dataclass(frozen=True, slots=True)
class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic_s(self) -> float:
        return 0


def drafter(
    *, channels: frozenset[Channel] = frozenset(Channel), sms: SmsRules = _RULES
) -> Drafter:
    pinner = Pinner(KeptTemplates().library(), VersionRenderer(Noon()))
    return Drafter(
        clock=Noon(),
        new_id=uuid4,
        channels=channels,
        pinner=pinner,
        senders=Senders(KeptSenders(), Noon()),
        markup=HtmlMarkup(),
        attacher=Attacher(KeptFiles(), AttachmentLimits()),
        sms=sms,
        audience=KeptAudience().audience(Noon()),
    )


async def accepted(draft: Draft) -> Submission:
    [made] = await drafter().submissions([draft], service="orders")
    assert isinstance(made, Submission), made
    return made


async def wrong(
    draft: Draft, *, channels: frozenset[Channel] = frozenset(Channel)
) -> dict[str, str]:
    [made] = await drafter(channels=channels).submissions([draft], service="orders")
    assert isinstance(made, list), made
    return {each.field: each.words for each in made}


@pytest.mark.parametrize("draft", [MAIL, SMS, IN_APP])
async def test_the_least_that_a_channel_needs_is_accepted(draft: Draft) -> None:
    made = await accepted(draft)

    assert isinstance(made.id, UUID)
    assert (made.service, made.lane, made.content) == ("orders", Lane.NORMAL, draft.content)


async def test_each_of_many_drafts_is_answered_in_its_place() -> None:
    bad = replace(MAIL, subject=None)
    drafts = [bad if index % 3 == 0 else replace(SMS, content=str(index)) for index in range(20)]

    made = await drafter().submissions(drafts, service="orders", traceparent="00-ab-cd-01")

    told = [each.content if isinstance(each, Submission) else None for each in made]
    assert told == [None if index % 3 == 0 else str(index) for index in range(20)]
    good = [each for each in made if isinstance(each, Submission)]
    assert {each.traceparent for each in good} == {"00-ab-cd-01"}
    assert len({each.id for each in good}) == len(good)


async def test_a_notification_needs_content_or_a_template() -> None:
    draft = Draft(channel=Channel.SMS, recipient="+491701234567")

    assert await wrong(draft) == {"content": "this field is required, or a template"}


async def test_all_that_is_wrong_is_told_at_once() -> None:
    draft = Draft(
        channel=Channel.IN_APP,
        recipient="line\nbreak",
        content="{{ name }}",
        subject="a\nb",
        html="<p>no</p>",
        send_at=NOW + timedelta(days=367),
        expires_at=NOW,
        sensitive=True,
    )

    found = await wrong(draft, channels=frozenset({Channel.EMAIL}))

    assert set(found) == {
        "type",
        "recipient",
        "sensitive",
        "content",
        "subject",
        "html",
        "send_at",
        "expires_at",
    }


async def test_a_channel_that_is_off_is_refused() -> None:
    found = await wrong(SMS, channels=frozenset({Channel.EMAIL}))

    assert found == {"type": "sms is turned off here"}


async def test_a_recipient_is_brought_into_its_normal_form() -> None:
    made = await accepted(replace(MAIL, recipient=" Anna@Example.COM. "))

    assert made.recipient == "Anna@example.com"


@pytest.mark.parametrize(
    ("draft", "recipient"),
    [
        (MAIL, "nobody"),
        (MAIL, "a@b@example.com"),
        (MAIL, "u@x.io\r\nRCPT TO:<e@x.io>"),
        (SMS, "+49"),
        (SMS, "tel:+491701234567;ext=1"),
        (SMS, "+1 800 FLOWERS"),
        (IN_APP, "line\nbreak"),
        (IN_APP, "x" * 201),
        (IN_APP, ""),
    ],
)
async def test_a_recipient_that_is_none_of_its_channel_is_refused(
    draft: Draft, recipient: str
) -> None:
    found = await wrong(replace(draft, recipient=recipient))

    assert list(found) == ["recipient"]
    assert len(recipient) < 4 or recipient not in found["recipient"]


@pytest.mark.parametrize(
    "subject", ["a\nb", "a\rb", "a\x0bb", "a\x1cb", "a\x85b", "a\u2028b", "a\u2029b", "\t"]
)
async def test_a_subject_of_more_than_one_line_is_refused(subject: str) -> None:
    assert "subject" in await wrong(replace(MAIL, subject=subject))


async def test_a_subject_that_becomes_two_lines_when_filled_is_refused() -> None:
    draft = replace(MAIL, subject="Hi {{ name }}", variables={"name": "x\r\nBcc: e@x.io"})

    assert "control characters" in (await wrong(draft))["subject"]


async def test_an_email_needs_a_subject_and_an_sms_has_none() -> None:
    assert await wrong(replace(MAIL, subject=None)) == {"subject": "an email needs a subject"}
    assert await wrong(replace(SMS, subject="Hi")) == {"subject": "an SMS has no subject"}
    assert (await accepted(replace(IN_APP, subject="Hi"))).subject == "Hi"


async def test_only_an_email_has_html() -> None:
    assert (await accepted(replace(MAIL, html="<p>Hi</p>"))).html == "<p>Hi</p>"
    assert "html" in await wrong(replace(SMS, html="<p>Hi</p>"))
    assert "html" in await wrong(replace(IN_APP, html="<p>Hi</p>"))


@pytest.mark.parametrize("field", ["content", "subject", "html"])
async def test_a_missing_variable_is_named_at_the_template_that_needs_it(field: str) -> None:
    templates: Mapping[str, str] = {field: "Hi {{ user.name }}"}
    draft = replace(MAIL, variables={"user": {}}, **templates)  # type: ignore[arg-type] # by name

    assert await wrong(draft) == {field: "no value in variables for user.name; there are none"}


async def test_the_messages_of_an_sms_are_counted_as_it_is_filled() -> None:
    one = replace(SMS, content="{{ x }}", variables={"x": "x" * 160})
    two = replace(SMS, content="Hi {{ x }}", variables={"x": "\u0436" * 68})

    assert (await accepted(one)).size == SmsSize(SmsEncoding.GSM7, 1)
    assert (await accepted(two)).size == SmsSize(SmsEncoding.UCS2, 2)
    assert (await accepted(MAIL)).size is None


async def test_an_sms_of_too_many_messages_is_refused_with_what_makes_it_long() -> None:
    longest = replace(SMS, content="{{ x }}", variables={"x": "x" * 1_530})
    longer = replace(longest, variables={"x": "x" * 1_531})
    odd = replace(longest, variables={"x": "it\u2019s \u0436" * 112})

    assert (await accepted(longest)).size == SmsSize(SmsEncoding.GSM7, 10)
    assert await wrong(longer) == {"content": "11 messages in gsm7, of at most 10"}
    assert await wrong(odd) == {
        "content": "11 messages in ucs2, of at most 10: "
        "\u2019 (U+2019), \u0436 (U+0436) cannot be in gsm7"
    }


async def test_the_limit_and_the_folding_of_sms_are_settings() -> None:
    rules = SmsRules(max_segments=1, folds=True)
    said = replace(SMS, content="it\u2019s " * 30)

    [made] = await drafter(sms=rules).submissions([said], service="orders")
    [refused] = await drafter(sms=SmsRules(max_segments=1)).submissions([said], service="orders")

    assert isinstance(made, Submission)
    assert made.size == SmsSize(SmsEncoding.GSM7, 1)
    assert made.content == said.content, "it is folded when it is sent"
    assert isinstance(refused, list)


async def test_a_template_whose_output_would_explode_is_refused() -> None:
    variables: Mapping[str, JsonValue] = {"a": "x" * 10_000}
    found = await wrong(replace(MAIL, content="{{ a }}" * 2_000, variables=variables))

    assert "longer than 100000" in found["content"]


async def test_a_text_that_is_empty_once_filled_is_refused() -> None:
    assert "content" in await wrong(replace(SMS, content="{{ a }}", variables={"a": " "}))


async def test_an_expiry_lies_in_the_future_and_after_the_sending() -> None:
    def timed(send_in_h: int, expire_in_h: int) -> Draft:
        send, expire = (NOW + timedelta(hours=h) for h in (send_in_h, expire_in_h))
        return replace(MAIL, send_at=send, expires_at=expire)

    await accepted(timed(1, 2))
    assert "expires_at" in await wrong(timed(1, 1))
    assert "expires_at" in await wrong(timed(2, 1))
    assert "expires_at" in await wrong(replace(MAIL, expires_at=NOW))


async def test_a_sending_lies_at_most_a_year_ahead() -> None:
    assert (await accepted(replace(MAIL, send_at=NOW + timedelta(days=366)))).send_at
    assert "send_at" in await wrong(replace(MAIL, send_at=NOW + timedelta(days=367)))


async def test_a_sending_in_the_past_is_one_at_once() -> None:
    made = await accepted(replace(MAIL, send_at=NOW - timedelta(hours=1)))

    assert made.send_at is None


async def test_what_an_inbox_would_show_cannot_be_sensitive() -> None:
    assert (await accepted(replace(MAIL, sensitive=True))).sensitive
    assert "sensitive" in await wrong(replace(IN_APP, sensitive=True))


async def test_where_an_in_app_notification_leads_is_filled_and_checked() -> None:
    path = replace(IN_APP, action_url="/orders/{{ id }}", variables={"id": 42})
    astray = replace(IN_APP, action_url="{{ to }}", variables={"to": "javascript:alert(1)"})

    assert (await accepted(path)).action_url == "/orders/{{ id }}"
    assert (await wrong(astray))["action_url"].startswith("expected https://")
    assert (await wrong(replace(path, variables={})))[
        "action_url"
    ] == "no value in variables for id; there are none"
    assert "in_app" in (await wrong(replace(MAIL, action_url="/orders")))["action_url"]


@pytest.mark.parametrize("field", ["content", "subject", "html"])
@pytest.mark.parametrize("source", ["{% if x %}a{% endif %}", "a{# note #}"])
async def test_logic_in_content_that_came_along_is_refused(field: str, source: str) -> None:
    draft = replace(MAIL, **{field: source})  # type: ignore[arg-type] # by name

    found = await wrong(draft)

    assert list(found) == [field]
    assert "are for templates (docs/templates.md)" in found[field]


async def test_braces_are_just_braces_in_what_is_literal() -> None:
    braces = "{{ a }} {% b %} {# c #} {{"
    draft = replace(MAIL, subject=braces, content=braces, html=braces, literal=True)

    made = await accepted(draft)

    assert made.is_finished
    assert (made.subject, made.content, made.html) == (braces, braces, braces)


async def test_literal_content_has_no_variables_and_no_template() -> None:
    found = await wrong(replace(MAIL, literal=True, variables={"a": 1}))
    assert list(found) == ["variables"]

    draft = Draft(
        channel=Channel.EMAIL,
        recipient="anna@example.com",
        template=TemplateRef("welcome"),
        literal=True,
        sanitise=True,
    )
    assert set(await wrong(draft)) == {"literal", "sanitise"}


async def test_literal_content_keeps_the_limits() -> None:
    found = await wrong(replace(MAIL, content="x" * 100_001, literal=True))
    assert found == {"content": "longer than 100000 characters"}
    assert "subject" in await wrong(replace(MAIL, subject="a\nb", literal=True))


async def test_html_without_content_gets_a_text_made_of_it_filled() -> None:
    html = '<h1>Hi {{ name }}</h1><p>Go <a href="{{ url }}">there</a>.</p>'
    variables: Mapping[str, JsonValue] = {
        "name": "A {{ & }} <b>",
        "url": "https://x.example/?a=1&b",
    }
    draft = replace(MAIL, content=None, html=html, variables=variables)

    made = await accepted(draft)

    assert made.content == "Hi A {{ & }} <b>\n\nGo there (https://x.example/?a=1&b)."
    assert made.html is not None
    assert "A {{ &amp; }} &lt;b&gt;" in made.html
    assert made.is_finished, "its braces would be filled again"


async def test_html_that_says_nothing_needs_a_content() -> None:
    draft = replace(MAIL, content=None, html="<img src='https://x.example/a.png'>")

    assert "no text can be made of it" in (await wrong(draft))["html"]
    assert await wrong(replace(SMS, content=None)) == {
        "content": "this field is required, or a template"
    }


async def test_html_is_sent_as_it_came_unless_it_is_to_be_sanitised() -> None:
    html = "<script>a()</script><p onclick='x'>Hi {{ name }}</p>"
    draft = replace(MAIL, html=html, variables={"name": "<b>B</b>"}, content="{{ name }}")

    as_given = await accepted(draft)
    cleaned = await accepted(replace(draft, sanitise=True))

    assert (as_given.html, as_given.is_finished) == (html, False)
    assert cleaned.html == "<p>Hi &lt;b&gt;B&lt;/b&gt;</p>"
    assert (cleaned.content, cleaned.is_finished) == ("<b>B</b>", True)


async def test_variables_bring_nothing_past_sanitising() -> None:
    html = "<a href={{ x }}>a</a><a href='{{ y }}'>b</a>"
    variables: Mapping[str, JsonValue] = {"x": "x onclick=a()", "y": "javascript:a()"}

    made = await accepted(replace(MAIL, html=html, variables=variables, sanitise=True))

    assert made.html is not None
    assert "onclick" not in made.html
    assert "javascript" not in made.html


async def test_what_is_sanitised_must_be_there_and_of_a_size_that_can_be() -> None:
    assert list(await wrong(replace(MAIL, sanitise=True))) == ["sanitise"]
    found = await wrong(replace(MAIL, html="<i>" * 10_001, sanitise=True))
    assert "10000 tags" in found["html"]
