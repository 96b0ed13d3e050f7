"""Publishing templates, taking that back, and ending their use: asked first, and told after."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from notifier.api.console.authoring.cascading import told_cascade
from notifier.api.console.authoring.places import CHANGES, ONE, draft_of, named, path_of
from notifier.api.console.authoring.views import Findings
from notifier.api.console.fields import FormPage
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.problems import not_found, there
from notifier.api.templates.cascades import renewing
from notifier.api.templates.choosing import written_version
from notifier.api.templates.workbench import Workbench
from notifier.content.cascading import Cascade
from notifier.content.library import TemplateDraft
from notifier.content.ports import Checked
from notifier.idempotency import Applied, NotFound

_DIGITS = 10
_ARCHIVING = (
    "What names it from now on is refused. What was accepted is sent. To publish it again ends "
    "that."
)
_OUTRUN = (
    "Somebody else changed it since you opened this page: nothing is published. It is shown as it "
    "is now; look at it, and publish it if it is still meant."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is to be published, as version `number`."""

    service: str
    name: str
    number: int
    etag: str = ""
    earlier: int | None = None
    """The version to publish again; None: the draft."""
    cascade: Cascade | None = None
    """What would come of the others; None: nobody takes it in."""
    findings: Findings | None = None
    sent: int | None
    """The version that is sent now."""

    @property
    def title(self) -> str:
        """What the page is called."""
        if self.earlier is not None:
            return f"Publish version {self.earlier} of {self.name} again?"
        return f"Publish {self.name}?"

    @property
    def action(self) -> str:
        """Where its form is posted."""
        if self.earlier is not None:
            return path_of(self.service, self.name, "/rollback", version=str(self.earlier))
        return path_of(self.service, self.name, "/publish")


