"""Reading templates: what there is, how versions differ, and how they look when filled."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from notifier.api.kit.answers import ok
from notifier.api.kit.calls import Call
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.problems import (
    INVALID,
    NOT_FOUND,
)
from notifier.api.kit.querying import named_place
from notifier.api.templates.choosing import chosen_content, chosen_variables, written_version
from notifier.api.templates.comparing import differences
from notifier.api.templates.fillings import RenderedView, RenderRequest
from notifier.api.templates.naming import named_template
from notifier.api.templates.refusals import unfilled
from notifier.api.templates.shapes import (
    PREFIX,
    TAG,
    ContentView,
    DiffQuery,
    DiffView,
    TemplateQuery,
    TemplatesQuery,
    TemplatesView,
    TemplateView,
    UsersQuery,
    VersionsQuery,
    VersionsView,
    VersionView,
    WholeVersionView,
)
from notifier.api.templates.workbench import Workbench
from notifier.content.template import Rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateReading:
    """Shows templates and their versions."""

    bench: Workbench

    def operations(self) -> Sequence[Operation]:
        """Declare the endpoints."""
        return (
            self._listing(),
            self._listing_users(),
            *self._showing(),
            self._comparing(),
            self._rendering(),
        )

    async def list(self, call: Call[None, TemplatesQuery]) -> Response:
        """Show a page of templates."""
        query = call.query
        found = await self.bench.templates.list(
            service=call.seeing(query.service),
            limit=query.limit + 1,
            after=query.after,
            filter=query.filter(),
        )
        return call.page(found, TemplatesView, TemplateView.of, named_place)

    async def list_users(self, call: Call[None, UsersQuery]) -> Response:
        """Show a page of the templates that take in a partial."""
        query = call.query
        found = await self.bench.templates.users(
            call.acting_for(query.service),
            named_template(call),
            limit=query.limit + 1,
            after=query.after,
        )
        return call.page(found, TemplatesView, TemplateView.of, lambda user: user.name)

    async def list_versions(self, call: Call[None, VersionsQuery]) -> Response:
        """Show a page of versions."""
        query = call.query
        found = await self.bench.templates.versions(
            call.acting_for(query.service),
            named_template(call),
            limit=query.limit + 1,
            before=query.after,
        )
        return call.page(found, VersionsView, VersionView.of, lambda version: version.number)

    async def show_version(self, call: Call[None, TemplateQuery]) -> Response:
        """Show one version, as it was written."""
        service, name = call.acting_for(call.query.service), named_template(call)
        found = await written_version(self.bench.templates, service, name, call.named("number"))
        whole = WholeVersionView(
            **VersionView.of(found.version).model_dump(), content=ContentView.of(found.source)
        )
        return ok(whole)

    async def compare(self, call: Call[None, DiffQuery]) -> Response:
        """Show how two versions differ, part by part."""
        service, name = call.acting_for(call.query.service), named_template(call)
        earlier = await written_version(self.bench.templates, service, name, call.query.since)
        later = await written_version(self.bench.templates, service, name, call.query.to)
        parts = dict(differences(earlier.source, later.source))
        return ok(DiffView(parts=parts))

    async def render(self, call: Call[RenderRequest, TemplateQuery]) -> Response:
        """Fill a draft or a version; nothing is stored, sent or logged."""
        service, name = call.acting_for(call.query.service), named_template(call)
        wanted = call.body
        bench = self.bench
        content, shared = await chosen_content(
            bench.templates, bench.sharing, service, name, wanted, wanted.drafts
        )
        seen = await bench.filled(
            service,
            content,
            wanted.type,
            locale=wanted.locale,
            variables=chosen_variables(content, wanted),
            shared=shared,
        )
        if isinstance(seen, Rendered):
            return ok(RenderedView.of(seen))
        raise unfilled(seen)

    def _listing(self) -> Operation:
        return Operation(
            id="listTemplates",
            method="GET",
            path=PREFIX,
            summary="Templates, in the order of their names",
            description="Of the key's service; with the scope admin of all, or of `service`.",
            tag=TAG,
            serve=self.list,
            scope="read",
            query=TemplatesQuery,
            replies={200: Reply(description="One page", model=TemplatesView)},
        )

    def _listing_users(self) -> Operation:
        return Operation(
            id="listPartialUsers",
            method="GET",
            path=f"{PREFIX}/{{template}}/used-by",
            summary="What takes in a partial, as it is published",
            tag=TAG,
            serve=self.list_users,
            scope="read",
            query=UsersQuery,
            replies={200: Reply(description="One page", model=TemplatesView)},
            problems=(NOT_FOUND,),
        )

    def _showing(self) -> Sequence[Operation]:
        return (
            Operation(
                id="listTemplateVersions",
                method="GET",
                path=f"{PREFIX}/{{template}}/versions",
                summary="What was published of a template, the newest first",
                tag=TAG,
                serve=self.list_versions,
                scope="read",
                query=VersionsQuery,
                replies={200: Reply(description="One page", model=VersionsView)},
                problems=(NOT_FOUND,),
            ),
            Operation(
                id="getTemplateVersion",
                method="GET",
                path=f"{PREFIX}/{{template}}/versions/{{number:int}}",
                summary="One version of a template, as it was written",
                tag=TAG,
                serve=self.show_version,
                scope="read",
                query=TemplateQuery,
                replies={200: Reply(description="The version", model=WholeVersionView)},
                problems=(NOT_FOUND,),
            ),
        )

    def _comparing(self) -> Operation:
        return Operation(
            id="compareTemplateVersions",
            method="GET",
            path=f"{PREFIX}/{{template}}/diff",
            summary="How two versions of a template differ",
            tag=TAG,
            serve=self.compare,
            scope="read",
            query=DiffQuery,
            replies={200: Reply(description="Parts that differ", model=DiffView)},
            problems=(NOT_FOUND,),
        )

    def _rendering(self) -> Operation:
        return Operation(
            id="renderTemplate",
            method="POST",
            path=f"{PREFIX}/{{template}}/render",
            summary="Fill a template, for a look at it",
            description="Nothing is stored or sent, and nothing of it is logged.",
            tag=TAG,
            serve=self.render,
            scope="read",
            query=TemplateQuery,
            body=RenderRequest,
            max_values=10_000,
            replies={200: Reply(description="Its parts", model=RenderedView)},
            problems=(NOT_FOUND, INVALID),
        )
