"""What SMTP replies mean: codes that say enough, then words, then codes, then the phase."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from notifier.channels.refusals.blame import Blame, Ruling
from notifier.channels.refusals.enhanced import for_now, status_of
from notifier.channels.refusals.words import MAX_CHARS, phrase, plain_words

_TRANSIENT, _PERMANENT = 4, 5
_CLOSING = 421
_GREYLISTING_S = 300.0
_QUOTA_S = 300.0


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


# --- words ----------------------------------------------------------------------------------

_NOT_THERE = (
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

_PASSED_ON = (
    r"(?<!sender )callout verification failed|recipient verify callout",
    r"remote (?:host|server|mta|system) (?:said|returned|replied|responded)|\bsaid: ?\d{3}\b",
    r"unable to (?:get|find|resolve) (?:\w+ )?mx\b|no mx (?:record|host)s? (?:found )?for",
)

_OF_THE_ACCOUNT = phrase(
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

# Looked at in this order: the first that fits decides. In each: what real servers say, as their
# documents, sources and logs have it.
PHRASES = (
    phrase(
        Blame.RECIPIENT_NOW,
        (r"gr[ea]y ?-?list", r"postgrey", r"not yet authori[sz]ed to deliver"),
        "RFC 6647; Postgrey, milter-greylist, Exim, rspamd",
        classes=(4,),
        at_least_s=_GREYLISTING_S,
    ),
    # What is passed on was said by the recipient's server, of whatever it speaks.
    phrase(
        Blame.RECIPIENT,
        _PASSED_ON,
        "Exim and Postfix callouts, Exchange 5.7.36x, qmail; SendGrid on domains without MX",
    ),
    # The recipient's own limits and choices, although they speak of us.
    phrase(
        Blame.RECIPIENT_NOW,
        (
            r"you are trying to contact is receiving",
            r"recipient'?s? (?:\w+ ){0,3}(?:receive|receiving|thread|delivery) (?:\w+ )?limit",
            r"message receive limit",
            (
                r"(?:too many|limit|rate|quota|exceed\w*)\b(?:\W+\w+){0,6} (?:for|to) (?:(?:this|"
                r"the|that) (?:recipient|mail ?box|address)|(?:this|that) user)"
            ),
            (
                r"(?:mailbox|recipient|user)\b(?:\W+\w+){0,4} (?:is |has )?(?:receiv\w+|getting) "
                r"(?:\w+ ){0,3}(?:too|at a rate|messages|mail)"
            ),
            r"mailbox (?:is )?(?:\w+ )?(?:busy|locked|in use)",
            r"(?:mail ?box|inbox|recipient)(?:'s)?\b(?:\W+\w+){0,5}? (?<!send )(?<!size )limit",
        ),
        "Gmail 450 4.2.1; Exchange 432 4.3.2, 5.2.121, 5.2.122; RFC 5321 450",
    ),
    phrase(
        Blame.RECIPIENT,
        (
            (
                r"(?:block|black-?list|deny-?list|reject|refus)\w*(?: \w+)? by (?:the |"
                r"that |this )?"
                r"(?:recipient|addressee|user|mailbox owner|customer)"
            ),
            (
                r"(?:recipient|addressee|user|mailbox owner)(?:'s)? (?:has |have )?(?:\w+ )?"
                r"(?:block|black-?list|opted|unsubscribed|does not (?:want|accept|wish)|refuse)"
            ),
            (
                r"(?:block|black|deny|allow|white|safe|custom)[- ]?(?:sender )?lists? of (?:the "
                r"|this )?(?:recipient|user)|recipient's (?:\w+ )?(?:allow|white|safe)[- ]?list"
            ),
            (
                r"recipient(?:'s)?(?: (?:account|address|mailbox|domain|e-?mail))?(?: (?:has|is|"
                r"was|been|not|yet))+ (?:suspended|disabled|deactivated|verified|activated|locked)"
            ),
            (
                r"(?:user|recipient|mailbox|account for recipient|box owner) (?:has |is |was )?"
                r"(?:never|not|suspended)(?: yet| been)? (?:logged in|activated|for)"
            ),
            r"(?:only|not) (?:\w+ )?(?:members|subscribers|a member)|permission to post",
            r"customer block ?list|manually blocked|user (?:domain )?entry",
            (
                r"not (?:allowed|authori[sz]ed|permitted) to (?:send|post|write|mail)(?: "
                r"\w+){0,3} to "
                r"(?:this|the|that|these|your) (?:recipient|user|group|address|list|"
                r"mailbox|distrib)"
            ),
            r"only accepts? (?:e?-?mails?|messages)(?: \w+)* from|from internal (?:users|senders)",
            r"recipient'?s? (?:\w+ )?(?:white|allow|address|contact|safe)[- ]?(?:list|book|sender)",
            (
                r"(?:recipient|user|mail ?box|address|group|list)\b(?:\W+\w+){0,3} (?:does not|"
                r"doesn't|do not|will not|won't) accept (?:\w+ ){0,2}from"
            ),
            r"delivery restriction|restricted (?:recipient|mailbox|group|address)",
            (
                r"(?:does|do) not accept (?:mail|e-?mail|messages) from (?:outside|external|the "
                r"internet|strangers|unknown|people)"
            ),
        ),
        "Exchange 5.7.129 to 5.7.136, 5.7.507, 5.7.513; Mimecast, Zimbra, DirectAdmin, ezmlm",
    ),
    phrase(
        Blame.RATE,
        (
            (
                r"(?:sender address|client host|client)(?: #ip)? rejected:?(?:\W+\w+){0,6}? "
                r"(?:quota|exceed\w*|limit|too (?:many|much|fast))"
            ),
        ),
        "policy daemons under Postfix: policyd, postfwd, PolicyD-weight",
        at_least_s=_QUOTA_S,
    ),
    # Our host, greeting and sender in the words of Postfix, which names them at RCPT.
    phrase(
        Blame.OURS,
        (
            r"client host",
            r"(?:unverified )?client (?:host|address|hostname)? ?rejected",
            r"(?<!\()\b(?:helo|ehlo)\b(?!\))",
            r"sender address (?:#ip )?(?:reject|block|verif|not|must|is)",
            r"sender (?:verify|verification|callout) fail|verification failed for",
        ),
        "Postfix smtpd(8), access(5); Exim, spec chapter 44",
    ),
    # What stands in the message, although lists are named.
    phrase(
        Blame.MESSAGE,
        (
            (
                r"\b(?:urls?|links?|uris?|domains?|phone numbers?)\b(?: \w+){0,3} (?:in|"
                r"within|inside) "
                r"(?:your|the|this) (?:message|mail|e-?mail|body|content|text)"
            ),
            (
                r"contain(?:s|ed|ing)? (?:\w+ ){0,4}(?:urls?|links?|uris?|virus|malware|attachment|"
                r"content|spam|characters)"
            ),
            r"uribl|surbl",
            r"\bvirus|malware|phish|infected|trojan|\bworm\b|executable",
            r"\bhvu:",
        ),
        "SURBL and URIBL; Gmail 552 5.7.0; ClamAV milters; AOL HVU:B1",
    ),
    phrase(
        Blame.MESSAGE,
        (
            (
                r"(?:message|mail|e-?mail|content|attachment)s? (?:\w+ ){0,3}(?:too "
                r"(?:large|big|long)"
                r"|exceeds?(?: \w+){0,4} (?:size|length|limit))|(?:message|maximum|max) size|size "
                r"limit|size exceed|length exceed"
            ),
            r"too many (?:hops|received)|loop(?:s|ing)? (?:detected|back)|mail ?loop",
        ),
        "RFC 1870; RFC 5321 6.3; Postfix, Exim, Exchange 5.3.4",
    ),
    # Our quotas.
    phrase(
        Blame.RATE,
        (
            (
                r"(?:sending|\bsend|outbound|outgoing|relay|relaying|submission|tenant|"
                r"organi[sz]ation)\b"
                r"(?: \w+){0,4} (?:limit|quota|threshold|allowance)\w*"
            ),
            (
                r"(?:daily|hourly|monthly|weekly|24[- ]hours?|per[- ](?:hour|day|minute|second|"
                r"month))\b(?: \w+){0,5} (?:limit|quota|threshold|exceed|maximum|allow|reach)"
            ),
            (
                r"(?:limit|quota|exceed\w*|max(?:imum)?|allow\w*|too many|too much|limited)\b(?:\W+"
                r"[\w#%/-]+){0,8}? ?(?:(?:per|an?|each|every|this|the last|the past|/) ?(?:hour|"
                r"day|minute|second|month)|daily|hourly|today|in the last)"
            ),
            r"messages? (?:per|a) second|sender thread limit",
            r"submissionquotaexceeded|\brefusequota\b",
        ),
        "Gmail 5.4.5, 4.2.1 relay; Exchange 5.7.233, 5.7.705; SES 454; cPanel 451, 550; RFC 5321",
        at_least_s=_QUOTA_S,
    ),
    phrase(
        Blame.OURS,
        (
            r"\byour (?:account|plan|subscription|tenant|credit|licen[cs]e|quota|contract)",
            r"\byour organi[sz]ation|activate your",
        ),
        "OVH, Postmark, Brevo, Mailgun; Exchange 5.7.520",
    ),
    phrase(
        Blame.RECIPIENT,
        (
            (
                r"(?<!\byour )(?:mail ?box|inbox|mail ?folder|maildir|recipient|user|account|"
                r"storage|disk|address)(?:'s)?\b(?:\W+\w+){0,5}? (?:full|over ?-?quota|over its|"
                r"quota|exceed\w*|too (?:large|big)|out of (?:space|storage))"
            ),
            (
                r"(?:user|account|recipient|box) has too many messages|too many messages (?:on|in) "
                r"(?:the|this|that) (?!connection|session|minute|hour|day)"
            ),
            (
                r"over ?-?quota|quota (?:is )?(?:exceed|full|reach)|exceed\w*(?: "
                r"\w+){0,2} (?:quota|"
                r"storage)|insufficient disk|not enough (?:disk|storage|space)"
            ),
        ),
        "RFC 3463 X.2.2; Dovecot, Cyrus, Courier, Gmail 552 5.2.2, Exchange 5.2.2",
        classes=(5,),
    ),
    phrase(
        Blame.RECIPIENT_NOW,
        (
            (
                r"(?:mail ?box|inbox|mail ?folder|maildir|recipient|user|account|"
                r"address)(?:'s)?"
                r"\b(?:\W+\w+){0,5}? (?:full|over ?-?quota|over its|quota|out of (?:space|storage))"
            ),
            (
                r"(?:user|account|recipient|box) has too many messages|too many messages (?:on|in) "
                r"(?:the|this|that) (?!connection|session|minute|hour|day)"
            ),
            r"over ?-?quota|quota (?:is )?(?:exceed|full)",
            r"too many recipients(?! from)",
        ),
        "RFC 3463 X.2.2; RFC 5321 4.5.3.1.10; Gmail 452 4.2.2",
        classes=(4,),
    ),
    phrase(
        Blame.RECIPIENT_NOW,
        (r"too many (?:recipients|rcpts)(?! from)",),
        "RFC 5321 4.5.3.1.10: a 552 with these words is a 452",
        classes=(5,),
    ),
    phrase(
        Blame.OURS,
        (r"retrying will not succeed|permanently deferred",),
        "Yahoo 421 4.7.1 [TS03]",
    ),
    phrase(
        Blame.RATE,
        (
            r"throttl|rate[- ]?limit|rate (?:is )?exceed|rate control|rate restrict|over rate",
            r"(?:unusual|high|excessive|increased) (?:rate|volume|number|amount)",
            r"(?:sending|message|connection|recipient|delivery|submission|mail|e-?mail) rate",
            (
                r"too (?:many|much|frequent|fast|quick|rapid)\w*"
                r"(?! (?:hops|errors?|received|dnsbl|rbl|lists))"
            ),
            r"(?:slow(?:er)? down|slower|less often|reduce (?:the|your) (?:rate|volume|sending))",
            r"(?:connection|session|concurren\w+|connections)(?: \w+){0,3} (?:limit|exceed|max)",
            r"(?:exceed\w*|reached)(?: \w+){0,4} (?:connections?|sessions?|messages|e?mails|posts)",
            r"unexpected volume|user complaints|temporarily deferred|mail flood|flooding",
            r"\[?\b(?:rp-00\d|ts0[12]|tss0\d|dyn:t\d|rly:b[12])\b",
            r"\b(?:hl:i[cf]c|mi:(?:dmc|sfq|stc)|rp:(?:drc|qrc|trc))\b",
            r"trop d(?:e |.)\w+|quota d.envoi|limite d.envoi|zu viele|(?:sende|versand)-?limit",
            r"demasiad[ao]s |tropp[ei] |l[ií]mite de env[ií]o|frequen(?:cy|t)\b|ratelimit",
            r"\blimits? (?:(?:has|have) been |was |is )?(?:exceed|reach)",
            r"exceed\w*(?: \w+){0,3} limit|over (?:the |your |its )?limit",
        ),
        "Postfix anvil(8); Sendmail; Yahoo [TSS04]; Outlook RP-001; AOL DYN:T1; Orange, Free",
    ),
    phrase(
        Blame.OURS,
        (
            r"authenticat|authentifi|autenti[ckf]",
            r"\blog ?in\b|\blogged in\b|passwor[dt]|credential|\bsasl\b|\bpop before\b",
            (
                r"(?:starttls|\btls\b|\bssl\b|encrypt\w+)(?:\W+\w+){0,4} (?:requir|need|"
                r"must|mandat|"
                r"first)|(?:requir|need|must|issue)\w*(?: \w+){0,4} (?:starttls|tls|ssl|encrypt)"
            ),
            r"\b(?:dkim|dmarc|spf|sender ?id|arc)\b",
        ),
        "RFC 4954, RFC 3207, RFC 7372; Gmail 5.7.26, Yahoo 5.7.9, Exchange 5.7.57",
    ),
    phrase(
        Blame.OURS,
        (
            (
                r"\bsender\b(?:\W+[\w'-]+){0,6}? (?:reject|den(?:y|ied)|refus|not|invalid|"
                r"block|black|"
                r"unknown|verif|forbid|ban|disallow|domain|unauth|suspend|fail|mismatch|exist)"
            ),
            (
                r"(?:reject|den(?:y|ied)|refus|invalid|block|unverified|bad|unrout|unresolv|bogus|"
                r"banned|unauthori[sz]ed|disallowed|spoof|forge)\w*(?: \w+){0,3} \bsenders?\b"
            ),
            r"sender'?s? (?:\w+ )?(?:domain|address|identity|reputation|policy|account)",
            r"(?:not owned|owned) by (?:user|auth)|send[- ]?as\b|sendasdenied|send on behalf",
            r"\babsender|\bexp[eé]diteur|\bmittente\b|\bremitente\b|\bremetente\b",
            r"mail from\b(?! (?:outside|external|the internet|strangers))",
            (
                r"\bfrom:? ?(?:address|header|domain|field)|(?:envelope|return|reverse)[- ](?:from|"
                r"path|sender)|originator"
            ),
            r"(?:permitted|use this|as this) sender",
            r"authori[sz]e (?:the |this )?sender|sender'?s? (?:is )?unauth",
            r"not (?:been )?verified|unverified(?! address)|verified (?:sender|domain)",
            r"failed the check",
            r"domain (?:of sender|not verified|is not allowed|unverified)",
            (
                r"domain (?:is |was )?not (?:configured|set ?up|enabled|registered|allowed|"
                r"authori[sz]ed|activated|approved|validated|confirmed) (?:for|to) "
                r"(?:send|relay|use)"
            ),
            r"permissions? to submit|permission to send(?! (?:\w+ )*to )",
            r"relaying disallowed(?: as|\. invalid)",
            (
                r"(?:sending|mail|e-?mail|messages|outbound) from (?:this|your) (?:account|domain|"
                r"user|mailbox)"
            ),
            r"verify (?:your|the) (?:sending )?(?:domain|identity|sender)",
        ),
        "Postfix reject_sender_login_mismatch; Exchange 5.7.60; SES 554; SendGrid, Mailgun, OVH",
    ),
    phrase(
        Blame.OURS,
        (
            (
                r"(?<!check )(?<!in )(?<!within )(?<!verify )"
                r"\b(?:your|sending|connecting|originating|source) "
                r"(?:ip|address(?! book| list)|host|server|network|mail ?server|mta|"
                r"system|isp|provider|internet|domain|mail system|smtp|country|subnet|range|"
                r"hostname|machine|client)"
            ),
            (
                r"\bip (?:address )?(?:\W*\w+){0,6}? ?(?:block|list|ban|reject|den|"
                r"reputation|black|"
                r"not|refus|abus|fail|forged|dynamic)"
            ),
            (
                r"#ip\W*(?:\w+ ){0,4}?(?:listed|block|black|ban|den(?:y|ied)|reject|refus|"
                r"found|on the"
                r"|not allowed|is in|has been|sent|weren't|permanently)"
            ),
            r"(?:from|for|ip[:=]?) ?\W?#ip",
            r"(?:banned|blocked) (?:sending )?ip|ip name|(?:blocked|listed|rejected) using",
            r"reverse[- ]?(?:dns|lookup|host)|\brdns\b|\bptr\b|\bfcrdns\b",
            r"\b(?:no|missing|invalid|bad|proper|valid|your|correct) (?:\w+ )?dns (?:entr|record)",
            (
                r"\b(?:spamhaus|spamcop|sorbs|barracuda|cloudmark|senderscore|mailspike|uceprotect|"
                r"abuseat|hostkarma|spamrl|r?dns-?bl|dnsbls?|rbl|[sx]bl|pbl)\b"
            ),
            r"(?:black|block|deny|real-?time block)[- ]?(?:hole )?list",
            r"reputation|dynamic ip|dynamic address|open (?:relay|proxy)|spammer",
            r"hosts? with (?:dynamic|generic)|generic (?:dns|ptr|hostname)",
            (
                r"not (?:allowed|authori[sz]ed|permitted) to (?:connect|use this|send|perform)"
                r"|access to (?:this|submit)|(?:no|not) smtp service|no access from|refused to talk"
            ),
            r"\b(?:sc-00\d|ou-00\d|dy-00\d|s3140|s3150|bl2\d|rtr:|con:b1|rly:)",
            r"\b(?:hl:(?:rep|ihu|ipb|mep)|mi:(?:imf|nhd|spb|spf|dma)|wm:bl[iu]|dt:(?:rbl|sum))\b",
            r"unsolicited mail originating|geographical|from your (?:location|region)",
        ),
        "Postfix, Exim and Sendmail with DNSBLs; Outlook SC-001; Yahoo BL21; GMX; Proofpoint",
    ),
    _OF_THE_ACCOUNT,
    phrase(
        Blame.RECIPIENT,
        (
            (
                r"(?:mail ?box|account|user|recipient|address)\b(?:\W+[\w'-]+){0,7}? (?:disabled|"
                r"suspended|inactive|locked|deactivated|expired|not active|frozen|discontinued)"
            ),
            (
                r"(?:disabled|suspended|inactive|locked|deactivated) (?:e?-?mail )?(?:mail ?box|"
                r"account|user|address)"
            ),
        ),
        "RFC 3463 X.2.1; Gmail 550 5.2.1, Yahoo 554.30: it exists, and takes nothing",
    ),
    # Whether a server relays may depend on whom for: it says nothing about others.
    phrase(
        Blame.RECIPIENT_NOW,
        (
            r"\brelay(?!ed| recipient)",
            r"rcpt ?hosts",
            r"non-accepted domain|not (?:a )?local (?:domain|host)|not local domain",
        ),
        "Postfix, Exim, Sendmail, qmail; Exchange 5.7.54",
    ),
    phrase(
        Blame.MESSAGE,
        (
            r"\bspam|unsolicited|\bjunk|\bbulk mail|\buce\b",
            (
                r"(?:message|body|mail|content|text|subject)(?: \w+)? (?:content|rejected|refused|"
                r"blocked|denied|not (?:accepted|allowed))"
            ),
            r"content (?:reject|filter|polic|scan|block|not)|5322|2822|\brfc ?822|message-id",
            r"headers? (?:\w+ )?(?:missing|invalid|line|not)|attachment|suspicious",
        ),
        "Gmail 5.7.1, 421 4.7.0; SpamAssassin, rspamd and amavis; iCloud [CS01]; Yahoo [PH01]",
    ),
)

_DOES_NOT_EXIST = phrase(
    Blame.GONE,
    _NOT_THERE,
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
    is_about_it = _OF_THE_ACCOUNT.fits(plain_words(reply.text), reply.code // 100)
    return is_about_it or reply.code == _PASSWORD_TRANSITION


def _in_general(phase: Phase, reply: Reply, reply_class: int) -> Ruling:
    status = status_of(reply.enhanced)
    by_code = status.blame_in(reply_class) if status else None
    if by_code and status and status.is_decisive:
        return Ruling(blame=by_code, at_least_s=_QUOTA_S if by_code is Blame.RATE else None)
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
        return Ruling(blame=Blame.RECIPIENT_NOW, at_least_s=_GREYLISTING_S)
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
