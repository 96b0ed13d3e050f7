"""The forms of people: adding somebody, what is said of them, and what they want."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response

from notifier.api.console.fields import Control, Field, Flaws, FormPage, filled, flaws_of, given
from notifier.api.console.forms import Form
from notifier.api.console.people import ADD_PERSON, ONE, SECTION, path_of
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField, not_found, there
from notifier.api.recipients.preference_shapes import PreferencesRequest
from notifier.api.recipients.shapes import NamedRecipientRequest
from notifier.audience.category import DeclaredStore
from notifier.audience.changing import PreferenceStore
from notifier.audience.choice_change import Source
from notifier.audience.choices import ANY
from notifier.audience.person import Person, PersonStore, Profile, in_order
from notifier.audience.quiet_hours import WEEKDAYS
from notifier.audience.user_id import user_id_fault
from notifier.idempotency import LostRace, NotFound
from notifier.notification.model import JsonValue

_CHANGE = f"{ONE}/change"
_CHOOSE = f"{ONE}/choose"
_QUIET_HOURS = f"{ONE}/quiet-hours"

_MEANWHILE = (
    "somebody else changed them in the meantime: look at it, and save again to replace that"
)
_PROFILE = (
    Field("locale", "Language", "Such as de-AT"),
    Field("time_zone", "Time zone", "Such as Europe/Vienna"),
    Field(
        "addresses",
        "Addresses",
        "One a line, such as email ada@example.com; the first of a channel is sent to",
        control=Control.AREA,
    ),
    Field("attributes", "Attributes", 'JSON, such as {"plan": "pro"}', control=Control.AREA),
)
_SERVICE = Field("service", "Service", "Whose directory")
_USER_ID = Field("user_id", "User id", "The service's own id of them")
_WHETHER: Mapping[str, bool | None] = {"on": True, "off": False, "default": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleForms:
    """Lets operators say of people what services say by the API."""

    people: PersonStore
    preferences: PreferenceStore
    declared: DeclaredStore

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        scope = SECTION.scope
        return (
            ConsolePage(path=ADD_PERSON, scope=scope, serve=self.offer),
            ConsolePage(path=ADD_PERSON, scope=scope, serve=self.add, method="POST"),
            ConsolePage(path=_CHANGE, scope=scope, serve=self.show),
            ConsolePage(path=_CHANGE, scope=scope, serve=self.change, method="POST"),
            ConsolePage(path=_CHOOSE, scope=scope, serve=self.offer_choice),
            ConsolePage(path=_CHOOSE, scope=scope, serve=self.choose, method="POST"),
            ConsolePage(path=_QUIET_HOURS, scope=scope, serve=self.show_hours),
            ConsolePage(path=_QUIET_HOURS, scope=scope, serve=self.set_hours, method="POST"),
        )

    async def offer(self, visit: Visit) -> Response:
        """Show an empty form."""
        return _adding(visit).show(visit, filled(service=visit.caller.service))

    async def add(self, visit: Visit) -> Response:
        """Add somebody who is not there yet."""
        form, page = visit.form, _adding(visit)
        profile = _read(form, form.text("user_id"))
        if not isinstance(profile, Profile):
            return page.show(visit, form, profile)
        service = visit.caller.may_name(form.text("service") or None)
        if not isinstance(await self.people.get(service, profile.user_id), NotFound):
            there_already = [InvalidField("/user_id", "is somebody's already: change them")]
            return page.show(visit, form, flaws_of(there_already))
        await self.people.put(service, profile, if_match=None)
        return visit.to(f"{SECTION.path}/{quote(profile.user_id, safe='')}", service=service)

    async def show(self, visit: Visit) -> Response:
        """Show what is said of somebody, to be changed."""
        person = await self._person(visit)
        return _changing(person, person.etag).show(visit, _filled(person))

    async def change(self, visit: Visit) -> Response:
        """Put what the form says in place of what was said of somebody."""
        person, form = await self._person(visit), visit.form
        profile = _read(form, person.user_id)
        etag = form.text("etag")
        if not isinstance(profile, Profile):
            return _changing(person, etag).show(visit, form, profile)
        verified = _with_verified(profile, person)
        written = await self.people.put(person.service, verified, if_match=etag)
        if isinstance(written, LostRace):
            page = _changing(person, person.etag)
            return page.show(visit, form, flaws_of([InvalidField("", _MEANWHILE)]))
        return _back(visit, person)

    async def offer_choice(self, visit: Visit) -> Response:
        """Ask what somebody wants."""
        person = await self._person(visit)
        page = await self._choosing(person)
        return page.show(visit, filled(category=ANY, channel=ANY, choice="off"))

    async def choose(self, visit: Visit) -> Response:
        """Note a choice for somebody."""
        person, form = await self._person(visit), visit.form
        category, channel = form.text("category"), form.text("channel")
        is_on = _WHETHER.get(form.text("choice"), False)
        wanted = read_strictly(PreferencesRequest, {"choices": {category: {channel: is_on}}})
        wrong = flaws_of(wanted) if isinstance(wanted, list) else {}
        if not isinstance(wanted, list):
            unfit = wanted.unfit(await self.declared.declared(person.service))
            wrong = flaws_of([InvalidField("/category", why) for _, why in unfit])
        if wrong or isinstance(wanted, list):
            return (await self._choosing(person)).show(visit, form, wrong)
        there(await self._change(person, wanted))
        return _back(visit, person)

    async def show_hours(self, visit: Visit) -> Response:
        """Show when somebody is left in peace, to be changed."""
        person = await self._person(visit)
        hours = person.quiet_hours
        known = filled(
            start=f"{hours.start:%H:%M}" if hours else "",
            end=f"{hours.end:%H:%M}" if hours else "",
            weekdays=sorted(hours.weekdays) if hours else (),
        )
        return _hours(person).show(visit, known)

    async def set_hours(self, visit: Visit) -> Response:
        """Leave somebody in peace then; without times, when the service says."""
        person, form = await self._person(visit), visit.form
        hours: dict[str, JsonValue] = {"from": form.text("start"), "to": form.text("end")}
        if days := form.texts("weekdays"):
            hours["weekdays"] = list(days)
        is_said = form.text("start") or form.text("end")
        wanted = read_strictly(PreferencesRequest, {"quiet_hours": hours if is_said else None})
        if isinstance(wanted, list):
            return _hours(person).show(visit, form, _of_hours(wanted))
        there(await self._change(person, wanted))
        return _back(visit, person)

    async def _change(self, person: Person, wanted: PreferencesRequest) -> object:
        return await self.preferences.change(
            person.service, person.user_id, wanted.wishes(), Source.API
        )

    async def _choosing(self, person: Person) -> FormPage:
        declared = await self.declared.declared(person.service)
        categories = [(key, it.title(None)) for key, it in sorted(declared.by_key.items())]
        channels = [(each.value, words) for each, words in CHANNELS.items()]
        choices = [("on", "Yes"), ("off", "No"), ("default", "Take the choice back")]
        return FormPage(
            title="Choose for them",
            facts=_facts(person),
            fields=(
                Field(
                    "category",
                    "Category",
                    control=Control.CHOICE,
                    options=[(ANY, "Everything"), *categories],
                ),
                Field(
                    "channel",
                    "Over",
                    control=Control.CHOICE,
                    options=[(ANY, "Any channel"), *channels],
                ),
                Field("choice", "They want it", control=Control.RADIOS, options=choices),
            ),
            said=("The closest choice counts. It is noted as one that the service made.",),
            button="Save",
            action=path_of(person, "/choose"),
            up=(person.user_id, path_of(person)),
        )

    async def _person(self, visit: Visit) -> Person:
        user_id: str = visit.named("user_id")
        if user_id_fault(user_id):
            raise not_found()
        service = visit.caller.may_name(visit.asked("service") or None)
        return there(await self.people.get(service, user_id))


def _adding(visit: Visit) -> FormPage:
    of = (_SERVICE,) if visit.caller.sees is None else ()
    return FormPage(
        title="Add somebody",
        fields=(*of, _USER_ID, *_PROFILE),
        button="Add them",
        action=ADD_PERSON,
        up=(SECTION.title, SECTION.path),
    )


def _changing(person: Person, etag: str) -> FormPage:
    return FormPage(
        title="Change what is said of them",
        facts=_facts(person),
        fields=_PROFILE,
        hidden={"etag": etag},
        said=("What they chose stays as it is.",),
        button="Save",
        action=path_of(person, "/change"),
        up=(person.user_id, path_of(person)),
    )


def _hours(person: Person) -> FormPage:
    return FormPage(
        title="Quiet hours",
        facts=_facts(person),
        fields=(
            Field("start", "From", "By their clocks, such as 22:00; blank: as the service says"),
            Field("end", "To", "Such as 07:00"),
            Field(
                "weekdays",
                "On",
                "The days on which they begin; none: on all",
                control=Control.CHECKS,
                options=[(each, each.title()) for each in WEEKDAYS],
            ),
        ),
        button="Save",
        action=path_of(person, "/quiet-hours"),
        up=(person.user_id, path_of(person)),
    )


def _facts(person: Person) -> Sequence[tuple[str, str]]:
    return (("User id", person.user_id), ("Service", person.service))


def _filled(person: Person) -> Form:
    addresses = [f"{each.channel} {each.address}" for each in in_order(person.addresses)]
    attributes = orjson.dumps(person.attributes, option=orjson.OPT_INDENT_2).decode()
    return filled(
        locale=person.locale or "",
        time_zone=person.time_zone or "",
        addresses="\n".join(addresses),
        attributes=attributes if person.attributes else "",
    )


def _read(form: Form, user_id: str) -> Profile | Flaws:
    """Return what a form says of somebody, or what is wrong with it."""
    try:
        attributes = orjson.loads(form.text("attributes") or "{}")
    except orjson.JSONDecodeError:
        return flaws_of([InvalidField("/attributes", "that is no JSON")])
    lines = [each.split(maxsplit=1) for each in form.text("addresses").splitlines() if each.strip()]
    body: dict[str, Any] = {
        **given(form, "locale", "time_zone"),
        "user_id": user_id,
        "attributes": attributes,
        "addresses": [
            {"channel": channel, "address": "".join(address)} for channel, *address in lines
        ],
    }
    wanted = read_strictly(NamedRecipientRequest, body)
    if isinstance(wanted, list):
        return flaws_of(map(_in_line, wanted))
    return wanted.named_profile()


def _in_line(flaw: InvalidField) -> InvalidField:
    """Say of an address in which line it is."""
    _, field, *more = flaw.where.split("/")
    if field != "addresses" or not more:
        return flaw
    return InvalidField("/addresses", f"line {int(more[0]) + 1}: {flaw.detail}")


def _with_verified(profile: Profile, known: Person) -> Profile:
    """Return it with what is known of addresses that stay."""
    verified = {(each.channel, each.compared): each.verified_at for each in known.addresses}
    kept = [
        replace(each, verified_at=verified.get((each.channel, each.compared)))
        for each in profile.addresses
    ]
    return replace(profile, addresses=in_order(kept))


def _of_hours(wrong: Sequence[InvalidField]) -> Flaws:
    names = {"from": "start", "to": "end", "weekdays": "weekdays"}
    placed = [(each, each.where.split("/")[2:3]) for each in wrong]
    return flaws_of(
        InvalidField(f"/{names.get(part[0], '')}" if part else "", each.detail)
        for each, part in placed
    )


def _back(visit: Visit, person: Person) -> Response:
    path = f"{SECTION.path}/{quote(person.user_id, safe='')}"
    return visit.to(path, service=person.service, done="changed")
