"""What SMTP replies mean, as a table: the first rule that fits decides."""

import re
from dataclasses import dataclass
from enum import StrEnum

from notifier.channels._outcomes import Verdict


class Phase(StrEnum):
    """How far a mail got. Up to DATA the server has seen nothing of it."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"
    """The content, with its final dot, is on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A server's reply; `enhanced` is its RFC 3463 code, or empty."""

    code: int
    enhanced: str
    text: str

    @property
    def label(self) -> str:
        """Both codes, such as `550 5.1.1`."""
        return f"{self.code} {self.enhanced}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Fits a reply if everything that it names fits; `codes` are beginnings, `words` any of."""

    verdict: Verdict
    codes: tuple[str, ...]
    phases: frozenset[Phase] = frozenset(Phase)
    enhanced: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    at_least_s: float | None = None

    def fits(self, phase: Phase, reply: Reply) -> bool:
        """Whether this rule decides about `reply` in `phase`."""
        return (
            str(reply.code).startswith(self.codes)
            and phase in self.phases
            and (not self.enhanced or reply.enhanced in self.enhanced)
            and (not self.words or any(word in reply.text.lower() for word in self.words))
        )


_SESSION = frozenset({Phase.CONNECT, Phase.EHLO, Phase.STARTTLS, Phase.AUTH})
_SENDER = frozenset({Phase.MAIL})
_RECIPIENT = frozenset({Phase.RCPT})
_GREYLISTING_S = 300.0

# RFC 5321 4.2 and 4.5.3.1.10, RFC 3463, RFC 4954, RFC 6647 (greylisting).
RULES: tuple[Rule, ...] = (
    Rule(
        verdict=Verdict.THROTTLED,
        codes=("4",),
        words=("throttl", "rate limit", "rate exceeded", "too many connections", "too many mess"),
    ),
    Rule(
        verdict=Verdict.DEFERRED,
        codes=("450", "451"),
        enhanced=frozenset({"4.7.1"}),
        at_least_s=_GREYLISTING_S,
    ),
    Rule(
        verdict=Verdict.DEFERRED,
        codes=("4",),
        words=("greylist", "graylist", "grey-list"),
        at_least_s=_GREYLISTING_S,
    ),
    Rule(verdict=Verdict.TRANSIENT, codes=("421",)),
    Rule(verdict=Verdict.DEFERRED, codes=("4",), phases=_RECIPIENT),
    Rule(verdict=Verdict.TRANSIENT, codes=("4",)),
    Rule(verdict=Verdict.SYSTEMIC, codes=("530", "534", "535", "538")),
    Rule(verdict=Verdict.SYSTEMIC, codes=("5",), phases=_SESSION),
    Rule(verdict=Verdict.PERMANENT, codes=("552", "555"), phases=_SENDER),
    Rule(verdict=Verdict.SYSTEMIC, codes=("5",), phases=_SENDER),
    Rule(verdict=Verdict.SYSTEMIC, codes=("5",), enhanced=frozenset({"5.1.7", "5.1.8"})),
    Rule(verdict=Verdict.SYSTEMIC, codes=("55",), words=("relay",)),
    Rule(verdict=Verdict.PERMANENT, codes=("5",), enhanced=frozenset({"5.2.2"})),
    Rule(verdict=Verdict.DEFERRED, codes=("552",), phases=_RECIPIENT),
    Rule(
        verdict=Verdict.SUPPRESS,
        codes=("5",),
        enhanced=frozenset({"5.1.1", "5.1.2", "5.1.10"}),
    ),
    Rule(verdict=Verdict.PERMANENT, codes=("5",)),
)

_UNINTELLIGIBLE = Rule(verdict=Verdict.TRANSIENT, codes=("",))
_UNINTELLIGIBLE_AT_THE_END = Rule(verdict=Verdict.UNKNOWN, codes=("",))
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_QUEUE_IDS = tuple(
    re.compile(beginning + r"\s*([A-Za-z0-9][\w.-]{5,99})\b", re.IGNORECASE)
    for beginning in (r"queued as\b", r"\bid=", r"^ok:?\s")
)


def parse_reply(code: int, text: str) -> Reply:
    """Split a reply into its codes and its words."""
    found = _ENHANCED.match(text)
    if found is None:
        return Reply(code=code, enhanced="", text=text)
    # Each line of a reply repeats the enhanced code.
    rest = "\n".join(_ENHANCED.sub("", line, count=1) for line in text.splitlines())
    return Reply(code=code, enhanced=found[1], text=rest)


def rule_for(phase: Phase, reply: Reply) -> Rule:
    """Return the rule that decides about an unwelcome `reply` in `phase`."""
    for rule in RULES:
        if rule.fits(phase, reply):
            return rule
    return _UNINTELLIGIBLE_AT_THE_END if phase is Phase.CONTENT else _UNINTELLIGIBLE


def queue_id(text: str) -> str | None:
    """Return the id under which the server queued the mail, if its reply tells."""
    found = (pattern.search(text) for pattern in _QUEUE_IDS)
    return next((match[1] for match in found if match), None)
