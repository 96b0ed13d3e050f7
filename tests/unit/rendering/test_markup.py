"""What is left of html once it is cleaned, and what it says as a text."""

from collections.abc import Mapping
from contextlib import suppress
from time import process_time

import pytest

from notifier.errors import TemplateError
from notifier.rendering.markup import HtmlMarkup, text_of

_MOST_S = 3.0
"""On a machine as busy as any; most take a twentieth of it."""
_CHARS = 500_000


def _filled_with(text: str) -> str:
    return (text * (_CHARS // len(text) + 1))[:_CHARS]


BOMBS: Mapping[str, str] = {
    **{
        text: _filled_with(text)
        for text in (
            "<div>", "<b>", "<a>", "<a href='https://x'>", "<table>", "<table><tr><td>", "<ul><li>",
            "<blockquote>", "<", "&lt", "<!--", "<script>", "<b><i><a><font>", "<b><p></b>",
            "<a><div></a>", "</p>", "<br>", "<select><option>", "<svg><g>", "<pre>", "<dl><dt><dd>",
            "<code>`", "<sup>", "<p hidden>x", "<h1>x", "<a href='", "<a href=''", "</a>",
        )
    },
    **{f"pre{each!r}": f"<pre>a{_filled_with(each)}b" for each in (" ", "\t", " \n", "\n")},
    "rows": "<table>" + _filled_with("<tr><td>x<td>y"),
    "one wide row": "<table><tr>" + "<td>x" * 300 + "</tr>" + "<tr><td>y" * 40_000,
    "spans": "<table>" + _filled_with("<tr><td rowspan=65534 colspan=1000>x"),
    "quotes of quotes": "<blockquote>x" * 5_000,
    "lists of lists": "<ul><li>x" * 5_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_text_of_hostile_html_takes_little(name: str) -> None:
    start = process_time()
    text = text_of(BOMBS[name])

    assert process_time() - start < _MOST_S
    assert len(text) < 10 * _CHARS


@pytest.mark.parametrize("name", BOMBS)
async def test_hostile_html_is_cleaned_fast_or_refused(name: str) -> None:
    start = process_time()
    with suppress(TemplateError):
        await HtmlMarkup().cleaned(BOMBS[name])

    assert process_time() - start < _MOST_S


async def test_the_deepest_html_that_is_cleaned_takes_little() -> None:
    start = process_time()
    await HtmlMarkup().cleaned("<div>" * 10_000)

    assert process_time() - start < _MOST_S


def test_a_text_has_the_words_of_html_and_the_addresses_of_its_links() -> None:
    html = """<!doctype html><html><head><title>T</title><style>p {}</style></head><body>
        <div style="display:none">Preheader &#847;&zwnj;</div>
        <h1>Hello  Anna &amp; Bo</h1>
        <p>Your order <b>12_34*5</b>: <a class=x href="https://x.example/?a=1&amp;b=2">see it</a>,
        <a href='mailto:help@x.example'>write</a>, <a href="https://x.example">https://x.example</a>,
        <a href="mailto:a@x.example">a@x.example</a>, <a href="#top">top</a>.</p>
        <script>alert(1)</script><ul><li>one</li><li>two</li></ul><p># 1. * _</p></body></html>"""

    assert text_of(html) == (
        "Hello Anna & Bo\n\n"
        "Your order 12_34*5: see it (https://x.example/?a=1&b=2),\n"
        "write (mailto:help@x.example), https://x.example,\n"
        "a@x.example, top.\n\n"
        "- one\n- two\n\n# 1. * _"
    )


def test_tables_of_a_layout_and_of_figures_can_both_be_read() -> None:
    html = (
        "<table><tr><td><h1>Hi</h1><p>One</p><p>Two</p>"
        "<table><tr><th>Tea</th><th>3.00</th></tr><tr><td>Milk</td><td>1.00</td></tr></table>"
        "</td></tr><tr><td>Street 1<br>Town</td></tr></table>"
    )

    assert text_of(html).splitlines() == [
        "Hi", "", "One", "", "Two", "", "Tea\t3.00", "Milk\t1.00", "Street 1", "Town",
    ]  # fmt: skip


async def test_what_looks_and_does_no_harm_is_kept_when_html_is_cleaned() -> None:
    html = (
        '<table role="presentation" width="600" cellpadding="0"><tbody><tr><td align="center" '
        'style="color:red;padding:4px"><a href="https://x.example/" rel="noopener noreferrer">'
        '<img src="cid:logo" alt="Logo" width="90"></a></td></tr></tbody></table>'
    )

    assert await HtmlMarkup().cleaned(html) == html


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ("<!doctype html><html><head><title>T</title></head><p>a</p>", "<p>a</p>"),
        ("<p onclick='a()' id=b class=c>a<script>b</script></p>", "<p>a</p>"),
        ("<a href='javascript:a()'>a</a>", '<a rel="noopener noreferrer">a</a>'),
        ("<a href='/a'>a</a>", '<a rel="noopener noreferrer">a</a>'),
        ("<img src='data:image/png;base64,AA=='>", "<img>"),
        ("<p style='background:url(//x);color:red'>a</p>", '<p style="color:red">a</p>'),
        ("<iframe src=https://x>a</iframe><form><input>b</form><svg><a>c</a></svg>", "b"),
        ("<!-- a --><!--[if mso]>b<![endif]-->c", "c"),
    ],
)  # fmt: skip
async def test_the_rest_is_left_out_when_html_is_cleaned(html: str, left: str) -> None:
    assert await HtmlMarkup().cleaned(html) == left
