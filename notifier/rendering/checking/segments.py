"""How many messages a text is on a phone's network."""

from dataclasses import dataclass

# 3GPP TS 23.038, section 6.2.1: the default alphabet, and its extension.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = (160, 153)
_UCS2 = (70, 67)
"""Alone, and as one of several: a header takes the rest (3GPP TS 23.040, section 9.2.3.24.1)."""


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text costs: its encoding, its length in that, and the messages that carry it."""

    encoding: str
    units: int
    count: int
    odd: str
    """The first character that needs UCS-2, if there is one."""


def segments(text: str) -> Segments:
    """Count the messages of a text."""
    odd = next((each for each in text if each not in _BASIC and each not in _EXTENSION), "")
    if odd:
        sizes = [len(each.encode("utf-16-be")) // 2 for each in text]
        return Segments("UCS-2", sum(sizes), _count(sizes, *_UCS2), odd)
    sizes = [2 if each in _EXTENSION else 1 for each in text]
    return Segments("GSM-7", sum(sizes), _count(sizes, *_GSM), "")


def _count(sizes: list[int], alone: int, of_several: int) -> int:
    """No character is cut in two."""
    if sum(sizes) <= alone:
        return 1
    count, used = 1, 0
    for size in sizes:
        if used + size > of_several:
            count, used = count + 1, 0
        used += size
    return count
