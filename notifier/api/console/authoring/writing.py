"""What the forms of templates hold, as contents."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from notifier.api.console.authoring.views import PARTS, Place
from notifier.api.console.fields import Flaws
from notifier.api.console.forms import Form
from notifier.api.console.visits import Visit
from notifier.api.kit.body import parse_json
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField, ProblemError, not_found
from notifier.api.templates.parts import LocaleParts
from notifier.content.template import PART_NAMES, Content, Variables, is_locale
from notifier.notification.model import Channel, JsonValue

_MAX_VALUES = 10_000


def place_of(visit: Visit, otherwise: Place) -> Place:
    """Return which parts a query asks for.

    Raises:
        ProblemError: 404, there can be none such.
    """
    locale = visit.asked("locale") or otherwise.locale
    channel = visit.asked("type") or otherwise.channel.value
    if not is_locale(locale) or channel not in set(Channel):
        raise not_found()
    return Place(locale, Channel(channel))


def first_place(content: Content) -> Place:
    """Return which parts an editor shows first."""
    channels = content.parts.get(content.default_locale, {})
    first = next((each for each in Channel if each in channels), Channel.EMAIL)
    return Place(content.default_locale, first)


@dataclass(frozen=True, slots=True)
class Written:
    """The parts of a place, as a form has them, put into a content; and what is wrong with them."""

    content: Content
    flaws: Flaws


def written(form: Form, place: Place, content: Content) -> Written:
    """Put what a form says for a place into a content; a part that was left blank is none."""
    before = place.parts_of(content)
    parts = {
        name: text
        for name in PART_NAMES[place.channel]
        if (text := source_of(form, name)) or before.get(name) == ""
    }
    wrong = read_strictly(LocaleParts, {place.channel.value: {**parts}})
    if isinstance(wrong, list):
        return Written(content, _by_part(wrong))
    return Written(with_parts(content, place, parts), {})


def with_parts(content: Content, place: Place, parts: Mapping[str, str]) -> Content:
    """Return a content that says this for a place; without parts it says nothing there."""
    channels = {**content.parts.get(place.locale, {}), place.channel: parts}
    said = {channel: each for channel, each in channels.items() if each}
    locales = {**content.parts, place.locale: said}
    return replace(content, parts={locale: each for locale, each in locales.items() if each})


def source_of(form: Form, name: str) -> str:
    """Return a part as it was written, white space and all."""
    return form.texts(name)[0] if form.texts(name) else ""


def json_of(form: Form, name: str, empty: JsonValue) -> "JsonValue | InvalidField":
    """Return the JSON that a field holds, `empty` if it is blank, or what is wrong with it."""
    text = form.text(name)
    if not text:
        return empty
    try:
        return parse_json(text.encode(), max_values=_MAX_VALUES)
    except ProblemError as problem:
        return InvalidField(f"/{name}", problem.detail)


def variables_of(form: Form, content: Content) -> Variables | str:
    """Return what a preview is filled with: an example, or what was written; why not otherwise."""
    if form.text("variables"):
        value: Any = json_of(form, "variables", {})
        if isinstance(value, InvalidField):
            return f"Variables: {value.detail}"
        return value if isinstance(value, dict) else "Variables: expected an object in braces."
    asked = form.text("example")
    index = int(asked) if asked in {str(each) for each in range(len(content.examples))} else 0
    return content.examples[index] if content.examples else {}


def _by_part(wrong: list[InvalidField]) -> Flaws:
    found: dict[str, list[str]] = {}
    for each in wrong:
        part = each.where.rpartition("/")[2]
        found.setdefault(part if part in PARTS else "", []).append(each.detail)
    return found
