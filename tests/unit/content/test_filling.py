import html
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.content.filling import as_it_is, fill_html, fill_text, refuse_logic
from notifier.errors import TemplateError
from notifier.notification.model import JsonValue

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
LITERALS = st.text(st.characters(exclude_characters="{}"), max_size=20)
PARTS = st.lists(st.tuples(LITERALS, NAMES), max_size=8)
VALUES = st.text(max_size=30) | st.integers() | st.floats(allow_nan=False)


def text(template: str, variables: Mapping[str, JsonValue], *, max_chars: int = 1_000_000) -> str:
    return fill_text(template, variables, max_chars=max_chars)


def refusal(template: str, variables: Mapping[str, JsonValue], *, max_chars: int = 1_000) -> str:
    with pytest.raises(TemplateError) as caught:
        fill_text(template, variables, max_chars=max_chars)
    return str(caught.value)


@given(PARTS, st.data())
def test_filling_puts_each_value_in_the_place_of_its_name(
    parts: list[tuple[str, str]], data: st.DataObject
) -> None:
    values = {name: data.draw(VALUES) for _, name in parts}
    template = "".join(f"{literal}{{{{ {name} }}}}" for literal, name in parts)

    filled = text(template, values)

    assert filled == "".join(f"{literal}{values[name]}" for literal, name in parts)


@given(st.text(max_size=200))
def test_any_text_is_filled_or_refused_with_a_template_error(template: str) -> None:
    try:
        filled = text(template, {})
    except TemplateError:
        assert "{{" in template
    else:
        assert filled == template


@given(st.text(max_size=50))
def test_html_escapes_values_and_leaves_the_template_alone(value: str) -> None:
    filled = fill_html("<b>{{ name }}</b>", {"name": value}, max_chars=1_000)

    assert filled == f"<b>{html.escape(value)}</b>"


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert text("{{ a }}", {"a": "{{ b }}", "b": "no"}) == "{{ b }}"


def test_a_dotted_name_reaches_into_objects() -> None:
    assert text("{{ order.total.eur }}", {"order": {"total": {"eur": 12}}}) == "12"


@pytest.mark.parametrize(
    ("value", "shown"), [(True, "true"), (False, "false"), (0, "0"), (1.5, "1.5"), ("", "")]
)
def test_scalars_are_shown_as_json_shows_them(value: JsonValue, shown: str) -> None:
    assert text("{{ a }}", {"a": value}) == shown


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), ([], "a list"), (["x"], "a list"), ({}, "an object"), ({"b": 1}, "an object")],
)
def test_what_is_no_scalar_is_told_from_what_is_missing(value: JsonValue, kind: str) -> None:
    message = f"a in variables is {kind}, not text or a number"

    assert refusal("{{ a }}", {"a": value}) == message
    assert refusal("{{ b }} {{ a }}", {"a": value}).startswith("no value in variables for b; ")
    assert refusal("{{ b }} {{ a }}", {"a": value}).endswith(f"; {message}")


@pytest.mark.parametrize("name", ["a.b", "a.upper", "a.__class__", "b.c", "b.0"])
def test_dots_reach_into_objects_only(name: str) -> None:
    found = refusal(f"{{{{ {name} }}}}", {"a": "text", "b": [1]})

    assert found == f"no value in variables for {name}; there are a, b"


def test_every_missing_variable_is_named_once_with_those_that_there_are() -> None:
    message = refusal(
        "{{ b }} {{ a }} {{ b }} {{ here }}", {"here": 1, "order": {"id": 2, "by": 3}}
    )

    assert message == "no value in variables for b, a; there are here, order.id, order.by"
    assert refusal("{{ a }}", {}) == "no value in variables for a; there are none"


def test_thousands_of_variables_make_a_short_message() -> None:
    message = refusal("{{ a }}", {f"n{i}_{'x' * 200}": i for i in range(2_000)})

    assert message.endswith(" and more")
    assert len(message) < 1_000


@pytest.mark.parametrize("opening", ["{%", "{#"])
def test_what_would_be_logic_in_a_template_is_refused_with_a_hint(opening: str) -> None:
    with pytest.raises(TemplateError) as caught:
        refuse_logic(f"Hello {opening} 493021 %}}")

    assert str(caught.value).startswith(f"'{opening}' at character 7: ")
    assert "docs/templates.md" in str(caught.value)
    assert '"literal": true' in str(caught.value)
    assert "493021" not in str(caught.value)


