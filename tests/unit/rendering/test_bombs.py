"""Templates that were written to hurt, each filled in a process that may use little."""

import asyncio
import resource
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from notifier.content.template import Rendered
from notifier.errors import TemplateError, WorkshopUnavailableError
from notifier.notification.model import Channel
from notifier.rendering.aside import TOO_EXPENSIVE, Aside
from notifier.rendering.checking.growth import check_growth
from notifier.rendering.reckoning import reckoned, size
from notifier.rendering.renderer import VersionRenderer
from tests.unit.rendering.making import StandingClock, check, line, offered, refusal, sms, version

MEMORY_BYTES = 1_500_000_000
GROWN_KB = 150_000
CPU_S = 3

LIST = "{% set l = [v] %}"
NESTED = LIST + "".join(f"{{% set l = [{'l,' * 10}] %}}" for _ in range(6))
LARGE = LIST + f"{{% set l = [{'l,' * 30_000}] %}}"
MACROS = "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}"
TEXT = "a" * 45_000
GIVEN: dict[str, Any] = {"v": TEXT, "w": TEXT, "items": [1, 2], "fields": {"a": 1}}

USES = [
    "{{ l|string|length }}",
    "{{ l|string|upper|length }}",
    "{{ l|join|length }}",
    "{{ l|join(v)|length }}",
    "{{ (l ~ 'a')|length }}",
    "{{ (l ~ l)|length }}",
    "{{ l|urlencode|length }}",
    "{{ l }}",
    "{{ l|list }}",
    "{{ l|truncate(10) }}",
    "{{ l|upper|length }}",
    "{{ l|title|length }}",
    "{{ l|trim|length }}",
    "{{ l|escape|length }}",
    "{{ l|striptags|length }}",
    "{{ l|replace('a', 'b')|length }}",
    "{{ l|indent(4)|length }}",
    "{{ '%s'|format(l)|length }}",
    "{{ l|wordwrap(10)|length }}",
    "{{ l|batch(2)|string|length }}",
    "{{ l|slice(2)|string|length }}",
    "{{ l|reverse|string|length }}",
    "{{ l|unique|string|length }}",
    "{{ l|sort|string|length }}",
    "{{ l|groupby(0)|string|length }}",
    "{{ l|sum(start=[])|string|length }}",
    "{{ l|map('string')|join|length }}",
    "{{ l|map('upper')|join|length }}",
    "{{ l|select('string')|join|length }}",
    "{{ l|items|string|length }}",
    "{{ l|dictsort|string|length }}",
    "{{ {'a': l, 'b': l}|string|length }}",
    "{{ {'a': l}|items|string|length }}",
    "{{ {l: 1}|string|length }}",
    "{{ (l + l)|string|length }}",
    "{{ l[1:]|string|length }}",
    "{{ l == l[:] }}{{ l < l[:] }}{{ v in l }}",
    "{% if l|string is containing('b') %}{% endif %}",
    "{% for a in l %}{% for b in l %}{{ b|string|length }}{% endfor %}{% endfor %}",
    "{% set s %}{% for a in l %}{{ a }}{% endfor %}{% endset %}{{ s|length }}",
    "{% filter upper %}{% for a in l %}{{ a }}{% endfor %}{% endfilter %}",
    "{{ cycler(l, l)|string|length }}{{ joiner(l)()|string|length }}",
    MACROS + "{{ m(l|string)|length }}",
    "{% call(x) m(1) %}{{ l|string }}{% endcall %}",
    "{{ nothing|default(l|string)|length }}",
    "{{ l|attr(l) }}{{ l|string|int }}{{ l|string|float }}{{ l|bool }}",
    "{{ l|pluralize(l, l) }}{{ l|filesizeformat }}",
    "{{ l|money(l) }}",
    "{{ l|plural(other=l|string) }}",
    "{{ l|times(1000) }}",
    "{{ (l|string)|lines|length }}{{ (l|string)|split|length }}",
]

