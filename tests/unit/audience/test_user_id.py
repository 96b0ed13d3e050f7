import re

import pytest

from notifier.audience.user_id import user_id_fault


@pytest.mark.parametrize(
    "text",
    [
        "u-7",
        "user/7",
        "Ada Lovelace",
        "ada@example.org",
        "...",
        "x" * 200,
        "Zo\u00eb",
        "\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u2764\ufe0f",
        "\U0001f468\u200d\U0001f469",
    ],
)
def test_whatever_can_be_read_is_a_user_id(text: str) -> None:
    assert user_id_fault(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is nothing in it"),
        ("x" * 201, "201 characters are too many"),
        ("a\nb", r"U\+000A \(a control character\) at character 2"),
        ("a\x00", r"U\+0000 \(a control character\) at character 2"),
        ("a\x85b", r"U\+0085"),
        ("\u202eab", r"U\+202E \(right-to-left override\) at character 1"),
        ("\u2067ab", r"U\+2067"),
        ("a\u200bb", r"U\+200B \(zero width space\)"),
        ("a\ufeffb", r"U\+FEFF"),
        ("a\u00adb", r"U\+00AD \(soft hyphen\)"),
        ("a\u2028b", r"U\+2028"),
        ("a\ud800b", r"U\+D800"),
        ("a\u00a0b", r"U\+00A0 \(no-break space\)"),
        ("\u3000", r"U\+3000"),
        ("\u3164", r"U\+3164"),
        ("a\u200db", r"U\+200D \(zero width joiner\)"),
        ("\u00e9\u200d", r"U\+200D"),
        ("a\ufe0f", r"U\+FE0F"),
        ("jos\ufffd", r"U\+FFFD \(replacement character\)"),
        (" ", "begins or ends with a space"),
        (" a", "begins or ends with a space"),
        ("a ", "begins or ends with a space"),
        (".", "cannot stand in the path"),
        ("..", "cannot stand in the path"),
    ],
)
def test_what_shows_nothing_or_something_else_is_none(text: str, said: str) -> None:
    fault = user_id_fault(text)

    assert fault is not None
    assert re.search(said, fault), fault
    assert fault.endswith("expected 1 to 200 printable characters in one line")
