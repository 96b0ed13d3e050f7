"""Mails of a category that people can switch off say where."""

from dataclasses import replace

import pytest

from notifier.content.ports import example_offered
from notifier.content.shared import Shared
from notifier.content.template import Content, Severity
from notifier.notification.model import Channel
from notifier.rendering.wire import offered_document, read_offered, read_shared, shared_document
from tests.unit.rendering.making import SHARED, a_partial, check, content, email, sms

LINK = "{{ unsubscribe_url }}"
HREF = '<a href="{{ unsubscribe_url|url }}">Unsubscribe</a>'


def found(of: Content, shared: Shared = SHARED, category: str = "news") -> list[str | None]:
    """In which languages the finding is."""
    return [
        each.locale
        for each in check(replace(of, category=category), shared).findings
        if (each.code, each.severity) == ("unsubscribe", Severity.ERROR)
    ]


def test_a_mail_without_the_link_is_found_in_each_language() -> None:
    parts = {Channel.EMAIL: {"subject": "Hello", "text": "Hello"}}
    linked = {Channel.EMAIL: {"subject": "Hallo", "text": f"Hallo {LINK}"}}

    assert found(content({"en": parts, "de": linked, "fr": parts})) == ["en", "fr"]


@pytest.mark.parametrize(
    "of",
    [email(text=LINK), email(html=HREF), sms("Hello")],
    ids=["in the text", "in the html", "an SMS"],
)
def test_a_link_in_the_text_or_the_html_is_enough(of: Content) -> None:
    assert found(of) == []


def test_a_link_in_the_subject_is_none() -> None:
    assert found(email(subject=LINK)) == ["en"]


def test_a_link_may_come_with_a_partial() -> None:
    partial = a_partial(en=LINK)
    mail = replace(partial.content, parts={"en": {Channel.EMAIL: {"text": LINK}}}, is_partial=True)
    shared = replace(SHARED, partials={"footer": replace(partial, content=mail)})

    assert found(email(text='Hello {% include "footer" %}'), shared) == []


def test_what_cannot_be_switched_off_or_was_not_declared_needs_none() -> None:
    assert found(email(), category="security") == []
    assert found(email(), replace(SHARED, switchable=frozenset())) == []


def test_what_is_offered_and_shared_is_the_same_on_the_other_side() -> None:
    offered = example_offered("n-1")

    assert read_offered(offered_document(offered)) == offered
    assert read_shared(shared_document(SHARED)).switchable == SHARED.switchable