OTHERS = [
    "{{ 'a' * 10**9 }}",
    "{{ ('a' * 1000) * 10**6 }}",
    "{{ [1] * 10**9 }}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}",
    "{% for i in range(9999) %}{{ v }}{% endfor %}",
    "{% for i in range(9999) %}{{ v|upper }}{% endfor %}",
    "{% for i in range(9999) %}{{ v|truncate(9999) }}{% endfor %}",
    "{% for i in range(9999) %}{{ i|number }}{% endfor %}",
    "{% for i in range(9999) %}{{ now|datetime }}{% endfor %}",
    "{% for i in range(9999) %}{{ v|rich }}{% endfor %}",
    "{% for i in range(9999) %}{% if v == w %}{% endif %}{% endfor %}",
    (
        "{% set n = namespace(x='aaaaaaaaaa') %}"
        "{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}"
    ),
    (
        "{% set n = namespace(x=[1]) %}"
        "{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x|length }}"
    ),
    (
        "{% set n = namespace(x=v) %}"
        "{% for i in range(60) %}{% set n.x = n.x|replace('a', v) %}{% endfor %}{{ n.x }}"
    ),
    (
        "{% set n = namespace(x={}) %}"
        "{% for i in range(900) %}{% set n.x = {'a': n.x, 'b': n.x} %}{% endfor %}{{ n.x }}"
    ),
    "{{ v|replace('a', v) }}",
    "{{ v|replace('', v)|replace('', v) }}",
    "{{ 'a'|indent(10**9) }}",
    "{{ '\n\n\n'|indent(10**6) }}",
    "{{ '%999999999s'|format('a') }}",
    "{{ range(9999)|join(v) }}",
    "{{ range(9999)|map('string')|join(v) }}",
    "{{ range(9999)|batch(10**9, v)|list }}",
    "{{ v|batch(1)|map('join', v)|join }}",
    "{{ v|slice(10**9)|list }}",
    "{{ 10**10**10 }}",
    "{{ 9.0**9999**9 }}",
    "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% include 'en/sms/text' %}",
    "{{ items.extend(items) }}",
    "{% for i in range(40) %}{{ items.extend(items) }}{% endfor %}{{ items|length }}",
    "{{ fields.update(a=items) }}{{ fields.a.append(1) }}",
    "{{ fields.setdefault('b', [1]).extend(v) }}",
    "{{ v|list }}",
    "{{ v|split('')|list }}",
    "{{ v|wordwrap(1, '" + "b" * 1000 + "') }}",
    f"{{% for i in range(9999) %}}{'<b>text</b>' * 20_000}{{% endfor %}}",
    "{% for i in range(9999) %}{% set s = v ~ v %}{{ s }}{% endfor %}",
    "{% set s %}{% for i in range(9999) %}{{ v }}{% endfor %}{% endset %}{{ s ~ s ~ s }}",
    "".join(f"{{% set s{n} = v[1:] %}}" for n in range(9_000)),
    f"{{{{ [{'v[1:],' * 30_000}]|length }}}}",
    f"{{{{ [{'v|upper,' * 25_000}]|length }}}}",
    f"{{{{ (v ~ {'v ~ ' * 2_000} v)|length }}}}",
    "{% set a = v %}" + "{% set a = a ~ a %}" * 25 + "{{ a|length }}",
    "{{ " + "('-'|times(1000) ~ " * 90 + "'a'" + ")" * 90 + " }}",
    "{{ v" + "|escape" * 200 + "|length }}",
    "{{ v" + "|urlencode" * 200 + "|length }}",
    "{{ v" + "|replace('', 'bb')" * 20 + "|length }}",
    "{{ items|tojson }}{{ items|pprint }}{{ items|zip(items) }}{{ items|chain(items) }}",
    "{{ '-'|times(10**9) }}{{ v|times(1000) }}",
    "{% macro m(x, n) %}{% if n %}{{ m(x ~ x, n - 1) }}{% endif %}{% endmacro %}{{ m(v, 40) }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(12) }}",
]

