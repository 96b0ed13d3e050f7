"""Writing templates: drafts, and what is published of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from notifier.api.kit.answers import Answer, ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.preconditions import IF_MATCH, if_match, in_time, quoted, require_meant
from notifier.api.kit.problems import (
    BUSY,
    INVALID,
    NOT_FOUND,
    PRECONDITION_FAILED,
    ProblemError,
    not_found,
    there,
)
from notifier.api.templates.cascades import once
from notifier.api.templates.choosing import written_version
from notifier.api.templates.naming import named_template
from notifier.api.templates.refusals import refused
from notifier.api.templates.shapes import (
    MAX_BODY_BYTES,
    MAX_VALUES,
    PREFIX,
    TAG,
    CascadeQuery,
    ContentShape,
    ContentView,
    DraftView,
    PublishedView,
    RollbackRequest,
    TemplateQuery,
    cascaded_views,
    finding_views,
)
from notifier.api.templates.workbench import Workbench
from notifier.content.cascading import Cascade
from notifier.content.library import TemplateDraft
from notifier.content.template import Finding
from notifier.idempotency import LostRace, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateWriting:
    """Lets who owns the words write, publish and take back."""

    bench: Workbench

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._showing(),
            self._saving(),
            self._publishing(),
            self._rolling_back(),
            self._archiving(),
        )

    async def show_draft(self, call: Call[None, TemplateQuery]) -> Response:
        """Show a draft, and what is found in it."""
        draft = await self._draft(call)
        return await self._shown(draft)

    async def save(self, call: Call[ContentShape, TemplateQuery]) -> Response:
        """Store a draft, whatever is found in it."""
        saved = await self.bench.templates.save(
            service=call.acting_for(call.query.service),
            name=named_template(call),
            content=call.body.content(),
            if_match=if_match(call),
        )
        return await self._shown(in_time(saved, "draft"))

    async def publish(self, call: Call[None, CascadeQuery]) -> Response:
        """Make a version of a draft without errors."""
        draft = await self._draft(call)
        require_meant(call, draft.etag, "draft")
        checked = await self.bench.checked(draft)
        if checked.compiled is None:
            return await call.refuse(refused(checked))
        service, name, number = draft.service, draft.name, draft.next_number
        cascade = None
        if call.query.cascade:
            cascade = await self.bench.cascade(service, name, draft.content, number)
        change = partial(
            self.bench.templates.publish,
            draft=draft,
            compiled=checked.compiled,
            id=self.bench.new_id(),
        )
        view = partial(_published_view, name, number, checked.findings)
        return self._answered(await once(call, change, cascade, view))

    async def roll_back(self, call: Call[RollbackRequest, CascadeQuery]) -> Response:
        """Publish an earlier version again."""
        service, name = call.acting_for(call.query.service), named_template(call)
        templates, earlier = self.bench.templates, call.body.version
        number = await templates.next_number(service, name)
        cascade = None
        if call.query.cascade:
            written = await written_version(templates, service, name, earlier)
            cascade = await self.bench.cascade(service, name, written.source, number)
        change = partial(
            templates.rollback,
            service=service,
            name=name,
            number=earlier,
            as_number=number,
            id=self.bench.new_id(),
        )
        view = partial(_published_view, name, number, ())
        return self._answered(await once(call, change, cascade, view))

    async def archive(self, call: Call[None, TemplateQuery]) -> Response:
        """Let nothing new be sent with a template."""
        service, name = call.acting_for(call.query.service), named_template(call)
        change = partial(self.bench.templates.archive, service=service, name=name)
        result = there(await call.once(change, Answer(status=HTTPStatus.NO_CONTENT)))
        self.bench.library.forget()
        return result

    def _answered(self, result: object) -> Response:
        if isinstance(result, LostRace):
            raise ProblemError(BUSY, "It was changed meanwhile. Look at it, and publish it again.")
        if isinstance(result, NotFound):
            raise not_found()
        self.bench.library.forget()
        assert isinstance(result, Response)  # noqa: S101  all else is said above
        return result

    async def _draft(
        self, call: "Call[Any, TemplateQuery] | Call[None, CascadeQuery]"
    ) -> TemplateDraft:
        service = call.acting_for(call.query.service)
        return there(await self.bench.templates.draft(service, named_template(call)))

    async def _shown(self, draft: TemplateDraft) -> Response:
        checked = await self.bench.checked(draft)
        view = DraftView(
            name=draft.name,
            etag=quoted(draft.etag),
            content=ContentView.of(draft.content),
            updated_at=draft.updated_at,
            findings=finding_views(checked.findings),
        )
        headers = {"ETag": quoted(draft.etag)}
        return ok(view, headers)

    def _showing(self) -> Operation:
        return Operation(
            id="getTemplateDraft",
            method="GET",
            path=f"{PREFIX}/{{template}}/draft",
            summary="A template's draft, and what is found in it",
            tag=TAG,
            serve=self.show_draft,
            scope="read",
            query=TemplateQuery,
            replies={200: _DRAFT},
            problems=(NOT_FOUND,),
        )

    def _saving(self) -> Operation:
        return Operation(
            id="saveTemplateDraft",
            method="PUT",
            path=f"{PREFIX}/{{template}}/draft",
            summary="Write a template's draft",
            description="Whatever is found in it is told, and keeps nothing from being stored. "
            "Nothing of a draft is sent before it is published.",
            tag=TAG,
            serve=self.save,
            scope="templates",
            query=TemplateQuery,
            body=ContentShape,
            max_values=MAX_VALUES,
            max_bytes=MAX_BODY_BYTES,
            headers=(IF_MATCH,),
            replies={200: _DRAFT},
            problems=(NOT_FOUND, PRECONDITION_FAILED),
        )

    def _publishing(self) -> Operation:
        return Operation(
            id="publishTemplate",
            method="POST",
            path=f"{PREFIX}/{{template}}/publish",
            summary="Publish a template's draft as its next version",
            description="A draft with errors is not published: 422 with the findings. "
            "Notifications that were accepted before keep the version that they have; "
            "other processes of the API take the new one within two seconds.",
            tag=TAG,
            serve=self.publish,
            scope="templates",
            query=CascadeQuery,
            is_idempotent=True,
            headers=(IF_MATCH,),
            replies={200: _PUBLISHED},
            problems=(NOT_FOUND, INVALID, BUSY, PRECONDITION_FAILED),
        )

    def _rolling_back(self) -> Operation:
        return Operation(
            id="rollBackTemplate",
            method="POST",
            path=f"{PREFIX}/{{template}}/rollback",
            summary="Publish an earlier version again, as the next one",
            tag=TAG,
            serve=self.roll_back,
            scope="templates",
            query=CascadeQuery,
            body=RollbackRequest,
            is_idempotent=True,
            replies={200: _PUBLISHED},
            problems=(NOT_FOUND, BUSY),
        )

    def _archiving(self) -> Operation:
        return Operation(
            id="archiveTemplate",
            method="POST",
            path=f"{PREFIX}/{{template}}/archive",
            summary="Accept nothing with a template any more",
            description="What was accepted is sent. To publish it again ends that.",
            tag=TAG,
            serve=self.archive,
            scope="templates",
            query=TemplateQuery,
            is_idempotent=True,
            replies={204: Reply(description="It is archived")},
            problems=(NOT_FOUND,),
        )


_PUBLISHED = Reply(description="It is sent from now on", model=PublishedView)
_DRAFT = Reply(description="The draft", model=DraftView, headers=("ETag",))


def _published_view(
    name: str, number: int, findings: Sequence[Finding], cascade: Cascade | None
) -> Answer:
    view = PublishedView(
        name=name,
        version=number,
        findings=finding_views(findings),
        cascade=cascaded_views(cascade),
    )
    return Answer(status=HTTPStatus.OK, body=view.json_value())
