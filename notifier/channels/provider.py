"""What a provider is: everything that the rest of notifier has to know of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar
from urllib.parse import urlsplit

from notifier.audience.inbox import Inbox
from notifier.clock import Clock
from notifier.delivery.ports import ChannelAdapter
from notifier.errors import SettingsError
from notifier.notification.model import Channel
from notifier.providers.captures import Captures
from notifier.providers.receipt import CallbackRoute
from notifier.settings.groups import ProviderSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What adapters are made of."""

    settings: Settings
    clock: Clock
    inbox: Inbox
    captures: Captures


class NoSettings(ProviderSettings):
    """Those of a provider that calls nobody."""


Own = TypeVar("Own", bound=ProviderSettings)


_SHOWN = ("host", "region", "port", "base_url", "security", "rate_per_s", "timeout_s")


MakeRoutes: TypeAlias = Callable[[Clock], Sequence[CallbackRoute]]


def _no_callbacks(_own: ProviderSettings) -> MakeRoutes | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider(Generic[Own]):
    """A provider, as its module gives it to the registry.

    `make` returns its adapter for a channel, and `callbacks` what makes the routes by which it
    reports afterwards, if it is set up to; both raise SettingsError for what cannot be made.
    `variables` are those that set what the adapter calls otherwise, by how its words begin.
    """

    name: str
    channels: Sequence[Channel]
    make: Callable[[Channel, Own, Parts], ChannelAdapter]
    settings: type[Own]
    callbacks: Callable[[Own], MakeRoutes | None] = _no_callbacks
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_settings(self) -> bool:
        """Whether something of it can be set."""
        return self.settings is not NoSettings

    def own(self, settings: Settings) -> Own:
        """Return its group of the settings."""
        group = getattr(settings, self.name, None) if self.has_settings else self.settings()
        assert isinstance(group, self.settings)  # noqa: S101  composition adds a group for each
        return group

    def shown(self, settings: Settings) -> Mapping[str, str]:
        """Return how it is reached and how fast it is asked, by its fields; nothing secret."""
        own = self.own(settings).model_dump(include=set(_SHOWN))
        return {name: _plain(own[name]) for name in _SHOWN if own.get(name) is not None}

    def adapter(self, channel: Channel, parts: Parts) -> ChannelAdapter:
        """Make its adapter.

        Raises:
            SettingsError: a setting is wrong or lacks; names its variable.
        """
        try:
            return self.make(channel, self.own(parts.settings), parts)
        except SettingsError as error:
            raise SettingsError(self._with_variable(str(error))) from error

    def callback_routes(self, settings: Settings, clock: Clock) -> Sequence[CallbackRoute]:
        """Return how it reports here. Raises as `adapter`."""
        make = self.callbacks(self.own(settings))
        return make(clock) if make else ()

    def reports(self, settings: Settings) -> bool:
        """Whether it says afterwards what became of what it took."""
        return self.callbacks(self.own(settings)) is not None

    def _with_variable(self, problem: str) -> str:
        """Adapters know their fields, operators their variables."""
        for words, variable in self.variables.items():
            if problem.startswith(words):
                return f"{variable}{problem.removeprefix(words)}"
        return problem


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    # Of a URL its host: a login may be part of it.
    return urlsplit(str(value)).hostname or str(value)
