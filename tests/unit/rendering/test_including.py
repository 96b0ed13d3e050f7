"""Layouts and partials: what a part is made of, and what is found in it."""

import pytest

from notifier.content.brand import Brand
from notifier.content.library import Partial
from notifier.content.ports import Checked
from notifier.content.shared import Shared
from notifier.content.template import Content, Parts, Severity
from notifier.notification.model import Channel
from tests.unit.rendering.making import check, content, email, rendered, sms

PAGE = '<html lang="en"><body>{% block content %}{% endblock %}{% include "footer" %}</body></html>'
MJML = """<mjml><mj-head>{% block head %}<mj-title>Evently</mj-title>{% endblock %}</mj-head>
<mj-body>
{% block content %}{% endblock %}
<mj-include path="footer" />
</mj-body></mjml>"""
MJML_FOOTER = "<mj-section><mj-column><mj-text>{{ brand.name }}</mj-text></mj-column></mj-section>"


def a_partial(number: int = 1, *, default_locale: str = "en", **parts: str) -> Partial:
    """One with parts of an email in English."""
    return of_parts({"en": {Channel.EMAIL: parts}}, number, default_locale)


def of_parts(parts: Parts, number: int = 1, default_locale: str = "en") -> Partial:
    of = Content(default_locale=default_locale, parts=parts, schema={}, is_partial=True)
    return Partial(number, of)


def sharing(**partials: Partial) -> Shared:
    return Shared(brand=Brand(name="Evently", logo_width=99), partials=partials)


def laid_out(of: Content, layout: str = "main") -> Content:
    return Content(
        default_locale=of.default_locale,
        parts=of.parts,
        schema=of.schema,
        examples=of.examples,
        layout=layout,
    )


def errors(checked: Checked) -> list[tuple[str, str | None, int | None]]:
    return [
        (each.code, each.partial, each.line)
        for each in checked.findings
        if each.severity is Severity.ERROR
    ]


def compiled(of: Content, shared: Shared) -> Content:
    checked = check(of, shared)
    assert checked.compiled is not None, checked.findings
    return checked.compiled


def part(of: Content, shared: Shared, name: str = "html") -> str:
    return compiled(of, shared).parts["en"][Channel.EMAIL][name]


def test_a_partial_is_put_where_it_is_included_word_for_word() -> None:
    shared = sharing(footer=a_partial(html="<p>{{ brand.name }}</p>\n"))
    of = email(html='<b>a</b>\n{% include "footer" %}\n<i>b</i>', preheader="p")

    assert part(of, shared) == "<b>a</b>\n<p>{{ brand.name }}</p>\n<i>b</i>"
    assert "<p>Evently</p>" in (rendered(compiled(of, shared)).html or "")


def test_signs_that_trim_trim_what_is_around_and_not_what_is_included() -> None:
    shared = sharing(a=a_partial(text=" a "))

    assert part(email(text='x \n{%- include "a" -%}\n y'), shared, "text") == "x a y"


def test_a_template_goes_into_the_block_content_of_its_layout() -> None:
    shared = sharing(
        main=a_partial(html=PAGE, text="{% block content %}{% endblock %}\n-- \nEvently"),
        footer=a_partial(html="<hr>"),
    )
    of = laid_out(email(html="<p>Hi</p>", text="Hi", preheader="p"))

    made = compiled(of, shared)

    assert made.parts["en"][Channel.EMAIL]["html"] == (
        '<html lang="en"><body><p>Hi</p><hr></body></html>'
    )
    assert made.parts["en"][Channel.EMAIL]["text"] == "Hi\n-- \nEvently"
    assert made.parts["en"][Channel.EMAIL]["subject"] == "Hello"
    assert (made.layout, made.uses) == (None, {"footer": 1, "main": 1})


def test_other_blocks_say_what_the_template_does_not() -> None:
    page = "{% block title %}Evently{% endblock %}|{% block content %}{% endblock %}"
    shared = sharing(main=a_partial(text=page))

    plain = part(laid_out(email(text="Hi")), shared, "text")
    named = "Hi {% block title %}Mine{% endblock %}there"

    assert plain == "Evently|Hi"
    assert part(laid_out(email(text=named)), shared, "text") == "Mine|Hi there"


def test_mjml_has_a_layout_and_partials_and_sizes_that_it_reckons_with() -> None:
    footer = MJML_FOOTER.replace(
        "<mj-text>",
        '<mj-image alt="" src="https://a.example/a" width="{{ brand.logo_width }}px"/><mj-text>',
    )
    shared = sharing(main=a_partial(mjml=MJML), footer=a_partial(mjml=footer))
    section = MJML_FOOTER.replace("{{ brand.name }}", "Hi")

    html = part(laid_out(email(mjml=section, preheader="p")), shared)

    assert "mj-include" not in html
    assert html.index("Hi") < html.index("{{ brand.name }}")
    assert 'width="99"' in html
    assert "<title>Evently</title>" in html


