"""What bounces mean that a provider tells of: the receiving server's reply, and what follows."""

import re
from collections.abc import Mapping

from notifier.channels.email.replies import Phase, parse_reply, ruling
from notifier.channels.receipts import Meaning
from notifier.channels.refusals.blame import Blame
from notifier.notification.outcomes import SuppressionReason
from notifier.notification.transitions import BOUNCE

ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)

BOUNCES: Mapping[Blame, Meaning] = {
    Blame.GONE: Meaning(
        BOUNCE, "the receiving server knows no such address", SuppressionReason.HARD_BOUNCE
    ),
    Blame.RECIPIENT_NOW: Meaning(BOUNCE, "the receiving server refused it for now"),
    Blame.MOMENT: Meaning(BOUNCE, "the receiving server refused it for now"),
    Blame.RATE: Meaning(BOUNCE, "the receiving server gets too much from us"),
    Blame.OURS: Meaning(BOUNCE, "the receiving server refuses our sender or our provider"),
    Blame.MESSAGE: Meaning(BOUNCE, "the receiving server refused its content"),
}

_REPLY = re.compile(r"\s*([245]\d\d)[ -]+(.*)", re.DOTALL)
_CLASSES: Mapping[str, int] = {"2": 250, "4": 450, "5": 550}


def blame_of_reply(status: str, reason: str) -> Blame | None:
    """Return whose fault a bounce is, as the same reply to ourselves would have it.

    `status` is its enhanced code and `reason` what the receiving server said, as far as they are
    told; None where they tell nothing.
    """
    found = _REPLY.match(reason)
    code = int(found[1]) if found else _CLASSES.get(status[:1], 0)
    words = found[2] if found else reason
    if code == 0:
        return None
    if status[:1] == str(code)[0] and not status.endswith(".0.0"):
        words = f"{status} {words.removeprefix(status)}"
    return ruling(Phase.RCPT, parse_reply(code, words)).blame


def leaves_open(status: str) -> bool:
    """Whether a status says too little to contradict a classification."""
    return status[1:4] in ("", ".0.", ".1.")
