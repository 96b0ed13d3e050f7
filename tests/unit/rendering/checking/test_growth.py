import pytest

from notifier.rendering.checking.growth import check_growth

SETS = "{% set a = [1, 1] %}"


def found(source: str) -> list[int | None]:
    lines: list[int | None] = []

    def report(code: str, words: str, line: int | None) -> None:
        assert code == "too-complex"
        assert words
        lines.append(line)

    check_growth(source, report)
    return lines


@pytest.mark.parametrize(
    "source",
    [
        SETS + "{% set a = [a, a] %}" * 18,
        SETS + "{% set a = a + a %}" * 18,
        SETS + "{%- set a = {'x': a, 'y': a} -%}" * 18,
        SETS + "{% with b = [a, a] %}{% set a = [b, b] %}{% endwith %}" * 9,
        "{% for a in [[v, v]] %}" * 18 + "{% endfor %}" * 18,
        "{% macro m(x, n) %}{{ m([x, x], n - 1) }}{% endmacro %}{{ m([1], 18) }}",
        "{% macro m(x) %}{{ k([x, x]) }}{% endmacro %}{% macro k(x) %}{{ m(x) }}{% endmacro %}",
        "{% for i in [[1, 1]] recursive %}{{ loop([[i, i]]) }}{% endfor %}",
        "{% macro m(x) %}{{ x }}{% endmacro %}" + "{{ m([a, a]) }}" * 18,
    ],
)
def test_what_doubles_again_and_again_is_found(source: str) -> None:
    assert len(found(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "{% set full = first ~ ' ' ~ last %}" * 8,
        "{% for row in rows %}{{ row.a }}{{ row.b|money(currency) }}{% endfor %}" * 50,
        "{% for i in range(n) %}{% if a and b or not c %}{{ a ~ b ~ c }}{% endif %}{% endfor %}",
        "{% set total = order.price|number(2) %}" * 50,
        (
            "{% macro row(a) %}{{ a }}{% endmacro %}"
            "{% macro table(r) %}{{ row(r) }}{% endmacro %}{{ table(x) }}"
        ),
        "{% set label %}{{ a }}{{ b }}{% endset %}" * 50,
        "{{ 'macro m recursive' }}{{ plural }}",
    ],
)
def test_what_templates_usually_do_is_fine(source: str) -> None:
    assert found(source) == []


def test_the_line_is_that_of_one_too_many() -> None:
    assert found(SETS + "\n{% set a = [a, a] %}" * 20) == [15]
