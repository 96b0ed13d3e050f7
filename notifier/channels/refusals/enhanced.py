"""The enhanced status codes of mail systems: one row each, `subject.detail` without the class.

The registry https://www.iana.org/assignments/smtp-enhanced-status-codes, whole, and the codes
that Exchange Online adds to it (learn.microsoft.com, "Email non-delivery reports and SMTP errors
in Exchange Online", and Exchange Server's "NDRs").
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from notifier.channels.refusals.blame import Blame

GONE, RECIPIENT, NOW = Blame.GONE, Blame.RECIPIENT, Blame.RECIPIENT_NOW
MESSAGE, OURS, RATE, MOMENT = Blame.MESSAGE, Blame.OURS, Blame.RATE, Blame.MOMENT

_PERMANENT = 5


@dataclass(frozen=True, slots=True)
class Status:
    """What a code means. None: nothing by itself, it depends on the words and the phase."""

    blame: Blame | None
    meaning: str
    source: str
    is_decisive: bool = False
    """It says more than any words beside it."""

    def blame_in(self, reply_class: int) -> Blame | None:
        """Whom it blames in a reply or status of this class, 4 or 5."""
        if reply_class == _PERMANENT:
            return self.blame
        return for_now(self.blame) if self.blame else None


def for_now(blame: Blame) -> Blame:
    """Return whom a code or words blame where the reply's class says that it is for now."""
    return _PASSING.get(blame, blame)


# What would be for good in class 5 is for now in class 4. Of what a mailbox or a message is like
# for now nobody else learns anything.
_PASSING: Mapping[Blame, Blame] = {GONE: NOW, RECIPIENT: NOW, MESSAGE: NOW}


def _rows(source: str, *rows: tuple[str, Blame | None, str]) -> Iterable[tuple[str, Status]]:
    return ((code, Status(blame, meaning, source)) for code, blame, meaning in rows)


def _sure(source: str, *rows: tuple[str, Blame, str]) -> Iterable[tuple[str, Status]]:
    return (
        (code, Status(blame, meaning, source, is_decisive=True)) for code, blame, meaning in rows
    )


def _sure_range(
    source: str, subject: str, details: range, blame: Blame, meaning: str
) -> Iterable[tuple[str, Status]]:
    return (
        (f"{subject}.{nth}", Status(blame, meaning, source, is_decisive=True)) for nth in details
    )


_MICROSOFT = "Microsoft"

