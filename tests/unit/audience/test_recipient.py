import sys
import traceback

import pytest
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.audience.recipient import compared, has_control_characters, normalise
from notifier.errors import RecipientError
from notifier.notification.model import Channel

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


@pytest.mark.parametrize(
    "written",
    [
        "ada@example.com ",
        " \tada@example.com\r\n",
        "\u00a0ada@example.com\u2028",
        "\u200bada@example.com",
        "\ufeffada@example.com\u202c",
        "ada@exam\u00adple.com",
        "\u2066ada@example.com\u2069\ufe0f",
        "ada@example.com.",
        "mailto:ada@example.com",
        "<mailto:ada@example.com>",
        "MAILTO: ada@example.com",
        "<ada@example.com>",
        "ada@EXAMPLE.COM",
        "ada@\uff45xample.com",
    ],
)
def test_what_is_never_part_of_an_email_address_is_left_out(written: str) -> None:
    assert normalise(Channel.EMAIL, written) == "ada@example.com"


LABELS = st.from_regex(r"[A-Za-z0-9]{1,12}", fullmatch=True)
LOCALS = st.from_regex(r"[A-Za-z0-9_+-]{1,10}(\.[A-Za-z0-9_+-]{1,10})?", fullmatch=True)
TOPS = st.sampled_from([*SPECIAL_USE_DOMAIN_NAMES, "com", "DE", "photography", "x1"])


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
    ("address", "fault"),
    [
        ("", "there is nothing in it"),
        (" \u200b ", "there is nothing in it"),
        ("alice", "there is no @"),
        ("alice@", "nothing after the @"),
        ("@example.com", "nothing before the @"),
        ("alice@example", "the domain has no dot"),
        ("alice@@example.com", "more than one @"),
        ("alice\uff20example.com", r"U\+FF20 \(fullwidth commercial at\) at character 6"),
        ("alice@exa mple.com", r"U\+0020 \(space\) at character 10"),
        ("  ali ce@example.com", r"U\+0020 \(space\) at character 6"),
        ("ali\u200dce@example.com", r"U\+200D \(zero width joiner\) at character 4"),
        ("alice@-example.com", "begins or ends with a hyphen"),
        ("alice@exam_ple.com", r"U\+005F \(low line\) at character 11"),
        ("alice@example.com?subject=x", r"U\+003F \(question mark\) at character 18"),
        ("alice..b@example.com", "two dots in a row"),
        ("alice@example.com..", "two dots in a row"),
        (".alice@example.com", "begins or ends with a dot"),
        ("alice.@example.com", "begins or ends with a dot"),
        ("alice@.example.com", "begins with a dot"),
        ("Alice <alice@example.com>", "without a name and the < and >"),
        ('"alice b"@example.com', "names in quotes are not taken"),
        ("alice@example.com, bob@example.com", "one address only"),
        ("alice@example.com;bob@example.com", "one address only"),
        ("alice@[127.0.0.1]", r"U\+005B \(left square bracket\)"),
        ("alice@127.0.0.1", "ending is no name"),
        ("alice@mail.local", "ending is reserved"),
        ("alice@example.INVALID", "ending is reserved"),
        ("alice@xn--zz.com", "no domain's name"),
        ("alice@\N{GRINNING FACE}.com", "no domain's name"),
        ("alice@example.com\r\nRCPT TO:<eve@example.com>", "without a name and the < and >"),
        ("alice@example.com\r\nBcc", r"U\+000D \(a control character\) at character 18"),
        ("alice\x00@example.com", r"U\+0000 \(a control character\) at character 6"),
        ("alice\u2028@example.com", r"U\+2028 \(line separator\)"),
        ("ali\ud800ce@example.com", r"U\+D800"),
        ("alice@example.c", "one letter only"),
        ("a" * 65 + "@example.com", "65 octets before the @; at most 64"),
        ("\u00e4" * 33 + "@example.com", "66 octets before the @; at most 64"),
        (f"alice@{'a' * 64}.com", "longer than 63"),
        ("alice@" + "\u00e4" * 60 + ".com", "longer than 63"),
        (f"alice@{'a.' * 130}com", "269 octets; at most 254"),
        ("alice@xn--a.example.com", "expected name@domain"),
    ],
)
def test_what_is_no_email_address_is_refused_with_its_fault(address: str, fault: str) -> None:
    with pytest.raises(RecipientError, match=f"^not an email address.*({fault})"):
        normalise(Channel.EMAIL, address)