GROWN = (LIST + "{% set l = l * 100000 %}", NESTED, LARGE)
HARMLESS = [
    "{{ v|truncate(40) }} {{ w|lower|title }} {{ now|date }}",
    "{% for row in items %}{{ row }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% set full = v|trim ~ ' ' ~ w|trim %}Hello {{ full }}!",
    "{{ items|join(', ') }} {{ v|replace('-', ' ') }} {{ items[1:]|length + 3 }}",
    "{% for row in items if row is not divisibleby(2) %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{{ '-'|times(40) }}{{ items|map(attribute='name')|join(' ') }}",
    "{# made of MJML #}<b class=\"a\">{{ fields.a|default('none', true) }}</b>",
]


def small(source: str, variables: dict[str, Any]) -> bool:
    found = reckoned(source)
    return found is not None and found.is_small(size(variables))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("grown", GROWN)
def test_what_may_grow_is_not_filled_in_this_process(grown: str, use: str) -> None:
    assert not small(grown + use, GIVEN)


@pytest.mark.parametrize("source", HARMLESS)
def test_what_templates_usually_say_is_filled_here(source: str) -> None:
    assert small(source, {"v": "a" * 100, "w": "b" * 100, "items": [1, 2], "fields": {"a": 1}})
    assert not small(source, {"v": ["a" * 1000] * 60_000})


DEADLY = [
    GROWN[0] + "{{ l|string|length }}",
    NESTED + "{{ l|join|length }}",
    LARGE + "{{ (l ~ 'a')|length }}",
    GROWN[0] + "{{ l|urlencode|length }}",
    NESTED + "{{ l }}",
    GROWN[0] + "{{ {l: 1}|string|length }}",
]


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a bomb: what it cost where it was filled."""

    filled: str
    fault: str
    cpu_s: float
    grown_kb: int


def came(source: str, variables: dict[str, Any]) -> Came:
    """Fill a source, and say what that took; its own child is not counted."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, process_time()
    filled = fault = ""
    try:
        filled = line(source, **variables)
    except TemplateError as error:
        fault = str(error)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Came(filled, fault, process_time() - start, grown)


def _may_use_little() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.fixture(scope="module")
def little() -> Iterator[ProcessPoolExecutor]:
    """A process whose death is that of all tests after it, too."""
    with ProcessPoolExecutor(1, get_context("spawn"), _may_use_little) as pool:
        yield pool


@pytest.mark.parametrize("bomb", [*DEADLY, *OTHERS], ids=range(len([*DEADLY, *OTHERS])))
def test_a_bomb_ends_soon_and_small(little: ProcessPoolExecutor, bomb: str) -> None:
    done = little.submit(came, bomb, GIVEN).result(timeout=90)

    assert done.cpu_s < CPU_S
    assert done.grown_kb < GROWN_KB
    assert len(done.filled) <= 100_000


