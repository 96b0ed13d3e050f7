"""The template of a world: what it says, who publishes it, and whether it was sent like that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from notifier.clock import Clock
from notifier.content.encoding import decode
from notifier.content.library import TemplateDraft, TemplateStore
from notifier.content.ports import Checked, Offered
from notifier.content.shared import Shared
from notifier.content.template import Content, Finding, Rendered, VariableFault, Variables
from notifier.notification.model import Channel, JsonValue
from notifier.notification.sms import SmsRules
from notifier.rendering.checking.check import check
from notifier.rendering.previewing import preview
from tests.simulation.audience.people import LETTER, LETTER_CATEGORY
from tests.simulation.clients import TEMPLATE, Wish
from tests.simulation.eventing.rules import DIGEST
from tests.simulation.providers import Call

_SERVICE = "shop"
_PLACE = "{{ number }}"
_FIRST, _LETTER, _DIGEST = UUID(int=1), UUID(int=2), UUID(int=3)
_GATHERED = "{{ count }}:{% for each in items %} {{ each.number }}{% endfor %}"


def content(words: str) -> Content:
    """A content that says these words and a notification's number, in an email and an SMS."""
    said = f"{words} {_PLACE}"
    email = {"subject": "Hi", "preheader": "Hi", "text": said}
    return Content(
        default_locale="en",
        schema={"type": "object", "properties": {"number": {}}, "required": ["number"]},
        examples=[{"number": 1}],
        parts={"en": {Channel.EMAIL: email, Channel.SMS: {"text": said}}},
    )


async def publish_first(templates: TemplateStore) -> None:
    """Publish the first version, before there is a world."""
    first = content("at first")
    saved = await templates.save(service=_SERVICE, name=TEMPLATE, content=first, if_match=None)
    await templates.publish(draft=cast(TemplateDraft, saved), compiled=first, id=_FIRST)
    letter = replace(content("a letter"), category=LETTER_CATEGORY)
    drafted = await templates.save(service=_SERVICE, name=LETTER, content=letter, if_match=None)
    await templates.publish(draft=cast(TemplateDraft, drafted), compiled=letter, id=_LETTER)
    gathered = replace(_gathered(), category=LETTER_CATEGORY)
    drafted = await templates.save(service=_SERVICE, name=DIGEST, content=gathered, if_match=None)
    await templates.publish(draft=cast(TemplateDraft, drafted), compiled=gathered, id=_DIGEST)


def _gathered() -> Content:
    """Return a content that says how many items there are, and their numbers."""
    items: JsonValue = {"type": "array", "items": {"type": "object"}}
    email = {"subject": "Hi", "preheader": "Hi", "text": _GATHERED}
    return Content(
        default_locale="en",
        schema={
            "type": "object",
            "properties": {"count": {"type": "integer"}, "items": items},
            "required": ["count", "items"],
        },
        examples=[{"count": 1, "items": [{"number": 1}]}],
        parts={"en": {Channel.EMAIL: email, Channel.SMS: {"text": _GATHERED}}},
    )


class NearWorkshop:
    """Looks at drafts in the process itself: those of a world hurt nobody."""

    def __init__(self, clock: Clock, *, sms: SmsRules, default_zone: str) -> None:
        self._clock = clock
        self._sms = sms
        self._default_zone = default_zone

    async def check(self, content: Content, shared: Shared) -> Checked:
        return check(content, shared, self._sms)

    async def preview(
        self,
        content: Content,
        channel: Channel,
        *,
        locale: str | None,
        variables: Variables,
        offered: Offered,
        shared: Shared | None,
    ) -> Rendered | Sequence[VariableFault] | Sequence[Finding]:
        return preview(
            content,
            channel,
            locale=locale,
            variables=variables,
            offered=offered,
            shared=shared,
            now=self._clock.now().isoformat(),
            default_zone=self._default_zone,
        )

    async def close(self) -> None:
        pass


def misworded(
    wishes: Sequence[Wish],
    records: Sequence[Mapping[str, Any]],
    versions: Sequence[Mapping[str, Any]],
    journal: Sequence[Call],
) -> Iterator[str]:
    """What was handed over with other words than those that it was accepted with."""
    numbers = {wish.told: wish.number for wish in wishes}
    words = {version["id"]: _words(version["content"]) for version in versions}
    published = {version["id"]: version["created_at"] for version in versions}
    pins = {UUID(each["id"]): each for each in records if each["template_version_id"]}
    for call in journal:
        pinned = pins.get(call.id)
        if pinned is None or call.id not in numbers:
            continue
        said = words[pinned["template_version_id"]].replace(_PLACE, str(numbers[call.id]))
        if call.text != said:
            yield f"misworded: {call.id} was handed over with {call.text!r}, not {said!r}"
        version = UUID(pinned["template_version_id"])
        # The first one is older than the world, whose time is not that of its making.
        if version != _FIRST and published[pinned["template_version_id"]] > pinned["created_at"]:
            yield f"misworded: {call.id} has a version that was published after it was accepted"


def _words(encoded: str) -> str:
    return decode(encoded).parts["en"][Channel.SMS]["text"]
