"""Amazon SES, as a provider."""

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, SecretStr

from notifier.channels._extras import extra
from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.settings import MailServerSettings, smtp_config
from notifier.channels.provider import MakeRoutes, Parts, Provider
from notifier.clock import Clock
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import SettingsError
from notifier.notification.model import Channel
from notifier.providers.receipt import CallbackRoute
from notifier.settings.reading import Host, Listed

_TOPIC = re.compile(
    r"arn:aws[a-z-]{0,12}:sns:[a-z0-9-]{4,32}:\d{12}:[A-Za-z0-9_-]{1,256}", re.ASCII
)
# https://docs.aws.amazon.com/ses/latest/dg/using-configuration-sets-in-email.html
_HEADER = "X-SES-CONFIGURATION-SET"


def _topic(value: str) -> str:
    if not _TOPIC.fullmatch(value):
        raise ValueError("expected a topic's ARN: arn:aws:sns:eu-west-1:123456789012:name")
    return value


Topics: TypeAlias = Annotated[tuple[Annotated[str, AfterValidator(_topic)], ...], Listed]


class SesSettings(MailServerSettings):
    """The Amazon SES provider."""

    region: str | None = Field(
        None,
        pattern=r"^[a-z]{2,12}(-[a-z]{2,12}){1,3}-\d{1,2}$",
        description="AWS region whose SMTP endpoint takes the mails, such as `eu-west-1`.",
    )
    host: Host | None = Field(
        None,
        description="Host of another endpoint: a VPC's, or a FIPS one. Without it, "
        "`email-smtp.<region>.amazonaws.com`.",
    )
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="`starttls`: on the ports 25, 587 and 2587; `tls`: on 465 and 2465. SES takes "
        "no mail in the clear.",
    )
    username: str | None = Field(None, description="User of the region's SMTP credentials.")
    password: SecretStr | None = Field(
        None, description="Password of the SMTP credentials; no secret access key."
    )
    configuration_set: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Configuration set that mails are sent with; the identity's default if unset.",
    )
    topic_arns: Topics = Field(
        (),
        description="ARNs of the SNS topics, comma-separated, to which SES reports; their messages "
        "are taken at /callbacks/ses if set.",
    )


def _make(_channel: Channel, ses: SesSettings, parts: Parts) -> ChannelAdapter:
    if not (ses.host or ses.region):
        raise SettingsError("NOTIFIER_SES__REGION: is not set")
    if ses.username is None:
        raise SettingsError("NOTIFIER_SES__USERNAME: is not set; SES takes no mail without a login")
    config = smtp_config(
        ses,
        parts.settings.email,
        provider=SES.name,
        host=ses.host or f"email-smtp.{ses.region}.amazonaws.com",
        headers={_HEADER: ses.configuration_set} if ses.configuration_set else {},
    )
    return SmtpAdapter(config, parts.clock)


def _route(ses: SesSettings, clock: Clock) -> CallbackRoute:
    with extra("ses"):
        from notifier.channels.email.ses.callbacks import notification_route  # noqa: PLC0415 - an extra
    return notification_route(ses.topic_arns, clock)


def _callbacks(ses: SesSettings) -> MakeRoutes | None:
    return (lambda clock: (_route(ses, clock),)) if ses.topic_arns else None


SES = Provider(
    name="ses",
    channels=(Channel.EMAIL,),
    settings=SesSettings,
    make=_make,
    callbacks=_callbacks,
    variables={
        "sender:": "NOTIFIER_EMAIL__SENDER:",
        "smtp ca_file:": "NOTIFIER_SES__CA_PATH:",
    },
)
