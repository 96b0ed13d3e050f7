"""User ids: what services call people. One that looks like another is the same one."""

import unicodedata
from typing import Final

MAX_USER_ID_CHARS: Final = 200

_EXPECTED = f"expected 1 to {MAX_USER_ID_CHARS} printable characters in one line"
_PATHS = (".", "..")
# Controls, invisible marks, lone surrogates, and what ends a line.
_UNFIT: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# A decoder's word for what was no UTF-8: different ids would become the same one.
_REPLACEMENT = "\ufffd"
# Fillers show nothing, although they count as letters or marks.
_FILLERS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Joiners and variation selectors belong to the character before them in some scripts and emoji.
_JOINERS: Final = frozenset("\u200c\u200d")
_SELECTORS: Final = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))


def user_id_fault(text: str) -> str | None:
    """Say why nobody can have `text` as their user id, and what is expected; None: they can.

    A character is told by its name and place, and nothing else of the text.
    """
    if text.isascii() and text.isprintable() and text == text.strip() and text not in _PATHS:
        fault = _length_fault(text)
    else:
        fault = _characters_fault(text) or _length_fault(text)
    return f"{fault}; {_EXPECTED}" if fault else None


def _length_fault(text: str) -> str | None:
    if not text:
        return "there is nothing in it"
    if len(text) > MAX_USER_ID_CHARS:
        return f"{len(text)} characters are too many"
    return None


def _characters_fault(text: str) -> str | None:
    for place, char in enumerate(text):
        if _is_unfit(text, place):
            name = unicodedata.name(char, "a control character").lower()
            return f"U+{ord(char):04X} ({name}) at character {place + 1} cannot be in a user id"
    if text != text.strip():
        return "it begins or ends with a space"
    if text in _PATHS:
        return ". and .. cannot stand in the path of a URL"
    return None


def _is_unfit(text: str, place: int) -> bool:
    char = text[place]
    if char in _JOINERS:
        return not (_is_joined(text[place - 1 : place]) and _is_joined(text[place + 1 : place + 2]))
    if char in _SELECTORS:
        return not _is_joined(text[place - 1 : place])
    category = unicodedata.category(char)
    is_odd_space = category == "Zs" and char != " "
    return category in _UNFIT or is_odd_space or char in _FILLERS or char == _REPLACEMENT


def _is_joined(neighbour: str) -> bool:
    """Whether a joiner beside it does more than hide."""
    return not neighbour.isascii()
