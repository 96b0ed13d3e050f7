"""Refusals of the sender that a mail has of its own, which say nothing about others' mails."""

import re
from dataclasses import replace

from notifier.notification.model import Message
from notifier.notification.outcomes import Outcome, Systemic

# RFC 3463 3.2: bad sender's mailbox address, bad sender's system address.
_CODES = ("5.1.7", "5.1.8")
# SES, https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html; SendGrid's 403;
# Postfix (reject_sender_login_mismatch and its like); Exim; Exchange Online (5.7.60, SendAsDenied).
_WORDS = re.compile(
    r"address is not verified|verified sender identity|\bfrom address|\bfrom\.email"
    r"|sender (?:e-?mail )?(?:address|domain|identity|verify)|not owned by user|send ?as\b"
    r"|SendAsDenied",
    re.IGNORECASE,
)


def judged_by_its_sender(outcome: Outcome, message: Message, words: str, code: str = "") -> Outcome:
    """Return `outcome`, blamed on the mail's own sender where it has one and that is refused.

    It puts off that sender's mails; the provider's breaker wants several senders for evidence.
    """
    is_own = message.mail is not None and message.mail.sender is not None
    if not (is_own and isinstance(outcome, Systemic)):
        return outcome
    if is_about_sender(words, code):
        return replace(outcome, concerns_recipient=True, concerns_sender=True)
    return outcome


def is_about_sender(words: str, code: str = "") -> bool:
    """Whether a refusal with these words is of the sender's address, by whatever name."""
    return code in _CODES or bool(_WORDS.search(words))