NAMES = st.sampled_from(["v", "w", "l", "items", "fields.a", "row", "'-'", "7", "v[1:]", "s"])
AFTER = st.sampled_from(
    [
        *("upper", "lower", "title", "trim", "escape", "list", "split", "lines", "urlencode"),
        *("join(', ')", "join('" + "-" * 60 + "')", "replace('', 'bbb')", "replace('a', 'bb')"),
        *("first", "last", "sort", "unique", "reverse", "default(v, true)", "truncate(9000)"),
        *("times(30)", "select('string')", "map(attribute='a')", "striptags", "length"),
        *("string", "indent(9)", "batch(3)", "map('string')", "tojson", "format(v)"),
    ]
)
EXPRESSIONS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.tuples(inner, AFTER).map(lambda two: f"({two[0]})|{two[1]}"),
        st.lists(inner, min_size=1, max_size=12).map(lambda all: f"[{', '.join(all)}]"),
        st.lists(inner, min_size=2, max_size=6).map(lambda all: f"({' ~ '.join(all)})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]} + {two[1]})"),
        st.tuples(inner, st.integers(2, 100_000)).map(lambda two: f"({two[0]} * {two[1]})"),
    ),
    max_leaves=8,
)
TAGS = st.one_of(
    EXPRESSIONS.map(lambda each: f"{{{{ {each} }}}}"),
    EXPRESSIONS.map(lambda each: f"{{{{ ({each})|length }}}}"),
    EXPRESSIONS.map(lambda each: f"{{% set l = {each} %}}"),
    st.tuples(EXPRESSIONS, EXPRESSIONS).map(
        lambda two: f"{{% for row in {two[0]} %}}text{{{{ {two[1]} }}}}{{% endfor %}}"
    ),
    st.text("<b>text", max_size=500),
)
SOURCES = st.lists(TAGS, min_size=1, max_size=8).map(
    lambda all: "".join(["{% set l = [v, w] %}", *all])
)
LENGTHS = st.integers(0, 5_000)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SOURCES, LENGTHS, st.integers(1, 200))
def test_what_is_filled_here_takes_little(
    little: ProcessPoolExecutor, source: str, length: int, repeated: int
) -> None:
    variables = {**GIVEN, "v": "a-" * length, "w": ["\n"] * length, "items": [source] * repeated}
    assume(small(source, variables))

    done = little.submit(came, source, variables).result(timeout=90)

    assert done.cpu_s < CPU_S
    assert done.grown_kb < GROWN_KB


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("a\n{{ '-' * 40 }}", 2, "'-'|times(40)"),
        ("a\n{{ 1 +\n 2 ** 3 }}", 3, "there is no *"),
        ("{{ '*' }} *\n{% set a = [v, v * 2] %}", 2, "price|times(2)"),
        (f"\n{{{{ [{'v, ' * 10_001}]|length }}}}", 2, "put together of one another too often"),
    ],
)
def test_what_multiplies_is_refused_where_it_stands(source: str, line: int, words: str) -> None:
    found: list[tuple[str, int | None]] = []

    check_growth(source, lambda code, said, at: found.append((f"{code}: {said}", at)))

    assert [at for _, at in found] == [line]
    assert words in found[0][0]
    assert check(sms(source)).compiled is None


async def test_a_child_that_others_end_is_not_the_templates_fault() -> None:
    """Somebody has it killed, or the machine is too busy: it is tried again later."""
    renderer = VersionRenderer(StandingClock(), aside=Aside(late_s=0))

    with pytest.raises(WorkshopUnavailableError):
        await renderer.render(
            version(sms("{{ v|indent(2) }}")),
            Channel.SMS,
            locale="en",
            variables={"v": "a"},
            offered=offered(),
        )


async def test_filling_aside_takes_no_thread_and_who_gives_up_leaves_no_answer() -> None:
    renderer, threads = VersionRenderer(StandingClock()), threading.active_count()

    def filling(value: str) -> Coroutine[Any, Any, Rendered]:
        return renderer.render(
            version(sms("{{ v|indent(2) }}")),
            Channel.SMS,
            locale="en",
            variables={"v": value},
            offered=offered(),
        )

    assert (await filling("a")).text == "a"
    given_up = asyncio.create_task(filling("b"))
    await asyncio.sleep(0)  # asked, and not answered
    given_up.cancel()

    assert (await filling("c")).text == "c"
    assert given_up.cancelled()
    assert threading.active_count() == threads


def test_after_a_bomb_others_are_filled_as_before() -> None:
    assert refusal(DEADLY[0], **GIVEN) == TOO_EXPENSIVE
    assert line("{{ 'a' * 3 }} {{ v|indent(2) }}", v="b\nc") == "aaa b\n  c"
    assert "line 2): no value for nothing" in refusal("{{ 'a' * 3 }}\n{{ nothing }}")
