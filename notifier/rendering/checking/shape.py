"""Which parts a content must have, and may."""

from collections.abc import Mapping, Sequence

from notifier.content.template import PART_NAMES, Content
from notifier.notification.model import Channel
from notifier.rendering.checking.findings import Findings, Place
from notifier.rendering.formats import known_locale

_NEEDED: Mapping[Channel, Sequence[str]] = {
    Channel.EMAIL: ("subject", "text"),
    Channel.SMS: ("text",),
    Channel.IN_APP: ("text",),
}


def check_shape(content: Content, findings: Findings) -> None:
    """Find parts that are missing, unknown, or too many."""
    if content.is_partial and content.layout:
        findings.error("layout", "a partial has no layout of its own; it may include others")
    if not content.parts:
        findings.error("part-missing", "it has no parts")
    for locale, channels in content.parts.items():
        if known_locale(locale) is None:
            findings.error("locale", "no BCP 47 tag of a known language", Place(locale))
        for channel, parts in channels.items():
            _check_known(parts, Place(locale, channel), findings)
            if not content.is_partial:
                _check_needed(parts, Place(locale, channel), findings)
    _check_default(content, findings)


def _check_known(parts: Mapping[str, str], place: Place, findings: Findings) -> None:
    assert place.channel  # noqa: S101  said by the caller
    known = PART_NAMES[place.channel]
    for part in parts:
        if part not in known:
            words = f"{place.channel.value} has no such part; it has {', '.join(known)}"
            findings.error("part-unknown", words, place.of(part[:80]))


def _check_needed(parts: Mapping[str, str], place: Place, findings: Findings) -> None:
    assert place.channel  # noqa: S101  said by the caller
    for part in _NEEDED[place.channel]:
        if not parts.get(part, "").strip():
            findings.error("part-missing", f"the {part} is missing or empty", place.of(part))
    if "html" in parts and "mjml" in parts:
        findings.error("part-twice", "there is html and mjml; one is enough", place.of("html"))
    if {"html", "mjml"} & set(parts) and not parts.get("preheader", "").strip():
        words = "without a preheader, inboxes show how the text begins"
        findings.warning("preheader-missing", words, place.of("preheader"))


def _check_default(content: Content, findings: Findings) -> None:
    default = content.default_locale
    there = content.parts.get(default, {})
    wanted = {channel for channels in content.parts.values() for channel in channels}
    for channel in sorted(wanted - set(there)):
        words = f"the default locale {default[:80]} lacks {channel.value}, which another one has"
        findings.error("default-incomplete", words, Place(default, channel))
