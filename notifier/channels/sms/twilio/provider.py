"""Twilio, as a provider."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from notifier.channels.provider import MakeRoutes, Parts, Provider
from notifier.channels.sms.twilio.adapter import TwilioAdapter, TwilioConfig
from notifier.channels.sms.twilio.receipts import message_route, status_route
from notifier.channels.sms.twilio.sender import parse_sms_sender
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import SettingsError
from notifier.notification.model import Channel
from notifier.settings.groups import ProviderSettings
from notifier.settings.reading import BaseUrl


class TwilioSettings(ProviderSettings):
    """The Twilio provider."""

    account_sid: str | None = Field(None, description="Account SID, AC...")
    auth_token: SecretStr | None = Field(None, description="Auth token.")
    sender: Annotated[str, AfterValidator(parse_sms_sender)] | None = Field(
        None,
        description="A number in E.164, a short code, a name of up to 11 letters, digits and "
        "spaces with at least one letter, or a messaging service's SID (MG...).",
    )
    status_callback_base_url: BaseUrl | None = Field(
        None,
        description="URL that Twilio reports a message's fate to, a slash and the notification's "
        "id added: the public address of this API with /callbacks/twilio. Without it Twilio "
        "reports nothing.",
    )
    base_url: BaseUrl = Field("https://api.twilio.com", description="Where the provider's API is.")


def _make(_channel: Channel, twilio: TwilioSettings, parts: Parts) -> ChannelAdapter:
    if not (twilio.account_sid and twilio.auth_token and twilio.sender):
        missing = next(
            name for name in ("account_sid", "auth_token", "sender") if not getattr(twilio, name)
        )
        raise SettingsError(f"NOTIFIER_TWILIO__{missing.upper()}: is not set")
    return TwilioAdapter(
        TwilioConfig(
            account_sid=twilio.account_sid,
            auth_token=twilio.auth_token.get_secret_value(),
            sender=twilio.sender,
            status_callback_base_url=twilio.status_callback_base_url,
            base_url=twilio.base_url,
            timeout_s=twilio.timeout_s,
            max_connections=parts.settings.sms.consumers,
        ),
        parts.clock,
    )


def _callbacks(twilio: TwilioSettings) -> MakeRoutes | None:
    if twilio.status_callback_base_url is None or twilio.auth_token is None:
        return None
    base_url = twilio.status_callback_base_url.rstrip("/")
    token = twilio.auth_token.get_secret_value().encode()
    return lambda _clock: (status_route(base_url, token), message_route(base_url, token))


TWILIO = Provider(
    name="twilio",
    channels=(Channel.SMS,),
    settings=TwilioSettings,
    make=_make,
    callbacks=_callbacks,
    variables={"twilio sender:": "NOTIFIER_TWILIO__SENDER:"},
)
