"""The providers of the settings, each by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from notifier.channels.provider import Parts
from notifier.channels.registry import adapter_of, channel_settings, shown_settings
from notifier.checkup import Finding, Part, State
from notifier.clock import SystemClock
from notifier.composition.doctor import greeting, timed
from notifier.composition.stores import Stores
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import SettingsError
from notifier.notification.model import Channel, Message
from notifier.notification.outcomes import Unknown
from notifier.providers.trial import Configured, Step, Trial, Trier
from notifier.settings.groups import Settings

_MOST_S = 45.0
"""For a whole test: whoever asked is waiting."""


class SettingsBench:
    """`Bench` over the settings; each look has an adapter of its own."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self._settings = settings
        self._parts = Parts(
            settings=settings, clock=stores.clock, inbox=stores.inbox, captures=stores.captures
        )

    def configured(self) -> Sequence[Configured]:
        return [
            Configured(
                name=name,
                channel=channel,
                place=place,
                settings=shown_settings(name, self._settings),
                # An inbox is in the database.
                is_testable=channel is not Channel.IN_APP,
            )
            for channel, group in channel_settings(self._settings).items()
            for place, name in enumerate(group.providers, 1)
        ]

    async def greet(self, name: str) -> Sequence[Part]:
        named = [each for each in self.configured() if each.name == name]
        return await asyncio.gather(*(self._greeted(each) for each in named))

    async def try_out(self, name: str, message: Message) -> Trial:
        async with self._adapter(name, message.channel) as adapter:
            assert isinstance(adapter, Trier)  # noqa: S101  all that are testable are
            try:
                async with asyncio.timeout(_MOST_S):
                    return await adapter.try_out(message)
            except TimeoutError:
                outcome = Unknown("timeout", "")
                detail = f"no answer within {_MOST_S:g} s"
                return Trial(outcome=outcome, steps=(), failed_at=Step.CONTENT, detail=detail)

    async def _greeted(self, it: Configured) -> Part:
        part = f"{it.channel} by {it.name}"
        try:
            async with self._adapter(it.name, it.channel) as adapter:
                return await timed(part, greeting(adapter), SystemClock())
        except SettingsError as error:
            finding = Finding(State.WRONG, str(error), "set the variable that it names")
            return Part(name=part, finding=finding, took_s=0)

    @asynccontextmanager
    async def _adapter(self, name: str, channel: Channel) -> AsyncIterator[ChannelAdapter]:
        adapter = adapter_of(name, channel, self._parts)
        try:
            yield adapter
        finally:
            await adapter.close()
