"""The forms of what a template is beside its words: category, languages, variables, layout."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from notifier.access.keys import is_service_name
from notifier.api.console.authoring.places import CHANGES, ONE, SECTION, draft_of, path_of
from notifier.api.console.authoring.writing import json_of
from notifier.api.console.fields import Control, Field, FormPage, filled, flaws_of
from notifier.api.console.forms import Form
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField
from notifier.api.templates.shapes import ContentShape
from notifier.api.templates.workbench import Workbench
from notifier.content.encoding import images_document
from notifier.content.library import TemplateDraft
from notifier.content.template import NAME_WORDS, Content, is_template_name
from notifier.idempotency import LostRace
from notifier.notification.model import JsonValue

_MAX_BYTES = 1_000_000
_NEW = f"{SECTION.path}/new"
_NAME = Field("name", "Name", "Such as booking.confirmed; services send by it")
_CATEGORY = Field("category", "Category", "What its recipients choose by, such as transactional")
_PARTIAL = Field(
    "partial", "A partial or layout: other templates take it in", control=Control.SWITCH
)
_SERVICE = Field("service", "Service")
_SETTINGS = (
    _CATEGORY,
    Field("default_locale", "Default language", "Taken where no better one is there"),
    Field("layout", "Layout", "The partial that it is put into; blank: none"),
    _PARTIAL,
    Field("schema", "Variables", "A JSON Schema of what it is filled with", Control.AREA),
    Field("examples", "Examples", "A JSON list of what it is tried with", Control.AREA),
    Field("images", "Images", "A JSON object: ids of uploaded attachments by name", Control.AREA),
)
_ADDING = FormPage(
    title="New template",
    fields=(
        _NAME,
        _CATEGORY,
        Field("default_locale", "Default language", "Such as en or de-AT"),
        _PARTIAL,
    ),
    said=("It begins as a draft, which nothing is sent of before it is published.",),
    button="Write it",
    action=_NEW,
    up=(SECTION.title, SECTION.path),
)
_OUTRUN = (
    "somebody else changed the draft since you opened this; save again to have it as it is here"
)
_NONE = ""
"""The etag of no draft: it is stored only where there is none."""
_EMPTY: Mapping[str, JsonValue] = {"schema": {}, "examples": [], "images": {}}


@dataclass(frozen=True, slots=True)
class SettingsPages:
    """Adds templates, and changes what they are beside their words."""

    bench: Workbench

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        change = f"{ONE}/settings"
        return (
            ConsolePage(path=_NEW, scope=CHANGES, serve=self.offer),
            ConsolePage(path=_NEW, scope=CHANGES, serve=self.add, method="POST"),
            ConsolePage(path=change, scope=CHANGES, serve=self.offer_change),
            ConsolePage(
                path=change, scope=CHANGES, serve=self.change, method="POST", max_bytes=_MAX_BYTES
            ),
        )

    async def offer(self, visit: Visit) -> Response:
        """Show an empty form."""
        usual = filled(service=visit.caller.service, category="transactional", default_locale="en")
        return _adding(visit).show(visit, usual)

    async def add(self, visit: Visit) -> Response:
        """Store an empty draft, and lead to its editor."""
        form, page = visit.form, _adding(visit)
        service, name = form.text("service") or visit.caller.service, form.text("name")
        wrong = [] if is_template_name(name) else [InvalidField("/name", NAME_WORDS)]
        if not is_service_name(service):
            wrong.append(InvalidField("/service", "expected 1 to 100 printable characters"))
        content = _content(form, Content(default_locale="en", parts={}, schema={}))
        if isinstance(content, list) or wrong:
            return page.show(visit, form, flaws_of([*wrong, *_wrong(content)]))
        added = await self.bench.templates.save(
            service=visit.caller.may_name(service), name=name, content=content, if_match=_NONE
        )
        if isinstance(added, LostRace):
            taken = [InvalidField("/name", "there is a template of this name")]
            return page.show(visit, form, flaws_of(taken))
        return visit.to(path_of(service, name, "/edit"))

    async def offer_change(self, visit: Visit) -> Response:
        """Show the form of one."""
        draft = await draft_of(self.bench.templates, visit)
        return _changing(draft, draft.etag).show(visit, _filled_in(draft.content))

    async def change(self, visit: Visit) -> Response:
        """Change one, if nobody else did since its form was shown."""
        draft, form = await draft_of(self.bench.templates, visit), visit.form
        etag = form.text("etag")
        content = _content(form, draft.content)
        if isinstance(content, list):
            return _changing(draft, etag).show(visit, form, flaws_of(content))
        saved = await self.bench.templates.save(
            service=draft.service, name=draft.name, content=content, if_match=etag
        )
        if isinstance(saved, LostRace):
            outrun = flaws_of([InvalidField("", _OUTRUN)])
            return _changing(draft, saved.etag or "").show(visit, form, outrun)
        return visit.to(path_of(draft.service, draft.name), done="saved")


def _adding(visit: Visit) -> FormPage:
    if visit.caller.sees is not None:
        return _ADDING
    return replace(_ADDING, fields=(*_ADDING.fields, _SERVICE))


def _changing(draft: TemplateDraft, etag: str) -> FormPage:
    return FormPage(
        title=f"Settings of {draft.name}",
        fields=_SETTINGS,
        hidden={"etag": etag},
        button="Save the draft",
        action=path_of(draft.service, draft.name, "/settings"),
        up=(draft.name, path_of(draft.service, draft.name)),
    )


def _filled_in(content: Content) -> Form:
    return filled(
        category=content.category,
        default_locale=content.default_locale,
        layout=content.layout or "",
        partial="yes" if content.is_partial else "",
        schema=_json(dict(content.schema)),
        examples=_json([dict(each) for each in content.examples]),
        images=_json(images_document(content.images)),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) if value else ""


def _content(form: Form, before: Content) -> Content | list[InvalidField]:
    """Return a content with what a form says, or all that is wrong with that."""
    read = {name: json_of(form, name, empty) for name, empty in _EMPTY.items()}
    wrong = [each for each in read.values() if isinstance(each, InvalidField)]
    values = {name: each for name, each in read.items() if not isinstance(each, InvalidField)}
    texts: dict[str, JsonValue] = {
        "category": form.text("category"),
        "default_locale": form.text("default_locale"),
        "layout": form.text("layout") or None,
        "partial": bool(form.text("partial")),
    }
    checked = read_strictly(ContentShape, {**texts, **values, "parts": {}})
    if isinstance(checked, list) or wrong:
        return [*wrong, *_wrong(checked)]
    return replace(checked.content(), parts=before.parts)


def _wrong(checked: object) -> list[InvalidField]:
    return checked if isinstance(checked, list) else []
