from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from notifier.content.template import Content, Severity
from notifier.notification.model import Channel, JsonValue
from tests.unit.rendering.making import check, content, email, rendered, sms

PAGE: Mapping[str, str] = {"preheader": "In short"}
SCHEMA: Mapping[str, JsonValue] = {
    "properties": {"name": {"type": "string"}, "note": {"type": "string"}},
    "required": ["name"],
}
MJML = (
    '<mjml lang="en"><mj-body><mj-section><mj-column><mj-text>{{ name }}</mj-text>'
    '<mj-button href="{{ link|url }}">Go</mj-button></mj-column></mj-section></mj-body></mjml>'
)


def codes(of: Content, severity: Severity = Severity.ERROR) -> set[str]:
    return {each.code for each in check(of).findings if each.severity is severity}


def page_codes(html: str) -> set[str]:
    values = {"v": "https://e.example/", "w": "word"}
    return codes(replace(email(html=html, **PAGE), examples=(values,)))


def declared(text: str, *examples: Mapping[str, JsonValue], **others: JsonValue) -> Content:
    return content(
        {"en": {Channel.SMS: {"text": text}}}, schema={**SCHEMA, **others}, examples=examples
    )


def test_a_good_content_is_compiled_with_nothing_found() -> None:
    of = content(
        {"en": {Channel.EMAIL: {"subject": "For {{ name }}", "text": "{{ note }}!", **PAGE}}},
        schema=SCHEMA,
        examples=[{"name": "Ada", "note": "Hi"}],
    )

    checked = check(of)

    assert checked.findings == []
    assert checked.compiled == of


def test_a_syntax_error_is_told_with_line_and_column() -> None:
    (found,) = check(sms("one\ntwo {{ a }\n")).findings

    assert (found.code, found.line, found.column) == ("syntax", 2, 10)
    assert (found.locale, found.channel, found.part) == ("en", Channel.SMS, "text")


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({}, "part-missing"),
        ({"xx": {Channel.SMS: {"text": "a"}}, "en": {Channel.SMS: {"text": "a"}}}, "locale"),
        ({"en": {Channel.SMS: {"text": "a", "subject": "b"}}}, "part-unknown"),
        ({"en": {Channel.EMAIL: {"subject": "a", "html": "<p>b</p>"}}}, "part-missing"),
        ({"en": {Channel.EMAIL: {"text": "a"}}}, "part-missing"),
        ({"en": {Channel.SMS: {"text": " "}}}, "part-missing"),
        (
            {"en": {Channel.EMAIL: {"subject": "a", "text": "b", "html": "c", "mjml": "d"}}},
            "part-twice",
        ),
        ({"de": {Channel.SMS: {"text": "a"}}}, "default-incomplete"),
        (
            {
                "en": {Channel.SMS: {"text": "a"}},
                "de": {Channel.SMS: {"text": "a"}, Channel.IN_APP: {"text": "b"}},
            },
            "default-incomplete",
        ),
    ],
)
def test_parts_that_are_missing_or_too_many_are_errors(
    parts: Mapping[str, Mapping[Channel, Mapping[str, str]]], code: str
) -> None:
    checked = check(content(parts))

    assert code in {each.code for each in checked.findings}
    assert checked.compiled is None


def test_names_are_compared_with_the_schema_and_the_schema_with_names() -> None:
    of = declared("{{ name }} {{ nme }} {{ recipient.id }}", {"name": "Ada"})

    found = {(each.code, each.detail) for each in check(of).findings}

    assert ("variable-unknown", "nme is not in the schema") in found
    assert ("variable-unused", "note is declared, and no part reads it") in found


def test_a_name_within_a_loop_is_found_by_an_example() -> None:
    of = content(
        {"en": {Channel.SMS: {"text": "{% for r in rows %}{{ r.nme }}{% endfor %}"}}},
        schema={
            "properties": {"rows": {"type": "array", "items": {"type": "object"}}},
            "required": ["rows"],
        },
        examples=[{"rows": [{"name": "a"}]}],
    )

    assert [each.detail for each in check(of).findings] == ["no value for r.nme"]


