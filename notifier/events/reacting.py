"""What comes of an event by the rules of its service; a dry run goes the same way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Self
from zoneinfo import ZoneInfo

from notifier.audience.person import Person
from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.broadcast import Broadcast
from notifier.content.template import TemplateVersion
from notifier.events.digest import Digest, Unfinished, derived_id
from notifier.events.event import Cancel, Effects, Event, Match, Outcome
from notifier.events.expressions import Context, Expressions, Unfit
from notifier.events.planning import (
    MOST_SHOWN,
    Occasion,
    Plan,
    PlanError,
    PlannedDraft,
    StepPlanner,
    needs_zone,
)
from notifier.events.rule import Rule, RuleVersion, Skip, is_of_type
from notifier.events.rules import RuleBook
from notifier.events.topics import is_for_topics, wish_of
from notifier.events.whom import To, ToTopic, read_whom
from notifier.intake.draft import Draft, Flaw
from notifier.intake.drafting import Drafter
from notifier.intake.ports import Submission
from notifier.notification.model import JsonValue
from notifier.notification.origin import Origin, Unless

_MAX_REASON_CHARS = 500
_OWN_CATEGORY = "what goes to a topic is of its template's category: leave category out"
_NOT_FOR_TOPICS = "to a topic goes one send over one channel, and nothing but delays before it"


@dataclass(frozen=True, slots=True)
class _Line:
    """What one rule comes to for one person, before its drafts are looked over."""

    match: Match
    plan: Plan


@dataclass(frozen=True, slots=True)
class Reactor:
    """Knows the rules, and what they come to. Changes nothing."""

    book: RuleBook
    planner: StepPlanner
    drafter: Drafter
    announcer: Announcer | None = None
    """For what goes to a topic; None: nothing does."""

    @classmethod
    def over(
        cls,
        book: RuleBook,
        expressions: Expressions,
        drafter: Drafter,
        announcer: Announcer | None = None,
    ) -> Self:
        """Make one that reads expressions, and goes by the rules of a drafter."""
        return cls(book, StepPlanner(expressions), drafter, announcer)

    async def react(self, event: Event) -> Effects:
        """Return what comes of an event, by the rules that are in force.

        Raises:
            StoreUnavailableError: rules, templates or people could not be looked up.
        """
        rules = await self.book.of(event.service)
        context = self._context(event)
        matches = await self._matches(rules.on(event.type), event, context)
        return Effects(matches, self._cancels(rules.taken_back_by(event.type), event, context))

    async def rehearse(self, version: RuleVersion, event: Event) -> Effects:
        """Return what would come of an event by one rule alone. Raises as `react`."""
        context = self._context(event)
        if not is_of_type(version.rule.on, event.type):
            reason = f"the rule is on {version.rule.on}, and not on this type"
            return Effects([_match(version, Outcome.UNMATCHED, reason)])
        return Effects(await self._matches([version], event, context))

    async def finished(self, digest: Digest) -> Sequence[Submission] | Unfinished:
        """Return what a digest comes to, always under the same ids.

        Raises:
            StoreUnavailableError: rules, templates or people could not be looked up.
        """
        version = await self.book.version(digest.version_id)
        if version is None:
            return Unfinished("the rule is not there any more")
        return await self.finish(version, digest)

    async def finish(
        self, version: RuleVersion, digest: Digest
    ) -> Sequence[Submission] | Unfinished:
        """Return what a digest comes to by this version of its rule. Raises as `finished`."""
        items: list[JsonValue] = [each.data for each in digest.items]
        to = To(digest.person) if digest.is_user else To(recipient=digest.person)
        try:
            occasion = await self._occasion(version.rule, to, digest.service, self._begun())
            found = self.planner.of_items(items[:MOST_SHOWN], digest.count, occasion)
            if isinstance(found, Unfit):
                return Unfinished(found.words)
            plan = self.planner.behind_digest(version.rule, to, found)
        except PlanError as error:
            return Unfinished(str(error))
        drafts = [await self._fitting(each.draft, digest.service) for each in plan.drafts]
        made = await self.drafter.submissions(drafts, service=digest.service)
        named = [_named(digest, each, its) for each, its in zip(made, plan.drafts, strict=True)]
        sent = _linked(named, plan, version.name, digest.match_key)
        return sent or Unfinished(_reason(plan, made) or "nothing is sent")

    def _begun(self) -> Occasion:
        return Occasion(context=Context({}), variables={}, now=self.drafter.clock.now())

    def _context(self, event: Event) -> Context | Unfit:
        return self.planner.expressions.context(
            {
                "data": event.data,
                "type": event.type,
                "source": event.source,
                "id": event.id,
                **({} if event.subject is None else {"subject": event.subject}),
                **({} if event.time is None else {"time": event.time.isoformat()}),
            }
        )

    async def _matches(
        self, rules: Sequence[RuleVersion], event: Event, context: Context | Unfit
    ) -> Sequence[Match]:
        lines = [line for each in rules for line in await self._lines(each, event, context)]
        drafts = [
            await self._fitting(each.draft, event.service)
            for line in lines
            for each in line.plan.drafts
        ]
        made = await self.drafter.submissions(
            drafts, service=event.service, traceparent=event.traceparent
        )
        matches = []
        for line in lines:
            own, made = made[: len(line.plan.drafts)], made[len(line.plan.drafts) :]
            matches.append(_settled(line, own))
        return matches

    async def _lines(
        self, version: RuleVersion, event: Event, context: Context | Unfit
    ) -> Sequence[_Line]:
        if isinstance(context, Unfit):
            return [_Line(_match(version, Outcome.FAILED, context.words), Plan())]
        rule, planner = version.rule, self.planner
        try:
            if rule.when and not planner.value("when", rule.when, context):
                return [_Line(_match(version, Outcome.UNMATCHED, "when: it is not so"), Plan())]
            whom = read_whom(planner.value("to", rule.to, context))
            if isinstance(whom, Unfit):
                return [_Line(_match(version, Outcome.FAILED, whom.words), Plan())]
            key = planner.text("key", rule.key, context) if rule.key else None
            given = planner.variables("variables", rule.variables, context)
        except PlanError as error:
            return [_Line(_failed(version, error), Plan())]
        variables = given if rule.variables else _offered(event.data)
        its = Occasion(context=context, variables=variables, now=self.drafter.clock.now())
        if isinstance(whom, ToTopic):
            match = await self._announced(version, whom, event.service, its)
            return [_Line(replace(match, key=key), Plan())]
        return [await self._line(version, key, each, event.service, its) for each in whom]

    async def _line(
        self, version: RuleVersion, key: str | None, to: To, service: str, occasion: Occasion
    ) -> _Line:
        try:
            zoned = await self._occasion(version.rule, to, service, occasion)
            plan = self.planner.plan(version.rule, to, zoned)
        except PlanError as error:
            return _Line(_about(_failed(version, error), to, key), Plan())
        match = _about(_match(version, Outcome.MATCHED), to, key)
        return _Line(replace(match, digest_item=plan.item, throttle=plan.throttle), plan)

    async def _announced(
        self, version: RuleVersion, to: ToTopic, service: str, occasion: Occasion
    ) -> Match:
        """Make a broadcast of a rule that is for a topic."""
        try:
            plan = self.planner.plan(version.rule, To(), occasion)
        except PlanError as error:
            return _failed(version, error)
        if version.rule.category is not None:
            return _match(version, Outcome.FAILED, _OWN_CATEGORY)
        if self.announcer is None or not is_for_topics(plan):
            return _match(version, Outcome.FAILED, _NOT_FOR_TOPICS)
        draft = await self._fitting(plan.drafts[0].draft, service)
        made = await self.announcer.announced(wish_of(draft, to.topic), service=service)
        if isinstance(made, Broadcast):
            return replace(_match(version, Outcome.MATCHED), broadcast=made)
        words = "; ".join(f"{each.field}: {each.words}" for each in made)
        return _match(version, Outcome.FAILED, words[:_MAX_REASON_CHARS])

    async def _occasion(self, rule: Rule, to: To, service: str, occasion: Occasion) -> Occasion:
        """Return an occasion by the clocks of whom it is for, if the rule goes by them."""
        now = self.drafter.clock.now()
        if not needs_zone(rule) or to.user_id is None:
            return replace(occasion, now=now)
        people = await self.drafter.audience.people(service, [to.user_id])
        zone = _zone(people.get(to.user_id)) or self.drafter.audience.default_zone
        return replace(occasion, now=now, zone=zone)

    async def _fitting(self, draft: Draft, service: str) -> Draft:
        """Leave out what the template does not declare: an event has more than one template's."""
        if draft.template is None:
            return draft
        found = await self.drafter.pinner.library.find(service, draft.template)
        if not isinstance(found, TemplateVersion):
            return draft
        declared = found.content.schema.get("properties")
        if found.content.schema.get("additionalProperties", False) is not False:
            return draft
        names = declared if isinstance(declared, Mapping) else {}
        given = draft.variables or {}
        return replace(draft, variables={name: given[name] for name in given if name in names})

    def _cancels(
        self, rules: Sequence[RuleVersion], event: Event, context: Context | Unfit
    ) -> Sequence[Cancel]:
        if isinstance(context, Unfit):
            return ()
        found: list[Cancel] = []
        for version in rules:
            rule = version.rule
            takes_back = any(is_of_type(each, event.type) for each in rule.cancelled_by)
            kept_back = None if takes_back else _kept_back_by(rule, event.type)
            if rule.key is None or not (takes_back or kept_back):
                continue
            try:
                key = self.planner.text("key", rule.key, context)
            except PlanError:  # an event without the key takes nothing back
                continue
            found.append(Cancel(version.name, key, kept_back))
        return found


