"""The words of a refusal, without what could be anybody's name, and phrases to find in them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from notifier.channels.refusals.blame import Blame

MAX_CHARS = 2_000
_IP = re.compile(
    r"\[?(?:(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)|(?:IPv6:)?[0-9a-f]{1,4}"
    r"(?::[0-9a-f]{0,4}){3,7})\]?",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r'(?<!\S)[(\["\']*<[^<>]*>[^\w\s]*|<[^<>]*>|"[^"]*"@\S*|\S*(?:@|%40)\S*')
_HOST = re.compile(
    r"(?:https?://)?[\w-]+(?:\.[\w-]+)*\.(?:[a-z]{2,24}|[A-Z]{2,24})(?!\w)(?:[:/?#=]\S*)?"
    r"|https?://\S*"
)
LISTS = (
    "spamhaus.org", "spamcop.net", "sorbs.net", "barracudacentral.org", "cloudmark.com",
    "senderscore.org", "mailspike.net", "uceprotect.net", "abuseat.org", "junkemailfilter.com",
    "spamrl.com", "cobion.com", "uribl.com", "surbl.org", "support.proofpoint.com/dnsbl",
    "ipcheck.proofpoint.com", "mail-abuse.com",
)  # fmt: skip
"""Who keeps lists of senders: that they are named counts, although they are hosts."""


def plain_words(text: str) -> str:
    """Return `text` in lower case without addresses, host names and URLs; IPs become `#ip`.

    What servers quote is often the recipient's or the sender's: nobody's name may decide. Of a
    long text the first 2,000 characters count.
    """
    text = _ADDRESS.sub(" ", text[:MAX_CHARS])
    text = _IP.sub(" #ip ", text)
    text = _HOST.sub(_name_of_list, text)
    return " ".join(text.lower().split())


def _name_of_list(host: re.Match[str]) -> str:
    found = f".{host[0].lower().rpartition('//')[2]}"
    if ".uribl.com" in found or ".surbl.org" in found:
        return " uribl "
    return " dnsbl " if any(f".{name}" in found for name in LISTS) else " "


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that decide, whatever the code; `source` tells whose they are."""

    blame: Blame
    pattern: re.Pattern[str]
    source: str
    classes: frozenset[int] = frozenset({4, 5})
    at_least_s: float | None = None

    def fits(self, words: str, reply_class: int) -> bool:
        """Whether it decides about `words` (plain ones) in a reply of this class."""
        return reply_class in self.classes and self.pattern.search(words) is not None


def phrase(
    blame: Blame,
    alternatives: Iterable[str],
    source: str,
    *,
    classes: Sequence[int] = (4, 5),
    at_least_s: float | None = None,
) -> Phrase:
    """Return a phrase for any of these regular expressions."""
    pattern = re.compile("|".join(alternatives))
    return Phrase(blame, pattern, source, frozenset(classes), at_least_s)
