"""A template as files in a team's own repository: a file a part, and one for the rest.

    booking.confirmed/template.json          category, default_locale, schema, examples
    booking.confirmed/en/email.subject.txt   a part, by language, channel and name
    booking.confirmed/en/email.mjml
    booking.confirmed/en/sms.txt             a channel's text is called by the channel alone

A part's file ends with one line break more than the part, as editors want it. The same content
is the same bytes, wherever it comes from.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from posixpath import normpath
from typing import Any, TypeAlias

from notifier.content.encoding import Document, checksum
from notifier.content.template import PART_NAMES, Finding, Severity, is_locale
from notifier.notification.model import Channel

Files: TypeAlias = Mapping[str, str]
"""Texts by their path within the template's folder, with `/`."""

DESCRIPTION = "template.json"
READY_MADE_FOLDER = Path(__file__).parent / "ready_made"
"""Where this package keeps the templates that it brings along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFinding:
    """One thing that is wrong with a file, or may be; line and column count from 1."""

    path: str
    severity: Severity = Severity.ERROR
    code: str
    detail: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        """Write it as editors and CI systems read it."""
        place = f"{self.path}:{self.line}:{self.column}"
        return f"{place}: {self.severity.value} {self.code} {self.detail}"

    def within(self, folder: str) -> "FileFinding":
        """Return it with the path from outside of a folder."""
        return replace(self, path=normpath(f"{folder}/{self.path}"))


class UnknownPartError(ValueError):
    """A document has parts that this version of notifier does not know."""


def files_of(document: Document) -> Files:
    """Return the files of a content as `content_document` writes it.

    Raises:
        UnknownPartError: it has a part that no file can stand for.
    """
    rest = {name: value for name, value in document.items() if name != "parts"}
    sources = sorted(_sources(document["parts"]))
    return {DESCRIPTION: json_text(rest), **{path: f"{source}\n" for path, source in sources}}


def document_of(files: Files) -> Document | Sequence[FileFinding]:
    """Return what files say, or what is wrong with them; the document's own shape is not checked.

    Files beside `template.json` that stand in no folder are not a template's.
    """
    parts: dict[str, dict[str, dict[str, str]]] = {}
    findings: list[FileFinding] = []
    for path, text in files.items():
        locale, slash, name = path.partition("/")
        if not slash:
            continue
        part = _PARTS.get(name)
        if part is None or not is_locale(locale):
            findings.append(_unknown(path))
            continue
        of_locale = parts.setdefault(locale, {})
        of_locale.setdefault(part[0].value, {})[part[1]] = text.removesuffix("\n")
    rest = _described(files)
    if isinstance(rest, FileFinding):
        findings.append(rest)
    if findings or isinstance(rest, FileFinding):
        return findings
    return {**rest, "parts": parts}


def is_part(path: str) -> bool:
    """Whether a path within a template's folder is that of a part."""
    locale, slash, name = path.partition("/")
    return bool(slash) and name in _PARTS and is_locale(locale)


def in_file(finding: Finding) -> FileFinding:
    """Return a finding with the file that it is about."""
    path = DESCRIPTION
    if finding.locale and finding.channel and finding.part:
        path = f"{finding.locale}/{_file_name(finding.channel, finding.part)}"
    if finding.partial:
        path = f"../{finding.partial}/{path}"
    return FileFinding(
        path=path,
        severity=finding.severity,
        code=finding.code,
        detail=finding.detail,
        line=finding.line or 1,
        column=finding.column or 1,
    )


def json_text(value: Any) -> str:
    """Write JSON for people and for git: the same text for the same value."""
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


class Standing(Enum):
    """How a template in a folder stands to that of a server."""

    SAME = "the same"
    CHANGED_HERE = "changed in the folder"
    CHANGED_THERE = "changed on the server"
    CHANGED_BOTH = "changed in both"
    ONLY_HERE = "only in the folder"
    ONLY_THERE = "only on the server"


def standing(here: Files | None, there: Files | None, agreed: str | None) -> Standing:
    """Compare; `agreed` is the digest of what both were when they last agreed."""
    if here is None or there is None:
        return Standing.ONLY_THERE if here is None else Standing.ONLY_HERE
    if here == there:
        return Standing.SAME
    if digest(there) == agreed:
        return Standing.CHANGED_HERE
    return Standing.CHANGED_THERE if digest(here) == agreed else Standing.CHANGED_BOTH


def _sources(parts: Document) -> Iterator[tuple[str, str]]:
    for locale, channels in parts.items():
        for channel, sources in channels.items():
            for part, source in sources.items():
                path = f"{locale}/{_known_name(channel, part)}"
                if not is_locale(locale):
                    raise UnknownPartError(path)
                yield path, source


def digest(files: Files) -> str:
    """Return what tells a template's files from others: SHA-256, hexadecimal."""
    return checksum(json.dumps(sorted(files.items())))


def _described(files: Files) -> Document | FileFinding:
    if DESCRIPTION not in files:
        words = "is missing: it holds category, default_locale, schema and examples"
        return FileFinding(path=DESCRIPTION, code="file-missing", detail=words)
    try:
        found = json.loads(files[DESCRIPTION])
    except RecursionError:
        return FileFinding(path=DESCRIPTION, code="file-json", detail="nested too deep")
    except json.JSONDecodeError as error:
        return FileFinding(
            path=DESCRIPTION,
            code="file-json",
            detail=f"no JSON: {error.msg}",
            line=error.lineno,
            column=error.colno,
        )
    if not isinstance(found, dict) or "parts" in found:
        words = "expected an object without parts: those have files of their own"
        return FileFinding(path=DESCRIPTION, code="file-json", detail=words)
    return found


def _unknown(path: str) -> FileFinding:
    words = f"is no part; a language's folder holds {', '.join(sorted(_PARTS))}"
    return FileFinding(path=path, code="file-unknown", detail=words)


def _file_name(channel: Channel, part: str) -> str:
    match part:
        case "text":
            return f"{channel.value}.txt"
        case "html" | "mjml":
            return f"{channel.value}.{part}"
        case _:
            return f"{channel.value}.{part}.txt"


def _known_name(channel: str, part: str) -> str:
    known = {(each.value, its): name for name, (each, its) in _PARTS.items()}
    if (channel, part) not in known:
        raise UnknownPartError(f"{channel}.{part}")
    return known[channel, part]


_PARTS: Mapping[str, tuple[Channel, str]] = {
    _file_name(channel, part): (channel, part)
    for channel, parts in PART_NAMES.items()
    for part in parts
}
