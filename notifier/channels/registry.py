"""The providers that there are, and those that the settings name."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from notifier.channels.email.sendgrid.provider import SENDGRID
from notifier.channels.email.ses.provider import SES
from notifier.channels.email.smtp.provider import SMTP
from notifier.channels.in_app import IN_APP
from notifier.channels.provider import Parts, Provider
from notifier.channels.sandbox import SANDBOX
from notifier.channels.sms.twilio.provider import TWILIO
from notifier.clock import Clock
from notifier.delivery.ports import ChannelAdapter
from notifier.delivery.retry import RetryPolicy
from notifier.errors import SettingsError
from notifier.notification.model import Channel, OnUnknown
from notifier.providers.receipt import CallbackRoute
from notifier.settings.environment import PREFIX
from notifier.settings.groups import ChannelSettings, Settings

PROVIDERS: Sequence[Provider[Any]] = (SMTP, SENDGRID, SES, TWILIO, IN_APP, SANDBOX)

OFF = "none"


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


def captured_channels(settings: Settings) -> frozenset[Channel]:
    """The channels of which nothing leaves: the sandbox is their only provider."""
    groups = channel_settings(settings)
    return frozenset(each for each, group in groups.items() if group.providers == (SANDBOX.name,))


def make_routes(parts: Parts) -> Mapping[Channel, Sequence[ChannelAdapter]]:
    """The adapters of each channel's providers, in order of preference.

    Raises:
        SettingsError: a provider lacks a setting.
    """
    return {
        channel: [_named(name).adapter(channel, parts) for name in group.providers]
        for channel, group in channel_settings(parts.settings).items()
    }


def adapter_of(name: str, channel: Channel, parts: Parts) -> ChannelAdapter:
    """Make the adapter of one provider alone. Raises as `make_routes`."""
    return _named(name).adapter(channel, parts)


def shown_settings(name: str, settings: Settings) -> Mapping[str, str]:
    """Return how a provider is reached and how fast it is asked; nothing secret."""
    return _named(name).shown(settings)


def provider_names() -> Collection[str]:
    """The providers that there are, whichever are configured."""
    return {each.name for each in PROVIDERS}


def rates_per_s(settings: Settings) -> Mapping[str, float]:
    """The pace of each provider that has one."""
    rates = {each.name: each.own(settings).rate_per_s for each in PROVIDERS}
    return {name: rate for name, rate in rates.items() if rate is not None}


def callback_routes(settings: Settings, clock: Clock) -> Sequence[CallbackRoute]:
    """How providers report here afterwards.

    Raises:
        SettingsError: what verifies their signatures cannot be made.
    """
    return [route for each in PROVIDERS for route in each.callback_routes(settings, clock)]


def retry_policies(settings: Settings) -> Mapping[Channel, RetryPolicy]:
    """How each channel that is on retries."""
    reporting = {each.name for each in PROVIDERS if each.reports(settings)}
    return {
        channel: RetryPolicy(
            schedule_s=group.retry_schedule_s,
            max_attempts=group.max_attempts,
            snooze_s=group.snooze_s,
            snooze_limit_s=group.snooze_limit_s,
            on_unknown=OnUnknown(group.on_unknown),
            unknown_wait_s=group.unknown_wait_s if reporting.intersection(group.providers) else 0,
        )
        for channel, group in channel_settings(settings).items()
    }


def _named(name: str) -> Provider[Any]:
    return next(each for each in PROVIDERS if each.name == name)


def _check_providers(channel: Channel, providers: tuple[str, ...]) -> None:
    variable = f"{PREFIX}{channel.upper()}__PROVIDERS"
    there_are = [each.name for each in PROVIDERS if channel in each.channels]
    known = ", ".join(there_are)
    if not providers:
        raise SettingsError(f"{variable}: is not set; name {known}, or {OFF} to turn {channel} off")
    unknown = [name for name in providers if name not in there_are]
    if unknown and providers != (OFF,):
        raise SettingsError(f"{variable}: {channel} has no provider {unknown[0]!r}; it has {known}")
    if len({*providers}) < len(providers):
        raise SettingsError(f"{variable}: name each provider once, in order of preference")
