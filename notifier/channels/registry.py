"""Which adapters the settings name: one table of providers for each channel."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from notifier.audience.inbox import Inbox
from notifier.channels.email.sendgrid import SendGridAdapter, SendGridConfig
from notifier.channels.email.smtp.adapter import SmtpAdapter
from notifier.channels.email.smtp.config import SmtpConfig
from notifier.channels.in_app import InAppAdapter
from notifier.channels.sandbox import SandboxAdapter
from notifier.channels.sms.twilio import TwilioAdapter, TwilioConfig
from notifier.clock import Clock
from notifier.delivery.ports import ChannelAdapter
from notifier.delivery.retry import RetryPolicy
from notifier.errors import SettingsError
from notifier.notification.model import Channel, OnUnknown
from notifier.providers.captures import Captures
from notifier.settings.environment import PREFIX
from notifier.settings.groups import ChannelSettings, Settings

OFF = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What adapters are made of."""

    settings: Settings
    clock: Clock
    inbox: Inbox
    captures: Captures


Make: TypeAlias = Callable[[Parts], ChannelAdapter]


def channel_settings(settings: Settings) -> Mapping[Channel, ChannelSettings]:
    """The settings of each channel that is on.

    Raises:
        SettingsError: a channel names no provider, or one that it does not have.
    """
    named: dict[Channel, ChannelSettings] = {
        Channel.EMAIL: settings.email,
        Channel.SMS: settings.sms,
        Channel.IN_APP: settings.in_app,
    }
    for channel, group in named.items():
        _check_providers(channel, group.providers)
    return {channel: group for channel, group in named.items() if group.providers != (OFF,)}


def make_routes(parts: Parts) -> Mapping[Channel, Sequence[ChannelAdapter]]:
    """The adapters of each channel's providers, in order of preference.

    Raises:
        SettingsError: a provider lacks a setting.
    """
    return {
        channel: [_make(channel, provider, parts) for provider in group.providers]
        for channel, group in channel_settings(parts.settings).items()
    }


def provider_names() -> Collection[str]:
    """The providers that there are, whichever are configured."""
    return {name for providers in _PROVIDERS.values() for name in providers}


def rates_per_s(settings: Settings) -> Mapping[str, float]:
    """The pace of each provider that has one."""
    rates = {
        "smtp": settings.smtp.rate_per_s,
        "sendgrid": settings.sendgrid.rate_per_s,
        "twilio": settings.twilio.rate_per_s,
    }
    return {name: rate for name, rate in rates.items() if rate is not None}


def retry_policies(settings: Settings) -> Mapping[Channel, RetryPolicy]:
    """How each channel that is on retries."""
    return {
        channel: RetryPolicy(
            schedule_s=group.retry_schedule_s,
            max_attempts=group.max_attempts,
            snooze_s=group.snooze_s,
            snooze_limit_s=group.snooze_limit_s,
            on_unknown=OnUnknown(group.on_unknown),
            unknown_wait_s=group.unknown_wait_s if _is_reported_on(channel, settings) else 0,
        )
        for channel, group in channel_settings(settings).items()
    }


def _is_reported_on(channel: Channel, settings: Settings) -> bool:
    """Whether some provider of the channel says afterwards what became of a message."""
    match channel:
        case Channel.EMAIL:
            return settings.sendgrid.webhook_public_key is not None
        case Channel.SMS:
            return settings.twilio.status_callback_base_url is not None
        case Channel.IN_APP:
            return False
        case _:
            assert_never(channel)


def _make(channel: Channel, provider: str, parts: Parts) -> ChannelAdapter:
    try:
        return _PROVIDERS[channel][provider](parts)
    except SettingsError as error:
        raise SettingsError(_with_variable(str(error))) from error


def _with_variable(problem: str) -> str:
    """Adapters know their fields, operators their variables."""
    for field, variable in _VARIABLES.items():
        if problem.startswith(field):
            return f"{variable}{problem.removeprefix(field)}"
    return problem


def _check_providers(channel: Channel, providers: tuple[str, ...]) -> None:
    variable = f"{PREFIX}{channel.upper()}__PROVIDERS"
    known = ", ".join(_PROVIDERS[channel])
    if not providers:
        raise SettingsError(f"{variable}: is not set; name {known}, or {OFF} to turn {channel} off")
    unknown = [name for name in providers if name not in _PROVIDERS[channel]]
    if unknown and providers != (OFF,):
        raise SettingsError(f"{variable}: {channel} has no provider {unknown[0]!r}; it has {known}")
    if len({*providers}) < len(providers):
        raise SettingsError(f"{variable}: name each provider once, in order of preference")


def _smtp(parts: Parts) -> ChannelAdapter:
    smtp = parts.settings.smtp
    if (smtp.username is None) != (smtp.password is None):
        raise SettingsError(
            "NOTIFIER_SMTP__USERNAME and NOTIFIER_SMTP__PASSWORD: set both or neither"
        )
    if smtp.username and smtp.security == "none":
        raise SettingsError("NOTIFIER_SMTP__SECURITY: none allows no login; use starttls or tls")
    return SmtpAdapter(
        SmtpConfig(
            host=smtp.host,
            port=smtp.port,
            sender=parts.settings.email.sender,
            username=smtp.username,
            password=smtp.password.get_secret_value() if smtp.password else None,
            security=smtp.security,
            ca_file=str(smtp.ca_path) if smtp.ca_path else None,
            helo_name=smtp.helo_name,
            timeout_s=smtp.timeout_s,
            max_connections=smtp.max_connections or parts.settings.email.consumers,
        ),
        parts.clock,
    )


def _sendgrid(parts: Parts) -> ChannelAdapter:
    sendgrid = parts.settings.sendgrid
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


def _twilio(parts: Parts) -> ChannelAdapter:
    twilio = parts.settings.twilio
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


def _in_app(parts: Parts) -> ChannelAdapter:
    return InAppAdapter(parts.inbox)


def _sandbox(parts: Parts) -> ChannelAdapter:
    return SandboxAdapter(parts.captures)


def _in_app_sandbox(parts: Parts) -> ChannelAdapter:
    return SandboxAdapter(parts.captures, then=InAppAdapter(parts.inbox))


_PROVIDERS: Mapping[Channel, Mapping[str, Make]] = {
    Channel.EMAIL: {"smtp": _smtp, "sendgrid": _sendgrid, "sandbox": _sandbox},
    Channel.SMS: {"twilio": _twilio, "sandbox": _sandbox},
    Channel.IN_APP: {"in_app": _in_app, "sandbox": _in_app_sandbox},
}

_VARIABLES = {
    "sender:": "NOTIFIER_EMAIL__SENDER:",
    "twilio sender:": "NOTIFIER_TWILIO__SENDER:",
    "smtp ca_file:": "NOTIFIER_SMTP__CA_PATH:",
    "smtp helo_name:": "NOTIFIER_SMTP__HELO_NAME:",
}
