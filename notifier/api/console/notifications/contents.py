"""What a notification says, as it goes to its provider."""

from dataclasses import dataclass

from notifier.api.kit.access import Caller
from notifier.content.library import Library
from notifier.content.ports import Renderer, example_offered
from notifier.content.template import Rendered, TemplateVersion
from notifier.delivery.composing import filled_inline
from notifier.errors import TemplateError, WorkshopUnavailableError
from notifier.notification.model import Notification


@dataclass(frozen=True, slots=True)
class Contents:
    """Fills what notifications came with, to be looked at: links to unsubscribe are examples."""

    library: Library
    renderer: Renderer

    async def version(self, it: Notification) -> TemplateVersion | None:
        """Return the version of a template that holds its content, if one does."""
        return await self.library.version(it.template.version_id) if it.template else None

    async def rendered(self, it: Notification, caller: Caller) -> Rendered | str:
        """Return what it says; why that is not to be had otherwise. Of a sensitive one, never."""
        if not caller.sees_content:
            return "Your role does not show what notifications say."
        if it.sensitive:
            return "It is sensitive: what it says is never shown."
        try:
            return await self._filled(it)
        except (TemplateError, WorkshopUnavailableError) as error:
            return f"It cannot be shown: {error}."

    async def _filled(self, it: Notification) -> Rendered | str:
        version = await self.version(it)
        if (it.template is None and it.content is None) or (it.template and it.variables is None):
            return "What it said is erased."
        if it.template is None:
            return filled_inline(it)
        if version is None:
            return "The version of its template is not there any more."
        return await self.renderer.render(
            version,
            it.channel,
            locale=it.template.locale,
            variables=it.variables or {},
            offered=example_offered(str(it.id)),
        )
