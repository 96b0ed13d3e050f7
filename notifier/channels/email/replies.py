"""What SMTP replies mean: codes that say enough, then words, then codes, then the phase."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from notifier.channels.email.patterns import GREYLISTING_S, NOT_THERE, OF_THE_ACCOUNT, QUOTA_S
from notifier.channels.email.phrases import PHRASES
from notifier.channels.refusals.blame import Blame, Ruling
from notifier.channels.refusals.enhanced import for_now, status_of
from notifier.channels.refusals.words import MAX_CHARS, phrase, plain_words

_TRANSIENT, _PERMANENT = 4, 5
_CLOSING = 421


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

    @property
    def is_about_one(self) -> bool:
        """Whether what is said now is said about one recipient or one message."""
        return self in (Phase.RCPT, Phase.DATA, Phase.CONTENT)


_GREETING = frozenset({Phase.CONNECT, Phase.EHLO})
_SESSION = frozenset({Phase.CONNECT, Phase.EHLO, Phase.STARTTLS, Phase.AUTH})


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


_ENHANCED = re.compile(r"#?([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_ENHANCED_WITHIN = re.compile(r"(?<![\w.\[])#?([245]\.[0-7]\.\d{1,3})(?![\w\]]|\.\d)")
_QUOTED = re.compile(r'<[^<>]*>|"[^"]*"@\S*|\S*(?:@|%40|://)\S*')


def parse_reply(code: int, text: str) -> Reply:
    """Split a reply into its codes and its words.

    An enhanced code counts where it stands first in the reply or, as some servers have it,
    somewhere within, as long as its class is the reply's own.
    """
    found = _ENHANCED.match(text)
    if found is not None:
        # Each line of a reply repeats the enhanced code.
        rest = "\n".join(_ENHANCED.sub("", line, count=1) for line in text.splitlines())
        return Reply(code=code, enhanced=found[1], text=rest)
    for within in _ENHANCED_WITHIN.finditer(_QUOTED.sub(" ", text[:MAX_CHARS])):
        if within[1][0] == str(code)[0]:
            return Reply(code=code, enhanced=within[1], text=text)
    return Reply(code=code, enhanced="", text=text)


_DOES_NOT_EXIST = phrase(
    Blame.GONE,
    NOT_THERE,
    "with X.1.0, X.2.0 or X.2.1 only: Sendmail, Gmail, Yahoo 554 5.2.0, Exchange",
    classes=(5,),
)
_MAY_NOT_EXIST = frozenset({"5.1.0", "5.2.0", "5.2.1"})

_FOR_NOW = phrase(
    Blame.RECIPIENT_NOW,
    (r"(?:try|retry|again|resend)(?: \w+){0,2} (?:again|later)", r"temporar"),
    "servers that mean for now and say for good",
    classes=(5,),
)

# --- codes ----------------------------------------------------------------------------------

# RFC 4954 6 (530, 534, 535, 538), RFC 5248 (525): whatever the phase.
_OF_THE_LOGIN = frozenset({525, 530, 534, 535, 538})
# RFC 4954 6: it needs an operator although it begins with a 4.
_PASSWORD_TRANSITION = 432
# RFC 5321 4.2.3: at MAIL these are about the message's size and parameters.
_OF_THE_MESSAGE_AT_MAIL = frozenset({552, 555})
# RFC 5321 4.5.3.1.10: old servers say 552 for too many recipients.
_LIKE_452_AT_RCPT = 552
_GREYLISTING = frozenset({450, 451})

_AT_MAIL: Mapping[Blame, Blame] = {
    Blame.GONE: Blame.OURS,
    Blame.RECIPIENT: Blame.OURS,
    Blame.RECIPIENT_NOW: Blame.OURS,
}
"""At MAIL no recipient was named yet: what is wrong with an address is wrong with the sender's."""


