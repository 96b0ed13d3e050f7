"""Content that comes with a notification: templates that its variables fill, or finished."""

from collections.abc import Iterator, Mapping, Sequence

from notifier.audience.recipient import NOT_ONE_LINE, has_control_characters
from notifier.content.filling import as_it_is, fill_html, fill_text, refuse_logic
from notifier.content.links import MAX_ACTION_URL_CHARS, action_url_fault
from notifier.content.ports import Markup
from notifier.content.showing import shown_ids
from notifier.errors import TemplateError
from notifier.intake.draft import Draft, Flaw
from notifier.intake.said import Said
from notifier.notification.medium import Medium

MAX_CONTENT_CHARS = 100_000
MAX_HTML_CHARS = 500_000
MAX_SUBJECT_CHARS = 998
_MAX_CHARS: Mapping[str, int] = {
    "subject": MAX_SUBJECT_CHARS,
    "html": MAX_HTML_CHARS,
    "action_url": MAX_ACTION_URL_CHARS,
}


async def read_inline(draft: Draft, medium: Medium, markup: Markup) -> Said | list[Flaw]:
    """Read the content of a draft without a template, or say all that is wrong with it."""
    flaws = [Flaw(field, words) for field, words in _misfits(draft, medium)]
    filled = _filled(draft, medium, flaws)
    if flaws:
        return flaws
    html = filled.get("html")
    if html is not None and (draft.sanitise or draft.content is None):
        return await _finished(html, filled, draft, markup)
    text = filled["content"]
    return Said(
        text=text,
        variables=draft.variables,
        category=draft.category,
        content=draft.content,
        subject=draft.subject,
        html=draft.html,
        action_url=draft.action_url,
        is_finished=draft.literal,
        shown=shown_ids(html),
    )


async def _finished(
    html: str, filled: Mapping[str, str], draft: Draft, markup: Markup
) -> Said | list[Flaw]:
    """Clean filled html, and make a text of it where there is none."""
    try:
        html = await markup.cleaned(html) if draft.sanitise else html
    except TemplateError as error:
        return [Flaw("html", str(error))]
    text = filled["content"] if "content" in filled else await markup.text_of(html)
    if not text.strip():
        return [Flaw("html", "no text can be made of it: send a content as well")]
    if len(text) > MAX_CONTENT_CHARS:
        return [Flaw("html", f"the text in it is longer than {MAX_CONTENT_CHARS} characters")]
    return Said(
        text=text,
        variables=draft.variables,
        category=draft.category,
        content=text,
        subject=filled.get("subject"),
        html=html,
        is_finished=True,
        shown=shown_ids(html),
    )


def _filled(draft: Draft, medium: Medium, flaws: list[Flaw]) -> Mapping[str, str]:
    """Fill what its channel has, and add what is wrong with that."""
    wrong = {flaw.field for flaw in flaws}
    filled: dict[str, str] = {}
    for name, source in _sources(draft):
        if source is None or name in wrong:
            continue
        try:
            filled[name] = _fill(name, source, draft, medium)
        except TemplateError as error:
            flaws.append(Flaw(name, str(error)))
    return filled


def _sources(draft: Draft) -> Sequence[tuple[str, str | None]]:
    return (
        ("content", draft.content),
        ("subject", draft.subject),
        ("html", draft.html),
        ("action_url", draft.action_url),
    )


def _misfits(draft: Draft, medium: Medium) -> Iterator[tuple[str, str]]:
    """Say which fields are missing, not for this channel, or not for one another."""
    if draft.content is None and (draft.html is None or not medium.has_html):
        yield "content", "this field is required, or a template"
    if draft.subject is None and medium.needs_subject:
        yield "subject", f"{medium.name} needs a subject"
    yield from _unknown_to(medium, draft)
    if draft.sanitise and draft.html is None:
        yield "sanitise", "there is no html to sanitise"
    if draft.literal and draft.variables:
        yield "variables", "literal content has no placeholders to fill: leave one of them out"
    if draft.locale:
        yield "locale", "without a template there is but one language"


def _unknown_to(medium: Medium, draft: Draft) -> Iterator[tuple[str, str]]:
    if draft.subject is not None and not medium.has_subject:
        yield "subject", f"{medium.name} has no subject"
    if draft.html is not None and not medium.has_html:
        yield "html", "only an email has html"
    if draft.action_url is not None and not medium.has_action:
        yield "action_url", "only an in_app notification has an action_url"


def _fill(name: str, source: str, draft: Draft, medium: Medium) -> str:
    most = _MAX_CHARS.get(name, medium.max_text_chars)
    if name == "subject":
        _require_one_line(source)
    if draft.literal:
        filled = as_it_is(source, max_chars=most)
    else:
        refuse_logic(source)
        fill = fill_html if name == "html" else fill_text
        filled = fill(source, draft.variables or {}, max_chars=most)
    if name == "subject" and filled is not source:
        _require_one_line(filled)
    if name == "action_url" and (fault := action_url_fault(filled)):
        raise TemplateError(fault)
    if not filled.strip():
        raise TemplateError("empty once its variables are filled in")
    return filled


def _require_one_line(subject: str) -> None:
    if has_control_characters(subject):
        raise TemplateError(NOT_ONE_LINE)