def _kept_back_by(rule: Rule, type: str) -> str | None:
    events = (each.event for each in rule.steps if isinstance(each, Skip) and each.event)
    return next((each for each in events if is_of_type(each, type)), None)


def _match(version: RuleVersion, outcome: Outcome, reason: str | None = None) -> Match:
    return Match(rule=version.name, version_id=version.id, outcome=outcome, reason=reason)


def _about(match: Match, to: To, key: str | None) -> Match:
    return replace(match, person=to.person, is_user=to.user_id is not None, key=key)


def _failed(version: RuleVersion, error: PlanError) -> Match:
    outcome = Outcome.UNMATCHED if error.is_missing else Outcome.FAILED
    return _match(version, outcome, str(error)[:_MAX_REASON_CHARS])


def _offered(data: JsonValue) -> Mapping[str, JsonValue]:
    return data if isinstance(data, dict) else {}


def _zone(person: Person | None) -> tzinfo | None:
    return ZoneInfo(person.time_zone) if person and person.time_zone else None


def _settled(line: _Line, made: Sequence[Submission | list[Flaw]]) -> Match:
    """Return a match with what became of its drafts."""
    match, plan = line.match, line.plan
    if match.outcome is not Outcome.MATCHED:
        return match
    sent = _linked(made, plan, match.rule, match.key)
    reason = _reason(plan, made)
    if not sent and plan.item is None and match.broadcast is None:
        return replace(match, outcome=Outcome.FAILED, reason=reason or "nothing is sent")
    return replace(match, submissions=sent, reason=reason)


