"""Questions and answers as JSON, on their way to a child process and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from notifier.content.encoding import Document, parts_document, read_parts
from notifier.content.ports import Checked, Offered
from notifier.content.template import (
    Content,
    Finding,
    Rendered,
    Severity,
    VariableFault,
)
from notifier.notification.model import Channel


def offered_document(offered: Offered) -> Document:
    """Write what notifier offers."""
    return {
        "notification": dict(offered.notification),
        "recipient": dict(offered.recipient),
        "brand": dict(offered.brand),
    }


def read_offered(document: Document) -> Offered:
    """Read what notifier offers."""
    return Offered(**document)


def checked_document(checked: Checked) -> Document:
    """Write findings, and the parts that would be published."""
    compiled = checked.compiled
    return {
        "findings": findings_document(checked.findings),
        "parts": None if compiled is None else parts_document(compiled.parts),
    }


def read_checked(document: Document, content: Content) -> Checked:
    """Read findings, and the parts that would be published of that content."""
    parts = document["parts"]
    compiled = None if parts is None else replace(content, parts=read_parts(parts))
    return Checked(read_findings(document["findings"]), compiled)


def findings_document(findings: Sequence[Finding]) -> list[Document]:
    """Write findings."""
    return [asdict(each) for each in findings]


def read_findings(documents: Sequence[Document]) -> list[Finding]:
    """Read findings."""
    return [
        Finding(
            **{
                **each,
                "severity": Severity(each["severity"]),
                "channel": None if each["channel"] is None else Channel(each["channel"]),
            }
        )
        for each in documents
    ]


def preview_document(
    found: Rendered | Sequence[VariableFault] | Sequence[Finding],
) -> Document:
    """Write what came of a preview."""
    if isinstance(found, Rendered):
        return {"rendered": asdict(found)}
    return {
        "faults": [asdict(each) for each in found if isinstance(each, VariableFault)],
        "findings": findings_document([each for each in found if isinstance(each, Finding)]),
    }


def read_preview(
    document: Document,
) -> Rendered | Sequence[VariableFault] | Sequence[Finding]:
    """Read what came of a preview."""
    if "rendered" in document:
        return Rendered(**document["rendered"])
    if document["findings"]:
        return read_findings(document["findings"])
    return [VariableFault(tuple(each["path"]), each["words"]) for each in document["faults"]]


def is_deeper(value: object, depth: int) -> bool:
    """Whether JSON is nested deeper than that."""
    match value:
        case Mapping():
            return depth <= 0 or any(is_deeper(each, depth - 1) for each in value.values())
        case list() | tuple():
            return depth <= 0 or any(is_deeper(each, depth - 1) for each in value)
        case _:
            return False
