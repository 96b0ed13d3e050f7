"""Headers that a mail may bring along, and what they may say.

Those that mail programs and mailing lists read (RFC 2369, 2919, 5322, 8058, 2156), and X-. All
others are a mail's own, which decide who it is from, whom it is for and how it is read, or those
of servers on its way. X- headers by which a provider is told what to do would get round what
notifier answers for: one of them adds recipients.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from re import Pattern

from notifier.audience.links import ONE_CLICK
from notifier.audience.recipient import has_control_characters

MAX_HEADERS = 20
MAX_NAME_CHARS = 40
MAX_VALUE_CHARS = 900
"""Shorter than the 998 characters of a line (RFC 5322 2.1.1), as an address may fill one."""
MAX_BYTES = 8_000
"""All of them together, in UTF-8."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a header may say, and that in words."""

    pattern: Pattern[str]
    expected: str


def _rule(pattern: str, expected: str) -> _Rule:
    return _Rule(re.compile(pattern, re.ASCII | re.IGNORECASE), expected)


def _of(*words: str) -> _Rule:
    return _rule("|".join(words), f"expected one of {', '.join(words)}")


# Printable ASCII but for the brackets around it.
_URI = r"<(?:https://|mailto:)[!-;=?-~]+>"
_LIST = _rule(
    rf"{_URI}(?:, ?{_URI})*",
    "expected addresses such as <https://shop.example/leave> or <mailto:leave@shop.example>, "
    "with a comma between them",
)
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MESSAGE_ID = r"<[!-;=?A-~]+@[!-;=?A-~]+>"
_MESSAGE_IDS = _rule(
    rf"{_MESSAGE_ID}(?: {_MESSAGE_ID})*",
    "expected Message-IDs such as <id@shop.example>, with a space between them",
)
_LIST_ID = _rule(
    rf"(?:(?:\"[ !#-\[\]-~]*\"|{_ATOM}(?: {_ATOM})*) )?<{_ATOM}(?:\.{_ATOM})+>",
    "expected <news.shop.example>, perhaps with a name before it",
)

_RULES: Mapping[str, _Rule] = {
    "List-Id": _LIST_ID,
    "List-Unsubscribe": _LIST,
    "List-Unsubscribe-Post": _rule(re.escape(ONE_CLICK), f"expected {ONE_CLICK}"),
    "List-Help": _LIST,
    "List-Subscribe": _LIST,
    "List-Owner": _LIST,
    "List-Archive": _LIST,
    "In-Reply-To": _MESSAGE_IDS,
    "References": _MESSAGE_IDS,
    "Feedback-ID": _rule(r"[!-~]{1,127}", "expected up to 127 characters of ASCII, no spaces"),
    "Importance": _of("high", "normal", "low"),
    "Priority": _of("urgent", "normal", "non-urgent"),
    "Sensitivity": _of("Personal", "Private", "Company-Confidential"),
    "Precedence": _of("bulk", "list"),
    "X-Priority": _of("1", "2", "3", "4", "5"),
}
_CANONICAL: Mapping[str, str] = {name.lower(): name for name in _RULES}

_OWN_FIELDS: Mapping[str, str] = {
    "from": "name one of the senders as `from` instead",
    "reply-to": "use `reply_to` instead",
    "subject": "use `subject` instead",
    "to": "use `recipient` instead",
}
# By which providers and servers are told what to do, or tell what they did.
_OF_SERVERS = (
    "x-smtpapi", "x-sg-", "x-ses-", "x-msys-", "x-pm-", "x-mailgun-", "x-mc-", "x-mj-",
    "x-mailjet-", "x-mailin-", "x-sib-", "x-amz-", "x-google-", "x-gm-", "x-ms-", "x-microsoft-",
    "x-forefront-", "x-original-", "x-envelope-", "x-forwarded-", "x-received", "x-sender",
    "x-from", "x-to", "x-cc", "x-bcc", "x-return-path", "x-apparently-", "x-delivered-",
    "x-authentication-", "x-arc-", "x-dkim-", "x-spam", "x-virus", "x-notifier-",
)  # fmt: skip
_FREE_NAME = re.compile(rf"[Xx]-[A-Za-z0-9-]{{1,{MAX_NAME_CHARS - 2}}}", re.ASCII)
_HTTPS = re.compile(r"<https://", re.IGNORECASE)


def canonical(name: str) -> str:
    """Return a header's name as standards write it; X- as it was written."""
    return _CANONICAL.get(name.lower(), name)


def header_faults(headers: Mapping[str, str]) -> Iterator[tuple[str | None, str]]:
    """Say all that is wrong with headers: whose, None for all of them together, and what."""
    if len(headers) > MAX_HEADERS:
        yield None, f"expected at most {MAX_HEADERS} headers"
        return
    if sum(len(f"{each}{headers[each]}".encode(errors="replace")) for each in headers) > MAX_BYTES:
        yield None, f"expected at most {MAX_BYTES} bytes in all"
    seen: set[str] = set()
    for name, value in headers.items():
        if fault := _name_fault(name, seen) or _value_fault(canonical(name), value):
            yield name, fault
        seen.add(name.lower())
    yield from _one_click_faults({canonical(each): headers[each] for each in headers})


def _name_fault(name: str, seen: set[str]) -> str | None:
    lower = name.lower()
    if lower in seen:
        return "it is there twice, but for its case"
    if lower in _CANONICAL:
        return None
    if lower in _OWN_FIELDS:
        return f"a mail's own header: {_OWN_FIELDS[lower]}"
    if lower.startswith(_OF_SERVERS):
        return "a header by which servers and providers go"
    if not _FREE_NAME.fullmatch(name):
        known = ", ".join(_RULES)
        return f"expected one of {known}, or X- and up to {MAX_NAME_CHARS - 2} letters or digits"
    return None


def _value_fault(name: str, value: str) -> str | None:
    if has_control_characters(value):
        return "control characters and line breaks are not allowed"
    if not value or value != value.strip() or "  " in value:
        return "expected text with single spaces, and none at its ends"
    if len(value) > MAX_VALUE_CHARS:
        return f"expected at most {MAX_VALUE_CHARS} characters"
    rule = _RULES.get(name)
    return rule.expected if rule and not rule.pattern.fullmatch(value) else None


def _one_click_faults(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What keeps a one-click unsubscription from being one (RFC 8058 3.1)."""
    if "List-Unsubscribe-Post" not in headers:
        return
    addresses = headers.get("List-Unsubscribe", "")
    if len(_HTTPS.findall(addresses)) != 1:
        yield (
            "List-Unsubscribe-Post",
            "it needs a List-Unsubscribe with exactly one https address (RFC 8058)",
        )
