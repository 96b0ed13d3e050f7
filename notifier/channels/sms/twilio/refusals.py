"""What Twilio's codes mean, in the answer to a request and in a status callback alike.

https://www.twilio.com/docs/api/errors/CODE describes each. Codes that are not here are judged by
the answer's status: Twilio adds codes, and splits the meaning of old ones.
"""

from collections.abc import Mapping

from notifier.channels.refusals.blame import Blame, Ruling
from notifier.channels.refusals.http import HttpTable

_HANDSET_UNREACHABLE_S = 1_800.0
_QUOTA_S = 300.0

_GONE, _OPTED_OUT = Blame.GONE, Blame.OPTED_OUT
_RECIPIENT, _NOW, _MESSAGE = Blame.RECIPIENT, Blame.RECIPIENT_NOW, Blame.MESSAGE
_OURS, _RATE, _MOMENT, _UNKNOWN = Blame.OURS, Blame.RATE, Blame.MOMENT, Blame.UNKNOWN

_BLAMES: Mapping[str, Blame] = {
    "10001": _OURS,  # account is not active
    "10002": _OURS,  # trial account does not support this feature
    "14102": _OURS,  # From is not ours or not message-capable
    "14107": _RATE,  # SMS send rate limit exceeded
    "20001": _OURS,  # unknown parameters
    "20002": _OURS,  # invalid FriendlyName
    "20003": _OURS,  # authentication
    "20004": _OURS,  # method not allowed
    "20005": _OURS,  # account not active
    "20006": _OURS,  # access denied
    "20008": _OURS,  # resource not accessible with test credentials
    "20101": _OURS,  # invalid access token
    "20102": _OURS,  # invalid access token header
    "20103": _OURS,  # invalid access token issuer
    "20104": _OURS,  # access token expired
    "20107": _OURS,  # invalid access token signature
    "20403": _OURS,  # forbidden
    "20404": _OURS,  # no such account or resource
    "20426": _OURS,  # TLS is too old
    "20429": _RATE,  # too many requests: never processed
    "20500": _UNKNOWN,  # internal server error
    "20503": _UNKNOWN,  # service unavailable
    "20504": _UNKNOWN,  # gateway timeout
    "21201": _RECIPIENT,  # To is missing
    "21202": _RECIPIENT,  # To is a premium number
    "21203": _NOW,  # international use not enabled
    "21205": _OURS,  # invalid callback URL
    "21210": _OURS,  # From not verified
    "21211": _RECIPIENT,  # invalid To
    "21212": _OURS,  # invalid From
    "21213": _OURS,  # From is missing
    "21214": _RECIPIENT,  # To cannot be reached
    "21215": _NOW,  # geographic permission for To not given
    "21216": _NOW,  # account not allowed to reach To
    "21217": _RECIPIENT,  # To does not appear to be valid
    "21219": _NOW,  # To not verified, on a trial account
    "21263": _RECIPIENT,  # To is no telephone number
    "21264": _OURS,  # From is no telephone number
    "21265": _RECIPIENT,  # To is a short code
    "21266": _RECIPIENT,  # To and From are the same
    "21267": _OURS,  # alphanumeric sender on a trial account
    "21268": _RECIPIENT,  # To is a premium or information service number
    "21401": _OURS,  # From is no valid phone number
    "21406": _OURS,  # invalid callback URL
    "21407": _OURS,  # this type of number does not support SMS
    # The number's country or the trial account's list: whoever may send to one such number must
    # not stop everybody else.
    "21408": _NOW,  # permission for the region not enabled
    "21601": _OURS,  # From is not SMS-capable
    "21602": _MESSAGE,  # body is missing
    "21603": _OURS,  # From is missing
    "21604": _RECIPIENT,  # To is missing
    "21605": _MESSAGE,  # body too long
    "21606": _OURS,  # From is not ours or not message-capable
    "21607": _OURS,  # From must be the sandbox number
    "21608": _NOW,  # To not verified, on a trial account
    "21609": _OURS,  # invalid status callback URL
    "21610": _OPTED_OUT,  # the recipient sent STOP
    "21611": _RATE,  # too many messages queued for this From
    "21612": _RECIPIENT,  # To not reachable from this From
    "21614": _RECIPIENT,  # To is not a mobile number
    "21616": _OURS,  # From matches several numbers
    "21617": _MESSAGE,  # body over 1,600 characters
    "21618": _MESSAGE,  # content invalid
    "21619": _MESSAGE,  # neither body nor media
    "21620": _MESSAGE,  # invalid media URL
    "21621": _OURS,  # From not enabled for this kind of message
    "21622": _OURS,  # MMS not enabled for the account
    "21623": _MESSAGE,  # too many media
    "21624": _OURS,  # invalid validity period
    "21635": _RECIPIENT,  # landline
    "21654": _MESSAGE,  # content sid missing
    "21655": _MESSAGE,  # content sid invalid
    "21656": _MESSAGE,  # content variables invalid
    "21657": _NOW,  # this sender id is not supported at this destination
    "21658": _MESSAGE,  # too many content variables
    "21659": _OURS,  # From is not a Twilio number
    "21660": _OURS,  # From belongs to another account
    "21661": _OURS,  # From is not SMS-capable
    "21701": _OURS,  # no such messaging service
    "21703": _OURS,  # messaging service without numbers
    "21704": _OURS,  # messaging service without a fitting sender
    "21705": _OURS,  # messaging service invalid
    "21710": _OURS,  # number is in a messaging service already
    "21711": _OURS,  # short code is in a messaging service already
    "21712": _OURS,  # number is in another messaging service
    "21715": _OURS,  # the service's number can send no messages
    "21910": _OURS,  # From and To are of different channels
    "23001": _OURS,  # message redaction, incompatible configuration
    "30001": _RATE,  # queue overflow: too many messages too quickly
    "30002": _OURS,  # account suspended
    "30003": _NOW,  # unreachable handset
    "30004": _RECIPIENT,  # blocked
    # Also said of handsets that are off or roaming: no proof that the number does not exist.
    "30005": _RECIPIENT,  # unknown handset
    "30006": _RECIPIENT,  # landline or unreachable carrier
    "30007": _MESSAGE,  # filtered
    "30008": _UNKNOWN,
    "30009": _NOW,  # a segment is missing
    "30010": _MESSAGE,  # costs more than its highest price
    "30011": _MESSAGE,  # MMS not supported there
    "30012": _OURS,  # validity period too short
    "30013": _OURS,  # validity period too long
    "30017": _NOW,  # congestion at the carrier
    "30018": _NOW,  # the carrier requires a registered sender id: its country's rule
    "30019": _MESSAGE,  # larger than the carrier takes
    "30020": _NOW,  # internal failure at the carrier
    "30021": _NOW,  # internal failure with the carrier
    "30022": _RATE,  # US A2P 10DLC: rate limits exceeded
    "30023": _RATE,  # US A2P 10DLC: daily message cap reached
    "30024": _NOW,  # numeric sender id not provisioned on the carrier
    "30027": _RATE,  # US A2P 10DLC: T-Mobile's daily limit reached
    "30029": _OURS,  # invalid content retention
    "30030": _OURS,  # invalid address retention
    "30031": _OURS,  # invalid highest rate
    "30032": _OURS,  # toll-free number not verified
    "30033": _OURS,  # US A2P 10DLC: campaign suspended
    "30034": _OURS,  # US A2P 10DLC: number not registered
    "30035": _OURS,  # US A2P 10DLC: number being configured
    "30036": _RATE,  # validity period over while it was queued
    "30037": _OURS,  # outbound messaging disabled
    "30038": _MESSAGE,  # one-time code filtered
    "30039": _MESSAGE,  # message loop
    "30040": _NOW,  # the carrier requires a registered sender id: its country's rule
    "30041": _NOW,  # sender id not registered with the carrier: its country's rule
    "30042": _NOW,  # sender id too general for the carrier: its country's rule
    "30044": _MESSAGE,  # too long for a trial account
    "30045": _OURS,  # invalid validity period
    "30110": _MESSAGE,  # links to a blocked domain
    "30111": _MESSAGE,  # links to a denied URL
    "30127": _OURS,  # messaging service invalid
    "30410": _UNKNOWN,  # time-out at the provider
    "30450": _RECIPIENT,  # blocked by SMS pumping protection
    "30451": _RECIPIENT,  # blocked by fraud protection
    "30452": _RECIPIENT,  # blocked by fraud protection
    "30453": _RECIPIENT,  # blocked by fraud protection
    "30454": _NOW,  # too many messages to this number
    "35118": _OURS,  # scheduling needs a messaging service
    "35125": _RATE,  # too many scheduled messages
    "60728": _RATE,  # hourly limit of messages exceeded
    "63001": _OURS,  # channel could not authenticate
    "63002": _OURS,  # channel could not find From
    "63003": _RECIPIENT,  # channel could not find To
    "63005": _MESSAGE,  # channel did not accept the content
    "63006": _MESSAGE,  # content does not suit the channel
    "63007": _OURS,  # channel has no such From
    "63008": _OURS,  # channel is configured wrongly
    "63009": _NOW,  # channel answered with an error
    "63010": _UNKNOWN,  # internal error
    "63012": _UNKNOWN,  # internal error at the channel
    "63013": _MESSAGE,  # against the channel's policy
    "63014": _RECIPIENT,  # blocked by the recipient
    "63015": _NOW,  # the sandbox sends to those who joined only
    "63016": _MESSAGE,  # free-form message outside of the window
    "63017": _RATE,  # rate limit exceeded
    "63018": _RATE,  # rate limit for the channel exceeded
    "63019": _MESSAGE,  # media could not be loaded
    "63020": _OURS,  # business account not ready
    "63021": _MESSAGE,  # content invalid
    "63022": _OURS,  # invalid name certificate
    "63023": _UNKNOWN,  # generic error
    "63024": _RECIPIENT,  # no valid recipient
    "63025": _MESSAGE,  # media
    "63027": _MESSAGE,  # template not there in this language
    "63028": _MESSAGE,  # parameters do not fit the template
    "63029": _NOW,  # recipient could not load the template
    "63030": _MESSAGE,  # parameter not supported
    "63031": _RECIPIENT,  # sender and recipient are the same
    "63032": _RECIPIENT,  # limitation of the recipient
    "63033": _RECIPIENT,  # recipient may not receive this
    "63036": _RECIPIENT,  # recipient cannot be reached over this channel
    "63038": _RATE,  # daily limit of messages exceeded
    "63040": _MESSAGE,  # template rejected
    "63041": _MESSAGE,  # template paused
    "63042": _MESSAGE,  # template disabled
    "63049": _RECIPIENT,  # not delivered by choice of the channel
    "63051": _OURS,  # business account locked
    "63112": _OURS,  # business account disabled
    "90007": _OURS,  # invalid validity period
    "90014": _OURS,  # invalid validity period
    "572005": _NOW,  # To not verified yet, on a trial account
}
_WAITS_S: Mapping[str, float] = {
    "30003": _HANDSET_UNREACHABLE_S,
    "30023": _QUOTA_S,
    "30027": _QUOTA_S,
    "63018": _QUOTA_S,
    "63038": _QUOTA_S,
    "60728": _QUOTA_S,
}

REFUSALS = HttpTable(
    codes={
        code: Ruling(blame=blame, at_least_s=_WAITS_S.get(code)) for code, blame in _BLAMES.items()
    },
    statuses={
        401: Ruling(blame=_OURS),
        402: Ruling(blame=_OURS),
        403: Ruling(blame=_OURS),
        404: Ruling(blame=_OURS),
        405: Ruling(blame=_OURS),
        408: Ruling(blame=_MOMENT),
        429: Ruling(blame=_RATE),
    },
    # A code that is not known here may be anybody's: it stops nobody, and is not the last word.
    classes={3: Ruling(blame=_OURS), 4: Ruling(blame=_NOW), 5: Ruling(blame=_UNKNOWN)},
    otherwise=Ruling(blame=_UNKNOWN),
)
