"""How SES reports here: through SNS, whose subscription confirms itself."""

from collections.abc import Collection, Mapping, Sequence

import structlog

from notifier.channels.email.ses.certificates import Certificates
from notifier.channels.email.ses.events import ses_receipt
from notifier.channels.email.ses.fetching import Fetch, HttpsFetch
from notifier.channels.email.ses.sns import Kind, Mailroom, SnsMessage
from notifier.clock import Clock
from notifier.errors import UnsignedError
from notifier.providers.receipt import Callback, CallbackRoute, Receipt

log = structlog.get_logger(__name__)

# SNS takes 256 KB of text, which JSON may write twice as long:
# https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
_MAX_MESSAGE_BYTES = 512 * 1024
_TYPE = "x-amz-sns-message-type"
_TOPIC = "x-amz-sns-topic-arn"
_RAW = "x-amz-sns-rawdelivery"


class _Reports:
    """What SNS calls with, for these topics."""

    def __init__(self, topics: Collection[str], clock: Clock, fetch: Fetch) -> None:
        self._mailroom = Mailroom(topics, Certificates(fetch, clock), clock)
        self._fetch = fetch

    def check(self, headers: Mapping[str, str]) -> None:
        """See `CallbackRoute`."""
        if headers.get(_RAW, "").lower() == "true":
            raise UnsignedError("raw message delivery signs nothing: turn it off")
        if headers.get(_TYPE) not in {*Kind}:
            raise UnsignedError("it is no message of SNS")
        if not self._mailroom.knows(headers.get(_TOPIC, "")):
            raise UnsignedError("its topic is not among NOTIFIER_SES__TOPIC_ARNS")

    async def read(self, callback: Callback) -> Sequence[Receipt]:
        """See `CallbackRoute`."""
        message = await self._mailroom.open(callback.body)
        if message.kind is Kind.NOTIFICATION:
            receipt = ses_receipt(message.text, message.id)
            return [receipt] if receipt else []
        await self._note(message)
        return []

    async def _note(self, message: SnsMessage) -> None:
        if message.kind is Kind.UNSUBSCRIPTION:
            log.error("ses.unsubscribed", topic=message.topic)
        elif message.confirm_at is not None:
            await self._fetch(message.confirm_at)
            log.info("ses.subscribed", topic=message.topic)


def notification_route(
    topics: Collection[str], clock: Clock, fetch: Fetch | None = None
) -> CallbackRoute:
    """Return how SES reports: by messages of SNS of these topics (ARNs), signed by SNS."""
    reports = _Reports(topics, clock, fetch or HttpsFetch())
    return CallbackRoute(
        provider="ses",
        name="sesCallback",
        path="ses",
        summary="Amazon SNS tells what SES reports of mails",
        description="A message of SNS in JSON, whatever its Content-Type, signed by RSA over its "
        "fields. It holds a report of SES, or asks for a subscription, which is confirmed.",
        signed_by={
            "X-Amz-Sns-Message-Type": "Notification, SubscriptionConfirmation or "
            "UnsubscribeConfirmation.",
            "X-Amz-Sns-Topic-Arn": "The topic, one of those that are set.",
        },
        max_body_bytes=_MAX_MESSAGE_BYTES,
        check=reports.check,
        read=reports.read,
    )
