import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.notification.model import JsonValue
from tests.unit.rendering.making import email, line, refusal, rendered

TIME = "2026-07-01T18:30:00Z"
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2066": "", "\u2069": ""})


@pytest.mark.parametrize(
    ("locale", "source", "written"),
    [
        ("en", "{{ '1234.5'|money('EUR') }}", "€1,234.50"),
        ("de", "{{ '1234.5'|money('EUR') }}", "1.234,50 €"),
        ("de-AT", "{{ '1234.5'|money('EUR') }}", "€ 1.234,50"),
        ("fr", "{{ 123450|money('EUR') }}", "1 234,50 €"),
        ("ja", "{{ 500|money('JPY') }}", "\uffe5500"),
        ("en", "{{ '-3'|money('USD') }}", "-$3.00"),
        ("de", "{{ 1234567.891|number }}", "1.234.567,891"),
        ("en", "{{ 2|number(2) }}", "2.00"),
        ("de", "{{ 0.256|percent(1) }}", "25,6 %"),
        ("en", "{{ 0.256|percent }}", "26%"),
        ("de", f"{{{{ '{TIME}'|date('long') }}}}", "1. Juli 2026"),
        ("pl", "{{ '2026-03-01'|date('full') }}", "niedziela, 1 marca 2026"),
        ("de", f"{{{{ '{TIME}'|time }}}}", "20:30"),
        ("en", f"{{{{ '{TIME}'|datetime('short') }}}}", "7/1/26, 8:30 PM CEST"),
        ("de", f"{{{{ '{TIME}'|datetime(zone='UTC') }}}}", "01.07.2026, 18:30:00 UTC"),
        ("en", "{{ now|date }}", "Nov 26, 2026"),
        ("pl", "{{ 3|plural(one='a', few='b', many='c', other='d') }}", "b"),
        ("pl", "{{ 5|plural(one='a', few='b', many='c', other='d') }}", "c"),
        ("en", "{{ 1|plural(one='a', other='d') }}", "a"),
        ("ar", "{{ 0|plural(zero='z', other='d') }}", "z"),
        ("de", "{{ ['a', 'b', 3]|list }}", "a, b und 3"),
        ("en", "{{ ['a', 'b', 'c']|list }}", "a, b, and c"),
        ("en", "{{ 'hello world and all'|truncate(14) }}", "hello world…"),
        ("en", "{{ 'short'|truncate(14) }}", "short"),
        ("en", "{{ 'https://e.example/a?b=1&c'|url }}", "https://e.example/a?b=1&c"),
        ("en", "{{ 'mailto:a@e.example'|url }}", "mailto:a@e.example"),
        ("en", "{{ '<b>a</b> &amp; b<script>c</script>'|rich }}", "a & b"),
    ],
)
def test_a_filter_writes_as_the_locale_and_the_time_zone_have_it(
    locale: str, source: str, written: str
) -> None:
    filled = line(source, locale=locale, time_zone="Europe/Vienna")

    assert filled.translate(_SPACES) == written


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ v|money('EUR') }}", 12.5),
        ("{{ v|money('EUR') }}", True),
        ("{{ v|money('EUR') }}", "12,50"),
        ("{{ v|money('EUR') }}", "9" * 19),
        ("{{ v|money('ZZZ') }}", "1"),
        ("{{ v|money }}", "1"),
        ("{{ v|number }}", "secret"),
        ("{{ v|number }}", 10**18),
        ("{{ v|number(11) }}", 1),
        ("{{ v|percent }}", [1]),
        ("{{ v|date }}", "secret"),
        ("{{ v|date }}", "2026-02-30"),
        ("{{ v|date('secret') }}", "2026-02-01"),
        ("{{ v|datetime }}", "2026-02-01T10:00:00"),
        ("{{ v|datetime(zone='../secret') }}", TIME),
        ("{{ v|time }}", "9999-12-31T23:59:59-12:00"),
        ("{{ v|plural(one='a') }}", 1),
        ("{{ v|plural(other='" + "a" * 501 + "') }}", 1),
        ("{{ v|list }}", ["a"] * 101),
        ("{{ v|list }}", [["secret"]]),
        ("{{ v|list }}", "secret"),
        ("{{ v|url }}", "javascript:secret"),
        ("{{ v|url }}", "https://" + "a" * 2_100),
        ("{{ v|url }}", "https://user@e.example"),
        ("{{ v|url }}", 'https://e.example/"secret'),
        ("{{ v|url }}", "https:///secret"),
        ("{{ v|rich }}", "a" * 50_001),
        ("{{ v|truncate(10001) }}", "secret"),
        ("{{ v|truncate }}", 1),
    ],
)
def test_a_filter_says_what_it_needs_and_not_what_it_was_given(
    source: str, value: JsonValue
) -> None:
    words = refusal(f"one\n{source}", v=value)

    name = re.findall(r"\|(\w+)", source)[0]
    assert words.startswith(f"sms text (en, line 2): the filter {name} ")
    assert "secret" not in words


def test_clean_html_keeps_what_it_may_have_and_nothing_else() -> None:
    dirty = '<p onclick="x">a <a href="javascript:x" style="y">b</a><img src=x><script>c</script>'

    html = rendered(email(html="<td>{{ v|rich }}</td>"), v=dirty).html

    assert html == '<td><p>a <a rel="noopener noreferrer">b</a></p></td>'


@pytest.mark.parametrize("address", ["http://e.example/", "ftp://e.example/", "/a", "tel:1"])
def test_clean_html_has_links_to_https_and_mailto_alone(address: str) -> None:
    html = rendered(email(html="{{ v|rich }}"), v=f'<a href="{address}">a</a>').html

    assert html == '<a rel="noopener noreferrer">a</a>'


@given(st.integers(-(10**17), 10**17))
def test_an_amount_in_minor_units_is_written_as_its_decimal(cents: int) -> None:
    sign, whole, rest = "-" if cents < 0 else "", abs(cents) // 100, abs(cents) % 100

    from_units = line("{{ v|money('EUR') }}", v=cents)

    assert from_units == line("{{ v|money('EUR') }}", v=f"{sign}{whole}.{rest:02}")


@given(st.text(max_size=60), st.integers(2, 50))
def test_what_is_truncated_is_never_longer_than_asked_for(text: str, length: int) -> None:
    assert len(line("{{ v|truncate(n) }}", v=text, n=length)) <= length
