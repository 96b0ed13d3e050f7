"""Which order a rule's steps may have."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from notifier.events.rule import Collect, Delay, Lasting, Limit, Rule, Send, Skip, Step
from notifier.events.written import RuleFlaw
from notifier.intake.drafting import MAX_DELAY
from notifier.notification.model import Channel
from notifier.notification.origin import Condition

_ONCE = ((Collect, "digest"), (Limit, "throttle"))


def order_flaws(rule: Rule) -> Iterator[RuleFlaw]:
    """Say what is wrong with the order of a rule's steps, and with how it is cancelled."""
    steps = rule.steps
    for kind, name in _ONCE:
        places = [at for at, each in enumerate(steps) if isinstance(each, kind)]
        for at in places[1:]:
            yield RuleFlaw(("steps", at), f"there is one {name} at most")
    for at, each in enumerate(steps):
        if words := _fault(each, steps[:at]):
            yield RuleFlaw(("steps", at), words)
    if not isinstance(steps[-1], Send):
        yield RuleFlaw(("steps", len(steps) - 1), "the last step has to be a send")
    if words := _too_long(steps):
        yield RuleFlaw(("steps",), words)
    yield from _key_flaws(rule)


def _too_long(steps: Sequence[Step]) -> str | None:
    spans = [each.until for each in steps if isinstance(each, Delay)]
    seconds = sum(each.seconds for each in spans if isinstance(each, Lasting))
    if timedelta(seconds=seconds) <= MAX_DELAY:
        return None
    return f"expected delays of {MAX_DELAY.days} days at most, all of them together"


def _fault(step: Step, before: Sequence[Step]) -> str | None:
    match step:
        case Collect() if any(not isinstance(each, Limit) for each in before):
            return "nothing but a throttle can come before digest"
        case Limit() if any(isinstance(each, Collect) for each in before):
            return "throttle has to come before digest"
        case Skip(condition=Condition() as condition):
            return _unmet(condition, before)
        case Skip() if any(isinstance(each, Skip) and each.event for each in before):
            return "there is one event at most that keeps back what follows"
        case _:
            return None


def _unmet(condition: Condition, before: Sequence[Step]) -> str | None:
    sends = [each for each in before if isinstance(each, Send)]
    if not sends:
        return "there is no send before it that it could be about"
    if condition is Condition.READ and Channel.IN_APP not in sends[-1].channels:
        return "only what is sent in_app can be seen to be read: the send before it has to be that"
    return None


def _key_flaws(rule: Rule) -> Iterator[RuleFlaw]:
    if rule.key is not None:
        return
    if rule.cancelled_by:
        yield RuleFlaw(("key",), "is needed by cancelled_by: what is taken back has the same key")
    for at, each in enumerate(rule.steps):
        if isinstance(each, Skip) and each.event:
            yield RuleFlaw(("key",), f"is needed by steps/{at}: that event has the same key")
