"""What a rule needs that is not its own: the templates that its steps send."""

from collections.abc import Sequence
from dataclasses import dataclass

from notifier.content.library import Library
from notifier.content.template import TemplateVersion, chosen_locale
from notifier.events.rule import Rule, Send
from notifier.events.written import RuleFlaw
from notifier.intake.pinning import IS_PARTIAL, why_not


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Looks a rule's templates up."""

    library: Library

    async def flaws(self, rule: Rule, service: str) -> Sequence[RuleFlaw]:
        """Say what a rule would send and cannot, as templates are now.

        Raises:
            StoreUnavailableError: they could not be looked up.
        """
        return [
            RuleFlaw(("steps", index, "template"), words)
            for index, step in enumerate(rule.steps)
            if isinstance(step, Send) and (words := await self._fault(step, service))
        ]

    async def _fault(self, step: Send, service: str) -> str | None:
        found = await self.library.find(service, step.ref)
        if not isinstance(found, TemplateVersion):
            return why_not(found)
        if found.content.is_partial:
            return IS_PARTIAL
        lacking = [
            each for each in step.channels if chosen_locale(found.content, each, None) is None
        ]
        return f"it has nothing for {', '.join(lacking)}" if lacking else None
