"""All that is wrong with a content, or may be."""

from dataclasses import replace
from uuid import UUID

from notifier.content.brand import brand_values
from notifier.content.ports import Checked
from notifier.content.shared import Shared
from notifier.content.template import PART_NAMES, Content
from notifier.notification.model import Channel
from notifier.notification.sms import DEFAULT_RULES, SmsRules
from notifier.rendering.checking.contexts import check_contexts
from notifier.rendering.checking.examples import check_examples
from notifier.rendering.checking.findings import Findings, Place
from notifier.rendering.checking.growth import check_growth
from notifier.rendering.checking.images import check_images
from notifier.rendering.checking.mjml import check_tags, compiled, with_sizes
from notifier.rendering.checking.shape import check_shape
from notifier.rendering.checking.variables import check_names, check_unsubscribing, read_schema
from notifier.rendering.engine import Engine
from notifier.rendering.faults import PartError
from notifier.rendering.including import put_together

_Parts = dict[str, dict[Channel, dict[str, str]]]


def check(content: Content, shared: Shared, sms: SmsRules = DEFAULT_RULES) -> Checked:
    """Return the findings, and what would be published, unless there is an error."""
    findings = Findings()
    check_shape(content, findings)
    schema = read_schema(content, findings)
    reading = _Reading(findings, content, shared)
    made = reading.made()
    if schema is not None and (content.schema or not content.is_partial):
        check_names(schema, reading.names, reading.wholes, findings)
    if content.category in shared.switchable and not content.is_partial:
        check_unsubscribing(reading.names, findings)
    if schema is not None and not findings.has_errors and not content.is_partial:
        check_examples(made, reading.put_together(), schema, sms, findings)
    if not content.is_partial:
        check_images(reading.wholes, made.images, findings)
    return Checked(findings.told(), None if findings.has_errors else made)


class _Reading:
    """Reads each part: what it reads in turn, and HTML for its MJML."""

    def __init__(self, findings: Findings, content: Content, shared: Shared) -> None:
        self.names: dict[Place, set[str]] = {}
        self._findings = findings
        self._content = content
        self._shared = shared
        self.wholes: dict[Place, str] = {}
        self._uses: set[str] = set()
        self._engine = Engine()

    def made(self) -> Content:
        """Return what would be published: of a partial what was written, and else the whole."""
        parts = self._compiled()
        partials = self._shared.partials
        uses = {name: partials[name].number for name in sorted(self._uses)}
        roots = {name.partition(".")[0] for names in self.names.values() for name in names}
        brand = brand_values(self._shared.brand) if "brand" in roots else {}
        if self._content.is_partial:
            return replace(self._content, uses=uses)
        return replace(
            self._content,
            parts=parts,
            layout=None,
            uses=uses,
            brand=brand,
            images=self._images(),
        )

    def _images(self) -> dict[str, UUID]:
        """Return its images, and those of the partials that it takes in."""
        images: dict[str, UUID] = {}
        for name in sorted(self._uses):
            images |= self._shared.partials[name].content.images
        return images | dict(self._content.images)

    def put_together(self) -> Content:
        """Return the content with all that it takes in, before its MJML is made HTML."""
        parts: _Parts = {}
        for place, whole in self.wholes.items():
            assert place.channel  # noqa: S101  a part has one
            of_locale = parts.setdefault(place.locale or "", {})
            of_locale.setdefault(place.channel, {})[place.part or ""] = whole
        return replace(self._content, parts=parts)

    def _compiled(self) -> _Parts:
        made: _Parts = {}
        for locale, channels in self._content.parts.items():
            for channel, parts in channels.items():
                done = made.setdefault(locale, {}).setdefault(channel, {})
                for part, source in parts.items():
                    if part in PART_NAMES[channel]:
                        name, text = self._read(part, source, Place(locale, channel, part))
                        done[name] = text
        return made

    def _read(self, part: str, source: str, place: Place) -> tuple[str, str]:
        try:
            self._engine.add(f"check/{part}", source)
            whole = self._whole(source, place)
            self._engine.add(f"check/{part}", whole)
            self.names[place] = self._engine.names(whole)
            check_growth(whole, self._reporting(place))
            if part == "mjml":
                return "html", self._page_of_mjml(whole, place)
        except PartError as fault:
            self._findings.fault(fault, place)
            return part, source
        if part == "html":
            check_contexts(whole, self._reporting(place))
        return part, whole

    def _whole(self, source: str, place: Place) -> str:
        whole = put_together(source, place, self._content, self._shared)
        self._findings.is_made_of(place, whole.origin)
        self.wholes[place] = whole.text
        self._uses |= whole.uses
        for name in sorted(whole.foreign):
            words = f"{name} is not there in this language; another one of it is taken"
            self._findings.warning("partial-locale", words, place)
        return whole.text

    def _page_of_mjml(self, source: str, place: Place) -> str:
        check_tags(source, self._reporting(place))
        if self._content.is_partial:  # a page it is where it is taken in
            return source
        html = compiled(with_sizes(source, self._shared.brand))
        self._engine.add("check/html", html)
        # Lines of what was made say nothing to who wrote the source.
        check_contexts(html, lambda code, words, _line: self._findings.error(code, words, place))
        return html

    def _reporting(self, place: Place) -> "_Reporting":
        return _Reporting(self._findings, place)


class _Reporting:
    def __init__(self, findings: Findings, place: Place) -> None:
        self._findings = findings
        self._place = place

    def __call__(self, code: str, words: str, line: int | None) -> None:
        self._findings.error(code, words, self._place, line=line)
