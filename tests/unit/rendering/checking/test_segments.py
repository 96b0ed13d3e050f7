import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.rendering.checking.segments import segments


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("^{}\\[~]|€\f", "GSM-7", 20, 1),
        ("Çäöüß@Δ\n", "GSM-7", 8, 1),
        ("a" * 152 + "€" + "a" * 20, "GSM-7", 174, 2),
        # An escaped character does not fit in one place: it goes to the next message.
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("ç", "UCS-2", 1, 1),
        ("it\u2019s", "UCS-2", 4, 1),
        ("ж" * 70, "UCS-2", 70, 1),
        ("ж" * 71, "UCS-2", 71, 2),
        ("ж" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 67, "UCS-2", 134, 3),
    ],
)
def test_segments_are_counted_as_networks_do(
    text: str, encoding: str, units: int, count: int
) -> None:
    found = segments(text)

    assert (found.encoding, found.units, found.count) == (encoding, units, count)


@given(st.text("aé€ж😀", max_size=500))
def test_a_longer_text_never_is_fewer_messages(text: str) -> None:
    assert segments(text).count <= segments(text + "a").count
