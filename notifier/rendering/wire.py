"""Questions and answers as JSON, on their way to a child process and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from notifier.content.brand import Brand
from notifier.content.encoding import Document, content_document, read_content
from notifier.content.library import Partial
from notifier.content.ports import Checked, Offered
from notifier.content.shared import Shared
from notifier.content.template import (
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
        "unsubscribe_url": offered.unsubscribe_url,
        "preferences_url": offered.preferences_url,
    }


def read_offered(document: Document) -> Offered:
    """Read what notifier offers."""
    return Offered(**document)


def shared_document(shared: Shared) -> Document:
    """Write what templates have in common."""
    partials = {
        name: [each.number, content_document(each.content)]
        for name, each in shared.partials.items()
    }
    return {
        "brand": asdict(shared.brand),
        "partials": partials,
        "switchable": sorted(shared.switchable),
    }


def read_shared(document: Document) -> Shared:
    """Read what templates have in common."""
    partials = {
        name: Partial(number, read_content(content))
        for name, (number, content) in document["partials"].items()
    }
    return Shared(
        brand=Brand(**document["brand"]),
        partials=partials,
        switchable=frozenset(document["switchable"]),
    )


def checked_document(checked: Checked) -> Document:
    """Write findings, and what would be published."""
    compiled = checked.compiled
    return {
        "findings": findings_document(checked.findings),
        "compiled": None if compiled is None else content_document(compiled),
    }


def read_checked(document: Document) -> Checked:
    """Read findings, and what would be published."""
    compiled = document["compiled"]
    findings = read_findings(document["findings"])
    return Checked(findings, None if compiled is None else read_content(compiled))


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
