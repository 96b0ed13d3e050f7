"""Which files may be attached, and under what names.

None is of a kind that a mail program or a browser runs: no page, no script, no program, and no
archive that hides one.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_NAME_CHARS = 150

_ZIP = (b"PK\x03\x04",)
# Controls, what turns the direction of writing (`gpj.exe` shows as `exe.jpg`), and lone surrogates.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SPACES = re.compile(r"\s+")
CONTENT_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_CONTENT_ID = re.compile(CONTENT_ID_PATTERN[1:-1], re.ASCII)


@dataclass(frozen=True, slots=True)
class Kind:
    """A media type: how names of its files end, and how their content begins."""

    extensions: tuple[str, ...]
    starts: tuple[bytes, ...] = ()
    """One of these; empty: any text in UTF-8."""

    def fits(self, start: bytes) -> bool:
        """Whether a file may begin so."""
        if self.starts:
            return start.startswith(self.starts)
        return b"\0" not in start and not start.lstrip().lower().startswith(_PAGES)


_PAGES = (b"<!doctype", b"<html", b"<script", b"<svg", b"<?xml", b"#!", b"%pdf-", b"mz\x90")

KINDS: Mapping[str, Kind] = {
    "application/pdf": Kind((".pdf",), (b"%PDF-",)),
    "image/png": Kind((".png",), (b"\x89PNG\r\n\x1a\n",)),
    "image/jpeg": Kind((".jpg", ".jpeg"), (b"\xff\xd8\xff",)),
    "image/gif": Kind((".gif",), (b"GIF87a", b"GIF89a")),
    "image/webp": Kind((".webp",), (b"RIFF",)),
    "text/plain": Kind((".txt",)),
    "text/csv": Kind((".csv",)),
    "text/calendar": Kind((".ics",), (b"BEGIN:VCALENDAR", b"\xef\xbb\xbfBEGIN:VCALENDAR")),
    "text/vcard": Kind((".vcf",), (b"BEGIN:VCARD", b"\xef\xbb\xbfBEGIN:VCARD")),
    "application/vnd.apple.pkpass": Kind((".pkpass",), _ZIP),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": Kind(
        (".docx",), _ZIP
    ),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Kind((".xlsx",), _ZIP),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": Kind(
        (".pptx",), _ZIP
    ),
    "application/vnd.oasis.opendocument.text": Kind((".odt",), _ZIP),
    "application/vnd.oasis.opendocument.spreadsheet": Kind((".ods",), _ZIP),
}
"""The media types that may be attached."""

EXTENSIONS: Sequence[str] = [each for kind in KINDS.values() for each in kind.extensions]


def clean_name(name: str) -> str:
    """Return a file's name as recipients get it: no path, one line, nothing unseen in it."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    seen = "".join(" " if each in "\t\r\n" else each for each in last if _is_seen(each))
    return _SPACES.sub(" ", seen).strip(" .")


def _is_seen(character: str) -> bool:
    return character in "\t\r\n" or unicodedata.category(character) not in _UNSEEN


def name_fault(name: str, kind: Kind) -> str | None:
    """Return what is wrong with a cleaned name; None if a file of this kind may have it."""
    stem, dot, extension = name.rpartition(".")
    if not stem or not dot or f".{extension.lower()}" not in kind.extensions:
        return f"expected a file's name that ends with {' or '.join(kind.extensions)}, as its type"
    if len(name) > MAX_NAME_CHARS:
        return f"expected at most {MAX_NAME_CHARS} characters"
    return None


def is_image(type: str) -> bool:
    """Whether a file of this media type can be shown within a mail."""
    return type.startswith("image/")


def is_content_id(text: str) -> bool:
    """Whether html can refer to it as `cid:` and this."""
    return _CONTENT_ID.fullmatch(text) is not None
