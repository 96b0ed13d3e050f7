"""Where the pages of rules are."""

from urllib.parse import quote, urlencode

from notifier.api.console.layout import Section
from notifier.api.console.visits import Visit
from notifier.api.kit.problems import not_found, there
from notifier.events.rule import is_rule_name
from notifier.events.rules import RuleDraft, RuleStore

SECTION = Section(title="Rules", path="/rules", scope="rules")
ONE = f"{SECTION.path}/{{service}}/{{name}}"


def path_of(service: str, name: str, below: str = "", **query: str) -> str:
    """Return where a page of a rule is, below the console."""
    asked = f"?{urlencode(query)}" if query else ""
    return f"{SECTION.path}/{quote(service, safe='')}/{quote(name, safe='')}{below}{asked}"


def named(visit: Visit) -> tuple[str, str]:
    """Return the service and the name of the rule that a path is about.

    Raises:
        ProblemError: 404, no rule can have it; 403, it is another service's.
    """
    service, name = visit.named("service"), visit.named("name")
    if not is_rule_name(name):
        raise not_found()
    return visit.caller.may_name(service), name


async def draft_of(rules: RuleStore, visit: Visit) -> RuleDraft:
    """Return the draft of the rule that a path is about. Raises as `named`."""
    return there(await rules.draft(*named(visit)))
