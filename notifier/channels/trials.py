"""What a test that failed says to whoever set the provider up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from notifier.channels.email.own_sender import is_about_sender
from notifier.channels.refusals.blame import Blame
from notifier.notification.model import Message
from notifier.notification.outcomes import Outcome, Sent, Systemic, Transient, Unknown
from notifier.providers.trial import Step, Trial

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_OF_THE_RECIPIENT = (Blame.GONE, Blame.OPTED_OUT, Blame.RECIPIENT, Blame.RECIPIENT_NOW)
_BY_CODE: Final[Mapping[str, Step]] = {"dns": Step.DNS, "tls": Step.TLS}
_ON_THE_WIRE = {
    "dns": "the host's name is not found",
    "tls": "its certificate, or its TLS, is not accepted",
    "connection_refused": "nothing listens there",
    "timeout": "no answer in time",
    "connection_lost": "the connection broke",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """The variables to see, by what is wrong."""

    door: str
    login: str
    sender: str


def bare(message: Message) -> Message:
    """Return it without content: of a test there is nothing to hide in a provider's words."""
    return replace(message, subject=None, text="", html=None)


def advice_on(step: Step, outcome: Outcome, hints: Hints) -> str:
    """Return what to do about a message that did not get through `step`."""
    if isinstance(outcome, Unknown):
        return "it may have arrived: look there before you try again"
    if isinstance(outcome, Transient) and outcome.throttled:
        return "it is asked too often, or a quota is used up: wait, or see the provider's limits"
    match step:
        case Step.DNS | Step.CONNECT | Step.TLS | Step.GREETING:
            return f"see {hints.door}, and whether a firewall lets this machine through"
        case Step.LOGIN:
            return f"see {hints.login}"
        case Step.SENDER:
            return f"see {hints.sender}: the provider lets this login send as what it knows alone"
        case Step.RECIPIENT:
            return _on_recipient(outcome, hints)
        case Step.CONTENT:
            return "see the provider's words, and its own log: it took the addresses"


def _on_recipient(outcome: Outcome, hints: Hints) -> str:
    # Whom a server relays for may depend on the recipient: the outcome alone does not tell.
    if isinstance(outcome, Systemic) or "relay" in _words(outcome).lower():
        return f"the provider passes nothing on to there for us: see {hints.login}"
    if isinstance(outcome, Transient):
        return "the provider works; this recipient may be taken later: try again in minutes"
    return "the provider works; try another recipient"


def _words(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Sent) else outcome.message


# --- HTTP -----------------------------------------------------------------------------------


def answered_trial(
    outcome: Outcome, blame: Blame, status: int, words: str, hints: Hints, *, is_tls: bool
) -> Trial:
    """Return how far a request came that was answered: with `blame`, in these words."""
    if isinstance(outcome, Sent):
        return _taken(outcome, is_tls=is_tls)
    return _failed(outcome, _step_of(status, blame, words), outcome.message, hints, is_tls=is_tls)


def unanswered_trial(outcome: Outcome, hints: Hints, *, is_tls: bool) -> Trial:
    """Return how far a request came where `outcome` is all there is; it may have been taken."""
    match outcome:
        case Sent():
            return _taken(outcome, is_tls=is_tls)
        case Transient() if outcome.code in _ON_THE_WIRE:
            at = _BY_CODE.get(outcome.code, Step.CONNECT)
            return _failed(outcome, at, _ON_THE_WIRE[outcome.code], hints, is_tls=is_tls)
        case _:
            return _failed(outcome, Step.CONTENT, outcome.message, hints, is_tls=is_tls)


def _taken(outcome: Sent, *, is_tls: bool) -> Trial:
    mail = (Step.SENDER, Step.RECIPIENT, Step.CONTENT)
    return Trial(outcome=outcome, steps=(*_steps(is_tls=is_tls), *mail))


def _failed(outcome: Outcome, at: Step, detail: str, hints: Hints, *, is_tls: bool) -> Trial:
    advice, steps = advice_on(at, outcome, hints), _steps(is_tls=is_tls)
    return Trial(outcome=outcome, steps=steps, failed_at=at, detail=detail, advice=advice)


def _steps(*, is_tls: bool) -> Sequence[Step]:
    """Return what each request gets through; what is wrong with a message is said at once."""
    return (Step.DNS, Step.CONNECT, *((Step.TLS,) if is_tls else ()), Step.LOGIN)


def _step_of(status: int, blame: Blame, words: str) -> Step:
    if blame in _OF_THE_RECIPIENT:
        return Step.RECIPIENT
    if blame is not Blame.OURS:
        return Step.CONTENT
    if status != HTTPStatus.UNAUTHORIZED and is_about_sender(words):
        return Step.SENDER
    return Step.LOGIN if status in _REFUSED else Step.SENDER