def test_what_is_finished_is_bounded_too() -> None:
    assert as_it_is("{{ a }}", max_chars=7) == "{{ a }}"
    with pytest.raises(TemplateError, match=r"longer than 6 characters$"):
        as_it_is("{{ a }}", max_chars=6)


def test_thousands_of_missing_variables_make_a_short_message() -> None:
    message = refusal("".join(f"{{{{ n{i}_{'x' * 200} }}}}" for i in range(2_000)), {})

    assert message.startswith("no value in variables for n0_x")
    assert message.endswith(" and 1990 more; there are none")
    assert len(message) < 1_000


@pytest.mark.parametrize(
    "template",
    ["{{", "{{ }}", "{{ a", "{{ a }", "{{ a b }}", "{{ 1a }}", "{{ größe }}", "{{ a. }}"],
)
def test_an_opening_that_is_no_placeholder_is_refused_by_its_place(template: str) -> None:
    message = refusal(f"Hello {template}", {"a": 1})

    assert message.startswith("no placeholder follows the '{{' at character 7: write {{ name }}")
    assert '"literal": true' in message


def test_a_refusal_quotes_nothing_of_the_template() -> None:
    assert "493021" not in refusal("Your code is {{ 493021 }}", {})


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{{{a}}", "{x"),
        ("{{{a}}}", "{x}"),
        ("{{{a}}{", "{x{"),
        ("{ {{a}} }", "{ x }"),
        ("}}", "}}"),
    ],
)
def test_single_braces_around_a_placeholder_stay(template: str, filled: str) -> None:
    assert text(template, {"a": "x"}) == filled


def test_a_number_of_too_many_digits_is_refused_by_its_name() -> None:
    digits = sys.get_int_max_str_digits()

    assert refusal("{{ a }}", {"a": 10**digits}) == "the number in a has too many digits"


@given(st.integers(0, 40), st.integers(0, 60))
def test_the_limit_holds_to_the_character(chars: int, limit: int) -> None:
    template = "<{{ a }}>"
    variables: dict[str, JsonValue] = {"a": "x" * chars}

    if chars + 2 <= limit:
        assert len(text(template, variables, max_chars=limit)) == chars + 2
    else:
        expected = f"longer than {limit} characters once its variables are filled in"
        assert refusal(template, variables, max_chars=limit) == expected


def test_the_limit_counts_what_escaping_adds() -> None:
    with pytest.raises(TemplateError, match="longer than 5 characters"):
        fill_html("{{ a }}", {"a": "<<"}, max_chars=5)


def test_too_long_a_result_is_refused_before_it_is_built() -> None:
    template = "{{ a }}" * 10_000
    variables: dict[str, JsonValue] = {"a": "x" * 100_000}

    tracemalloc.start()
    try:
        refusal(template, variables, max_chars=1_000_000)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 5_000_000


def cpu_s(call: Callable[[], object]) -> float:
    started_s = process_time()
    call()
    return process_time() - started_s


def many_of_one(count: int) -> Callable[[], object]:
    return lambda: text("{{ a }}" * count, {"a": "x"})


def many_names(count: int) -> Callable[[], object]:
    variables: dict[str, JsonValue] = {f"n{i}": "x" for i in range(count)}
    template = "".join(f"{{{{ {name} }}}}" for name in variables)
    return lambda: text(template, variables)


def a_long_value(count: int) -> Callable[[], object]:
    return lambda: text("{{ a }}", {"a": "x" * count * 10}, max_chars=count * 10)


def refused(template: str) -> Callable[[], object]:
    return lambda: refusal(template, {}, max_chars=sys.maxsize)


@pytest.mark.parametrize(
    "call",
    [
        many_of_one(100_000),
        many_names(100_000),
        a_long_value(100_000),
        refused("{" * 1_000_000),
        refused("{{" + " " * 1_000_000),
        refused("{{ a" + " " * 1_000_000),
        refused("{{" + "a" * 1_000_000),
        refused("{{" + "a." * 500_000),
        refused("{{ a }" * 200_000),
        refused("{{ " + ".".join("a" * 500_000) + " }}"),
    ],
)
def test_filling_takes_linear_time(call: Callable[[], object]) -> None:
    # Quadratic work on any of these takes minutes; linear work about a second.
    assert cpu_s(call) < 10