def _linked(
    made: Sequence[Submission | list[Flaw]], plan: Plan, rule: str, key: str | None
) -> Sequence[Submission]:
    """Return what can be sent, each with what keeps it back."""
    return [
        replace(each, origin=_origin(its, made, rule, key))
        for each, its in zip(made, plan.drafts, strict=True)
        if isinstance(each, Submission)
    ]


def _origin(
    its: PlannedDraft,
    made: Sequence[Submission | list[Flaw]],
    rule: str,
    key: str | None,
) -> Origin:
    unless = None
    if its.unless:
        before, condition = made[its.unless[0]], its.unless[1]
        unless = Unless(before.id, condition) if isinstance(before, Submission) else None
    return Origin(rule=rule, key=key, unless=unless, unless_event=its.unless_event)


def _reason(plan: Plan, made: Sequence[Submission | list[Flaw]]) -> str | None:
    """Say what cannot be sent, and why."""
    words = [
        f"{its.name}: {'/'.join(map(str, (flaw.field, *flaw.path)))}: {flaw.words}"
        for each, its in zip(made, plan.drafts, strict=True)
        if isinstance(each, list)
        for flaw in each
    ]
    return "; ".join(words)[:_MAX_REASON_CHARS] or None


def _named(
    digest: Digest, made: Submission | list[Flaw], its: PlannedDraft
) -> Submission | list[Flaw]:
    if isinstance(made, list):
        return made
    return replace(made, id=derived_id(digest.id, digest.rule, its.name))