@dataclass(frozen=True, slots=True)
class PublishingPages:
    """Publishes drafts and earlier versions, and archives templates."""

    bench: Workbench

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        asking = {
            "/publish": self.ask_to_publish,
            "/rollback": self.ask_to_roll_back,
            "/archive": self.ask_to_archive,
        }
        doing = {
            "/publish": self.publish,
            "/rollback": self.roll_back,
            "/archive": self.archive,
        }
        return (
            *(ConsolePage(path=f"{ONE}{it}", scope=CHANGES, serve=do) for it, do in asking.items()),
            *(
                ConsolePage(path=f"{ONE}{it}", scope=CHANGES, serve=do, method="POST")
                for it, do in doing.items()
            ),
        )

    async def ask_to_publish(self, visit: Visit) -> Response:
        """Say what is found in a draft, and what would come of the others."""
        asked, _ = await self._of_draft(visit)
        return _asking(visit, asked)

    async def publish(self, visit: Visit) -> Response:
        """Make a version of the draft that was shown."""
        asked, (draft, checked) = await self._of_draft(visit)
        if checked.compiled is None:
            return _asking(visit, asked, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        if (visit.form.text("etag"), visit.form.text("number")) != (draft.etag, f"{asked.number}"):
            return _asking(visit, asked, wrong=_OUTRUN, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        change = partial(
            self.bench.templates.publish,
            draft=draft,
            compiled=checked.compiled,
            id=self.bench.new_id(),
        )
        return await self._published(visit, asked, change)

    async def ask_to_roll_back(self, visit: Visit) -> Response:
        """Say what publishing an earlier version again would come to."""
        return _asking(visit, await self._of_version(visit))

    async def roll_back(self, visit: Visit) -> Response:
        """Publish an earlier version again."""
        asked = await self._of_version(visit)
        assert asked.earlier is not None  # noqa: S101  it is of a version
        if visit.form.text("number") != f"{asked.number}":
            return _asking(visit, asked, wrong=_OUTRUN, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        change = partial(
            self.bench.templates.rollback,
            service=asked.service,
            name=asked.name,
            number=asked.earlier,
            as_number=asked.number,
            id=self.bench.new_id(),
        )
        return await self._published(visit, asked, change)

    async def ask_to_archive(self, visit: Visit) -> Response:
        """Ask whether it is meant."""
        service, name = named(visit)
        there(await self.bench.templates.template(service, name))
        page = FormPage(
            title=f"Archive {name}?",
            fields=(),
            said=(_ARCHIVING,),
            button="Archive it",
            action=path_of(service, name, "/archive"),
            up=(name, path_of(service, name)),
            is_dangerous=True,
        )
        return page.show(visit)

    async def archive(self, visit: Visit) -> Response:
        """Let nothing new be sent with a template."""
        service, name = named(visit)
        if isinstance(await self.bench.templates.archive(service=service, name=name), NotFound):
            raise not_found()
        self.bench.library.forget()
        return visit.to(path_of(service, name), done="archived")

    async def _of_draft(self, visit: Visit) -> tuple[_Asked, tuple[TemplateDraft, Checked]]:
        draft = await draft_of(self.bench.templates, visit)
        service, name, content = draft.service, draft.name, draft.content
        checked = await self.bench.checked(draft)
        cascade = None
        if content.is_partial and checked.compiled is not None:
            cascade = await self.bench.cascade(service, name, content, draft.next_number)
        asked = _Asked(
            service=service,
            name=name,
            number=draft.next_number,
            etag=draft.etag,
            cascade=cascade,
            findings=Findings(service, name, content, checked.findings),
            sent=there(await self.bench.templates.template(service, name)).published,
        )
        return asked, (draft, checked)

    async def _of_version(self, visit: Visit) -> _Asked:
        service, name = named(visit)
        text = visit.asked("version")
        if not (text.isascii() and text.isdecimal() and len(text) < _DIGITS):
            raise not_found()
        written = await written_version(self.bench.templates, service, name, int(text))
        number = await self.bench.templates.next_number(service, name)
        cascade = None
        if written.source.is_partial:
            cascade = await self.bench.cascade(service, name, written.source, number)
        return _Asked(
            service=service,
            name=name,
            number=number,
            earlier=int(text),
            cascade=cascade,
            sent=there(await self.bench.templates.template(service, name)).published,
        )

    async def _published(self, visit: Visit, asked: _Asked, change: Any) -> Response:
        """Make a change with its cascade, if that was wanted, and say what came of it."""
        wanted = asked.cascade if visit.form.text("cascade") else None

        async def attempt(cascade: Cascade | None) -> Any:
            return await change(cascade=cascade.to_publish if cascade else None)

        made, cascade = await renewing(attempt, wanted)
        if isinstance(made, NotFound):
            raise not_found()
        if not isinstance(made, Applied):
            return _asking(visit, asked, wrong=_OUTRUN, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        self.bench.library.forget()
        if cascade is None:
            return visit.to(path_of(asked.service, asked.name), done="published")
        return visit.page(
            "template_published.html",
            {
                "name": asked.name,
                "here": path_of(asked.service, asked.name),
                "number": asked.number,
                "cascaded": told_cascade(asked.service, cascade),
            },
        )


def _asking(
    visit: Visit, asked: _Asked, *, wrong: str = "", status: int = HTTPStatus.OK
) -> Response:
    found = asked.findings
    return visit.page(
        "template_publish.html",
        {
            "title": asked.title,
            "name": asked.name,
            "here": path_of(asked.service, asked.name),
            "action": asked.action,
            "number": asked.number,
            "etag": asked.etag,
            "sent": asked.sent,
            "to": "draft" if asked.earlier is None else str(asked.earlier),
            "wrong": wrong,
            "summary": found.summary if found else "",
            "has_errors": bool(found and found.has_errors),
            "findings": found.elsewhere() if found else (),
            "cascaded": told_cascade(asked.service, asked.cascade) if asked.cascade else (),
        },
        status=status,
    )
