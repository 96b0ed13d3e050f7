"""What the API's endpoints and the console's pages do with templates, each in its own words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from notifier.api.kit.rooms import ConcurrencyLimit
from notifier.api.templates.cascades import bounded
from notifier.api.templates.images import ImageDesk
from notifier.content.cascading import Cascade, Cascader
from notifier.content.library import Library, TemplateDraft, TemplateStore
from notifier.content.ports import Checked, Offered, Workshop, example_offered
from notifier.content.shared import Shared, Sharing, as_given
from notifier.content.template import Content, Finding, Rendered, VariableFault, Variables
from notifier.notification.model import Channel

_NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """Checks and fills what is written, and finds out what publishing it would change."""

    templates: TemplateStore
    library: Library
    sharing: Sharing
    cascader: Cascader
    workshop: Workshop
    images: ImageDesk
    turns: ConcurrencyLimit
    """At the workshop: who asks much there keeps others waiting for one answer."""
    new_id: Callable[[], UUID]

    async def checked(self, draft: TemplateDraft) -> Checked:
        """Return all that is found in a draft.

        Raises:
            StoreUnavailableError: what it takes in could not be read.
            WorkshopUnavailableError: nobody can look at it.
        """
        given = as_given(draft.name, draft.content, draft.next_number)
        shared = await self.sharing.of(draft.service, draft.content, given=given)
        async with self.turns.of(draft.service):
            checked = await self.workshop.check(draft.content, shared)
        return await self.images.looked_up(draft.content, checked, draft.service)

    async def filled(
        self,
        service: str,
        content: Content,
        channel: Channel,
        *,
        locale: str | None,
        variables: Variables,
        shared: Shared | None,
        offered: Offered | None = None,
    ) -> Rendered | Sequence[VariableFault] | Sequence[Finding]:
        """Return a content's parts, filled, or why they cannot be; `shared` as `preview` takes it.

        Raises:
            WorkshopUnavailableError: nobody can fill it.
        """
        async with self.turns.of(service):
            return await self.workshop.preview(
                content,
                channel,
                locale=locale,
                variables=variables,
                offered=offered or example_offered(_NOBODY),
                shared=shared,
            )

    async def cascade(self, service: str, name: str, content: Content, number: int) -> Cascade:
        """Return what becomes of the others when a content is published as this version.

        Raises:
            ProblemError: 422, there are too many of them.
        """
        given = as_given(name, content, number)
        return bounded(await self.cascader.prepared(service, name, given=given))
