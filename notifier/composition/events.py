"""What takes events, and knows the rules for them."""

from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.roll import Roll
from notifier.composition.resources import Resources
from notifier.events.reacting import Reactor
from notifier.events.rules import RuleBook
from notifier.intake.drafting import Drafter
from notifier.rendering.expressions import ExpressionEngine


def make_reactor(resources: Resources, drafter: Drafter) -> Reactor:
    """Return what goes by the rules that are in force."""
    stores = resources.stores
    book = RuleBook(stores.rules, resources.clock)
    roll = Roll(stores.topics, stores.people, stores.topic_zones)
    return Reactor.over(book, ExpressionEngine(), drafter, Announcer.over(roll, drafter))
