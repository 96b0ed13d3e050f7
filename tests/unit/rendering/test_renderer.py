import math
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from time import thread_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.content.filling import fill_html, fill_text
from notifier.content.template import Content, TemplateVersion, VariableFault, kept_weight
from notifier.errors import TemplateError
from notifier.notification.model import Channel, JsonValue
from notifier.rendering.renderer import VersionRenderer
from tests.unit.rendering.making import (
    StandingClock,
    content,
    email,
    fill,
    line,
    offered,
    refusal,
    rendered,
    sms,
    version,
)

SCALARS = (
    st.booleans()
    | st.integers()
    # The engine keeps no trace of a fraction that is nought.
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda each: not each.is_integer())
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
)


@given(SCALARS)
def test_values_print_as_they_do_in_inline_content(value: JsonValue) -> None:
    variables: dict[str, Any] = {"a": {"b": value}}
    source = "<td>{{ a.b }}</td>"

    of = email(text=source, html=source)
    filled = rendered(of, **variables)

    assert filled.text == fill_text(source, variables, max_chars=1_000)
    html = fill_html(source, variables, max_chars=1_000)
    assert unescape(filled.html or "") == unescape(html)


@pytest.mark.parametrize(
    "source",
    [
        "{{ order.pop('a') }}",
        "{{ order.clear() }}",
        "{{ order.update(a=2) }}",
        "{{ order.setdefault('b', [1]) }}",
        "{{ items.append(2) }}",
        "{{ order.inner.append(2) }}",
    ],
)
def test_a_template_cannot_change_what_it_is_given(source: str) -> None:
    variables: dict[str, Any] = {"order": {"a": 1, "inner": [1]}, "items": [1]}

    refusal(source, **variables)

    assert variables == {"order": {"a": 1, "inner": [1]}, "items": [1]}


def test_what_is_null_prints_nothing() -> None:
    assert line("[{{ v }}]", v=None) == "[]"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("a\n\n{{ order.total }}", "sms text (en, line 3): no value for order.total"),
        ("{{ a }\n", "sms text (en, line 1): "),
        ("{{ order }}", "a list or an object is printed"),
        ("{{ order.pop('secret') }}", "it calls what cannot be called"),
        ("{{ debug() }}", "debug is unknown"),
        ("{{ order.a|safe }}", "filter safe is unknown"),
        ("{{ order.__class__ }}", "no value for order.__class__"),
        ("{{ order.a + 1 }}", "does not fit what is done with it"),
    ],
)
def test_an_error_names_part_locale_and_line_and_no_value(source: str, words: str) -> None:
    said = refusal(source, order={"a": "secret"})

    assert words in said
    assert "secret" not in said.replace("pop('secret')", "")


def test_no_variable_stands_for_what_notifier_offers() -> None:
    text = "{{ recipient.name }} {{ brand.name }} {{ notification.id }} {{ now[:4] }}"
    forged: dict[str, JsonValue] = {
        name: {"name": "forged", "id": "forged"} for name in ("recipient", "brand", "notification")
    }

    done = fill(
        version(replace(sms(text), brand={"name": "Evently"})),
        Channel.SMS,
        locale=None,
        variables={**forged, "now": "forged"},
        offered=offered(name="Ada"),
    )

    assert done.text == "Ada Evently n-1 2026"


def test_a_recipient_gets_all_parts_in_one_language_the_best_there_is() -> None:
    of = sms("en", de="de", **{"de-AT": "de-AT"})

    found = {
        wanted: rendered(of, Channel.SMS, locale=wanted).text
        for wanted in ("de-Latn-AT", "de-AT", "de-CH", "fr", None)
    }

    assert found == {"de-Latn-AT": "de-AT", "de-AT": "de-AT", "de-CH": "de", "fr": "en", None: "en"}


def test_a_channel_without_parts_is_an_error_that_names_it() -> None:
    with pytest.raises(TemplateError, match="no parts for the channel in_app, only for sms"):
        rendered(sms("a"), Channel.IN_APP)


@pytest.mark.parametrize("part", ["subject", "preheader"])
def test_a_subject_with_a_line_break_is_refused(part: str) -> None:
    with pytest.raises(TemplateError, match=f"email {part} .en.: must be one line"):
        rendered(email(**{part: "a {{ v }}"}), v="b\r\nBcc: c")


def test_more_data_than_a_template_may_be_given_is_refused() -> None:
    assert "more than 100,000 characters" in refusal("{{ a }}", a="a" * 50_000, b=["b" * 51_000])


def test_data_nested_too_deeply_is_refused() -> None:
    deep: JsonValue = 1
    for _ in range(200):
        deep = [deep]

    assert "nested deeper than 100" in refusal("a", a=deep)


def test_an_output_that_is_too_long_is_refused() -> None:
    assert "longer than 100,000" in refusal("{{ a }}{{ a }}{{ a }}", a="a" * 40_000)


