"""The pages of categories: what people choose by, setting one, and removing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.responses import Response

from notifier.access.keys import is_service_name
from notifier.api.categories.shapes import CategoriesQuery, CategoryRequest
from notifier.api.console.fields import Control, Field, FormPage, filled, flaws_of
from notifier.api.console.forms import Form
from notifier.api.console.layout import Section
from notifier.api.console.lists import Cell, Link, ListPage, cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, time_words
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField, not_found, there
from notifier.api.kit.querying import checked_query, named_place
from notifier.audience.category import (
    KEY_WORDS,
    MAX_CATEGORIES,
    Categories,
    Category,
    CategoryStore,
    Kind,
    Span,
    StoredCategory,
    TooManyCategories,
    is_category_key,
)
from notifier.idempotency import LostRace
from notifier.notification.model import Channel, JsonValue

SECTION = Section(title="Categories", path="/categories", scope="read")
_SET = f"{SECTION.path}/set"
_REMOVE = f"{SECTION.path}/remove"
_CHANGES = "templates"
_PER_PAGE = 50
_DIGITS = 10
_KINDS: Mapping[Kind, str] = {
    Kind.TRANSACTIONAL: "Transactional: part of what they ordered",
    Kind.SUBSCRIBED: "Subscribed: they asked for it",
    Kind.MARKETING: "Marketing: we would like them to read it",
}
_SERVICE = Field("service", "Service")
_SETTING = FormPage(
    title="Set a category",
    fields=(
        Field("key", "Key", "Such as news.weekly: what templates and sends name"),
        Field(
            "kind",
            "Kind",
            control=Control.CHOICE,
            options=[(each.value, words) for each, words in _KINDS.items()],
        ),
        Field("can_switch_off", "People can switch it off", control=Control.SWITCH),
        Field("titles", "Titles", "A language and a title a line: en: News", Control.AREA),
        Field(
            "on",
            "On for who chose nothing",
            control=Control.CHECKS,
            options=[(each.value, words) for each, words in CHANNELS.items()],
        ),
        Field("limit", "At most", "So many over a channel; blank: as many as there are"),
        Field(
            "per",
            "In each",
            control=Control.CHOICE,
            options=[(each.value, each.value) for each in Span],
        ),
    ),
    said=("What is sent in it is for who has it on. Other processes go by it in two seconds.",),
    button="Save",
    action=_SET,
    up=(SECTION.title, SECTION.path),
)
_LIST = ListPage(
    section=SECTION,
    nothing="No categories yet: people can only choose by channel.",
    done={
        "set": "The category is as you set it.",
        "removed": "The category is gone. What people chose of it is kept.",
    },
)
_REMOVING = (
    "What is sent in it then is as if it had none. What people chose of it is kept, and counts "
    "again if it is declared again."
)
_OUTRUN = "somebody else changed it since you opened this; save again to have it as it is here"


@dataclass(frozen=True, slots=True)
class CategoryPages:
    """Shows what people choose by, and lets who owns the words declare it."""

    store: CategoryStore
    categories: Categories

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (
            ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),
            ConsolePage(path=_SET, scope=_CHANGES, serve=self.offer),
            ConsolePage(path=_SET, scope=_CHANGES, serve=self.set, method="POST"),
            ConsolePage(path=_REMOVE, scope=_CHANGES, serve=self.ask_to_remove),
            ConsolePage(path=_REMOVE, scope=_CHANGES, serve=self.remove, method="POST"),
        )

    async def show(self, visit: Visit) -> Response:
        """Show a page of them."""
        may_change = _CHANGES in visit.caller.scopes
        setting = (Link(words=_SETTING.title, path=_SET, is_first=True),)
        page = replace(_LIST, links=setting if may_change else ())
        after = {"after": place} if (place := visit.asked("after")) else {}
        query = checked_query(CategoriesQuery, after.items())
        if isinstance(query, list):
            raise not_found()
        sees = visit.caller.sees
        found = await self.store.list(service=sees, limit=_PER_PAGE + 1, after=query.after)
        shown, last = cut(found, _PER_PAGE)
        rows = [_row(each, names=sees is None, may_change=may_change) for each in shown]
        return page.show(visit, rows, after=named_place(last) if last else "")

    async def offer(self, visit: Visit) -> Response:
        """Show the form, as the category is that the query names."""
        service = visit.caller.may_name(visit.asked("service") or None)
        known = (await self.store.declared(service)).by_key.get(visit.asked("key"))
        if known is None:
            every = [each.value for each in Channel]
            empty = filled(service=service, can_switch_off="yes", on=every)
            return _setting(visit, "").show(visit, empty)
        return _setting(visit, known.etag).show(visit, _filled_in(known))

    async def set(self, visit: Visit) -> Response:
        """Add one, or change it if nobody else did since its form was shown."""
        form = visit.form
        service, key = form.text("service") or visit.caller.service, form.text("key")
        wanted = _wanted(form)
        wrong = wanted if isinstance(wanted, list) else []
        if not is_category_key(key):
            wrong = [*wrong, InvalidField("/key", KEY_WORDS)]
        if not is_service_name(service):
            wrong = [*wrong, InvalidField("/service", "expected 1 to 100 printable characters")]
        etag = form.text("etag")
        if wrong or isinstance(wanted, list):
            return _setting(visit, etag).show(visit, form, flaws_of(wrong))
        category = wanted.category(visit.caller.may_name(service), key)
        match await self.store.set(category, if_match=etag):
            case LostRace(held):
                flaw = InvalidField("" if held else "/key", _OUTRUN if held else "there is none")
                return _setting(visit, held or "").show(visit, form, flaws_of([flaw]))
            case TooManyCategories():
                many = InvalidField("", f"a service has at most {MAX_CATEGORIES} categories")
                return _setting(visit, etag).show(visit, form, flaws_of([many]))
        self.categories.forget()
        return visit.to(SECTION.path, done="set")

    async def ask_to_remove(self, visit: Visit) -> Response:
        """Ask whether it is meant."""
        service, key = visit.caller.may_name(visit.asked("service") or None), visit.asked("key")
        if key not in (await self.store.declared(service)).by_key:
            raise not_found()
        page = FormPage(
            title="Remove this category?",
            fields=(),
            facts=(("Service", service), ("Key", key)),
            said=(_REMOVING,),
            hidden={"service": service, "key": key},
            button="Remove it",
            action=_REMOVE,
            up=(SECTION.title, SECTION.path),
            is_dangerous=True,
        )
        return page.show(visit)

    async def remove(self, visit: Visit) -> Response:
        """Let nobody choose by it any more."""
        service = visit.caller.may_name(visit.form.text("service") or None)
        there(await self.store.remove(service, visit.form.text("key")))
        self.categories.forget()
        return visit.to(SECTION.path, done="removed")


def _setting(visit: Visit, etag: str) -> FormPage:
    """Return the form; with an etag, of one that is there."""
    fields = _SETTING.fields
    if visit.caller.sees is None:
        fields = (_SERVICE, *fields)
    return replace(_SETTING, fields=fields, hidden={"etag": etag})


def _filled_in(it: Category) -> Form:
    return filled(
        service=it.service,
        key=it.key,
        kind=it.kind.value,
        can_switch_off="yes" if it.can_switch_off else "",
        titles="\n".join(f"{locale}: {title}" for locale, title in it.titles.items()),
        on=[each.value for each in Channel if it.is_on_by_default(each)],
        limit=f"{it.cap.limit}" if it.cap else "",
        per=it.cap.per.value if it.cap else "",
    )


def _wanted(form: Form) -> CategoryRequest | list[InvalidField]:
    """Return what a form asks for, or all that is wrong with it."""
    lines = [line.partition(":") for line in form.text("titles").splitlines() if line.strip()]
    titles: dict[str, JsonValue] = {locale.strip(): title.strip() for locale, _, title in lines}
    on = set(form.texts("on"))
    asked: dict[str, JsonValue] = {
        "titles": titles,
        "kind": form.text("kind"),
        "can_switch_off": bool(form.text("can_switch_off")),
        "defaults": {each.value: False for each in Channel if each.value not in on},
    }
    limit = form.text("limit")
    if limit and not (limit.isascii() and limit.isdecimal()):
        return [InvalidField("/limit", "expected a number")]
    if limit:
        asked["cap"] = {"limit": int(limit[:_DIGITS]), "per": form.text("per")}
    checked = read_strictly(CategoryRequest, asked)
    return [_placed(each) for each in checked] if isinstance(checked, list) else checked


def _placed(wrong: InvalidField) -> InvalidField:
    """Return what is wrong as the form has it."""
    where = wrong.where.replace("/cap/", "/").replace("/defaults", "/on")
    return InvalidField(where, wrong.detail)


def _row(it: StoredCategory, *, names: bool, may_change: bool) -> Sequence[Cell]:
    which = urlencode({"service": it.service, "key": it.key})
    told = [it.service] if names else []
    told += [f"{title} ({locale})" for locale, title in it.titles.items()]
    cap = f"at most {it.cap.limit} in each {it.cap.per}" if it.cap else ""
    off = "people can switch it off" if it.can_switch_off else "nobody can switch it off"
    removing = Link(words="Remove", path=f"{_REMOVE}?{which}", about=it.key)
    return (
        Cell(text=it.key, path=f"{_SET}?{which}" if may_change else "", small=" · ".join(told)),
        Cell(
            text=it.kind.value,
            channels=[each for each in Channel if it.is_on_by_default(each)],
            small=", ".join(filter(None, (off, cap))),
        ),
        Cell(small=f"since {time_words(it.updated_at)}", link=removing if may_change else None),
    )
