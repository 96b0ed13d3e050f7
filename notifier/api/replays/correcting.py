"""Correcting dead letters: sent anew to another address, or with other variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field
from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.fields import WireVariables
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, InvalidField, invalid
from notifier.api.kit.querying import Id
from notifier.api.kit.views import View
from notifier.api.replays.letters import MAX_VALUES, PREFIX, TAG
from notifier.api.replays.shapes import RateAndTrial, ReplayQuery, SelectionRequest
from notifier.intake.draft import Flaw
from notifier.intake.forwarding import Edit
from notifier.replays.correcting import MOST_CORRECTED, Corrected, Corrector


class CorrectionRequest(SelectionRequest, RateAndTrial):
    """Which dead letters are sent anew, and what is otherwise about them."""

    recipient: Annotated[
        str | None,
        Field(min_length=1, max_length=320, description="The address of one, named by `ids`."),
    ] = None
    variables: Annotated[
        WireVariables,
        Field(description="Set in all of them; the others that each has stay as they are."),
    ] = None
    after: Annotated[
        Id | None, Field(description="Go on behind this one: what the last answer said.")
    ] = None
    with_discarded: Annotated[
        Literal[False], Field(description="What was discarded is not sent anew.")
    ] = False

    @property
    def edit(self) -> Edit:
        """What is otherwise."""
        return Edit(recipient=self.recipient, variables=self.variables or {})

    def flaws(self) -> list[InvalidField]:
        """Return what does not go together."""
        if self.recipient is not None and len(self.ids) != 1:
            words = "an address is for one letter: name it, alone, in ids"
            return [InvalidField("/recipient", words)]
        if self.recipient is None and not self.variables:
            return [InvalidField("", "say what is otherwise: recipient, or variables")]
        return []


class LetterFlawView(View):
    """What keeps a letter from being sent anew."""

    pointer: str
    detail: str


class LetterFindingView(View):
    """A letter that stays as it is, and why."""

    id: UUID
    errors: list[LetterFlawView]


class CorrectedView(View):
    """What came of it."""

    corrected: Annotated[
        int, Field(description="How many are sent anew; of a dry run, how many would be.")
    ]
    refused: Annotated[int, Field(description="How many are not, and stay as they are.")]
    findings: Annotated[list[LetterFindingView], Field(description="Why, of the first ten.")]
    after: Annotated[
        UUID | None, Field(description="There may be more: ask again with this `after`.")
    ]

    @classmethod
    def of(cls, it: Corrected) -> Self:
        """View `it`."""
        return cls(
            corrected=it.corrected,
            refused=it.refused,
            findings=_findings(it.findings),
            after=it.goes_on_after,
        )


@dataclass(frozen=True, slots=True)
class CorrectionEndpoint:
    """Corrects dead letters."""

    corrector: Corrector

    def operations(self) -> Sequence[Operation]:
        """Declare it."""
        return (
            Operation(
                id="correctDeadLetters",
                method="POST",
                path=f"{PREFIX}/correct",
                summary="Send dead letters anew, to another address or with other variables",
                description="Each as a notification of its own, with the same content in the same "
                "version; the letter is discarded, and each names the other. What cannot be "
                "filled stays as it is. Safe to repeat: a letter has one successor at most. "
                f"{MOST_CORRECTED} letters a call.",
                tag=TAG,
                serve=self.correct,
                scope="send",
                query=ReplayQuery,
                body=CorrectionRequest,
                max_values=MAX_VALUES + 10_000,
                replies={200: Reply(description="What came of it", model=CorrectedView)},
                problems=(INVALID,),
            ),
        )

    async def correct(self, call: Call[CorrectionRequest, ReplayQuery]) -> Response:
        """Correct some, or say what it would come to."""
        body = call.body
        if flaws := body.flaws():
            raise invalid(flaws)
        corrected = await self.corrector.correct(
            body.selection(call.seeing(call.query.service)),
            body.edit,
            by=call.caller.actor,
            after=body.after,
            rate_per_s=body.rate_per_s,
            dry_run=body.dry_run,
        )
        return ok(CorrectedView.of(corrected))


def _findings(found: Mapping[UUID, Sequence[Flaw]]) -> list[LetterFindingView]:
    return [
        LetterFindingView(id=id, errors=[_flaw(each) for each in flaws])
        for id, flaws in found.items()
    ]


def _flaw(it: Flaw) -> LetterFlawView:
    parts = (it.field, *(str(part) for part in it.path))
    return LetterFlawView(pointer="".join(f"/{part}" for part in parts), detail=it.words)
