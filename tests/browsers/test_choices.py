"""The page to unsubscribe and to choose, as people see it, without scripts."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from notifier.audience.category import Category
from notifier.audience.links import Chooser
from notifier.audience.person import Address, Profile
from notifier.composition.resources import open_stores
from notifier.content.brand import Brand
from notifier.notification.model import Channel
from notifier.sealing import SealedLinks
from notifier.settings.groups import DatabaseSettings
from tests.browsers.axe import violations
from tests.browsers.looks import USUAL, looks, overflow
from tests.e2e.one_process import OneProcess, one_process

_WIDTHS = (320, 390, 1280)
_SECRET = "a secret that seals links"
_SERVICE = "development"
ADA = Chooser(service=_SERVICE, channel=Channel.EMAIL, category="news", recipient="ada@example.org")
EMMA = replace(ADA, recipient=None, user_id="emma")
_CATEGORIES = (
    Category(
        service=_SERVICE,
        key="news",
        titles={
            "en": "Newsletter",
            "de": "Rundbrief mit Donaudampfschifffahrtsgesellschaftskapitän",
        },
    ),
    Category(service=_SERVICE, key="offers", titles={"en": "Offers", "de": "Angebote"}),
    Category(service=_SERVICE, key="security", can_switch_off=False),
)
_EMMA = Profile(
    user_id="emma",
    locale="de",
    addresses=(
        Address(channel=Channel.EMAIL, address="emma@example.com", is_primary=True),
        Address(channel=Channel.SMS, address="+491701234567", is_primary=True),
    ),
)


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode that knows Emma, and what there is to choose."""
    folder = tmp_path_factory.mktemp("choices")
    settings = {
        "NOTIFIER_LINKS__BASE_URL": "https://notify.example.com",
        "NOTIFIER_LINKS__KEYS": _SECRET,
    }
    with one_process(folder, settings) as started:
        # The browser's own loop runs in this thread.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(_declare(folder))).result()
        yield started


async def _declare(folder: Path) -> None:
    url = SecretStr(f"sqlite:///{folder / 'notifier.db'}")
    async with open_stores(DatabaseSettings(database_url=url)) as stores:
        for each in _CATEGORIES:
            await stores.categories.set(each)
        await stores.people.put(_SERVICE, _EMMA)
        brand = Brand(name="Fish & Co", color="#7c2d12")
        await stores.brands.save(service=_SERVICE, brand=brand, if_match=None)


def url_of(notifier: OneProcess, chooser: Chooser) -> str:
    return SealedLinks(notifier.url, [_SECRET.encode()]).unsubscribe_url(chooser)


@pytest.mark.parametrize("chooser", [ADA, EMMA], ids=["an address", "a person"])
def test_everybody_can_read_the_page_and_press_its_buttons(
    notifier: OneProcess, tab: Page, complaints: list[str], chooser: Chooser
) -> None:
    requested: list[str] = []
    tab.on("request", lambda request: requested.append(request.url))
    tab.goto(url_of(notifier, chooser))

    for look in looks(tab, _WIDTHS):
        assert violations(tab) == [], look
        assert overflow(tab) == 0, look
    for look in looks(tab, _WIDTHS, USUAL):
        assert violations(tab, undecided=False) == [], look
    for button in tab.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    assert requested == [url_of(notifier, chooser)]
    assert complaints == []


def test_a_link_that_is_none_is_readable_too(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    tab.goto(f"{notifier.url}/u/nothing")

    for look in looks(tab, _WIDTHS):
        assert violations(tab) == [], look
        assert overflow(tab) == 0, look
    assert complaints == []


def test_all_of_it_works_without_scripts(notifier: OneProcess, plain_tab: Page) -> None:
    told: list[str] = []
    plain_tab.on("console", lambda message: told.append(message.text))
    plain_tab.goto(f"{url_of(notifier, EMMA)}#choices")
    news = plain_tab.get_by_role("group", name="Rundbrief")
    offers = plain_tab.get_by_role("group", name="Angebote")

    plain_tab.get_by_role("button", name="Abbestellen", exact=True).click()
    expect(plain_tab.get_by_role("status")).to_contain_text("abbestellt")
    expect(news.get_by_label("per E-Mail")).not_to_be_checked()
    expect(news.get_by_label("per SMS")).to_be_checked()

    plain_tab.get_by_role("button", name="Wieder bestellen").click()
    expect(news.get_by_label("per E-Mail")).to_be_checked()

    offers.get_by_label("per SMS").uncheck()
    plain_tab.get_by_role("button", name="Speichern").click()
    expect(plain_tab.get_by_role("status")).to_have_text("Ihre Auswahl ist gespeichert.")
    expect(offers.get_by_label("per SMS")).not_to_be_checked()
    expect(offers.get_by_label("per E-Mail")).to_be_checked()

    plain_tab.get_by_role("button", name="Alles abbestellen").click()
    expect(plain_tab.locator("input[type=checkbox]:checked")).to_have_count(0)
    plain_tab.reload()
    expect(plain_tab.locator("input[type=checkbox]:checked")).to_have_count(0)
    assert told == []
