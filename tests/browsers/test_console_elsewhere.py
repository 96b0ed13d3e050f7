"""Signing in to the console by a real identity provider, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge
from tests.e2e.one_process import OneProcess, one_process
from tests.servers.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    private_identity_provider,
)
from tests.servers.needed import needed
from tests.servers.processes import LOOPBACK, free_port


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    port = free_port()
    back = f"http://{LOOPBACK}:{port}/console/sign-in/elsewhere/back"
    people = {"anna": ["Notifier Admins"], "ben": ["support", "staff"], "eve": ["guests"]}
    with needed(), private_identity_provider(people, back=back) as issuer:
        settings = {
            "NOTIFIER_PORT": str(port),
            "NOTIFIER_OPENID__ISSUER": issuer,
            "NOTIFIER_OPENID__CLIENT_ID": CLIENT_ID,
            "NOTIFIER_OPENID__CLIENT_SECRET": CLIENT_SECRET,
            "NOTIFIER_OPENID__NAME": "Canaille",
            "NOTIFIER_OPENID__SCOPES": "openid,profile,email,groups",
            "NOTIFIER_OPENID__ROLES": "Notifier Admins=admin,support=operator,staff=viewer",
        }
        with one_process(tmp_path_factory.mktemp("elsewhere"), settings) as started:
            yield started


def sign_on(tab: Page, notifier: OneProcess, name: str) -> None:
    """Go to the provider, and sign in there."""
    tab.goto(f"{notifier.url}/console/workers")
    judge(tab)
    tab.get_by_role("link", name="Sign in with Canaille").click()
    tab.locator("input[name=login]").fill(name)
    tab.locator("input[name=login]").press("Enter")
    tab.locator("input[type=password]").fill(PASSWORD)
    tab.locator("input[type=password]").press("Enter")


def test_somebody_comes_in_as_what_their_groups_make_them(notifier: OneProcess, tab: Page) -> None:
    sign_on(tab, notifier, "anna")

    expect(tab.get_by_role("heading", name="Workers")).to_be_visible()
    tab.get_by_role("link", name="anna").click()
    expect(tab.get_by_text("admin: everything")).to_be_visible()
    expect(tab.get_by_text("signs in elsewhere")).to_be_visible()


def test_of_several_groups_the_one_counts_that_may_most(notifier: OneProcess, tab: Page) -> None:
    sign_on(tab, notifier, "ben")

    tab.goto(f"{notifier.url}/console/account")
    expect(tab.get_by_text("operator: also what they say")).to_be_visible()


def test_who_has_no_role_here_is_told_so(notifier: OneProcess, tab: Page) -> None:
    sign_on(tab, notifier, "eve")

    expect(tab.get_by_role("alert")).to_contain_text("have no role here")
    judge(tab)
