"""Looking at what a rule would make of an event, the way that it would really go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from notifier.content.ports import example_offered
from notifier.content.template import Rendered, TemplateVersion
from notifier.errors import TemplateError
from notifier.events.digest import Collected, Digest, Unfinished
from notifier.events.event import Event, Match
from notifier.events.reacting import Reactor
from notifier.events.rule import RuleVersion
from notifier.intake.ports import Submission
from notifier.notification.model import JsonValue


@dataclass(frozen=True, slots=True)
class Shown:
    """A notification that would be made, and what it says; None: it cannot be shown."""

    submission: Submission
    rendered: Rendered | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What would be made of an event for one person."""

    match: Match
    now: Sequence[Shown]
    behind_digest: Sequence[Shown] = ()
    """What its digest would come to if nothing else came."""
    unfinished: str | None = None
    """Why its digest would come to nothing."""


@dataclass(frozen=True, slots=True)
class Rehearser:
    """Has a reactor react, and shows what comes of it. Nothing is stored or sent."""

    reactor: Reactor

    async def rehearse(self, version: RuleVersion, event: Event) -> Sequence[Rehearsed]:
        """Return what would come of an event by this version of a rule.

        Raises:
            StoreUnavailableError: templates or people could not be looked up.
        """
        effects = await self.reactor.rehearse(version, event)
        return [await self._rehearsed(each, version, event) for each in effects.matches]

    async def _rehearsed(self, match: Match, version: RuleVersion, event: Event) -> Rehearsed:
        now = [await self._shown(each) for each in match.submissions]
        if match.digest_item is None:
            return Rehearsed(match=match, now=now)
        made = await self.reactor.finish(version, self._digest(match, event))
        if isinstance(made, Unfinished):
            return Rehearsed(match=match, now=now, unfinished=made.reason)
        behind = [await self._shown(each) for each in made]
        return Rehearsed(match=match, now=now, behind_digest=behind)

    def _digest(self, match: Match, event: Event) -> Digest:
        item, now = match.digest_item, self.reactor.drafter.clock.now()
        assert item  # noqa: S101  asked for those that have one
        return Digest(
            id=self.reactor.drafter.new_id(),
            service=event.service,
            rule=match.rule,
            version_id=match.version_id,
            person=match.person or "",
            is_user=match.is_user,
            key=item.key,
            match_key=match.key,
            opened_at=now,
            closed_at=item.due_at,
            count=1,
            items=[Collected(event=event.key, at=now, data=item.data)],
        )

    async def _shown(self, made: Submission) -> Shown:
        pin, pinner = made.template, self.reactor.drafter.pinner
        version = await pinner.library.version(pin.version_id) if pin else None
        if pin is None or not isinstance(version, TemplateVersion):
            return Shown(made, None)
        described = await self._described(made)
        offered = replace(example_offered(str(made.id)), recipient=described)
        try:
            rendered = await pinner.renderer.render(
                version,
                made.channel,
                locale=pin.locale,
                variables=made.variables or {},
                offered=offered,
            )
        except TemplateError:
            return Shown(made, None)
        return Shown(made, rendered)

    async def _described(self, made: Submission) -> Mapping[str, JsonValue]:
        """Return what templates are told of whom it is for."""
        user_id = made.addressee.user_id if made.addressee else None
        if user_id is None:
            return {}
        people = await self.reactor.drafter.audience.people(made.service, [user_id])
        return people[user_id].described if user_id in people else {}