@pytest.mark.parametrize("name", ["recipient", "brand", "notification", "now"])
def test_no_variable_is_called_as_what_notifier_offers(name: str) -> None:
    of = content({"en": {Channel.SMS: {"text": "a"}}}, schema={"properties": {name: {}}})

    assert codes(of) == {"variable-reserved"}


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"type": "strin"}, "schema"),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "schema"),
        ({"$schema": "https://e.example/"}, "schema"),
        ({"$ref": "http://127.0.0.1:9/x"}, "schema-reference"),
        ({"$ref": "file:///etc/passwd"}, "schema-reference"),
        ({"properties": {"a": {"$dynamicRef": "other"}}}, "schema-reference"),
        ({"$id": "https://e.example/"}, "schema-reference"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "schema-reference"),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "schema-reference"),
        (
            {
                "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/%24defs/a"}},
                "properties": {"a": {"$ref": "#/$defs/a"}},
            },
            "schema-reference",
        ),
        ({"properties": {"a": {"enum": [*range(5_000)]}}}, "schema"),
        (
            {
                "$defs": {
                    **{f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)},
                    "a40": {"type": "string"},
                },
                "properties": {"a": {"$ref": "#/$defs/a0"}},
            },
            "schema",
        ),
        (
            {"$defs": {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(1_000)}},
            "schema",
        ),
    ],
)
def test_a_schema_that_is_none_or_leads_elsewhere_is_an_error(
    schema: Mapping[str, JsonValue], code: str
) -> None:
    assert codes(content({"en": {Channel.SMS: {"text": "a"}}}, schema=schema)) == {code}


def test_an_example_is_filled_with_and_without_what_is_optional() -> None:
    source = "{{ name }}{% if note|length > 2 %}!{% endif %}"

    assert codes(declared(source, {"name": "a", "note": "b"})) == {"filling"}


def test_an_example_that_the_schema_refuses_is_an_error() -> None:
    assert codes(declared("{{ name }}", {"name": 1})) == {"example-invalid"}


def test_what_nothing_is_left_of_is_an_error() -> None:
    assert codes(declared("{% if name == 'b' %}text{% endif %}", {"name": "a"})) == {"empty"}


def test_without_an_example_a_warning_says_that_nothing_was_filled() -> None:
    assert "examples-missing" in codes(declared("{{ name }}"), Severity.WARNING)


@pytest.mark.parametrize(
    ("html", "code"),
    [
        ("<script>{{ w }}</script>", "html-context"),
        ("<style>b{color:{{ w }}}</style>", "html-context"),
        ("<!-- {{ w }} -->", "html-context"),
        ("<!--[if mso]><b title={{ w }}></b><![endif]-->", "html-context"),
        ("<b onclick='{{ w }}'>", "html-context"),
        ("<b title={{ w }}>", "html-context"),
        ("<b {{ w }}>", "html-context"),
        ("<b {{ w }}='x'>", "html-context"),
        ("<b x='1'{{ w }}>", "html-context"),
        ("<{{ w }}>", "html-context"),
        ("<p style='color: {{ w }}'>", "html-context"),
        ("<a href='{{ v }}'>x</a>", "html-link"),
        ("<a href=' {{ v|upper }}'>x</a>", "html-link"),
        ("<a href='{{ v|url|lower }}'>x</a>", "html-link"),
        ("<img src='{{ v }}' alt=''>", "html-link"),
        ("<a href='java{{ w }}'>x</a>", "link"),
        ("<a href='javascript:{{ w }}'>x</a>", "link"),
        ("<a href='http://e.example/'>x</a>", "link"),
        ("<a href='https://10.0.0.1/'>x</a>", "link"),
        ("<a href='https://2130706433/'>x</a>", "link"),
        ("<img src='https://[::1]/a.png' alt=''>", "link"),
        ("<b title='{{ w|rich }}'>", "html-rich"),
        ("{% macro m(a) %}{{ a|rich }}{% endmacro %}<b title='{{ m(w) }}'>", "html-rich"),
        ("{% set a %}{{ w|rich }}{% endset %}{{ a }}", "html-rich"),
        ("{% autoescape false %}{{ w }}{% endautoescape %}", "html-unescaped"),
        ("{{ w|safe }}", "filling"),
        ("<iframe></iframe>", "html-element"),
        ("<meta http-equiv='refresh' content='0'>", "html-element"),
    ],
)
def test_a_value_where_escaping_does_not_help_is_an_error(html: str, code: str) -> None:
    assert code in page_codes(html)


