"""The page that shows how two versions of a template differ, or one and the draft."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from notifier.api.console.authoring.places import ONE, SECTION, draft_of, path_of
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.differing import unified
from notifier.api.kit.problems import not_found
from notifier.api.templates.choosing import written_version
from notifier.api.templates.comparing import differences
from notifier.api.templates.workbench import Workbench
from notifier.content.encoding import content_document
from notifier.content.library import TemplateDraft
from notifier.content.template import Content

_DRAFT = "draft"
_AS_DRAFT = (_DRAFT, "The draft")
_DIGITS = 10
_MOST_VERSIONS = 200


@dataclass(frozen=True, slots=True)
class ComparingPages:
    """Compares versions."""

    bench: Workbench

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (ConsolePage(path=f"{ONE}/compare", scope=SECTION.scope, serve=self.compare),)

    async def compare(self, visit: Visit) -> Response:
        """Show how two of them differ, in what they say and in what they are."""
        draft = await draft_of(self.bench.templates, visit)
        service, name = draft.service, draft.name
        known = await self.bench.templates.versions(
            service, name, limit=_MOST_VERSIONS, before=None
        )
        since, to = visit.asked("from") or "1", visit.asked("to") or _DRAFT
        earlier, later = await self._content(draft, since), await self._content(draft, to)
        return visit.page(
            "template_compare.html",
            {
                "name": name,
                "here": path_of(service, name),
                "options": [*((f"{it.number}", f"Version {it.number}") for it in known), _AS_DRAFT],
                "since": since,
                "to": to,
                "differences": [*_settings(earlier, later), *differences(earlier, later)],
            },
        )

    async def _content(self, draft: TemplateDraft, which: str) -> Content:
        if which == _DRAFT:
            return draft.content
        if not (which.isascii() and which.isdecimal() and len(which) < _DIGITS):
            raise not_found()
        written = await written_version(self.bench.templates, draft.service, draft.name, int(which))
        return written.source


def _settings(earlier: Content, later: Content) -> Iterator[tuple[str, list[str]]]:
    if lines := unified(_written(earlier), _written(later)):
        yield "settings", lines


def _written(content: Content) -> str:
    document = content_document(replace(content, parts={}))
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
