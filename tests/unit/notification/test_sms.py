import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.notification.sms import FOLDED, SmsRules, SmsSize, odd_characters, sms_size

FOLDING = SmsRules(folds=True)


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("", "gsm7", 1),
        ("a" * 160, "gsm7", 1),
        ("a" * 161, "gsm7", 2),
        ("a" * 306, "gsm7", 2),
        ("a" * 307, "gsm7", 3),
        ("€" * 80, "gsm7", 1),
        ("€" * 81, "gsm7", 2),
        ("^{}\\[~]|€\f" * 8, "gsm7", 1),
        ("Çäöüß@Δ\n" * 20, "gsm7", 1),
        ("a" * 152 + "€" + "a" * 20, "gsm7", 2),
        # An escaped character does not fit in one place: it goes to the next message.
        ("a" * 152 + "€" + "a" * 152, "gsm7", 3),
        ("ç", "ucs2", 1),
        ("\x1b", "ucs2", 1),
        ("it\u2019s", "ucs2", 1),
        ("ж" * 70, "ucs2", 1),
        ("ж" * 71, "ucs2", 2),
        ("ж" * 135, "ucs2", 3),
        ("😀" * 35, "ucs2", 1),
        ("😀" * 66, "ucs2", 2),
        ("😀" * 67, "ucs2", 3),
    ],
)
def test_messages_are_counted_as_networks_do(text: str, encoding: str, segments: int) -> None:
    size = sms_size(text)

    assert (size.encoding.value, size.segments) == (encoding, segments)


@given(st.text("aé€ж😀", max_size=500))
def test_a_longer_text_never_is_fewer_messages(text: str) -> None:
    assert sms_size(text).segments <= sms_size(text + "a").segments


@given(st.text(max_size=300))
def test_any_text_has_a_size(text: str) -> None:
    size = sms_size(text)

    assert size.segments >= 1
    assert (size.encoding.value == "ucs2") == bool(odd_characters(text))


def test_typographic_characters_are_folded_where_that_saves_messages() -> None:
    said = "\u201cIt\u2019s on\u201d \u2013 gar\u00e7on\u2026\u00a0\ufb01n\u200b"

    assert FOLDING.sent(said) == '"It\'s on" - gar\u00c7on... fin'
    assert SmsRules().sent(said) == said
    assert FOLDING.sent(said + "\u0436") == said + "\u0436", "it needs UCS-2 anyway"


def test_letters_of_other_words_are_not_folded() -> None:
    for letter in "\u0161\u0107\u0142\u0151\u00e1\u00ed\u00f3\u00fa\u00e2\u00ea\u0131\u0111":
        assert FOLDING.sent(letter) == letter


def test_whatever_is_folded_is_of_the_small_alphabet_and_needs_it() -> None:
    assert odd_characters("".join(FOLDED.values())) == []
    assert odd_characters("".join(FOLDED)) == list(FOLDED)


def test_what_makes_an_sms_long_is_named() -> None:
    rules = SmsRules(max_segments=1)
    text = "\u2019\u2026\u0436" * 30 + "абвгд"

    assert rules.fault("a" * 160, sms_size("a" * 160)) is None
    assert rules.fault("a" * 161, sms_size("a" * 161)) == "2 messages in gsm7, of at most 1"
    found = rules.fault(text, sms_size(text))
    assert found is not None
    assert found.startswith("2 messages in ucs2, of at most 1: \u2019 (U+2019), ")
    assert found.endswith(" and 3 more cannot be in gsm7")


def test_the_rules_bound_nothing_that_fits() -> None:
    assert SmsRules(max_segments=3).fault("a", SmsSize(sms_size("a").encoding, 3)) is None