@pytest.mark.parametrize(
    "address",
    ["a" * 64 + "@example.com", f"alice@{'a' * 63}.com", "a@" + ("b" * 60 + ".") * 4 + "example"],
)
def test_an_address_may_be_as_long_as_mail_servers_take_it(address: str) -> None:
    assert normalise(Channel.EMAIL, address) == address


@pytest.mark.parametrize(
    ("number", "normal"),
    [
        ("+491701234567", "+491701234567"),
        ("+4901701234567", "+491701234567"),
        ("+12025550123", "+12025550123"),
        ("+390612345678", "+390612345678"),
        ("+39 (0)6 12345678", "+390612345678"),
        ("+49 170 1234567", "+491701234567"),
        ("+49 (0)170 / 123 45 67", "+491701234567"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("+33.6.12.34.56.78", "+33612345678"),
        ("(+49) 170 1234567", "+491701234567"),
        ("+44\u00a0(0)20\u20117946\u20130958", "+442079460958"),
        (
            "\uff0b\uff14\uff19\uff11\uff17\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
            "+491701234567",
        ),
        (
            "+\u0664\u0669\u0661\u0667\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",
            "+491701234567",
        ),
        ("\u202a+49 170 1234567\u202c", "+491701234567"),
        ("+491701234567\n", "+491701234567"),
        ("tel:+49-170-1234567", "+491701234567"),
    ],
)
def test_a_telephone_number_in_any_usual_writing_becomes_e164(number: str, normal: str) -> None:
    assert normalise(Channel.SMS, number) == normal


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("", "there is nothing in it"),
        ("01701234567", r"start with \+"),
        ("491701234567", r"start with \+"),
        ("00491701234567", r"write \+ instead of the 00"),
        ("0049 170 1234567", r"write \+ instead of the 00"),
        ("+49 170", "5 digits are too few"),
        ("+4917012345678901", "16 digits are too many"),
        ("+0491701234567", "no country's code begins with 0"),
        ("+999123456789", "no country's code begins it"),
        ("+12530000", "too few digits for its country"),
        ("+1202555012345", "too many digits for its country"),
        ("++491701234567", "the \\+ is for its start"),
        ("+49170123456a", r"U\+0061 \(latin small letter a\) at character 13"),
        ("+1 800 FLOWERS", r"U\+0046 .* at character 8"),
        ("+491701234567\u00b2", r"U\+00B2"),
        ("+491701234567;ext=1", r"U\+003B \(semicolon\)"),
        ("+491701234567, +491701234568", r"U\+002C \(comma\)"),
        ("+4917\x001234567", r"U\+0000"),
    ],
)
def test_what_is_no_telephone_number_is_refused_with_its_fault(number: str, fault: str) -> None:
    with pytest.raises(RecipientError, match=f"^not a telephone number: .*{fault}"):
        normalise(Channel.SMS, number)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@example.com", "anna@EXAMPLE.com"),
        ("ANNA@b\u00fccher.example", "anna@xn--bcher-kva.example"),
        ("\uff21nna@example.com", "anna@example.com"),
        ("Stra\u00dfe@example.com", "STRASSE@example.com"),
        ("\u00c9va@example.com", "e\u0301va@example.com"),
        ("anna@example.com.", "anna@example.com"),
    ],
)
def test_addresses_that_differ_in_case_or_width_compare_equal(one: str, other: str) -> None:
    forms = {compared(Channel.EMAIL, normalise(Channel.EMAIL, each)) for each in (one, other)}

    assert len(forms) == 1


def test_other_addresses_and_user_ids_compare_as_they_are() -> None:
    assert compared(Channel.EMAIL, "anna@example.com") != compared(Channel.EMAIL, "ana@example.com")
    assert compared(Channel.IN_APP, "User-A") == "User-A"
    assert compared(Channel.SMS, "+491701234567") == "+491701234567"


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
        same = compared(channel, normal)
        assert compared(channel, same) == same
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
