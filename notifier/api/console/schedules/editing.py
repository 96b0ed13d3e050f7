"""The form of a schedule: of a new one, or of one that is changed, with a look at when it comes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from starlette.responses import Response

from notifier.access.keys import is_service_name
from notifier.api.console.forms import Form
from notifier.api.console.schedules.ahead import look_ahead
from notifier.api.console.schedules.pages import ONE, SECTION
from notifier.api.console.schedules.reading import (
    Flaws,
    timing_of_form,
    whom_of_form,
    wish_of_form,
)
from notifier.api.console.schedules.views import CATCH_UP, filled_in
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS
from notifier.api.kit.problems import not_found, there
from notifier.audience.quiet_hours import WEEKDAYS
from notifier.content.library import TemplateStore
from notifier.idempotency import LostRace, NotFound
from notifier.intake.draft import Flaw
from notifier.notification.model import Lane
from notifier.schedules.planning import Planner, wish_of
from notifier.schedules.schedule import NameTaken, ScheduleStore, StoredSchedule
from notifier.schedules.slot import explained
from notifier.wall_time import zone_names

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TEXTS = (
    "service", "name", "template", "to_kind", "to", "type", "every", "at", "cron", "zone",
    "variables", "priority", "starts_at", "ends_at", "skip_dates", "catch_up", "catch_up_within",
)  # fmt: skip
_USUAL: Mapping[str, object] = {
    **dict.fromkeys(_TEXTS, ""),
    "to_kind": "user_id",
    "every": "day",
    "at": "09:00",
    "on": ("mon",),
    "priority": Lane.BULK.value,
    "catch_up": "last",
    "catch_up_within": "60",
}
_RARE = (
    "variables", "priority", "starts_at", "ends_at", "skip_dates", "catch_up", "catch_up_within",
)  # fmt: skip
_MOST_TEMPLATES = 200
_TAKEN = Flaw("name", "another schedule has this name")
_NAMES: Mapping[str, str] = {
    "service": "Service", "name": "Name", "template": "Template", "to": "To", "type": "Channel",
    "every": "When", "at": "Time", "on": "Days", "cron": "Cron", "zone": "Time zone",
    "variables": "Variables", "priority": "Priority", "starts_at": "Not before", "ends_at": "Ends",
    "skip_dates": "Never on", "catch_up": "Missed times", "catch_up_within": "Minutes late",
    "": "The schedule",
}  # fmt: skip
_OFFERED: Mapping[str, object] = {
    "names": _NAMES,
    "channels": [(channel.value, name) for channel, name in CHANNELS.items()],
    "days": list(zip(WEEKDAYS, _DAYS, strict=True)),
    "lanes": [lane.value for lane in Lane],
    "catch_ups": [(each.value, words) for each, words in CATCH_UP.items()],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The form, as it was filled in, of a schedule if there is one yet."""

    fields: Mapping[str, object]
    stored: StoredSchedule | None = None
    flaws: Sequence[Flaw] = ()
    etag: str = ""
    outrun: bool = False
    """Somebody else changed it meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleForm:
    """Takes new schedules, and changes."""

    schedules: ScheduleStore
    planner: Planner
    templates: TemplateStore

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        new, change, look = f"{SECTION.path}/new", f"{ONE}/change", f"{SECTION.path}/preview"
        scope = SECTION.scope
        return (
            ConsolePage(path=new, scope=scope, serve=self.offer),
            ConsolePage(path=new, scope=scope, serve=self.add, method="POST"),
            ConsolePage(path=change, scope=scope, serve=self.offer_change),
            ConsolePage(path=change, scope=scope, serve=self.change, method="POST"),
            ConsolePage(path=look, scope=scope, serve=self.look, method="POST", changes=False),
        )

    async def offer(self, visit: Visit) -> Response:
        """Show an empty form, with the time zone of the schedule before."""
        last = await self.schedules.list(service=visit.caller.sees, limit=1, after=None)
        zone = last[0].timing.zone if last else "UTC"
        fields = {**_USUAL, "zone": zone, "service": visit.caller.service}
        return await self._page(visit, Filled(fields=fields))

    async def add(self, visit: Visit) -> Response:
        """Add a schedule."""
        form = visit.form
        if form.text("do") == "preview":
            return await self._page(visit, Filled(fields=_fields(form)))
        service = self._service(visit)
        wish = wish_of_form(form)
        flaws = [*([service] if isinstance(service, Flaw) else []), *_flaws_in(wish)]
        if not isinstance(service, Flaw) and not isinstance(wish, list):
            made = await self.planner.planned(wish, service)
            if not isinstance(made, list):
                if not isinstance(await self.schedules.add(made), NameTaken):
                    return visit.to(f"{SECTION.path}/{made.id}", done="added")
                made = [_TAKEN]
            flaws += made
        return await self._page(visit, Filled(fields=_fields(form), flaws=flaws))

    async def offer_change(self, visit: Visit) -> Response:
        """Show the form of one."""
        stored = await self._found(visit)
        fields = {**_USUAL, **filled_in(wish_of(stored)), "service": stored.service}
        return await self._page(visit, Filled(fields=fields, stored=stored, etag=stored.etag))

    async def change(self, visit: Visit) -> Response:
        """Change one, if nobody else did since its form was shown."""
        stored, form = await self._found(visit), visit.form
        filled = Filled(fields=_fields(form), stored=stored, etag=form.text("etag"))
        if form.text("do") == "preview":
            return await self._page(visit, filled)
        wish = wish_of_form(form)
        made = wish if isinstance(wish, list) else await self.planner.changed(stored, wish)
        if isinstance(made, list):
            return await self._page(visit, replace(filled, flaws=made))
        match await self.schedules.change(made, etag=filled.etag):
            case NotFound():
                raise not_found()
            case NameTaken():
                return await self._page(visit, replace(filled, flaws=[_TAKEN]))
            case LostRace(etag):
                return await self._page(visit, replace(filled, etag=etag or "", outrun=True))
            case StoredSchedule():
                return visit.to(f"{SECTION.path}/{stored.id}", done="changed")

    async def look(self, visit: Visit) -> Response:
        """Show when what is being filled in comes."""
        service = self._service(visit)
        whose = visit.caller.service if isinstance(service, Flaw) else service
        return visit.page("schedule_times.html", await self._ahead(visit.form, whose))

    async def _page(self, visit: Visit, filled: Filled) -> Response:
        stored = filled.stored
        flaws = Flaws.of(filled.flaws).by_field
        whose = _whose(visit, stored)
        ahead = await self._ahead(_form_of(filled.fields), whose)
        is_wrong = bool(flaws) or filled.outrun
        path = f"{SECTION.path}/{stored.id}" if stored else SECTION.path
        known = await self.templates.list(service=whose, limit=_MOST_TEMPLATES, after=None)
        return visit.page(
            "schedule_form.html",
            {
                "fields": filled.fields,
                "flaws": flaws,
                "name": stored.name if stored else "",
                "etag": filled.etag,
                "outrun": filled.outrun,
                "action": f"{path}/change" if stored else f"{path}/new",
                "back": path,
                "asks_service": stored is None and visit.caller.sees is None,
                "shows_more": _shows_more(filled.fields, flaws),
                **_OFFERED,
                "zones": zone_names(),
                "templates": [each.name for each in known if each.published],
                **ahead,
            },
            status=HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK,
        )

    async def _ahead(self, form: Form, service: str) -> Mapping[str, object]:
        timing = timing_of_form(form)
        if isinstance(timing, list):
            missing = timing[0].words if timing else ""
            return {"explained": "", "times": [], "many": False, "missing": missing}
        ahead = await look_ahead(self.planner, timing, whom_of_form(form), service)
        words = explained(timing.when, timing.zone)
        return {"explained": words, "times": ahead.times, "many": ahead.many, "missing": ""}

    def _service(self, visit: Visit) -> str | Flaw:
        named = visit.form.text("service")
        if not named:
            return visit.caller.service
        if not is_service_name(named):
            return Flaw("service", "expected a name of one line")
        return visit.caller.may_name(named)

    async def _found(self, visit: Visit) -> StoredSchedule:
        return there(await self.schedules.get(visit.named("id"), service=visit.caller.sees))


def _fields(form: Form) -> Mapping[str, object]:
    return {**{name: form.text(name) for name in _TEXTS}, "on": [*form.texts("on")]}


def _form_of(fields: Mapping[str, object]) -> Form:
    on = fields["on"]
    return Form(
        {
            **{name: [str(fields[name])] for name in _TEXTS},
            "on": [*on] if isinstance(on, list | tuple) else [],
        }
    )


def _flaws_in(wish: object) -> list[Flaw]:
    return wish if isinstance(wish, list) else []


def _whose(visit: Visit, stored: StoredSchedule | None) -> str:
    return stored.service if stored else visit.caller.service


def _shows_more(fields: Mapping[str, object], flaws: Mapping[str, object]) -> bool:
    """Whether what is rarely filled in is shown at once."""
    return any(name in flaws or fields[name] != _USUAL[name] for name in _RARE)
