"""What a rule needs that is not its own: templates, what they are filled with, and categories."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from notifier.audience.category import Categories
from notifier.content.library import Library
from notifier.content.ports import Renderer
from notifier.content.template import TemplateVersion, VariableFault, chosen_locale
from notifier.events.expressions import OF_DIGEST, Context, Expressions, Missing, Unfit
from notifier.events.planning import collecting
from notifier.events.rule import Rule, Send
from notifier.events.written import Path, RuleFlaw
from notifier.intake.pinning import IS_PARTIAL, why_not
from notifier.notification.model import Channel, JsonValue

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """Looks up what rules name."""

    library: Library
    renderer: Renderer
    expressions: Expressions
    categories: Categories
    channels: Collection[Channel]
    """Those that are on."""

    async def flaws(self, rule: Rule, service: str) -> list[RuleFlaw]:
        """Say what a rule would send and cannot, as templates and categories are now.

        Raises:
            StoreUnavailableError: they could not be looked up.
        """
        return [each async for each in self._flaws(rule, service)]

    async def _flaws(self, rule: Rule, service: str) -> AsyncIterator[RuleFlaw]:
        if rule.category is not None:
            there = (await self.categories.of(service)).by_key
            if rule.category not in there:
                yield RuleFlaw(("category",), _no_category(there))
        found: dict[int, TemplateVersion] = {}
        for index, step in enumerate(rule.steps):
            if not isinstance(step, Send):
                continue
            for flaw in self._turned_off(step, index):
                yield flaw
            version = await self._version(step, service)
            if isinstance(version, str):
                yield RuleFlaw(("steps", index, "template"), version)
            else:
                found[index] = version
        for flaw in _Fitting(self, rule, found).flaws():
            yield flaw

    def _turned_off(self, step: Send, index: int) -> Iterator[RuleFlaw]:
        for at, channel in enumerate(step.channels):
            if channel not in self.channels:
                yield RuleFlaw(("steps", index, "send", at), f"{channel} is turned off here")

    async def _version(self, step: Send, service: str) -> TemplateVersion | str:
        """Return what a step would send; or why that cannot be."""
        found = await self.library.find(service, step.ref)
        if not isinstance(found, TemplateVersion):
            return why_not(found)
        if found.content.is_partial:
            return IS_PARTIAL
        lacking = [
            each for each in step.channels if chosen_locale(found.content, each, None) is None
        ]
        return f"it has nothing for {', '.join(lacking)}" if lacking else found


@dataclass(frozen=True, slots=True)
class _Fitting:
    """What a rule's variables are to the templates that its steps send."""

    reviewer: Reviewer
    rule: Rule
    versions: Mapping[int, TemplateVersion]
    """By the step that sends it."""

    def flaws(self) -> Iterator[RuleFlaw]:
        for index, version in self.versions.items():
            yield from self._of_step(index, version)
        if not self._is_behind_digest(len(self.rule.steps)):
            yield from self._unknown_to_all()

    def _of_step(self, index: int, version: TemplateVersion) -> Iterator[RuleFlaw]:
        step = self.rule.steps[index]
        assert isinstance(step, Send)  # noqa: S101  it has a version
        own: Path = ("steps", index, "variables")
        for name in step.variables:
            if not _declares(version, name):
                yield RuleFlaw((*own, name), f"the template {step.template} has no such variable")
        takes_rules = bool(self.rule.variables) and not self._is_behind_digest(index)
        shared = self.rule.variables if takes_rules else {}
        places: dict[str, Path] = {name: ("variables", name) for name in shared}
        places |= {name: (*own, name) for name in step.variables}
        fixed = self._fixed({**shared, **step.variables})
        given = places.keys() | self._offered(index, version)
        for fault in self._faults(version, fixed):
            name = str(fault.path[0]) if fault.path else ""
            if name in fixed:
                yield RuleFlaw(places[name], f"{fault.words} (of the template {step.template})")
            elif len(fault.path) == 1 and name not in given:
                place = ("variables",) if takes_rules and not step.variables else own
                yield RuleFlaw(place, f"the template {step.template} needs {name}")

    def _offered(self, index: int, version: TemplateVersion) -> Collection[str]:
        """Return what a step's template may get besides what rule and step name."""
        if self._is_behind_digest(index):
            return OF_DIGEST
        if self.rule.variables:
            return ()
        return [*_properties(version)]  # the event's data may have them

    def _faults(
        self, version: TemplateVersion, fixed: Mapping[str, JsonValue]
    ) -> Sequence[VariableFault]:
        declared = {name: value for name, value in fixed.items() if _declares(version, name)}
        found = self.reviewer.renderer.completed(version, declared)
        return () if isinstance(found, Mapping) else found

    def _fixed(self, expressions: Mapping[str, str]) -> Mapping[str, JsonValue]:
        """Return what those come to that read nothing of an event."""
        nothing = Context({})
        found = {
            name: self.reviewer.expressions.value(each, nothing)
            for name, each in expressions.items()
            if self.reviewer.expressions.is_constant(each)
        }
        return {
            name: value for name, value in found.items() if not isinstance(value, Missing | Unfit)
        }

    def _unknown_to_all(self) -> Iterator[RuleFlaw]:
        """What no template of the rule declares is a slip of the pen; one does not need all."""
        for name in self.rule.variables if self.versions else ():
            if not any(_declares(version, name) for version in self.versions.values()):
                yield RuleFlaw(("variables", name), "no template of the rule has such a variable")

    def _is_behind_digest(self, index: int) -> bool:
        return index > collecting(self.rule)


def _properties(version: TemplateVersion) -> Mapping[str, object]:
    declared = version.content.schema.get("properties")
    return declared if isinstance(declared, Mapping) else {}


def _declares(version: TemplateVersion, name: str) -> bool:
    """Whether a template may be given a variable of this name."""
    is_open = version.content.schema.get("additionalProperties", False) is not False
    return is_open or name in _properties(version)


def _no_category(there: Collection[str]) -> str:
    if not there:
        return "there is no such category: this service has none"
    return f"there is no such category; there are {', '.join(sorted(there)[:_MOST_TOLD])}"
