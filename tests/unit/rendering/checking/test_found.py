"""Each thing that the page about the language says is found, is found: with a content for each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from notifier.content.template import Content, Finding, Severity
from notifier.notification.model import Channel, JsonValue
from tests.unit.rendering.making import check, content, email, sms

ROOT = Path(__file__).parents[4]
HEAD = '<!doctype html><html lang="en"><head><title>T</title></head><body>'
END = "</body></html>"


def page(html: str, **changes: Any) -> Content:
    return email(html=f"{HEAD}{html}{END}", preheader="In short", **changes)


def with_schema(schema: Mapping[str, Any], text: str = "a", *examples: Any) -> Content:
    return content({"en": {Channel.SMS: {"text": text}}}, schema=schema, examples=examples)


def mjml(inner: str) -> Content:
    body = f"<mj-body><mj-section><mj-column>{inner}</mj-column></mj-section></mj-body>"
    return email(mjml=f'<mjml lang="en">{body}</mjml>', preheader="a")


def nested(depth: int) -> dict[str, JsonValue]:
    deep: dict[str, JsonValue] = {}
    for _ in range(depth):
        deep = {"a": deep}
    return deep


NAME = {"properties": {"name": {"type": "string"}}, "required": ["name"]}
ERRORS: Mapping[str, Content] = {
    "unsubscribe": replace(email(), category="news"),
    "part-missing": email(text=" "),
    "part-unknown": email(footer="a"),
    "part-twice": email(html="<p>a</p>", mjml="<mjml></mjml>"),
    "default-incomplete": content({"de": {Channel.SMS: {"text": "a"}}}),
    "locale": content({"xx": {Channel.SMS: {"text": "a"}}}, default_locale="xx"),
    "include": sms("{% include name %}"),
    "include-unknown": sms('{% include "none" %}'),
    "include-circular": sms('{% include "round" %}'),
    "layout": replace(sms("a"), layout="bye"),
    "image": page("<img src='cid:logo' alt=''>"),
    "syntax": sms("{{ a"),
    "filling": sms("{{ {} }}"),
    "too-complex": sms("{% for a in range(9999) %}{% for b in range(9) %}{% endfor %}{% endfor %}"),
    "too-long": sms("a" * 256_001),
    "too-much-data": with_schema(
        {"properties": {"a": {}}, "required": ["a"]}, "b", {"a": "a" * 100_000}
    ),
    "schema": with_schema({"type": "strin"}),
    "schema-reference": with_schema({"$ref": "https://a.example/"}),
    "variable-unknown": with_schema(NAME, "{{ nme }}"),
    "variable-reserved": with_schema({"properties": {"now": {}}}),
    "example-invalid": with_schema(NAME, "{{ name }}", {"name": 1}),
    "empty": sms("{% if 0 %}a{% endif %}"),
    "line-break": email(subject="a{{ '\\n' }}b"),
    "control-characters": email(subject="a{{ '\\u0007' }}b"),
    "text-empty": page("<p>Booked for Ada, in the park.</p>" * 9, text="View it in your browser"),
    "html-context": page("<p style='color:{{ notification.id }}'>a</p>"),
    "html-link": page("<a href='{{ notification.id }}'>a</a>"),
    "html-rich": page("<b title='{{ notification.id|rich }}'>a</b>"),
    "html-unescaped": page("{% autoescape false %}a{% endautoescape %}"),
    "html-element": page("<iframe></iframe>"),
    "html-broken": page("<p>a</b></p>"),
    "styles": page("<style>p{color:red}</style><p style='}{'>a</p>"),
    "link": page("<a href='http://a.example/'>a</a>"),
    "mjml": email(mjml="<mjml><mj-body></mjml>"),
    "mjml-tag": mjml("<mj-txt>a</mj-txt>"),
    "mjml-attribute": mjml("<mj-text colour='red'>a</mj-text>"),
    "mjml-inline": mjml("<mj-style inline='inline'>b{}</mj-style>"),
    "segments": sms("a" * 1_531),
}
WARNINGS: Mapping[str, Content] = {
    "nearly-too-complex": sms("{% for i in range(6000) %}{% if i %}{% endif %}{% endfor %}a"),
    "partial-locale": sms("a", de='{% include "bye" %}'),
    "variable-unused": with_schema({"properties": {"a": {}}}),
    "examples-missing": with_schema(NAME, "{{ name }}"),
    "preheader-missing": email(html="<p>a</p>"),
    "subject-long": email(subject="a" * 151),
    "html-clipped": page("<p>ä</p>" * 20_000),
    "html-document": email(html="<p>a</p>"),
    "html-doctype": email(html="<html lang='en'><head><title>a</title></head>a</html>"),
    "html-lang": email(html="<!doctype html><html><head><title>a</title></head>a</html>"),
    "html-title": mjml("<mj-text>a</mj-text>"),
    "html-alt": page("<img src='https://a.example/a.png'>"),
    "html-table": page("<table><tr><td>a</td></tr></table>"),
    "html-entity": page("<a href='https://a.example/?a=1&copy=2'>a</a>"),
    "image-unused": replace(page("<p>a</p>"), images={"logo": uuid4()}),
    "html-unchecked": page("{% for i in range(99) %}" + "<p>a</p>" * 520 + "{% endfor %}"),
    "segments": sms("a" * 161),
}
BEYOND = {"too-deep"}
"""What is found before a child is asked."""


def found(of: Content, code: str) -> list[Finding]:
    return [each for each in check(of).findings if each.code == code]


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_is_found_and_keeps_a_content_from_being_published(code: str) -> None:
    assert Severity.ERROR in {each.severity for each in found(ERRORS[code], code)}
    assert check(ERRORS[code]).compiled is None


@pytest.mark.parametrize("code", WARNINGS)
def test_a_warning_is_found_and_keeps_nothing_from_being_published(code: str) -> None:
    assert {each.severity for each in found(WARNINGS[code], code)} == {Severity.WARNING}
    assert check(WARNINGS[code]).compiled is not None


def documented() -> Iterator[tuple[str, str]]:
    text = (ROOT / "docs/template-language.md").read_text(encoding="utf-8")
    for row in text.partition("\n## What is found\n")[2].splitlines():
        cells = [each.strip() for each in row.split("|")]
        if row.startswith("| `"):
            yield from (
                (code, severity)
                for code in re.findall(r"`([a-z-]+)`", cells[1])
                for severity in cells[2].split(", ")
            )


def test_everything_that_is_said_to_be_found_has_a_content_here() -> None:
    shown = {(code, "error") for code in ERRORS} | {(code, "warning") for code in WARNINGS}

    assert {each for each in documented() if each[0] not in BEYOND} == shown


SOUND = page(
    """
    <!--[if mso]><table><tr><td width="600"><![endif]-->
    <table role="presentation"><tr><td>
      <img src="https://a.example/a.png" alt=""><br>
      <a href="https://a.example/?a=1&b=2">Tom &amp; Jerry & Co.</a>
      <table><tr><th>What</th></tr>{% for i in range(3) %}<tr><td>{{ i }}</td></tr>{% endfor %}
      </table>
    </td></tr></table>
    <!--[if mso]></td></tr></table><![endif]-->
    <!--[if !mso]><!--><p>a</p><!--<![endif]-->
    """
)


def test_in_a_sound_page_nothing_is_found() -> None:
    assert check(SOUND).findings == []


def test_a_whole_page_of_mjml_is_sound() -> None:
    inner = (
        "<mj-text>{{ notification.id }}<br>a</mj-text>"
        "<mj-image src='https://a.example/a.png' alt='a' />"
        "<mj-button href='https://a.example/'>a</mj-button>"
        "<mj-table><tr><th>a</th></tr><tr><td>a</td></tr></mj-table>"
    )
    source = mjml(inner).parts["en"][Channel.EMAIL]["mjml"]
    titled = source.replace("<mj-body>", "<mj-head><mj-title>T</mj-title></mj-head><mj-body>")

    assert check(email(mjml=titled, preheader="a")).findings == []


@pytest.mark.parametrize(
    ("html", "code", "place"),
    [
        ("<p>a</p>\n  <p>b</i></p>", "html-broken", (2, 7)),
        ("{# a\nb #}<p>{{ notification.id }}</i></p>", "html-broken", (2, 29)),
        ("{% for i in range(3) %}\n<img src='cid:a'>{% endfor %}", "html-alt", (2, 1)),
        ("<p>a</p>\n<table width='1'><tr><td>a</td></tr></table>", "html-table", (2, 1)),
    ],
)
def test_what_is_wrong_with_a_page_is_told_with_its_place_in_the_source(
    html: str, code: str, place: tuple[int, int]
) -> None:
    of = email(html=f"{HEAD}\n{html}{END}", preheader="a")

    line, column = place
    assert {(each.line, each.column) for each in found(of, code)} == {(line + 1, column)}


def test_broken_mjml_is_told_with_its_place() -> None:
    of = mjml("\n<mj-text>ä\n  a</i></mj-text>")

    (fault,) = found(of, "mjml")
    assert (fault.part, fault.line) == ("mjml", 3)
    assert "position" not in fault.detail


@pytest.mark.parametrize(
    "text",
    [
        "View this email in your browser: https://a.example/v/42",
        "Wird diese E-Mail nicht richtig dargestellt? Im Browser öffnen",
        "Please enable HTML to read this.",
    ],
)
def test_a_text_that_only_sends_to_the_page_is_found_in_any_language(text: str) -> None:
    assert found(page("<p>Booked for Ada, in the park.</p>" * 20, text=text), "text-empty")


def test_a_text_that_says_what_the_page_says_may_be_about_browsers() -> None:
    text = "You signed in from a new browser: Firefox on Linux. Was it not you? Write to us."

    assert not found(page(f"<p>{text}</p>", text=text), "text-empty")
