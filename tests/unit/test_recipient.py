import sys
import traceback

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.errors import RecipientError
from notifier.notification import Channel
from notifier.recipient import has_control_characters, normalise

ANYTHING = st.text(st.characters(), max_size=60)
EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1)]


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("alice@example.com", "alice@example.com"),
        ("Alice@EXAMPLE.Com", "Alice@example.com"),
        ("o'hara+shop@example.co.uk", "o'hara+shop@example.co.uk"),
        ("пётр@пример.рф", "пётр@пример.рф"),
        ("alice@bücher.example.com", "alice@bücher.example.com"),
        ("a@service.test", "a@service.test"),
    ],
)
def test_an_email_address_keeps_its_name_and_gets_a_lower_case_domain(
    address: str, normal: str
) -> None:
    assert normalise(Channel.EMAIL, address) == normal


LABELS = st.from_regex(r"[A-Za-z0-9]{1,12}", fullmatch=True)
LOCALS = st.from_regex(r"[A-Za-z0-9_+-]{1,10}(\.[A-Za-z0-9_+-]{1,10})?", fullmatch=True)
TOPS = st.sampled_from([*SPECIAL_USE_DOMAIN_NAMES, "com", "DE", "photography", "c", "x1"])


@given(LOCALS, st.lists(LABELS, max_size=4), TOPS)
@example("a" * 32 + "." + "b" * 31, ["c" * 60] * 3, "museum")
def test_plain_addresses_are_read_as_email_validator_reads_them(
    local: str, labels: list[str], top: str
) -> None:
    address = f"{local}@{'.'.join([*labels, top])}"
    try:
        expected = validate_email(
            address, check_deliverability=False, test_environment=True
        ).normalized
    except EmailNotValidError:
        expected = None

    try:
        found = normalise(Channel.EMAIL, address)
    except RecipientError:
        found = None

    assert found == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "alice@",
        "@example.com",
        "alice@example",
        "alice@@example.com",
        "alice@exa mple.com",
        "alice@-example.com",
        "alice..b@example.com",
        "Alice <alice@example.com>",
        "alice@example.com, bob@example.com",
        "alice@[127.0.0.1]",
        "alice@example.com\r\nRCPT TO:<eve@example.com>",
        "alice@example.com\n",
        "alice\x00@example.com",
        "alice\u2028@example.com",
        "ali\ud800ce@example.com",
        f"alice@{'a.' * 130}com",
    ],
)
def test_what_is_no_email_address_is_refused(address: str) -> None:
    with pytest.raises(RecipientError):
        normalise(Channel.EMAIL, address)


@pytest.mark.parametrize(
    ("number", "normal"),
    [
        ("+491701234567", "+491701234567"),
        ("+4901701234567", "+491701234567"),
        ("+12025550123", "+12025550123"),
        ("+390612345678", "+390612345678"),
    ],
)
def test_a_telephone_number_becomes_e164(number: str, normal: str) -> None:
    assert normalise(Channel.SMS, number) == normal


@pytest.mark.parametrize(
    "number",
    [
        "",
        "01701234567",
        "00491701234567",
        "491701234567",
        "+49 170 1234567",
        "+49-170-1234567",
        "+4917012345678901",
        "+0491701234567",
        "+999123456789",
        "+12530000",
        "+49170123456a",
        "+٤٩١٧٠١٢٣٤٥٦٧",
        "+491701234567\n",
        "+491701234567;ext=1",
    ],
)
def test_what_is_no_telephone_number_is_refused(number: str) -> None:
    with pytest.raises(RecipientError, match=r"expected E\.164"):
        normalise(Channel.SMS, number)


@pytest.mark.parametrize("user", ["u", "user-42", "Ümläut 7", "👩‍👩‍👧", "x" * 200])
def test_a_user_id_stays_as_it_is(user: str) -> None:
    assert normalise(Channel.IN_APP, user) == user


@pytest.mark.parametrize("user", ["", "x" * 201, "a\nb", "a\tb", "a\x00", "a\u2029b", "a\udfffb"])
def test_what_is_no_user_id_is_refused(user: str) -> None:
    with pytest.raises(RecipientError, match="1 to 200 printable characters"):
        normalise(Channel.IN_APP, user)


def normal_or_trace(channel: Channel, recipient: str) -> tuple[str | None, str]:
    try:
        return normalise(channel, recipient), ""
    except RecipientError:
        shown = traceback.format_exc()
        return None, shown[shown.index("RecipientError") :]


@given(st.sampled_from(Channel), ANYTHING)
@example(Channel.EMAIL, "canary\ud800@example.com")
@example(Channel.EMAIL, "canary@xn--a.example.com")
@example(Channel.EMAIL, "canary@\u0661.example.com")
@example(Channel.SMS, "+9991234567890")
def test_anything_is_normalised_for_good_or_refused(channel: Channel, recipient: str) -> None:
    normal, _ = normal_or_trace(channel, recipient)

    if normal is not None:
        assert normalise(channel, normal) == normal
        assert not has_control_characters(normal)
        assert normal.encode()


@pytest.mark.parametrize("channel", Channel)
def test_a_refusal_and_its_trace_quote_nothing_of_the_recipient(channel: Channel) -> None:
    normal, trace = normal_or_trace(channel, "canary@xn--canary..canary\n")

    assert normal is None
    assert trace
    assert "canary" not in trace
    assert "The above exception" not in trace


def test_every_character_that_ends_a_line_is_a_control_character() -> None:
    ends = {char for char in EVERY_CHARACTER if len(f"a{char}b".splitlines()) == 2}

    assert {"\r", "\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"} <= ends
    assert all(has_control_characters(f"Hello{char}") for char in ends)


def test_every_ascii_control_and_lone_surrogate_is_a_control_character() -> None:
    controls = [chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0), 0xD800, 0xDFFF)]

    assert all(has_control_characters(char) for char in controls)


@pytest.mark.parametrize(
    "text", ["", "Your order 42", "Grüße, Ærøskøbing", "注文", "👩‍👩‍👧 🎉", "a\u00a0b"]
)
def test_ordinary_writing_holds_no_control_characters(text: str) -> None:
    assert not has_control_characters(text)
