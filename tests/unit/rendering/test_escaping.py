from html.parser import HTMLParser

import pytest

from tests.unit.rendering.making import email, rendered

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "'><svg onload=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "` onmouseover=alert(1) x=`",
    "</title><script>alert(1)</script>",
    "</td></tr></table><iframe src=javascript:alert(1)>",
    '<!--<img src="--><img src=x onerror=alert(1)//">',
    "<![CDATA[<b>]]>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="jav&#x09;ascript:alert(1)">x</a>',
    '<math><mi xlink:href="javascript:alert(1)">',
    "<style>@import 'https://e.example/x.css'</style>",
    "<base href='https://e.example/'>",
    "<form action='https://e.example/'><input name=a>",
    "<meta http-equiv=refresh content='0;url=https://e.example/'>",
    "<b onclick=alert(1)>x</b>",
    "<p style='background:url(javascript:alert(1))'>x</p>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "{{ 7 * 7 }}{% include 'x' %}",
    "\u2028<script>\u2029",
    "\x00<script>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<<script>script>alert(1)<</script>/script>",
    "<svg><script>alert(1)</script></svg>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<x/onclick=alert(1)>",
]
ADDRESSES = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript&colon;alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "//e.example/",
    "/relative",
    "http://e.example/",
    'https://e.example/" onclick="alert(1)',
    "https://e.example/' onclick='alert(1)",
    "https://e.example/><script>",
    "https://user:pass@e.example/",
    "https:alert(1)",
    "https://",
    "https://[::1",
]
PAGE = (
    "<html><head><title>{{ v }}</title><style>p{color:red}</style></head><body>"
    "<p title=\"{{ v }}\" class='{{ v }}'>{{ v }}</p><td>{{ v|upper }}{{ [v, v]|list }}"
    '{{ v|truncate(60) }}{{ [v]|join("<br>"|escape) }}{{ v|replace("a", v) }}{{ v ~ v }}</td>'
    '<a href="https://e.example/{{ v|urlencode }}">{{ v|trim|indent(2) }}</a>{{ v|striptags }}'
    '{% macro m(x) %}{{ x }}{% endmacro %}<i title="{{ m(v) }}">{{ m(v) }}</i>'
    '{% set s %}{{ v }}{% endset %}<i title="{{ s }}">{{ s|first }}{{ s }}</i>'
    "{% for each in v %}{{ each }}{% endfor %}{{ '%s'|format(v) }}{{ v|default('') }}</body></html>"
)


class _Skeleton(HTMLParser):
    """Elements and the names of their attributes, and the schemes of addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_comment(self, data: str) -> None:
        self.found.append(("!--", (data,)))


def skeleton(html: str | None) -> _Skeleton:
    assert html is not None
    reader = _Skeleton()
    reader.feed(html)
    reader.close()
    return reader


@pytest.mark.parametrize("payload", [*PAYLOADS, *filter(None, ADDRESSES)])
def test_a_value_adds_no_element_and_no_attribute(payload: str) -> None:
    of = email(html=PAGE, preheader="{{ v|replace('\n', ' ')|lines|join }}")

    plain = skeleton(rendered(of, v="word").html)
    filled = skeleton(rendered(of, v=payload).html)

    assert filled.found == plain.found
    assert all(each.startswith("https://e.example/") for each in filled.addresses)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_clean_html_has_no_element_attribute_or_scheme_but_those_allowed(payload: str) -> None:
    filled = skeleton(rendered(email(html="<td>{{ v|rich }}</td>"), v=payload).html)

    allowed = {"td", "p", "br", "b", "strong", "i", "em", "u", "ul", "ol", "li", "a", "blockquote"}
    assert {tag for tag, _ in filled.found} <= allowed
    assert {name for _, names in filled.found for name in names} <= {"href", "rel"}
    assert all(each.startswith(("https:", "mailto:")) for each in filled.addresses)


def test_a_link_that_is_not_to_be_had_leads_nowhere() -> None:
    assert 'href=""' in str(rendered(email(html='<a href="{{ v|url }}">x</a>'), v="").html)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_no_link_may_have_is_refused(address: str) -> None:
    of = email(html='<a href="{{ v|url }}">x</a>')

    with pytest.raises(Exception, match="the filter url needs"):
        rendered(of, v=address)
