"""What mail servers say in words: phrases, and whose fault each tells of."""

from notifier.channels.email.patterns import GREYLISTING_S, OF_THE_ACCOUNT, PASSED_ON, QUOTA_S
from notifier.channels.refusals.blame import Blame
from notifier.channels.refusals.words import phrase

# Looked at in this order: the first that fits decides. In each: what real servers say, as their
# documents, sources and logs have it.
PHRASES = (
    phrase(
        Blame.RECIPIENT_NOW,
        (r"gr[ea]y ?-?list", r"postgrey", r"not yet authori[sz]ed to deliver"),
        "RFC 6647; Postgrey, milter-greylist, Exim, rspamd",
        classes=(4,),
        at_least_s=GREYLISTING_S,
    ),
    # What is passed on was said by the recipient's server, of whatever it speaks.
    phrase(
        Blame.RECIPIENT,
        PASSED_ON,
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
        at_least_s=QUOTA_S,
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
        at_least_s=QUOTA_S,
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
        "Postfix anvil(8); Sendmail; Yahoo [TSS04]; Outlook RP-001; AOL DYN:T1; Orange, Free; SES "
        "454",
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
    OF_THE_ACCOUNT,
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