def test_a_partial_speaks_the_templates_language_where_it_can() -> None:
    footer = of_parts(
        {
            "en": {Channel.SMS: {"text": "Bye"}},
            "de": {Channel.SMS: {"text": "Tschüs"}},
        }
    )
    of = sms(
        '{% include "footer" %}',
        **{"de-AT": '{% include "footer" %}', "fr": '{% include "footer" %}'},
    )
    checked = check(of, sharing(footer=footer))

    assert checked.compiled is not None
    parts = checked.compiled.parts
    assert [parts[tag][Channel.SMS]["text"] for tag in ("en", "de-AT", "fr")] == [
        "Bye",
        "Tschüs",
        "Bye",
    ]
    assert [(each.code, each.locale) for each in checked.findings] == [("partial-locale", "fr")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('a\n{% include "none" %}', ("include-unknown", None, 2)),
        ('{% include "mails" %}', ("include-unknown", None, 1)),
        ("\n\n{% include name %}", ("include", None, 3)),
        ('{% include ["a", "b"] %}', ("include", None, 1)),
        ('{% extends "a" %}', ("include", None, 1)),
        ('{% from "a" import b %}', ("include", None, 1)),
        ('{% include "round" %}', ("include-circular", "back", 2)),
        ('{% include "unread" %}', ("variable-unknown", "unread", 1)),
    ],
)
def test_what_cannot_be_taken_in_is_found_where_it_stands(
    text: str, found: tuple[str, str | None, int | None]
) -> None:
    shared = sharing(
        a=a_partial(text="a"),
        mails=a_partial(html="a"),
        round=a_partial(text='{% include "back" %}'),
        back=a_partial(text='\n{% include "round" %}'),
        unread=a_partial(text="{{ nobody }}"),
    )
    of = content(
        {"en": {Channel.EMAIL: {"subject": "a", "text": text}}},
        schema={"type": "object", "properties": {}},
    )

    assert errors(check(of, shared)) == [found]


def test_what_is_wrong_in_a_partial_is_found_in_its_lines() -> None:
    shared = sharing(footer=a_partial(html="<p>a</p>\n<p title={{ brand.name }}>b</p>\n"))
    of = email(html='<p>\n</p>\n{% include "footer" %}\n<p title={{ now }}>c</p>', preheader="p")

    assert errors(check(of, shared)) == [("html-context", "footer", 2), ("html-context", None, 4)]


@pytest.mark.parametrize(
    ("layout", "text", "found"),
    [
        ("none", "a", ("include-unknown", None, 1)),
        ("plain", "a", ("layout", "plain", None)),
        ("main", "\n{% block other %}{% endblock %}", ("layout", None, 2)),
        ("main", "{% block content %}{% endblock %}", ("layout", None, 1)),
    ],
)
def test_a_layout_that_does_not_fit_is_found(
    layout: str, text: str, found: tuple[str, str | None, int | None]
) -> None:
    page = "{% block title %}{% endblock %}{% block content %}{% endblock %}"
    shared = sharing(plain=a_partial(text="a"), main=a_partial(text=page))
    of = content({"en": {Channel.EMAIL: {"subject": "a", "text": text}}})

    found_in = errors(check(laid_out(of, layout), shared))

    assert found in found_in


def test_a_layout_without_the_templates_html_is_an_error() -> None:
    shared = sharing(main=a_partial(text="{% block content %}{% endblock %}"))

    found = errors(check(laid_out(email(html="<p>a</p>", preheader="p")), shared))

    assert found == [("include-unknown", None, 1)]


def test_what_stands_raw_or_in_a_comment_takes_nothing_in() -> None:
    text = '{% raw %}{% include "none" %}{% endraw %}{# {% include "none" %} #}'

    assert rendered(compiled(email(text=text), sharing())).text == '{% include "none" %}'


DOUBLING = {f"p{n}": f'{{% include "p{n + 1}" %}}' * 2 for n in range(9)} | {"p9": "x" * 2_000}
"""Each takes in the next one twice."""
WIDE = {f"p{n}": f'{{% include "p{n + 1}" %}}' * 200 for n in range(5)} | {"p5": ""}
"""Nothing comes of it, 200 ** 5 times."""
DEEP = {f"p{n}": f'{{% include "p{n + 1}" %}}' for n in range(40)} | {"p40": "a"}
SETS = {f"p{n}": f'{{% include "p{n + 1}" %}}' * 3 for n in range(5)} | {
    "p5": "{% set a = [a, a] %}"
}
"""A value that doubles with each step, the steps in partials."""


@pytest.mark.parametrize(
    ("sources", "start", "code"),
    [
        (DOUBLING, "", "too-long"),
        (WIDE, "", "too-long"),
        (DEEP, "", "too-deep"),
        (SETS, "{% set a = [1] %}", "too-complex"),
    ],
)
def test_bombs_of_partials_are_found(sources: dict[str, str], start: str, code: str) -> None:
    shared = sharing(**{name: a_partial(text=text) for name, text in sources.items()})

    found = errors(check(email(text=start + '{% include "p0" %}'), shared))

    assert [each[0] for each in found] == [code]


def test_a_partial_is_published_as_it_was_written() -> None:
    shared = sharing(logo=a_partial(7, html="<b>{{ brand.name }}</b>"))
    of = a_partial(html='{% include "logo" %}', mjml=MJML_FOOTER).content

    made = compiled(of, shared)

    assert (made.parts, dict(made.uses)) == (of.parts, {"logo": 7})


def test_a_partial_that_takes_in_itself_is_no_partial() -> None:
    of = a_partial(text='{% include "me" %}')

    assert errors(check(of.content, sharing(me=of))) == [("include-circular", "me", 1)]


def test_a_partial_is_looked_at_like_a_template() -> None:
    of = a_partial(html="<script>{{ a }}</script>", text="{{ a", mjml="<mj-txt></mj-txt>")

    codes = {code for code, _, _ in errors(check(of.content, sharing()))}

    assert {"html-element", "html-context", "syntax", "mjml-tag"} <= codes
