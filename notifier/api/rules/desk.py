"""What the API's endpoints and the console's pages do with rules, each in its own words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from notifier.api.kit.body import pointer
from notifier.api.kit.problems import InvalidField
from notifier.events.cloudevents import read_structured
from notifier.events.event import Event
from notifier.events.expressions import Expressions
from notifier.events.rehearsing import Rehearsed, Rehearser
from notifier.events.reviewing import Reviewer
from notifier.events.rule import Rule, RuleVersion
from notifier.events.rule_reading import read_rule
from notifier.events.rules import RuleBook, RuleStore
from notifier.events.written import RuleFlaw
from notifier.notification.model import JsonValue

_USUAL = {"specversion": "1.0", "id": "dry-run", "source": "/dry-run"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDesk:
    """Reads, reviews and rehearses what is written."""

    rules: RuleStore
    book: RuleBook
    expressions: Expressions
    reviewer: Reviewer
    rehearser: Rehearser
    new_id: Callable[[], UUID]

    def read(self, document: JsonValue) -> Rule | Sequence[RuleFlaw]:
        """Read a rule, or say all that is wrong with it."""
        return read_rule(document, self.expressions.fault)

    async def flaws(self, document: JsonValue, service: str) -> Sequence[RuleFlaw]:
        """Return all that keeps a document from being put in force, as things are now.

        Raises:
            StoreUnavailableError: what it names could not be looked up.
        """
        rule = self.read(document)
        return await self.reviewer.flaws(rule, service) if isinstance(rule, Rule) else rule

    def event(
        self, service: str, rule: Rule, said: Mapping[str, JsonValue]
    ) -> Event | list[InvalidField]:
        """Read an event that a rule might get; what is left out of its attributes is filled in."""
        event = read_structured({**_USUAL, "type": _type(rule), **said}, service)
        if isinstance(event, Event):
            return event
        return [InvalidField(pointer(("event", each.field)), each.words) for each in event]

    async def rehearse(
        self, name: str, number: int, rule: Rule, event: Event
    ) -> Sequence[Rehearsed]:
        """Return what would come of an event by a rule as its version `number`.

        Raises:
            StoreUnavailableError: templates or people could not be looked up.
        """
        version = RuleVersion(
            id=self.new_id(), service=event.service, name=name, number=number, rule=rule
        )
        return await self.rehearser.rehearse(version, event)


def _type(rule: Rule) -> str:
    """Return a type of event that a rule is on."""
    on = rule.on
    return f"{on.removesuffix('*')}dry-run" if on.endswith(".*") else on