@pytest.mark.parametrize(
    "html",
    [
        "<p title='{{ w }}'>{{ w }}</p>",
        "<a href='{{ v|url }}'>{{ w }}</a>",
        "<a href='https://e.example/{{ w }}?a={{ w|urlencode }}#b'>x</a>",
        "<a href='#top'>x</a><a href='mailto:a@e.example'>x</a>",
        "<img src='https://e.example/logo.png' alt='{{ w }}'>",
        "<table><tr><td>{{ w|rich }}</td></tr></table>",
        "{% raw %}<b title={{ w }}></b>{% endraw %}{# <b title={{ w }}> #}",
        "{{ {'a': {}}|length }}{{ '}}' }}<p>{{ w }}</p>",
        "<!--[if mso]><td width='1'>{{ w }}</td><![endif]-->",
        "<a {% if w %}href='{{ v|url }}'{% endif %}>x</a>",
    ],
)
def test_a_value_where_escaping_helps_is_fine(html: str) -> None:
    assert page_codes(html) == set()


def test_a_finding_in_html_has_its_line() -> None:
    found = check(email(html="<p>\n{# a\nb #}\n<b\n title={{ w }}>", **PAGE)).findings

    assert [each.line for each in found if each.code == "html-context"] == [5]


def test_a_bad_link_that_only_filling_makes_is_found() -> None:
    html = "<a href='https://{% if w %}10.0.0.1{% else %}e.example{% endif %}/'>x</a>"

    assert "link" in page_codes(html)
    assert codes(sms("see http://e.example/x")) == {"link"}


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (MJML.replace("mj-text", "mj-txt"), "mjml-tag"),
        (MJML.replace("<mj-text>", '<mj-text colour="red">'), "mjml-attribute"),
        (MJML.replace("<mj-body>", "<mj-body><mj-include path='a' />"), "mjml-tag"),
        (MJML.replace("</mj-body>", ""), "mjml"),
        (MJML.replace("{{ link|url }}", "{{ link }}"), "html-link"),
        (
            MJML.replace(
                "<mj-body>", '<mj-head><mj-style inline="inline">b{}</mj-style></mj-head><mj-body>'
            ),
            "mjml-inline",
        ),
    ],
)
def test_mjml_that_its_compiler_would_drop_or_refuse_is_an_error(source: str, code: str) -> None:
    assert code in codes(email(mjml=source, **PAGE))


def test_mjml_is_published_as_html_that_keeps_its_styles_where_they_are() -> None:
    values: dict[str, Any] = {"name": "<Ada>", "link": "https://e.example/"}
    of = replace(email(mjml=MJML, **PAGE), examples=(values,))

    compiled = check(of).compiled

    assert compiled is not None
    assert set(compiled.parts["en"][Channel.EMAIL]) == {"subject", "text", "html", "preheader"}
    html = rendered(compiled, **values).html or ""
    assert "&lt;Ada&gt;" in html
    assert 'href="https:&#x2f;&#x2f;e.example&#x2f;"' in html
    assert "@media only screen" in html


def test_what_an_inbox_shows_badly_is_a_warning() -> None:
    long = replace(
        email(subject="{{ w }}", html="<p>{{ w }}</p>" * 700, preheader=" "),
        examples=({"w": "a" * 151},),
    )

    assert codes(long, Severity.WARNING) == {
        "preheader-missing",
        "subject-long",
        "html-clipped",
        "html-document",
    }


def test_a_template_that_takes_half_of_what_is_allowed_is_a_warning() -> None:
    source = "{% for i in range(n) %}{% if i %}{% endif %}{% endfor %}a"
    most = 0
    for rows in range(500, 10_000, 500):
        of = replace(sms(source), examples=({"n": rows},))
        if codes(of) == {"too-complex"}:
            break
        most += "nearly-too-complex" in codes(of, Severity.WARNING)

    assert most > 0


@pytest.mark.parametrize(
    ("text", "severity"),
    [("a" * 161, Severity.WARNING), ("a" * 1_531, Severity.ERROR), ("ç" * 71, Severity.WARNING)],
)
def test_a_text_that_is_several_messages_is_found(text: str, severity: Severity) -> None:
    assert codes(sms(text), severity) == {"segments"}


def test_a_branch_that_no_example_takes_cannot_hide_what_grows() -> None:
    source = (
        "a{% if name == 'b' %}{% set a = [1] %}"
        + "{% set a = [a, a] %}" * 60
        + "{{ a }}{% endif %}"
    )

    assert codes(declared(source, {"name": "a"})) == {"too-complex"}
