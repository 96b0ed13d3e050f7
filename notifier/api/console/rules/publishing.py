"""Putting rules in force, taking that back, and putting them out of force: asked first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from notifier.api.console.fields import FormPage
from notifier.api.console.rules.places import ONE, SECTION, draft_of, named, path_of
from notifier.api.console.rules.sources import source_of
from notifier.api.console.rules.views import found_in, summary_of
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.differing import unified
from notifier.api.kit.problems import not_found, there
from notifier.api.rules.desk import RuleDesk
from notifier.events.rules import MAX_RULES, RuleDraft, TooManyRules, WrittenRule
from notifier.idempotency import Applied, LostRace
from notifier.notification.model import JsonValue

_DIGITS = 10
_OUTRUN = (
    "Somebody else changed it since you opened this page: nothing was done. It is shown as it is "
    "now; look at it, and publish it if it is still meant."
)
_TOO_MANY = f"A service has at most {MAX_RULES} rules in force: put one out of force before."
_REMOVING = (
    "Its draft goes, and events are no longer held against it. What it has begun is finished: "
    "what waits is sent, and open digests too."
)


@dataclass(frozen=True, slots=True)
class RulePublishing:
    """Puts rules in force and out of it."""

    desk: RuleDesk

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        asking = {
            "/publish": self.ask_to_publish,
            "/rollback": self.ask_to_roll_back,
            "/remove": self.ask_to_remove,
        }
        doing = {"/publish": self.publish, "/rollback": self.roll_back, "/remove": self.remove}
        scope = SECTION.scope
        return (
            *(ConsolePage(path=f"{ONE}{it}", scope=scope, serve=do) for it, do in asking.items()),
            *(
                ConsolePage(path=f"{ONE}{it}", scope=scope, serve=do, method="POST")
                for it, do in doing.items()
            ),
        )

    async def ask_to_publish(self, visit: Visit) -> Response:
        """Say what keeps a draft from being in force, and what it would change."""
        return await self._asking(visit, await draft_of(self.desk.rules, visit))

    async def publish(self, visit: Visit) -> Response:
        """Put the draft that was shown in force."""
        draft = await draft_of(self.desk.rules, visit)
        if await self.desk.flaws(draft.document, draft.service):
            return await self._asking(visit, draft, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        change = partial(self.desk.rules.publish, draft=draft)
        return await self._put_in_force(visit, draft, None, change)

    async def ask_to_roll_back(self, visit: Visit) -> Response:
        """Say what putting an earlier version in force again would change."""
        draft = await draft_of(self.desk.rules, visit)
        return await self._asking(visit, draft, await self._version(visit, draft))

    async def roll_back(self, visit: Visit) -> Response:
        """Put an earlier version in force again."""
        draft = await draft_of(self.desk.rules, visit)
        earlier = await self._version(visit, draft)
        change = partial(self.desk.rules.rollback, draft=draft, number=earlier.number)
        return await self._put_in_force(visit, draft, earlier, change)

    async def ask_to_remove(self, visit: Visit) -> Response:
        """Ask whether it is meant."""
        draft = await draft_of(self.desk.rules, visit)
        page = FormPage(
            title=f"Put {draft.name} out of force?",
            fields=(),
            said=(_REMOVING,),
            button="Put it out of force",
            action=path_of(draft.service, draft.name, "/remove"),
            up=(draft.name, path_of(draft.service, draft.name)),
            is_dangerous=True,
        )
        return page.show(visit)

    async def remove(self, visit: Visit) -> Response:
        """Put one out of force, with its draft."""
        there(await self.desk.rules.remove(*named(visit)))
        self.desk.book.forget()
        return visit.to(SECTION.path, done="removed")

    async def _put_in_force(
        self,
        visit: Visit,
        draft: RuleDraft,
        earlier: WrittenRule | None,
        change: Callable[..., Any],
    ) -> Response:
        shown = (visit.form.text("etag"), visit.form.text("number"))
        is_meant = shown == (draft.etag, f"{draft.next_number}")
        made = await change(id=self.desk.new_id()) if is_meant else LostRace(draft.etag)
        if isinstance(made, Applied):
            self.desk.book.forget()
            return visit.to(path_of(draft.service, draft.name), done="published")
        wrong = _TOO_MANY if isinstance(made, TooManyRules) else _OUTRUN
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return await self._asking(visit, draft, earlier, wrong=wrong, status=status)

    async def _asking(
        self,
        visit: Visit,
        draft: RuleDraft,
        earlier: WrittenRule | None = None,
        *,
        wrong: str = "",
        status: int = HTTPStatus.OK,
    ) -> Response:
        document = earlier.document if earlier else draft.document
        flaws = () if earlier else await self.desk.flaws(draft.document, draft.service)
        findings = found_in(source_of(document), flaws)
        below = f"/rollback?version={earlier.number}" if earlier else "/publish"
        what = f"version {earlier.number} of {draft.name} again" if earlier else draft.name
        return visit.page(
            "rule_publish.html",
            {
                "title": f"Publish {what}?",
                "name": draft.name,
                "here": path_of(draft.service, draft.name),
                "action": f"{path_of(draft.service, draft.name)}{below}",
                "etag": draft.etag,
                "number": draft.next_number,
                "wrong": wrong,
                "findings": findings,
                "summary": summary_of(findings),
                "has_errors": bool(findings),
                "lines": await self._changes(draft, document),
                "in_force": draft.published,
            },
            status=status,
        )

    async def _changes(self, draft: RuleDraft, document: JsonValue) -> Sequence[str]:
        """Return the lines that differ from what is in force."""
        if draft.published is None:
            return ()
        now = await self._numbered(draft, draft.published)
        return unified(source_of(now.document), source_of(document))

    async def _version(self, visit: Visit, draft: RuleDraft) -> WrittenRule:
        text = visit.asked("version")
        if not (text.isascii() and text.isdecimal() and len(text) < _DIGITS):
            raise not_found()
        return await self._numbered(draft, int(text))

    async def _numbered(self, draft: RuleDraft, number: int) -> WrittenRule:
        found = await self.desk.rules.versions(
            draft.service, draft.name, limit=1, before=number + 1
        )
        if not found or found[0].number != number:
            raise not_found()
        return found[0]
