"""The page of dead letters: what failed and why, trying it again, giving it up."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response

from notifier.api.console.fields import Control, Field, Flaws, filled, flaws_of, given
from notifier.api.console.forms import Form
from notifier.api.console.layout import Section
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, counted, time_words
from notifier.api.kit.problems import InvalidField, invalid
from notifier.api.kit.querying import checked_query
from notifier.api.replays.shapes import LettersQuery
from notifier.replays.replay import (
    DEFAULT_RATE_PER_S,
    MAX_RATE_PER_S,
    MAX_REASON_CHARS,
    Group,
    Letters,
    Replay,
    ReplayStore,
    Selection,
    Skip,
)

SECTION = Section(title="Dead letters", path="/dead-letters", scope="read")
REPLAYS = "/replays"
_CHANGES = "send"
_CHANNELS = [(each.value, words) for each, words in CHANNELS.items()]
_RATE = Field("rate_per_s", "How many in a second")
_REASON = Field("reason", "Why they are given up")
FIELDS = (
    Field("type", "Channel", control=Control.CHOICE, options=[("", "Any"), *_CHANNELS]),
    Field("provider", "Provider"),
    Field("error_code", "Error code"),
    Field("template", "Template"),
    Field("service", "Service"),
    Field("created_from", "Accepted from (UTC)"),
    Field("created_before", "Accepted before (UTC)"),
)
_NAMES = tuple(each.name for each in FIELDS)
_SKIPPED: Mapping[Skip, str] = {
    Skip.ERASED: "whose content is erased",
    Skip.EXPIRED: "that have expired",
    Skip.SUPPRESSED: "to addresses on the suppression list",
    Skip.MOVED: "that somebody else replayed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterPages:
    """Shows dead letters by their cause, begins replays of them, and discards them."""

    letters: Letters
    replays: ReplayStore
    new_id: Callable[[], UUID]
    """Makes time-ordered ids (UUIDv7)."""

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        path = SECTION.path
        return (
            ConsolePage(path=path, scope=SECTION.scope, serve=self.show),
            ConsolePage(path=f"{path}/replay", scope=_CHANGES, serve=self.replay, method="POST"),
            ConsolePage(path=f"{path}/discard", scope=_CHANGES, serve=self.discard, method="POST"),
        )

    async def show(self, visit: Visit) -> Response:
        """Show the groups, and what a replay of them would come to."""
        query = visit.request.query_params
        return await self._shown(visit, Form({name: [query.get(name, "")] for name in _NAMES}))

    async def replay(self, visit: Visit) -> Response:
        """Begin a replay of what the page showed."""
        rate = visit.form.text("rate_per_s")
        if not rate.isdecimal() or not 1 <= int(rate) <= MAX_RATE_PER_S:
            flaw = f"expected a number from 1 to {MAX_RATE_PER_S:,}"
            return await self._shown(visit, visit.form, {_RATE.name: [flaw]})
        selection = _required(visit)
        survey = await self.letters.survey(selection)
        replay = Replay(
            id=self.new_id(),
            selection=selection,
            rate_per_s=int(rate),
            begun_by=visit.caller.actor,
            expected=survey.expected,
        )
        await self.replays.begin(replay)
        return visit.to(REPLAYS)

    async def discard(self, visit: Visit) -> Response:
        """Give up what the page showed, a thousand at most."""
        reason = visit.form.text("reason")
        if not 0 < len(reason) <= MAX_REASON_CHARS:
            flaw = f"expected 1 to {MAX_REASON_CHARS} characters"
            return await self._shown(visit, visit.form, {_REASON.name: [flaw]})
        discarded = await self.letters.discard(
            _required(visit), reason=reason, by=visit.caller.actor
        )
        return visit.to(SECTION.path, discarded=str(discarded))

    async def _shown(self, visit: Visit, form: Form, wrong: Flaws | None = None) -> Response:
        selection = _selected(visit, form)
        flaws = {**(wrong or {}), **(flaws_of(selection) if isinstance(selection, list) else {})}
        survey = None
        if not isinstance(selection, list):
            survey = await self.letters.survey(selection)
        narrowed = given(form, *_NAMES)
        rated = form if form.text(_RATE.name) else filled(rate_per_s=str(DEFAULT_RATE_PER_S))
        return visit.page(
            "dead_letters.html",
            {
                "fields": [each.shown(form, flaws) for each in FIELDS],
                "narrowed": list(narrowed.items()),
                "query": urlencode(narrowed),
                "groups": [_viewed(each) for each in survey.groups] if survey else (),
                "selected": counted(survey.selected, "letter") if survey else "",
                "replayable": survey.replayable if survey else 0,
                "skipped": [f"{count:,} {_SKIPPED[why]}" for why, count in survey.skipped.items()]
                if survey
                else (),
                "is_part": survey is not None and survey.is_part,
                "may_change": _CHANGES in visit.caller.scopes,
                "rate": _RATE.shown(rated, flaws),
                "reason": _REASON.shown(form, flaws),
                "discarded": visit.asked("discarded"),
            },
            status=422 if flaws else 200,
        )


def _selected(visit: Visit, form: Form) -> Selection | list[InvalidField]:
    texts = {name: str(value) for name, value in given(form, *_NAMES).items()}
    for name in ("created_from", "created_before"):
        if name in texts and "Z" not in texts[name] and "+" not in texts[name]:
            texts[name] += "Z"
    query = checked_query(LettersQuery, texts.items())
    if isinstance(query, list):
        return query
    return query.selection(visit.caller.may_see(query.service))


def selection_of(visit: Visit, form: Form, ids: Collection[UUID]) -> Selection | list[InvalidField]:
    """Return what a form selects, or these alone; or what is wrong with it."""
    selection = _selected(visit, form)
    if isinstance(selection, list):
        return selection
    return replace(selection, ids=frozenset(ids))


def _required(visit: Visit) -> Selection:
    selection = _selected(visit, visit.form)
    if isinstance(selection, list):
        raise invalid(selection)
    return selection


def _viewed(group: Group) -> Mapping[str, object]:
    cause = group.cause
    same = {
        "service": cause.service,
        "type": cause.channel.value,
        "provider": cause.provider,
        "error_code": cause.error_code,
        "template": cause.template,
    }
    query = urlencode({name: value for name, value in same.items() if value})
    return {
        "cause": cause,
        "channel": cause.channel.value,
        "channel_name": CHANNELS[cause.channel],
        "count": counted(group.letters, "letter"),
        "first": time_words(group.first_at),
        "last": time_words(group.last_at),
        "query": query,
    }
