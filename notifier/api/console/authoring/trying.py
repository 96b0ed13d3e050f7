"""The page that sends a template to somebody who looks at it."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.console.authoring.places import CHANGES, ONE, draft_of, path_of
from notifier.api.console.authoring.views import places_of
from notifier.api.console.authoring.writing import json_of
from notifier.api.console.fields import Control, Field, Flaws, FormPage, filled, flaws_of, given
from notifier.api.console.forms import Form
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import INVALID, InvalidField, ProblemError
from notifier.api.kit.trace import traceparent
from notifier.api.templates.fillings import TestRequest
from notifier.api.templates.testing import TemplateTester
from notifier.content.library import TemplateDraft
from notifier.intake.ports import Submission
from notifier.intake.submission import Submitter
from notifier.notification.model import JsonValue

_SENDING = (
    "The draft is sent as any other notification is: queued, handed to the provider, counted. "
    "Its subject begins with [Test]."
)
_MOST_DIGITS = 3
_TO = Field("to", "To", "An address or number that the operator allows; in the sandbox, any")
_LOCALE = Field("locale", "Language", "The best of its languages for this; blank: the default")
_VARIABLES = Field("variables", "Variables instead", "A JSON object", control=Control.AREA)


@dataclass(frozen=True, slots=True)
class TryingPages:
    """Sends drafts as tests."""

    tester: TemplateTester
    submitter: Submitter

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        path = f"{ONE}/test"
        return (
            ConsolePage(path=path, scope=CHANGES, serve=self.offer),
            ConsolePage(path=path, scope=CHANGES, serve=self.send, method="POST"),
        )

    async def offer(self, visit: Visit) -> Response:
        """Show the form."""
        draft = await draft_of(self.tester.bench.templates, visit)
        places = places_of(draft.content)
        first = places[0].channel.value if places else ""
        return _page(draft).show(visit, filled(type=first, example="0"))

    async def send(self, visit: Visit) -> Response:
        """Accept a test, and lead to what becomes of it."""
        draft, form = await draft_of(self.tester.bench.templates, visit), visit.form
        made = await self._made(visit, draft)
        if not isinstance(made, Submission):
            return _page(draft).show(visit, form, made)
        await self.submitter.submit([made])
        return visit.to(f"/notifications/{made.id}", done="tested")

    async def _made(self, visit: Visit, draft: TemplateDraft) -> Submission | Flaws:
        wanted = _wanted(visit.form)
        if isinstance(wanted, list):
            return flaws_of(wanted)
        try:
            return await self.tester.made(
                draft.service, draft.name, wanted, traceparent=traceparent(visit.request)
            )
        except ProblemError as problem:
            if problem.problem is not INVALID:
                raise
            return flaws_of(problem.more.errors or [InvalidField("", problem.detail)])


def _page(draft: TemplateDraft) -> FormPage:
    channels = dict.fromkeys(place.channel for place in places_of(draft.content))
    examples = [(f"{nth}", f"Example {nth + 1}") for nth in range(len(draft.content.examples))]
    example = Field("example", "Filled with", control=Control.CHOICE, options=examples)
    return FormPage(
        title=f"Send {draft.name} as a test",
        fields=(
            Field(
                "type",
                "Channel",
                control=Control.CHOICE,
                options=[(each.value, CHANNELS[each]) for each in channels],
            ),
            _TO,
            _LOCALE,
            *((example,) if examples else ()),
            _VARIABLES,
        ),
        said=(_SENDING,),
        button="Send it",
        action=path_of(draft.service, draft.name, "/test"),
        up=(draft.name, path_of(draft.service, draft.name)),
    )


def _wanted(form: Form) -> TestRequest | list[InvalidField]:
    """Return what to send, or all that is wrong with it."""
    variables, wrong = json_of(form, "variables", None), list[InvalidField]()
    asked: dict[str, JsonValue] = {"to": form.text("to"), **given(form, "type", "locale")}
    if isinstance(variables, InvalidField):
        wrong = [variables]
    elif variables is not None:
        asked["variables"] = variables
    elif (text := form.text("example")).isdecimal():
        asked["example"] = int(text[:_MOST_DIGITS])
    checked = read_strictly(TestRequest, {**asked, "draft": True})
    if isinstance(checked, list):
        return [*wrong, *checked]
    return wrong or checked
