"""Why a content is not published, or cannot be filled."""

from collections.abc import Sequence

from notifier.api.kit.body import pointer
from notifier.api.kit.problems import INVALID, InvalidField, ProblemError, invalid
from notifier.api.templates.shapes import finding_views
from notifier.content.ports import Checked
from notifier.content.template import Finding, VariableFault
from notifier.notification.model import JsonValue


def refused(checked: Checked) -> ProblemError:
    """Return the problem of a draft with errors."""
    return _problem("The draft has errors: see findings.", checked.findings)


def unfilled(why: Sequence[VariableFault] | Sequence[Finding]) -> ProblemError:
    """Return the problem of what cannot be filled."""
    faults = [each for each in why if isinstance(each, VariableFault)]
    if faults:
        return invalid(
            [InvalidField(pointer(("variables", *each.path)), each.words) for each in faults]
        )
    findings = [each for each in why if isinstance(each, Finding)]
    return _problem("It cannot be filled: see findings.", findings)


def _problem(detail: str, findings: Sequence[Finding]) -> ProblemError:
    views: list[JsonValue] = [each.json_value() for each in finding_views(findings)]
    return ProblemError(INVALID, detail, members={"findings": views})
