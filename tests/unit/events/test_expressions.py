import subprocess
import sys

import pytest

from notifier.events.expressions import MAX_EXPRESSION_CHARS, Context, Missing, Unfit
from notifier.notification.model import JsonValue
from notifier.rendering.expressions import ExpressionEngine
from tests.unit.events import hostile

ENGINE = ExpressionEngine()
ORDER: JsonValue = {
    "user_id": "u-1",
    "total": 120,
    "note": None,
    "seats": [{"id": 1, "row": {"name": "A"}}, {"id": 2}],
}


def context() -> Context:
    made = ENGINE.context({"data": ORDER, "type": "order.paid"})
    assert isinstance(made, Context)
    return made


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("data.user_id", "u-1"),
        ("data.total > 100 and type == 'order.paid'", True),
        ("data.seats|map(attribute='id')", [1, 2]),
        ("data.seats|selectattr('id', 'eq', 2)|map(attribute='id')|first", 2),
        ("data.total|times(2)", 240),
        ("data.discount|default(0)", 0),
        ("data.note", None),
        ("{'user_id': data.user_id, 'seats': [data.seats[0].row.name]}", None),
        ("data.seats|map(attribute='id')|join('-')", "1-2"),
        ("'a * b | nosuch'", "a * b | nosuch"),
    ],
)
def test_an_expression_reads_an_event(expression: str, value: JsonValue) -> None:
    found = ENGINE.value(expression, context())

    assert ENGINE.fault(expression) is None
    assert found == (value if "{" not in expression else {"user_id": "u-1", "seats": ["A"]})


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("data.nobody", "data.nobody"),
        ("data.total > 1 and data.nobody.name == 'x'", "data.nobody.name"),
        ("subject", "subject"),
        ("data.seats|map(attribute='row.name')", "data.seats|map(attribute='row.name')"),
    ],
)
def test_what_is_not_there_is_named(expression: str, name: str) -> None:
    assert ENGINE.value(expression, context()) == Missing(name)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "expected an expression"),
        ("a" * (MAX_EXPRESSION_CHARS + 1), "at most 500 characters"),
        ("data.total >", "is not in the expressions' language"),
        ("a) or (b", "is not in the expressions' language"),
        ("order.total", "there is no order"),
        ("items[0]", "there is no items but behind a digest"),
        ("{{ data.user_id }}", "leave out {{ and }}"),
        ("data.total * 2", "times"),
        ("data.s|replace('a', 'b')", "there is no filter replace"),
        ("'\\\\' * 3 ~ '*'", "times"),
        ("data.total > ", "unexpected end of input"),
        ("data.total > 1)", "unexpected input after expression"),
        ("data.items()", "there are no functions or methods, such as items("),
        ("data.seats[0] (1)", "there are no functions or methods"),
        ("1/0", "it divides by 0"),
        ("data.total // 0.0 > 1", "it divides by 0"),
        ("'x'|int > 1", "a value does not fit"),
        ("['a']|sum", "a value does not fit"),
    ],
)
def test_an_expression_that_cannot_be_is_refused_before_any_event(
    expression: str, words: str
) -> None:
    fault = ENGINE.fault(expression)

    assert fault is not None
    assert words in fault


def test_what_an_expression_says_of_a_value_does_not_quote_it() -> None:
    for expression in ("data.user_id|times(2)", "data.user_id + 1", "data.seats|join"):
        found = ENGINE.value(expression, context())
        assert isinstance(found, Unfit)
        assert "u-1" not in found.words
        assert "InvalidOperation" not in found.words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("data.seats|string", "needs a text or a number"),
        ("data.total|join", "needs a list"),
        ("data.seats|map(attribute='id')|join(data.seats)", "a short text"),
        ("data.seats|map(attribute=1)", "needs a list, and an attribute"),
        ("data.total|times('2')", "needs a number"),
        ("{1: 2}", "names are not all texts"),
        ("1e308 + 1e308", "what JSON does not have"),
        ("1 // 0", "such as a division by 0"),
        ("data.user_id.upper()", "values have no methods"),
        ("data.seats()", "cannot"),
    ],
)
def test_what_cannot_be_worked_out_says_why(expression: str, words: str) -> None:
    found = ENGINE.value(expression, context())

    assert isinstance(found, Unfit), found
    assert words in found.words


def test_an_expression_that_comes_to_more_than_an_event_may_have_is_unfit() -> None:
    made = ENGINE.context({"data": "a" * 60_000})
    assert isinstance(made, Context)

    assert isinstance(ENGINE.value("data ~ data", made), Unfit)
    assert isinstance(ENGINE.value("[data, data]", made), Unfit)
    assert ENGINE.value("true|string ~ 1|string", made) == "true1"


def test_more_than_an_event_may_have_is_no_context() -> None:
    assert isinstance(ENGINE.context({"data": "a" * 100_001}), Unfit)


@pytest.mark.parametrize("expression", hostile.DEEP)
def test_a_chain_of_what_an_expression_may_be_long_is_read(expression: str) -> None:
    assert len(expression) <= MAX_EXPRESSION_CHARS
    ENGINE.fault(expression)
    ENGINE.value(expression, context())


def test_no_hostile_expression_ends_a_process_or_takes_64_mb_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.events.hostile"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "slowest" in done.stdout


def test_nothing_an_expression_reaches_is_more_than_data() -> None:
    for expression in hostile.REACHING:
        assert isinstance(ENGINE.value(expression, context()), Missing | Unfit), expression