def test_styles_move_to_what_they_style_after_filling() -> None:
    html = (
        "<html><head><style>td{color:red} @media print{td{top:0}}</style></head><body><table>"
        "{% for row in rows %}<tr><td>{{ row }}</td></tr>{% endfor %}</table></body></html>"
    )

    done = rendered(email(html=html), rows=["a", "<b>"]).html or ""

    assert done.count('<td style="color: red;">') == 2
    assert "&lt;b&gt;" in done
    assert "@media print" in done


def test_no_style_sheet_is_fetched(tmp_path: object) -> None:
    html = f'<html><head><style>b{{top:0}}</style><link rel="stylesheet" href="{tmp_path}/x.css">'

    assert "/x.css" in (rendered(email(html=html)).html or "")


def test_a_preheader_is_hidden_text_at_the_start_of_the_body() -> None:
    of = email(html='<html><body class="a"><p>b</p></body></html>', preheader="<{{ v }}>")

    html = rendered(of, v="&").html or ""

    assert html.startswith('<html><body class="a"><div style="display:none')
    assert ">&lt;&amp;&gt;&#847;" in html


async def test_a_version_is_read_once_and_forgotten_when_it_was_not_used_for_long() -> None:
    renderer = VersionRenderer(StandingClock(), most_chars=2 * kept_weight(version(sms("read 0"))))
    first, second, third = (version(sms(f"read {number}")) for number in range(3))

    async def text(of: TemplateVersion, changed: str = "read anew") -> str:
        """What a version says, or would say if it was read only now."""
        read_now = version(sms(changed), id=of.id)
        done = await renderer.render(
            read_now, Channel.SMS, locale=None, variables={}, offered=offered()
        )
        return done.text

    for each in (first, second):
        await renderer.render(each, Channel.SMS, locale=None, variables={}, offered=offered())
    assert await text(first) == "read 0"
    await renderer.render(third, Channel.SMS, locale=None, variables={}, offered=offered())

    assert await text(first) == "read 0"
    assert await text(second) == "read anew"


def test_variables_are_completed_or_all_that_is_wrong_with_them_is_told() -> None:
    of = content(
        {"en": {Channel.SMS: {"text": "a"}}},
        schema={
            "properties": {
                "code": {"type": "string", "pattern": "^[0-9]+$"},
                "seats": {"type": "integer", "minimum": 1},
                "note": {"type": "string"},
                "place": {
                    "type": "object",
                    "properties": {"city": {"type": "string", "default": "Wien"}, "zip": {}},
                },
                "tone": {"enum": ["kind", "curt"], "default": "kind"},
            },
            "required": ["code", "seats"],
        },
    )
    renderer = VersionRenderer(StandingClock())

    good = renderer.completed(version(of), {"code": "1", "seats": 2, "place": {}})
    bad = renderer.completed(
        version(of), {"code": "secret", "place": {"city": 5, "secret2": 1}, "tone": "secret"}
    )

    assert good == {
        "code": "1",
        "seats": 2,
        "note": None,
        "place": {"city": "Wien", "zip": None},
        "tone": "kind",
    }
    assert set(bad) == {
        VariableFault(("code",), "must have the form that the template asks for"),
        VariableFault(("seats",), "is missing"),
        VariableFault(("place", "city"), "must be of type string"),
        VariableFault(("place", "secret2"), "is not known to the template"),
        VariableFault(("tone",), "must be one of the values that the template allows"),
    }


def test_a_pattern_takes_time_in_proportion_to_the_value() -> None:
    of = content(
        {"en": {Channel.SMS: {"text": "a"}}},
        schema={"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}},
    )
    start = thread_time()

    faults = VersionRenderer(StandingClock()).completed(version(of), {"a": "a" * 50_000 + "b"})

    assert len(faults) == 1
    assert thread_time() - start < 1


def test_money_is_no_float_by_its_format() -> None:
    of = content(
        {"en": {Channel.SMS: {"text": "a"}}},
        schema={"properties": {"a": {"type": "string", "format": "decimal"}}},
    )
    renderer = VersionRenderer(StandingClock())

    assert renderer.completed(version(of), {"a": "12.50"}) == {"a": "12.50"}
    assert renderer.completed(version(of), {"a": "twelve"}) == [
        VariableFault(("a",), "must be a decimal")
    ]
    assert renderer.completed(version(of), {"a": math.pi}) == [
        VariableFault(("a",), "must be of type string")
    ]


def an_action(source: str) -> Content:
    return content({"en": {Channel.IN_APP: {"text": "Booked", "action_url": source}}})


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [("/bookings/42", "/bookings/42"), (" https://a.example/ ", "https://a.example/"), ("", None)],
)
def test_where_an_in_app_notification_leads_is_filled(link: str, leads_to: str | None) -> None:
    assert rendered(an_action("{{ link }}"), Channel.IN_APP, link=link).action_url == leads_to


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//evil.example", "http://a.example"])
def test_an_in_app_notification_never_leads_astray(link: str) -> None:
    with pytest.raises(TemplateError, match="in_app action_url") as raised:
        rendered(an_action("{{ link }}"), Channel.IN_APP, link=link)

    assert link not in str(raised.value)


