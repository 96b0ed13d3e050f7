"""How providers stand: what operators see, and which channels have nobody left to ask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.notification.model import Channel
from notifier.providers.account import ProviderState, ProviderWord, PutOff

STATES: Sequence[ProviderWord] = ("closed", "open", "paused", "throttled")


@dataclass(frozen=True, slots=True)
class Standing:
    """One provider account; `channels` are those that it serves here."""

    state: ProviderState
    channels: Sequence[Channel]
    put_off: PutOff


def standings(
    routes: Mapping[Channel, Sequence[str]],
    states: Sequence[ProviderState],
    put_off: Sequence[PutOff] = (),
) -> Mapping[str, Standing]:
    """Return every provider that is configured or was ever in trouble, by name."""
    known = {state.name: state for state in states}
    waiting = {each.provider: each for each in put_off}
    names = [*(name for providers in routes.values() for name in providers), *known, *waiting]
    return {
        name: Standing(
            known.get(name) or _untroubled(name),
            [channel for channel, providers in routes.items() if name in providers],
            waiting.get(name) or PutOff(provider=name, count=0, oldest_s=0),
        )
        for name in sorted(set(names))
    }


def channel_problem(providers: Sequence[str], all: Mapping[str, Standing]) -> str | None:
    """Return why no provider of a channel may be asked now; None if one may."""
    if not providers or any(all[name].state.may_be_asked for name in providers):
        return None
    words = ", ".join(f"{name} is {all[name].state.word}" for name in providers)
    return f"no provider may be asked: {words}"


def _untroubled(name: str) -> ProviderState:
    return ProviderState(
        name=name, is_paused=False, opened_at=None, closed_for_s=0, reason=None, trips=0
    )
