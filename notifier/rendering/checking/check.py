"""All that is wrong with a content, or may be."""

from dataclasses import replace

from notifier.content.brand import brand_values
from notifier.content.ports import Checked
from notifier.content.shared import Shared
from notifier.content.template import PART_NAMES, Content
from notifier.notification.model import Channel
from notifier.rendering.checking.contexts import check_contexts
from notifier.rendering.checking.examples import check_examples
from notifier.rendering.checking.findings import Findings, Place
from notifier.rendering.checking.growth import check_growth
from notifier.rendering.checking.mjml import check_tags, compiled
from notifier.rendering.checking.shape import check_shape
from notifier.rendering.checking.variables import check_names, read_schema
from notifier.rendering.engine import Engine
from notifier.rendering.faults import PartError

_Parts = dict[str, dict[Channel, dict[str, str]]]


def check(content: Content, shared: Shared) -> Checked:
    """Return the findings, and what would be published, unless there is an error."""
    findings = Findings()
    check_shape(content, findings)
    schema = read_schema(content, findings)
    reading = _Reading(findings)
    parts = reading.compiled(content)
    reads_brand = "brand" in reading.roots
    made = replace(content, parts=parts, brand=brand_values(shared.brand) if reads_brand else {})
    if schema is not None:
        check_names(schema, reading.names, findings)
        if not findings.has_errors:
            check_examples(made, content, schema, findings)
    return Checked(findings.told(), None if findings.has_errors else made)


class _Reading:
    """Reads each part: what it reads in turn, and HTML for its MJML."""

    def __init__(self, findings: Findings) -> None:
        self.names: dict[Place, set[str]] = {}
        self._findings = findings
        self._engine = Engine()

    @property
    def roots(self) -> set[str]:
        """All that is read, without fields."""
        return {name.partition(".")[0] for names in self.names.values() for name in names}

    def compiled(self, content: Content) -> _Parts:
        made: _Parts = {}
        for locale, channels in content.parts.items():
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
            self.names[place] = self._engine.names(source)
            check_growth(source, self._reporting(place))
            if part == "mjml":
                return "html", self._page_of_mjml(source, place)
        except PartError as fault:
            self._findings.fault(fault, place)
            return part, source
        if part == "html":
            check_contexts(source, self._reporting(place))
        return part, source

    def _page_of_mjml(self, source: str, place: Place) -> str:
        check_tags(source, self._reporting(place))
        html = compiled(source)
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
