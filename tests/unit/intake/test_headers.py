"""Which headers a mail may bring along, and what they may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.intake.headers import MAX_BYTES, MAX_HEADERS, canonical, header_faults

LEAVE = "<https://shop.example/leave?u=1>"
CONTROLS = ("\r\nBcc: e@x.io", *"\n\r\0\x0b\x1c\x85\u2028\u2029\ud800")


def faults(**headers: str) -> dict[str | None, str]:
    return dict(header_faults({name.replace("_", "-"): each for name, each in headers.items()}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-Id", "<news.shop.example>"),
        ("list-id", "Shop News <news.shop.example>"),
        ("List-Id", '"Shop, News" <news.shop.example>'),
        ("List-Unsubscribe", LEAVE),
        ("List-Unsubscribe", f"{LEAVE}, <mailto:leave@shop.example?subject=a>"),
        ("List-Help", "<mailto:help@shop.example>"),
        ("In-Reply-To", "<01980000-0000-7000-8000-000000000001@shop.example>"),
        ("REFERENCES", "<a@shop.example> <b@shop.example>"),
        ("Feedback-ID", "campaign:customer:type:shop"),
        ("Importance", "High"),
        ("Priority", "non-urgent"),
        ("Precedence", "bulk"),
        ("X-Priority", "1"),
        ("X-Entity-Ref-ID", "4711"),
        ("x-order", "Gr\u00f6\u00dfe 42, =?not encoded?= \N{PACKAGE}"),
    ],
)
def test_what_mail_programs_and_lists_read_is_allowed(name: str, value: str) -> None:
    assert list(header_faults({name: value})) == []


OWN = """
From To Cc Bcc Subject Date Message-ID Reply-To Sender Return-Path Received Content-Type
Content-Transfer-Encoding MIME-Version DKIM-Signature DomainKey-Signature ARC-Seal
Authentication-Results Received-SPF Auto-Submitted Resent-From Errors-To Return-Receipt-To
Disposition-Notification-To Envelope-To Delivered-To X-SMTPAPI X-SG-EID X-SES-CONFIGURATION-SET
X-SES-SOURCE-ARN X-MC-BccAddress X-Mailgun-Variables X-PM-Tag X-MSYS-API X-MJ-CustomID
X-Notifier-Id X-Original-From X-Sender X-Received X-Spam-Status
"""


@pytest.mark.parametrize("name", OWN.split())
def test_a_mail_s_own_headers_and_those_that_servers_go_by_are_refused_in_any_case(
    name: str,
) -> None:
    for written in (name, name.lower(), name.upper(), name.swapcase()):
        assert list(faults(**{written: "<a@shop.example>"})) == [written]


@pytest.mark.parametrize("name", ["From", "reply-to", "SUBJECT", "To"])
def test_a_header_that_has_a_field_of_its_own_is_refused_with_that(name: str) -> None:
    assert "`" in faults(**{name: "a@shop.example"})[name]


NO_NAMES = (
    *("", "X-", "X", "X-A B", "X-A:", " X-A", "X-A ", "X-A\r\nBcc", "X-A\n", "X_A", "X-A\0", "Foo"),
    *("X-\xe4", "\N{CYRILLIC CAPITAL LETTER HA}-A", "X-\u2028A", "Subject ", "To\u200b"),
    f"X-{'a' * 39}",
)


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_of_a_header_is_refused(name: str) -> None:
    found = dict(header_faults({name: "a"}))

    assert list(found) == [name]
    assert len(name) < 9 or name not in found[name]


@pytest.mark.parametrize("control", CONTROLS)
def test_a_value_of_more_than_one_line_is_refused(control: str) -> None:
    for name in ("X-Tag", "List-Id", "List-Unsubscribe", "References", "Feedback-ID"):
        for value in (f"a{control}b", f"{control}a", f"a{control}", f"<https://a{control}>"):
            assert list(header_faults({name: value})), (name, value)


@given(text=st.text(min_size=1, max_size=30))
def test_whatever_is_taken_stands_on_one_line(text: str) -> None:
    if not list(header_faults({"X-Tag": text})):
        assert text.splitlines() == [text]
        assert text == text.strip()


@pytest.mark.parametrize("value", ["", " ", " a", "a ", "a  b", "a\u00a0", "x" * 901])
def test_a_value_is_text_with_single_spaces(value: str) -> None:
    assert list(faults(X_Tag=value)) == ["X-Tag"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-Id", "news.shop.example"),
        ("List-Id", "<news>"),
        ("List-Id", "<news.shop.example> x"),
        ("List-Id", "N\u00e9ws <news.shop.example>"),
        ("List-Unsubscribe", "https://shop.example/leave"),
        ("List-Unsubscribe", "<http://shop.example/leave>"),
        ("List-Unsubscribe", "<javascript:alert(1)>"),
        ("List-Unsubscribe", f"{LEAVE} {LEAVE}"),
        ("List-Unsubscribe", f"{LEAVE}, comment"),
        ("List-Unsubscribe", "<https://shop.example/<a>>"),
        ("References", "a@shop.example"),
        ("In-Reply-To", "<a@b@c>"),
        ("Importance", "very"),
        ("X-Priority", "0"),
        ("Precedence", "junk"),
        ("Feedback-ID", "a b"),
    ],
)
def test_a_header_that_programs_read_says_what_they_expect(name: str, value: str) -> None:
    assert faults(**{name: value})[name].startswith("expected")


def test_a_name_that_is_there_twice_but_for_its_case_is_refused() -> None:
    assert faults(**{"X-Tag": "a", "x-tag": "b"}) == {
        "x-tag": "it is there twice, but for its case"
    }
    assert faults(**{"List-Id": "<a.b>", "LIST-ID": "<a.b>"}).keys() == {"LIST-ID"}


def test_a_known_name_is_written_as_its_standard_writes_it() -> None:
    assert canonical("list-unsubscribe-POST") == "List-Unsubscribe-Post"
    assert canonical("feedback-id") == "Feedback-ID"
    assert canonical("x-Mine") == "x-Mine"


@pytest.mark.parametrize(
    "addresses",
    [
        None,
        "<mailto:leave@shop.example>",
        f"{LEAVE}, <https://other.example/>",
        f"{LEAVE}, {LEAVE}",
    ],
)
def test_one_click_needs_exactly_one_address_to_post_to(addresses: str | None) -> None:
    headers = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    given_too = {"List-Unsubscribe": addresses} if addresses else {}

    assert [name for name, _ in header_faults({**headers, **given_too})] == [
        "List-Unsubscribe-Post"
    ]


def test_one_click_with_one_address_is_allowed_in_any_case() -> None:
    assert not faults(
        **{
            "list-unsubscribe": f"<mailto:leave@shop.example>, {LEAVE}",
            "LIST-UNSUBSCRIBE-POST": "List-Unsubscribe=One-Click",
        }
    )
    assert faults(**{"List-Unsubscribe": LEAVE, "List-Unsubscribe-Post": "yes"})


def test_there_are_not_more_headers_than_a_mail_needs() -> None:
    assert not faults(**{f"X-{each}": "a" for each in range(MAX_HEADERS)})
    assert list(faults(**{f"X-{each}": "a" for each in range(MAX_HEADERS + 1)})) == [None]
    assert list(
        faults(**{f"X-{each}": "\u20ac" * 300 for each in range(MAX_BYTES // 900 + 1)})
    ) == [None]
