"""Looking at members: what a broadcast comes to for each of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from notifier.audience.topic import Member
from notifier.broadcasts.broadcast import Broadcast
from notifier.broadcasts.fates import Fate, Looked
from notifier.content.library import Library
from notifier.content.template import TemplateRef
from notifier.errors import NotifierError
from notifier.intake.addressing import NO_SUCH_PERSON
from notifier.intake.draft import Draft, Flaw
from notifier.intake.drafting import Drafter
from notifier.intake.pinning import settled_pinner
from notifier.intake.ports import Submission
from notifier.notification.outcomes import SUPPRESSED


class NoVersionError(NotifierError):
    """Raised when the version that a broadcast was pinned to is not there."""


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Finds out what a broadcast comes to for members."""

    drafter: Drafter

    @property
    def library(self) -> Library:
        """What has the versions."""
        return self.drafter.pinner.library

    async def look(self, broadcast: Broadcast, members: Sequence[Member]) -> Sequence[Looked]:
        """Return what it comes to for each member, in their order.

        Raises:
            NoVersionError: its version is not there.
            StoreUnavailableError: people could not be looked up.
        """
        version = await self.library.version(broadcast.version_id)
        if version is None:
            raise NoVersionError("the broadcast's template version is not in the database")
        excluded = await self._excluded(broadcast)
        told = [each for each in members if each.user_id not in excluded]
        drafts = [_draft(broadcast, each) for each in told]
        pinner = settled_pinner(self.drafter.pinner, version, drafts)
        made = await replace(self.drafter, pinner=pinner).submissions(
            drafts, service=broadcast.service
        )
        found = {
            each.user_id: it
            for each, it in zip(told, made, strict=True)
            if not isinstance(it, Submission) or _person(it) not in excluded
        }
        return [_looked(each, found.get(each.user_id)) for each in members]

    async def _excluded(self, broadcast: Broadcast) -> Collection[str]:
        """Return whom it is not for, by all ids that were said and by those they have now."""
        said = broadcast.whom.excluded
        people = await self.drafter.audience.people(broadcast.service, said)
        return {*said, *(each.user_id for each in people.values())}


def _person(made: Submission) -> str | None:
    return made.addressee.user_id if made.addressee else None


def _draft(broadcast: Broadcast, member: Member) -> Draft:
    own = member.properties
    return Draft(
        channel=broadcast.channel,
        user_id=member.user_id,
        template=TemplateRef(broadcast.template),
        # One object for all who have none of their own: what it comes to is found out once.
        variables={**broadcast.variables, **own} if own else broadcast.variables,
        lane=broadcast.lane,
    )


def _looked(member: Member, made: Submission | Sequence[Flaw] | None) -> Looked:
    match made:
        case None:
            return Looked(member.user_id, Fate.EXCLUDED)
        case Submission(withheld=fault) if fault and fault.kind == SUPPRESSED:
            return Looked(member.user_id, Fate.SUPPRESSED, made, fault.code)
        case Submission():
            return Looked(member.user_id, Fate.ACCEPTED, made)
        case flaws:
            return Looked(member.user_id, _fate(flaws), why=_words(flaws))


def _fate(flaws: Sequence[Flaw]) -> Fate:
    if any(flaw.words == NO_SUCH_PERSON for flaw in flaws):
        return Fate.UNKNOWN
    if any(flaw.field == "user_id" for flaw in flaws):
        return Fate.WITHOUT_ADDRESS
    return Fate.FAILED


def _words(flaws: Sequence[Flaw]) -> str:
    flaw = flaws[0]
    place = ".".join(map(str, (flaw.field, *flaw.path)))
    return f"{place}: {flaw.words}"
