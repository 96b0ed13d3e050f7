"""SMTP adapters as the variables have it, for a mailbox that is sent from with tokens."""

from collections.abc import Mapping
from typing import Any, cast

from notifier.audience.inbox import Inbox
from notifier.channels.email.smtp.provider import SMTP
from notifier.channels.provider import Parts
from notifier.clock import Clock
from notifier.composition.settings import read_settings
from notifier.delivery.ports import ChannelAdapter
from notifier.notification.model import Channel
from notifier.providers.captures import Captures
from tests.servers.token_endpoint import CLIENT_ID, CLIENT_SECRET, MAILBOX, REFRESH_TOKEN

NEEDED = {
    "NOTIFIER_DATABASE_URL": "sqlite:///x",
    "NOTIFIER_BROKER_URL": "memory://",
    "NOTIFIER_KEY_PEPPER": "of sixteen letters",
    "NOTIFIER_EMAIL__PROVIDERS": "smtp",
    "NOTIFIER_EMAIL__SENDER": f"Shop <{MAILBOX}>",
    "NOTIFIER_SMS__PROVIDERS": "none",
    "NOTIFIER_SMTP__USERNAME": MAILBOX,
}
BY_CONSENT: Mapping[str, str] = {
    "OAUTH_CLIENT_ID": CLIENT_ID,
    "OAUTH_CLIENT_SECRET": CLIENT_SECRET,
    "OAUTH_REFRESH_TOKEN": REFRESH_TOKEN,
}


def smtp_adapter(clock: Clock, smtp: Mapping[str, str | None]) -> ChannelAdapter:
    """Make an adapter of SMTP's variables, named without their prefix; None unsets one.

    Raises:
        SettingsError: one of them is wrong or lacks.
    """
    nowhere: Any = None
    given = NEEDED | {f"NOTIFIER_SMTP__{name}": value for name, value in smtp.items()}
    parts = Parts(
        settings=read_settings({name: value for name, value in given.items() if value}),
        clock=clock,
        inbox=cast("Inbox", nowhere),
        captures=cast("Captures", nowhere),
    )
    return SMTP.adapter(Channel.EMAIL, parts)
