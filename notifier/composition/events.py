"""What takes events, and knows the rules for them."""

from notifier.composition.resources import Resources
from notifier.events.reacting import Reactor
from notifier.events.rules import RuleBook
from notifier.intake.drafting import Drafter
from notifier.rendering.expressions import ExpressionEngine


def make_reactor(resources: Resources, drafter: Drafter) -> Reactor:
    """Return what goes by the rules that are in force."""
    book = RuleBook(resources.stores.rules, resources.clock)
    return Reactor.over(book, ExpressionEngine(), drafter)
