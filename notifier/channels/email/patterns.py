"""What several readings of mail servers have in common: patterns, and how long to wait."""

from notifier.channels.refusals.blame import Blame
from notifier.channels.refusals.words import phrase

NOT_THERE = (
    (
        r"(?:user|mail ?box|recipient|account|address|alias|person|name)\b(?:\W+[\w'-]+){0,7}? "
        r"(?:unknown|(?:does not|doesn't|did not|do not) exist|not (?:exist|found|known)|no "
        r"longer (?:exist|valid|available|active|here)|not (?:a )?valid|is invalid|has left)"
    ),
    (
        r"(?:no such|unknown|invalid|non-?existent) (?:\w+ )?(?:user|mail ?box|recipient|person|"
        r"account|address|alias|local)"
    ),
    r"doesn't have an? (?:\w+ )?(?:account|mailbox)",
)

PASSED_ON = (
    r"(?<!sender )callout verification failed|recipient verify callout",
    r"remote (?:host|server|mta|system) (?:said|returned|replied|responded)|\bsaid: ?\d{3}\b",
    r"unable to (?:get|find|resolve) (?:\w+ )?mx\b|no mx (?:record|host)s? (?:found )?for",
)

OF_THE_ACCOUNT = phrase(
    Blame.OURS,
    (
        r"\btenant|\bcredits?\b|billing|\bpayment|\btrial\b|sandbox",
        (
            r"(?:sending|outgoing|outbound) (?:\w+ ){0,3}(?:paused|suspended|disabled|"
            r"blocked|not (?:allowed|enabled))|account (?:is )?(?:paused|not (?:allowed|authori"
            r"[sz]ed|enabled|activated) (?:to(?! receive)|for))"
        ),
        r"(?:blocked|suspended|disabled|prevented|restricted|banned) from sending",
        r"insufficient (?:balance|funds)|\bunpaid|\bapi[- ]?key|configuration set",
        r"subscription (?:has |is |was )?(?:expired|ended|cancel\w+|inactive|required)",
        r"suspended for|smtpclientauth|(?:unusual|suspicious) (?:\w+ )?activity",
        r"\bwascl useraction\b|storedrv\.submission\.\S*(?:outboundspam|accountdisabled)",
    ),
    "SES 554 sending paused; cPanel; Exchange 5.7.139; OVH; Mailgun; Postmark; SparkPost",
)

GREYLISTING_S = 300.0
QUOTA_S = 300.0
