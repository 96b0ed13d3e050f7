"""The texts of SMS: how many messages they are on a network, and in which alphabet."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# 3GPP TS 23.038, section 6.2.1: the default alphabet, and its extension. Without the tables of
# single languages, which few networks and phones have.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = "\f^{}\\[~]|€"
_ESCAPED: Final = re.compile(f"[{re.escape(_EXTENSION)}]")
_ODD: Final = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]")
_ODD_SHOWN: Final = 5
_LAST_OF_ONE_UNIT: Final = "\uffff"
_DOUBLE: Final = frozenset(_EXTENSION)

FOLDED: Final[Mapping[str, str]] = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u0060\u00b4\u02bc", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022", "-"),
    "\u2026": "...",
    **dict.fromkeys("\t\u00a0\u2007\u2009\u200a\u202f\u205f\u3000", " "),
    **dict.fromkeys("\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008", " "),
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
    **dict.fromkeys("\u2028\u2029", "\n"),
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\u00e7": "\u00c7",
}
"""What is written otherwise where that saves the larger alphabet: nothing changes a word."""
_FOLDING: Final = str.maketrans(dict(FOLDED))


class SmsEncoding(StrEnum):
    """The alphabet of an SMS: seven bits for a character, or sixteen as soon as one needs them."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


# Units alone, and as one of several: a header takes the rest (3GPP TS 23.040, 9.2.3.24.1).
_CAPACITY: Final = {SmsEncoding.GSM7: (160, 153), SmsEncoding.UCS2: (70, 67)}


@dataclass(frozen=True, slots=True)
class SmsSize:
    """What a text costs: the messages that carry it, and the alphabet that they are in."""

    encoding: SmsEncoding
    segments: int


@dataclass(frozen=True, slots=True)
class SmsRules:
    """How long an SMS may be, and whether typographic characters are written otherwise."""

    max_segments: int = 10
    folds: bool = False

    def sent(self, text: str) -> str:
        """Return what is sent for a text."""
        if not self.folds or not _ODD.search(text):
            return text
        folded = text.translate(_FOLDING)
        return text if _ODD.search(folded) else folded

    def fault(self, text: str, size: SmsSize) -> str | None:
        """Say why what is sent is too long, if it is, and what would make it shorter."""
        if size.segments <= self.max_segments:
            return None
        words = f"{size.segments} messages in {size.encoding}, of at most {self.max_segments}"
        odd = odd_characters(text)
        return f"{words}: {_enumerated(odd)} cannot be in gsm7" if odd else words


DEFAULT_RULES: Final = SmsRules()


def sms_size(text: str) -> SmsSize:
    """Count the messages of a text."""
    encoding = SmsEncoding.UCS2 if _ODD.search(text) else SmsEncoding.GSM7
    alone, of_several = _CAPACITY[encoding]
    units = _units(text, encoding)
    if units <= alone:
        return SmsSize(encoding, 1)
    if units == len(text):
        return SmsSize(encoding, -(-units // of_several))
    return SmsSize(encoding, _packed(text, encoding, of_several))


def odd_characters(text: str) -> Sequence[str]:
    """Return the characters that need UCS-2, each once."""
    return list(dict.fromkeys(_ODD.findall(text)))


def _enumerated(characters: Sequence[str]) -> str:
    shown = ", ".join(f"{each} (U+{ord(each):04X})" for each in characters[:_ODD_SHOWN])
    more = len(characters) - _ODD_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _units(text: str, encoding: SmsEncoding) -> int:
    if encoding is SmsEncoding.UCS2:
        return len(text.encode("utf-16-be", "surrogatepass")) // 2
    return len(text) + len(_ESCAPED.findall(text))


def _packed(text: str, encoding: SmsEncoding, of_several: int) -> int:
    """No character is cut in two."""
    is_gsm7 = encoding is SmsEncoding.GSM7
    count, used = 1, 0
    for each in text:
        size = 2 if (each in _DOUBLE if is_gsm7 else each > _LAST_OF_ONE_UNIT) else 1
        if used + size > of_several:
            count, used = count + 1, 0
        used += size
    return count
