"""Which content a request is about, and what fills it."""

from collections.abc import Collection

from notifier.api.kit.problems import InvalidField, invalid, there
from notifier.api.templates.fillings import FillingRequest
from notifier.content.library import TemplateStore, WrittenVersion
from notifier.content.shared import Shared, Sharing, as_given
from notifier.content.template import Content, Variables


async def chosen_content(
    templates: TemplateStore,
    sharing: Sharing,
    service: str,
    name: str,
    wanted: FillingRequest,
    drafts: Collection[str] = (),
) -> tuple[Content, Shared | None]:
    """Return a version, which has all that it takes in, or the draft and what it would take in.

    Of the partials `drafts` a draft takes in what is written by now.

    Raises:
        ProblemError: 404, there is none.
    """
    if wanted.version is not None:
        found = await written_version(templates, service, name, wanted.version)
        if not found.source.is_partial:
            return found.version.content, None
        # A partial is put together where it is taken in.
        given = as_given(name, found.source, wanted.version)
        return found.source, await sharing.of(service, found.source, given=given)
    draft = there(await templates.draft(service, name))
    content = draft.content
    given = as_given(name, content, draft.next_number)
    return content, await sharing.of(service, content, given=given, drafts=drafts)


async def written_version(
    templates: TemplateStore, service: str, name: str, number: int
) -> WrittenVersion:
    """Return a version.

    Raises:
        ProblemError: 404, there is none of this number.
    """
    return there(await templates.written(service, name, number))


def chosen_variables(content: Content, wanted: FillingRequest) -> Variables:
    """Return the variables that were sent, or those of an example, the first one by default.

    Raises:
        ProblemError: 422, there is no such example.
    """
    if wanted.variables is not None:
        return wanted.variables
    index = wanted.example or 0
    if wanted.example is not None and index >= len(content.examples):
        raise invalid([InvalidField("/example", "there is no such example")])
    return content.examples[index] if content.examples else {}
