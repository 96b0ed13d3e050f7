"""Where the pages of templates are."""

from urllib.parse import quote, urlencode

from notifier.api.console.layout import Section
from notifier.api.console.visits import Visit
from notifier.api.kit.problems import not_found, there
from notifier.content.library import TemplateDraft, TemplateStore
from notifier.content.template import is_template_name

SECTION = Section(title="Templates", path="/templates", scope="read")
CHANGES = "templates"
"""The scope of those who may change anything."""
ONE = f"{SECTION.path}/{{service}}/{{name}}"


def path_of(service: str, name: str, below: str = "", **query: str) -> str:
    """Return where a page of a template is, below the console."""
    asked = f"?{urlencode(query)}" if query else ""
    return f"{SECTION.path}/{quote(service, safe='')}/{quote(name, safe='')}{below}{asked}"


def named(visit: Visit) -> tuple[str, str]:
    """Return the service and the name of the template that a path is about.

    Raises:
        ProblemError: 404, no template can have it; 403, it is another service's.
    """
    service, name = visit.named("service"), visit.named("name")
    if not is_template_name(name):
        raise not_found()
    return visit.caller.may_name(service), name


async def draft_of(templates: TemplateStore, visit: Visit) -> TemplateDraft:
    """Return the draft of the template that a path is about. Raises as `named`."""
    return there(await templates.draft(*named(visit)))