def test_a_schema_may_refer_to_itself_in_several_places() -> None:
    place: JsonValue = {"type": "object", "properties": {"city": {"type": "string"}}}
    schema: Mapping[str, JsonValue] = {
        "$defs": {"a/b": place},
        "properties": {name: {"$ref": "#/$defs/a~1b"} for name in ("from", "to")},
    }
    of = version(content({"en": {Channel.SMS: {"text": "a"}}}, schema=schema))
    renderer = VersionRenderer(StandingClock())

    assert not isinstance(renderer.completed(of, {"from": {"city": "Wien"}}), list)
    assert renderer.completed(of, {"to": {"city": 1}}) == [
        VariableFault(("to", "city"), "must be of type string")
    ]


MANY = "".join(f"p{number}:red;" for number in range(3_000))
TOO_MUCH_STYLE = {
    "tags within tags": ("p{color:red}", "<div>" * 5, 9_999),
    "siblings": ("b:nth-child(7) ~ b{color:red}" * 300, "<b>a</b>", 3_000),
    "siblings by other names": ("b:\\6eth-child(2n){color:red}" * 300, "<b>a</b>", 3_000),
    "properties": (MANY.replace("p", "}b{p"), "<b>a</b>", 3_000),
    "properties of one rule": ("b{" + MANY + "}", "<b>a</b>", 3_000),
    "selectors": (",".join("b" * 9_000) + "{color:red}", "<b>a</b>", 3_000),
}


@pytest.mark.parametrize("what", TOO_MUCH_STYLE)
def test_a_page_whose_styles_would_stop_the_process_is_refused(what: str) -> None:
    css, row, rows = TOO_MUCH_STYLE[what]
    html = f"<style>{css}</style>{{% for i in range(rows) %}}{row}{{% endfor %}}"

    with pytest.raises(TemplateError, match="too many styles"):
        rendered(email(html=html), rows=rows)

    assert rendered(email(html=html), rows=1).html


def test_many_rows_with_the_styles_that_mails_have_are_fine() -> None:
    css = "".join(f".a{number},td.b{number}{{color:red;margin:{number}px}}" for number in range(60))
    rows = "{% for i in range(2000) %}<tr><td class='b7'>a</td></tr>{% endfor %}"

    done = rendered(email(html=f"<style>{css}</style><table>{rows}</table>")).html or ""

    assert done.count("margin: 7px") == 2_000


def test_tags_within_tags_are_read_as_deep_as_they_may_go() -> None:
    html = "<style>p{color:red}</style>{% for i in range(9998) %}<div>{% endfor %}"

    assert (rendered(email(html=html)).html or "").count("<div>") == 9_998


def test_what_is_cleaned_again_and_again_has_a_bound() -> None:
    """Tags that are not closed are opened again in each paragraph; the engine does not count."""
    note = "".join(f"<b a={number}>" for number in range(250)) + "<p>a" * 250
    source = "{% for i in range(count) %}{% if note|rich %}{% endif %}{% endfor %}a"

    assert line(source, note=note, count=4) == "a"
    assert "rich is given too many tags" in refusal(source, note=note, count=2_000)


def test_a_value_of_too_many_tags_is_refused_by_itself() -> None:
    assert "too many tags" in refusal("{{ note|rich }}", note="<b>" * 2_001)
    assert line("{{ note|rich }}", note="<b>a</b> < " * 500).startswith("a")


def test_an_object_has_no_more_fields_than_can_be_gone_through_again_and_again() -> None:
    """The engine does so for each question about it, and does not count that."""
    large: JsonValue = {str(number): number for number in range(301)}

    assert line("{{ rows[0]['7'] }}", rows=[dict.fromkeys(map(str, range(300)), 7)]) == "7"
    assert "more than 300 fields" in refusal("a", rows=[large])


@pytest.mark.parametrize(
    ("source", "zone"), [("{{ at|time }}", "here"), ("{{ at|time|indent(2) }}", "in a child")]
)
async def test_who_has_no_zone_is_told_times_by_the_default_one(source: str, zone: str) -> None:
    renderer = VersionRenderer(StandingClock(), default_zone="Europe/Vienna")

    async def told(time_zone: str | None) -> str:
        of, given = version(sms(source)), {"at": "2026-07-01T12:00:00Z"}
        done = await renderer.render(
            of, Channel.SMS, locale="de", variables=given, offered=offered(time_zone)
        )
        return done.text[:4]

    assert await told(None) == "2:00", zone
    assert await told("No/Where") == "2:00"
    assert await told("America/New_York") == "8:00"
