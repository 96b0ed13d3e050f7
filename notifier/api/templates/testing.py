"""Test sends: what a template says, sent for real to whom the operator allows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from notifier.api.kit.answers import Answer
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import INVALID, NOT_FOUND, InvalidField, ProblemError, invalid
from notifier.api.kit.trace import traceparent
from notifier.api.templates.choosing import chosen_content, chosen_variables
from notifier.api.templates.fillings import TestRequest, TestSentView
from notifier.api.templates.naming import named_template
from notifier.api.templates.refusals import refused, unfilled
from notifier.api.templates.shapes import PREFIX, TAG, TemplateQuery
from notifier.api.templates.workbench import Workbench
from notifier.audience.allowed import AllowedRecipients
from notifier.content.ports import example_offered
from notifier.content.shared import Shared
from notifier.content.template import Content, Rendered
from notifier.intake.draft import Draft
from notifier.intake.drafting import Drafter
from notifier.intake.inline import MAX_SUBJECT_CHARS
from notifier.intake.pinning import IS_PARTIAL
from notifier.intake.ports import Submission
from notifier.intake.submission import Submitter
from notifier.notification.model import Channel

MARK = "[Test] "
_SETTING = "NOTIFIER_API__TEST_RECIPIENTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateTester:
    """Makes tests of drafts and versions.

    What was never published is filled by the workshop: what is sent of it is finished text. The
    way of that is the same as any other notification's, and it is marked.
    """

    bench: Workbench
    drafter: Drafter
    allowed: AllowedRecipients
    captured: Collection[Channel]
    """The channels of which nothing leaves."""

    async def made(
        self, service: str, name: str, wanted: TestRequest, *, traceparent: str | None
    ) -> Submission:
        """Return what to submit.

        Raises:
            ProblemError: 404, there is no such template; 422, nothing can be sent of it, or not
                to this recipient.
        """
        bench, id = self.bench, self.bench.new_id()
        self._check_recipient(wanted)
        content, shared = await chosen_content(
            bench.templates, bench.sharing, service, name, wanted
        )
        if content.is_partial:
            raise invalid([InvalidField("", IS_PARTIAL)])
        images = await self._images(service, content, shared)
        rendered = await self._rendered(service, content, shared, wanted, id)
        draft = replace(_draft(rendered, wanted, _marks(name, wanted.version)), images=images)
        [made] = await self.drafter.submissions([draft], service=service, traceparent=traceparent)
        if isinstance(made, Submission):
            return replace(made, id=id)
        raise invalid([InvalidField(_POINTERS.get(each.field, ""), each.words) for each in made])

    def _check_recipient(self, wanted: TestRequest) -> None:
        if wanted.type in self.captured or self.allowed.include(wanted.type, wanted.to):
            return
        words = f"tests go to the addresses and domains of {_SETTING} alone, and this is none"
        if not self.allowed:
            words = f"tests go nowhere: an operator names addresses and domains in {_SETTING}"
        raise invalid([InvalidField("/to", words)])

    async def _images(
        self, service: str, content: Content, shared: Shared | None
    ) -> Mapping[str, UUID]:
        """Return its images, and those of what it takes in: a version has them already."""
        if shared is None:
            return content.images
        async with self.bench.turns.of(service):
            checked = await self.bench.workshop.check(content, shared)
        if checked.compiled is None:
            raise refused(checked)
        return checked.compiled.images

    async def _rendered(
        self,
        service: str,
        content: Content,
        shared: Shared | None,
        wanted: TestRequest,
        id: UUID,
    ) -> Rendered:
        seen = await self.bench.filled(
            service,
            content,
            wanted.type,
            locale=wanted.locale,
            variables=chosen_variables(content, wanted),
            shared=shared,
            offered=example_offered(str(id)),
        )
        if not isinstance(seen, Rendered):
            raise unfilled(seen)
        return seen


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateTesting:
    """Sends a draft or a version as a test."""

    tester: TemplateTester
    submitter: Submitter
    location: Callable[[Request, UUID], str]
    """Where a notification is seen."""

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoint."""
        return (
            Operation(
                id="testTemplate",
                method="POST",
                path=f"{PREFIX}/{{template}}/test",
                summary="Send a template to somebody who looks at it",
                description="To an address or domain that the operator allows, or anywhere where "
                "the sandbox captures it. It goes the whole way and counts as any other, its "
                "subject begins with `[Test]`, and its metadata say `test_of`, the template, and "
                "`test_version`. A draft with errors is not sent.",
                tag=TAG,
                serve=self.send,
                scope="templates",
                query=TemplateQuery,
                body=TestRequest,
                max_values=10_000,
                is_idempotent=True,
                replies={
                    202: Reply(description="Accepted", model=TestSentView, headers=("Location",))
                },
                problems=(NOT_FOUND, INVALID),
            ),
        )

    async def send(self, call: Call[TestRequest, TemplateQuery]) -> Response:
        """Accept a test."""
        service, name = call.acting_for(call.query.service), named_template(call)
        try:
            made = await self.tester.made(
                service, name, call.body, traceparent=traceparent(call.request)
            )
        except ProblemError as problem:
            return await call.refuse(problem)
        view = TestSentView(id=made.id, type=made.channel)
        answer = Answer(
            status=HTTPStatus.ACCEPTED,
            body=view.json_value(),
            headers={"Location": self.location(call.request, made.id)},
        )
        return await call.once(partial(self.submitter.submit, [made]), answer)


# What clients named themselves; the rest is the template's.
_POINTERS: Mapping[str, str] = {"recipient": "/to", "type": "/type"}


def _marks(name: str, version: int | None) -> Mapping[str, str]:
    return {"test_of": name, "test_version": "draft" if version is None else str(version)}


def _draft(rendered: Rendered, wanted: TestRequest, metadata: Mapping[str, str]) -> Draft:
    subject = rendered.subject
    return Draft(
        channel=wanted.type,
        recipient=wanted.to,
        content=rendered.text,
        subject=subject and (MARK + subject)[:MAX_SUBJECT_CHARS],
        html=rendered.html,
        action_url=rendered.action_url,
        literal=True,
        metadata=metadata,
    )