STATUSES: Mapping[str, Status] = dict(
    [
        *_rows(
            "RFC 3463 2, 3.1",
            ("0.0", None, "other undefined status"),
            ("1.0", RECIPIENT, "other address status"),
            ("1.1", GONE, "bad destination mailbox address"),
            ("1.2", GONE, "bad destination system address"),
            # No proof that it exists nowhere: servers differ in what they take for syntax.
            ("1.3", RECIPIENT, "bad destination mailbox address syntax"),
            ("1.4", RECIPIENT, "destination mailbox address ambiguous"),
            ("1.5", None, "destination address valid"),
            ("1.6", GONE, "destination mailbox has moved, no forwarding address"),
            ("1.7", OURS, "bad sender's mailbox address syntax"),
            ("1.8", OURS, "bad sender's system address"),
        ),
        *_rows("RFC 3886", ("1.9", RECIPIENT, "relayed to non-compliant mailer")),
        *_rows("RFC 7505", ("1.10", GONE, "recipient address has null MX")),
        *_rows(
            "RFC 3463 3.3",
            ("2.0", RECIPIENT, "other or undefined mailbox status"),
            ("2.1", RECIPIENT, "mailbox disabled, not accepting messages"),
            ("2.2", RECIPIENT, "mailbox full"),
            ("2.3", MESSAGE, "message length exceeds administrative limit"),
            ("2.4", RECIPIENT, "mailing list expansion problem"),
        ),
        *_rows(
            "RFC 3463 3.4",
            ("3.0", None, "other or undefined mail system status"),
            ("3.1", None, "mail system full"),
            ("3.2", None, "system not accepting network messages"),
            ("3.3", MESSAGE, "system not capable of selected features"),
            ("3.4", MESSAGE, "message too big for system"),
            ("3.5", None, "system incorrectly configured"),
        ),
        *_rows("RFC 6710", ("3.6", None, "requested priority was changed")),
        *_rows(
            "RFC 3463 3.5",
            ("4.0", None, "other or undefined network or routing status"),
            ("4.1", None, "no answer from host"),
            ("4.2", None, "bad connection"),
            ("4.3", None, "directory server failure"),
            ("4.4", RECIPIENT, "unable to route"),
            ("4.5", None, "mail system congestion"),
            ("4.6", RECIPIENT, "routing loop detected"),
            ("4.7", NOW, "delivery time expired"),
        ),
        *_rows(
            "RFC 3463 3.6",
            ("5.0", None, "other or undefined protocol status"),
            ("5.1", None, "invalid command"),
            ("5.2", None, "syntax error"),
            ("5.3", NOW, "too many recipients"),
            ("5.4", None, "invalid command arguments"),
            ("5.5", None, "wrong protocol version"),
        ),
        *_sure("RFC 4954", ("5.6", OURS, "authentication exchange line is too long")),
        *_rows(
            "RFC 3463 3.7",
            ("6.0", MESSAGE, "other or undefined media error"),
            ("6.1", MESSAGE, "media not supported"),
            ("6.2", MESSAGE, "conversion required and prohibited"),
            ("6.3", MESSAGE, "conversion required but not supported"),
            ("6.4", MESSAGE, "conversion with loss performed"),
            ("6.5", MESSAGE, "conversion failed"),
        ),
        *_rows("RFC 4468", ("6.6", MESSAGE, "message content not available")),
        *_rows(
            "RFC 6531",
            ("6.7", MESSAGE, "non-ASCII addresses not permitted for that sender/recipient"),
            ("6.8", MESSAGE, "UTF-8 string reply is required, but not permitted"),
            ("6.9", MESSAGE, "UTF-8 header message cannot be transferred"),
            ("6.10", MESSAGE, "replaced by 6.8"),
        ),
        *_rows(
            "RFC 3463 3.8",
            ("7.0", None, "other or undefined security status"),
            ("7.1", None, "delivery not authorized, message refused"),
            ("7.2", RECIPIENT, "mailing list expansion prohibited"),
            ("7.3", None, "security conversion required but not possible"),
            ("7.4", OURS, "security features not supported"),
            ("7.5", OURS, "cryptographic failure"),
            ("7.6", OURS, "cryptographic algorithm not supported"),
            ("7.7", MESSAGE, "message integrity failure"),
        ),
        *_sure(
            "RFC 4954, RFC 5248",
            ("7.8", OURS, "authentication credentials invalid"),
            ("7.9", OURS, "authentication mechanism is too weak"),
            ("7.10", OURS, "encryption needed"),
            ("7.11", OURS, "encryption required for requested authentication mechanism"),
            ("7.12", OURS, "a password transition is needed"),
            ("7.13", OURS, "user account disabled"),
            ("7.14", OURS, "trust relationship required"),
        ),
        *_rows(
            "RFC 6710",
            ("7.15", MESSAGE, "priority level is too low"),
            ("7.16", MESSAGE, "message is too big for the specified priority"),
        ),
        *_rows(
            "RFC 7293",
            ("7.17", RECIPIENT, "mailbox owner has changed"),
            ("7.18", RECIPIENT, "domain owner has changed"),
            ("7.19", RECIPIENT, "RRVS test cannot be completed"),
        ),
        *_sure(
            "RFC 7372",
            ("7.20", OURS, "no passing DKIM signature found"),
            ("7.21", OURS, "no acceptable DKIM signature found"),
            ("7.22", OURS, "no valid author-matched DKIM signature found"),
            ("7.23", OURS, "SPF validation failed"),
            ("7.24", OURS, "SPF validation error"),
            ("7.25", OURS, "reverse DNS validation failed"),
            ("7.26", OURS, "multiple authentication checks failed"),
        ),
        *_sure("RFC 7505", ("7.27", OURS, "sender address has null MX")),
        *_sure("registry: mail flood", ("7.28", RATE, "mail flood detected")),
        *_sure("RFC 8617", ("7.29", OURS, "ARC validation failure")),
        *_sure("RFC 8689", ("7.30", OURS, "REQUIRETLS support required")),
        *_sure(
            _MICROSOFT,
            ("1.20", MESSAGE, "multiple From addresses without a Sender"),
            ("1.90", RATE, "daily limit of recipients reached"),
            ("2.121", NOW, "the recipient's hourly limit from this sender is reached"),
            ("2.122", NOW, "the recipient's hourly limit is reached"),
            ("4.310", RECIPIENT, "DNS domain does not exist"),
            ("4.312", RECIPIENT, "DNS query failed"),
            ("4.316", RECIPIENT, "connection refused by the recipient's server"),
            ("4.317", RECIPIENT, "the recipient's server cannot be reached"),
            ("7.51", RECIPIENT, "the recipient's organisation restricts who connects"),
            ("7.54", NOW, "unable to relay recipient in non-accepted domain"),
            ("7.57", OURS, "client was not authenticated to send anonymous mail"),
            ("7.60", OURS, "client does not have permissions to send as this sender"),
            ("7.64", OURS, "tenant attribution: relay access denied"),
            ("7.124", RECIPIENT, "sender not in the recipient's list of allowed senders"),
            ("7.129", RECIPIENT, "restricted recipient"),
            ("7.133", RECIPIENT, "the group takes authenticated senders only"),
            ("7.134", RECIPIENT, "the mailbox takes authenticated senders only"),
            ("7.135", RECIPIENT, "the public folder takes authenticated senders only"),
            ("7.136", RECIPIENT, "the mail user takes authenticated senders only"),
            ("7.193", RECIPIENT, "the unified group takes no external senders"),
            ("7.232", RATE, "the tenant's daily limit is exceeded"),
            ("7.233", RATE, "the tenant's limit of external recipients is exceeded"),
            ("7.236", RATE, "the tenant's limit for onmicrosoft.com is exceeded"),
            ("7.500", RATE, "server busy: too much from this IP"),
            ("7.501", OURS, "access denied, spam abuse detected"),
            ("7.502", OURS, "access denied, banned sender"),
            ("7.503", OURS, "access denied, banned sender"),
            ("7.504", RECIPIENT, "recipient address rejected: access denied"),
            ("7.505", RECIPIENT, "access denied, banned recipient"),
            ("7.506", OURS, "access denied, bad HELO"),
            ("7.507", RECIPIENT, "access denied, rejected by recipient"),
            ("7.508", RATE, "too much from this range of IPv6 addresses"),
            ("7.509", OURS, "the sending domain does not pass DMARC"),
            ("7.510", RECIPIENT, "the recipient's domain takes no mail over IPv6"),
            ("7.511", OURS, "access denied, banned sender"),
            ("7.512", MESSAGE, "message must be RFC 5322 section 3.6.2 compliant"),
            ("7.513", RECIPIENT, "client host blocked by the recipient's domain"),
            ("7.515", OURS, "the sending domain does not meet the authentication level"),
            ("7.650", RATE, "the mail server was temporarily rate limited"),
            ("7.651", RATE, "the mail server was temporarily rate limited"),
            ("7.652", RATE, "the mail server has exceeded the number of connections"),
            ("7.705", RATE, "the tenant has exceeded its threshold"),
            ("7.750", OURS, "client blocked from sending from unregistered domains"),
            ("7.802", RATE, "the tenant exceeds its threshold of unregistered domains"),
        ),
        *_sure_range(_MICROSOFT, "7", range(321, 327), NOW, "the recipient's TLS or DANE fails"),
        *_sure_range(_MICROSOFT, "7", range(606, 650), OURS, "access denied, banned sending IP"),
        *_sure_range(_MICROSOFT, "7", range(700, 705), OURS, "the tenant may not send"),
        *_sure_range(_MICROSOFT, "7", range(706, 750), OURS, "the tenant may not send"),
    ]
)


def status_of(code: str) -> Status | None:
    """Return the row of a code such as `5.1.1`, if it has one."""
    return STATUSES.get(code.partition(".")[2])
