"""Content that comes with a notification: templates that its variables fill."""

from collections.abc import Callable

from notifier.audience.recipient import NOT_ONE_LINE, has_control_characters
from notifier.content.filling import Variables, fill_html, fill_text
from notifier.content.links import MAX_ACTION_URL_CHARS, action_url_fault
from notifier.errors import TemplateError
from notifier.intake.draft import Draft, Flaw
from notifier.notification.medium import Medium

MAX_CONTENT_CHARS = 100_000
MAX_HTML_CHARS = 500_000
MAX_SUBJECT_CHARS = 998


def inline_flaws(draft: Draft, medium: Medium) -> list[Flaw]:
    """Return all that is wrong with the content of a draft without a template."""
    variables = draft.variables or {}
    faults = (
        ("content", _content_fault(medium, draft.content, variables)),
        ("subject", _subject_fault(medium, draft.subject, variables)),
        ("html", _html_fault(medium, draft.html, variables)),
        ("action_url", _action_fault(medium, draft.action_url, variables)),
        ("locale", "without a template there is but one language" if draft.locale else None),
    )
    return [Flaw(field, words) for field, words in faults if words]


def _content_fault(medium: Medium, content: str | None, variables: Variables) -> str | None:
    if content is None:
        return "this field is required, or a template"
    return _filling_fault(fill_text, content, variables, max_chars=medium.max_text_chars)


def _subject_fault(medium: Medium, subject: str | None, variables: Variables) -> str | None:
    if subject is None:
        return f"{medium.name} needs a subject" if medium.needs_subject else None
    if not medium.has_subject:
        return f"{medium.name} has no subject"
    if has_control_characters(subject):
        return NOT_ONE_LINE
    return _filling_fault(fill_text, subject, variables, max_chars=MAX_SUBJECT_CHARS, is_line=True)


def _html_fault(medium: Medium, html: str | None, variables: Variables) -> str | None:
    if html is None:
        return None
    if not medium.has_html:
        return "only an email has html"
    return _filling_fault(fill_html, html, variables, max_chars=MAX_HTML_CHARS)


def _action_fault(medium: Medium, action_url: str | None, variables: Variables) -> str | None:
    if action_url is None:
        return None
    if not medium.has_action:
        return "only an in_app notification has an action_url"
    try:
        return action_url_fault(fill_text(action_url, variables, max_chars=MAX_ACTION_URL_CHARS))
    except TemplateError as error:
        return str(error)


def _filling_fault(
    fill: Callable[..., str],
    template: str,
    variables: Variables,
    *,
    max_chars: int,
    is_line: bool = False,
) -> str | None:
    try:
        text = fill(template, variables, max_chars=max_chars)
    except TemplateError as error:
        return str(error)
    if is_line and has_control_characters(text):
        return NOT_ONE_LINE
    return None if text.strip() else "empty once its variables are filled in"
