"""What parts read, against what the schema declares."""

from collections.abc import Mapping

from notifier.content.brand import NAMES
from notifier.content.template import Content
from notifier.notification.model import Channel
from notifier.rendering.checking.findings import Findings, Place
from notifier.rendering.checking.scanning import where_read
from notifier.rendering.faults import PartError
from notifier.rendering.schemas import RESERVED, Schema

_SHOWN = ("text", "html", "mjml")


def read_schema(content: Content, findings: Findings) -> Schema | None:
    """Return the schema, None if it is none."""
    try:
        schema = Schema(content.schema)
    except PartError as fault:
        findings.fault(fault, Place())
        return None
    for name in RESERVED.intersection(schema.names):
        findings.error("variable-reserved", f"{name} is what notifier offers; name it otherwise")
    return schema


def check_names(
    schema: Schema,
    read: Mapping[Place, set[str]],
    wholes: Mapping[Place, str],
    findings: Findings,
) -> None:
    """Find names that are not declared, where `wholes` read them, and variables never read."""
    used: set[str] = set()
    for place, names in read.items():
        roots = {name.partition(".")[0] for name in names}
        used |= roots
        for name in sorted(names):
            if words := _unknown(name, schema):
                line, column = _where(wholes[place], name)
                findings.error("variable-unknown", words, place, line=line, column=column)
    for name in schema.names:
        if name not in used:
            findings.warning("variable-unused", f"{name[:80]} is declared, and no part reads it")


def check_unsubscribing(read: Mapping[Place, set[str]], findings: Findings) -> None:
    """Find mails of which nobody can unsubscribe, in each language."""
    mails = {place.locale: set[str]() for place in read if place.channel is Channel.EMAIL}
    for place, names in read.items():
        if place.channel is Channel.EMAIL and place.part in _SHOWN:
            mails[place.locale] |= names
    for locale, names in mails.items():
        if "unsubscribe_url" not in names:
            words = "people can switch its category off: show unsubscribe_url in the text or html"
            findings.error("unsubscribe", words, Place(locale, Channel.EMAIL))


def _where(whole: str, name: str) -> tuple[int | None, int | None]:
    """Return the line and column where a name is read first, written in whichever way."""
    found = where_read(whole, name) or where_read(whole, name.partition(".")[0])
    return found or (None, None)


def _unknown(name: str, schema: Schema) -> str | None:
    root, _, field = name.partition(".")
    if root == "brand" and field and field not in NAMES:
        return f"a brand has no {field[:80]}; it has {', '.join(sorted(NAMES))}"
    if root in RESERVED or schema.knows(name):
        return None
    return f"{name[:80]} is not in the schema"
