"""SendGrid, as a provider."""

from pydantic import Field, SecretStr

from notifier.channels.email.sendgrid.adapter import SendGridAdapter, SendGridConfig
from notifier.channels.email.sendgrid.receipts import event_route
from notifier.channels.provider import MakeRoutes, Parts, Provider
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import SettingsError
from notifier.notification.model import Channel
from notifier.settings.groups import ProviderSettings
from notifier.settings.reading import BaseUrl


class SendgridSettings(ProviderSettings):
    """The SendGrid provider."""

    api_key: SecretStr | None = Field(None, description="API key with the scope mail.send.")
    base_url: BaseUrl = Field(
        "https://api.sendgrid.com", description="Where the provider's API is."
    )
    webhook_public_key: str | None = Field(
        None,
        description="Verification key of its event webhook (base64); its events are taken at "
        "/callbacks/sendgrid if set.",
    )


def _make(_channel: Channel, sendgrid: SendgridSettings, parts: Parts) -> ChannelAdapter:
    if sendgrid.api_key is None:
        raise SettingsError("NOTIFIER_SENDGRID__API_KEY: is not set")
    return SendGridAdapter(
        SendGridConfig(
            api_key=sendgrid.api_key.get_secret_value(),
            sender=parts.settings.email.sender,
            base_url=sendgrid.base_url,
            timeout_s=sendgrid.timeout_s,
            max_connections=parts.settings.email.consumers,
        ),
        parts.clock,
    )


def _callbacks(sendgrid: SendgridSettings) -> MakeRoutes | None:
    key = sendgrid.webhook_public_key
    return None if key is None else lambda clock: (event_route(key, clock),)


SENDGRID = Provider(
    name="sendgrid",
    channels=(Channel.EMAIL,),
    settings=SendgridSettings,
    make=_make,
    callbacks=_callbacks,
    variables={"sender:": "NOTIFIER_EMAIL__SENDER:"},
)
