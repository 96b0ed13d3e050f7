"""The page that sends dead letters anew, to another address or with other variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from notifier.api.console.dead_letters import FIELDS, SECTION, selection_of
from notifier.api.console.fields import Control, Field, Flaws, flaws_of, given
from notifier.api.console.forms import Form
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import counted
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField
from notifier.api.replays.correcting import CorrectionRequest
from notifier.replays.correcting import MOST_CORRECTED, Corrected, Corrector
from notifier.replays.replay import DEFAULT_RATE_PER_S

_PATH = f"{SECTION.path}/correct"
_CHANGES = "send"
_RECIPIENT = Field("recipient", "Another address", "Blank: the same")
_VARIABLES = Field(
    "variables",
    "Other variables",
    'As JSON, such as {"url": "https://shop.example"}; what is not named stays as it is',
    Control.AREA,
)
_RATE = Field("rate_per_s", "How many in a second")
_CARRIED = ("id", *(each.name for each in FIELDS))


@dataclass(frozen=True, slots=True)
class CorrectionPage:
    """Corrects dead letters; looks first, and changes what was looked at."""

    corrector: Corrector

    def pages(self) -> tuple[ConsolePage, ...]:
        """Declare it."""
        return (
            ConsolePage(path=_PATH, scope=_CHANGES, serve=self.ask),
            ConsolePage(path=_PATH, scope=_CHANGES, serve=self.correct, method="POST"),
        )

    async def ask(self, visit: Visit) -> Response:
        """Show the form, for what the query selects."""
        query = visit.request.query_params
        form = Form({name: [query.get(name, "")] for name in _CARRIED})
        return _shown(visit, form)

    async def correct(self, visit: Visit) -> Response:
        """Say what it would come to, or do it."""
        form = visit.form
        wanted = _wanted(form)
        if isinstance(wanted, list):
            return _shown(visit, form, flaws=flaws_of(wanted))
        selection = selection_of(visit, form, wanted.ids)
        if isinstance(selection, list):
            return _shown(visit, form, flaws=flaws_of(selection))
        is_trial = form.text("act") != "correct"
        found = await self.corrector.correct(
            selection,
            wanted.edit,
            by=visit.caller.actor,
            after=wanted.after,
            rate_per_s=wanted.rate_per_s,
            dry_run=is_trial,
        )
        return _shown(visit, form, found=found, is_trial=is_trial)


def _wanted(form: Form) -> CorrectionRequest | list[InvalidField]:
    asked = {**given(form, "recipient", "after")}
    told: dict[str, object] = {**asked, "rate_per_s": _number(form.text("rate_per_s"))}
    if id := form.text("id"):
        told["ids"] = [id]
    if text := form.text("variables"):
        try:
            told["variables"] = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return [InvalidField("/variables", f"this is no JSON: line {error.lineno}")]
    wanted = read_strictly(CorrectionRequest, told)  # type: ignore[arg-type]  # it is JSON
    if isinstance(wanted, CorrectionRequest) and (flaws := wanted.flaws()):
        return flaws
    return wanted


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() else text or DEFAULT_RATE_PER_S


def _shown(
    visit: Visit,
    form: Form,
    *,
    flaws: Flaws | None = None,
    found: Corrected | None = None,
    is_trial: bool = True,
) -> Response:
    is_one = bool(form.text("id"))
    fields = (*((_RECIPIENT,) if is_one else ()), _VARIABLES, *(() if is_one else (_RATE,)))
    filled = {**form.fields, "rate_per_s": [form.text("rate_per_s") or str(DEFAULT_RATE_PER_S)]}
    carried = given(form, *_CARRIED)
    return visit.page(
        "dead_letters_correct.html",
        {
            "fields": [each.shown(Form(filled), flaws or {}) for each in fields],
            "flaws": flaws or {},
            "others": (flaws or {}).get("", ()),
            "carried": list(carried.items()),
            "up": urlencode({name: text for name, text in carried.items() if name != "id"}),
            "is_one": is_one,
            "is_trial": is_trial,
            "most": MOST_CORRECTED,
            "found": _told(found) if found else None,
        },
        status=HTTPStatus.UNPROCESSABLE_ENTITY if flaws else HTTPStatus.OK,
    )


def _told(found: Corrected) -> Mapping[str, object]:
    return {
        "corrected": counted(found.corrected, "letter"),
        "refused": found.refused,
        "is_any": found.corrected > 0,
        "after": found.goes_on_after,
        "findings": [
            {"id": id, "why": "; ".join(f"{each.field}: {each.words}" for each in flaws)}
            for id, flaws in found.findings.items()
        ],
    }