def ruling(phase: Phase, reply: Reply) -> Ruling:
    """Return whose fault an unwelcome `reply` in `phase` is."""
    reply_class = reply.code // 100
    if reply_class not in (_TRANSIENT, _PERMANENT):
        return Ruling(blame=Blame.UNKNOWN if phase is Phase.CONTENT else Blame.MOMENT)
    found = _in_general(phase, reply, reply_class)
    if phase in _SESSION:
        return _of_the_session(phase, reply, found)
    if phase is Phase.MAIL and reply_class == _PERMANENT:
        return Ruling(blame=_AT_MAIL.get(found.blame, found.blame), at_least_s=found.at_least_s)
    return found


def _of_the_session(phase: Phase, reply: Reply, found: Ruling) -> Ruling:
    reply_class = reply.code // 100
    if found.blame is Blame.RATE:
        return found
    # A login or a handshake that fails for now speaks of both just the same.
    is_ours = phase in _GREETING or (phase is Phase.AUTH and _tells_of_the_account(reply))
    if reply_class == _PERMANENT or (found.blame is Blame.OURS and is_ours):
        return Ruling(blame=Blame.OURS)
    # Nothing was asked yet: another time will do, and costs nothing.
    return Ruling(blame=Blame.RATE if phase in _GREETING else Blame.MOMENT)


def _tells_of_the_account(reply: Reply) -> bool:
    is_about_it = OF_THE_ACCOUNT.fits(plain_words(reply.text), reply.code // 100)
    return is_about_it or reply.code == _PASSWORD_TRANSITION


def _in_general(phase: Phase, reply: Reply, reply_class: int) -> Ruling:
    status = status_of(reply.enhanced)
    by_code = status.blame_in(reply_class) if status else None
    if by_code and status and status.is_decisive:
        return Ruling(blame=by_code, at_least_s=QUOTA_S if by_code is Blame.RATE else None)
    if reply.code in _OF_THE_LOGIN:
        return Ruling(blame=Blame.OURS)
    words = plain_words(reply.text)
    if told := _told(words, reply_class, by_code):
        return told
    if reply.enhanced in _MAY_NOT_EXIST and _DOES_NOT_EXIST.fits(words, reply_class):
        return Ruling(blame=Blame.GONE)
    if reply_class == _TRANSIENT:
        return _for_now(phase, reply, by_code)
    if _FOR_NOW.fits(words, reply_class) and phase is not Phase.MAIL:
        return Ruling(blame=Blame.RECIPIENT_NOW)
    return Ruling(blame=by_code or _for_good(phase, reply))


def _told(words: str, reply_class: int, by_code: Blame | None) -> Ruling | None:
    """What the words say. That they are about a message says less than a code does."""
    for each in PHRASES:
        if each.fits(words, reply_class):
            blame = for_now(each.blame) if reply_class == _TRANSIENT else each.blame
            if each.blame is Blame.MESSAGE and by_code:
                blame = by_code
            return Ruling(blame=blame, at_least_s=each.at_least_s)
    return None


def _for_now(phase: Phase, reply: Reply, by_code: Blame | None) -> Ruling:
    if reply.code in _GREYLISTING and reply.enhanced == "4.7.1":
        return Ruling(blame=Blame.RECIPIENT_NOW, at_least_s=GREYLISTING_S)
    if by_code is not None:
        return Ruling(blame=by_code)
    is_about_one = phase is Phase.RCPT and reply.code != _CLOSING
    return Ruling(blame=Blame.RECIPIENT_NOW if is_about_one else Blame.MOMENT)


def _for_good(phase: Phase, reply: Reply) -> Blame:
    if phase is Phase.MAIL:
        return Blame.MESSAGE if reply.code in _OF_THE_MESSAGE_AT_MAIL else Blame.OURS
    if phase is Phase.RCPT:
        is_there = not _DOES_NOT_EXIST.fits(plain_words(reply.text), reply.code // 100)
        is_for_now = reply.code == _LIKE_452_AT_RCPT and is_there
        return Blame.RECIPIENT_NOW if is_for_now else Blame.RECIPIENT
    return Blame.MESSAGE
