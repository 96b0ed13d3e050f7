"""The ready-made templates, as they are filled and sent."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest

from notifier.content.brand import Brand
from notifier.content.ports import example_offered
from notifier.content.template import Rendered
from notifier.errors import TemplateError
from notifier.notification.model import Channel
from notifier.notification.sms import SmsEncoding, SmsSize, sms_size
from notifier.rendering.checking.check import check
from notifier.rendering.pages import Finisher
from notifier.rendering.parts import Parts
from tests.ready_made import (
    LAYOUT,
    LOCALES,
    NAMES,
    WHOLE,
    content,
    filled,
    published,
    shared,
)
from tests.unit.rendering.making import RENDERER
from tests.unit.rendering.test_escaping import ADDRESSES, PAYLOADS, skeleton

ROOT = Path(__file__).parents[3]
_CONTRAST = 4.5
_BLANK = re.compile(r"\b(None|null|undefined)\b|\{\{|\}\}| ,| \.(?!\.)|\(\)")

every_template = pytest.mark.parametrize("name", NAMES)


def every_filling(channel: Channel, *names: str) -> Iterator[Rendered]:
    for name in names or NAMES:
        for locale in LOCALES:
            for example in content(name).examples:
                yield filled(name, example, channel, locale)


@every_template
@pytest.mark.parametrize("locale", LOCALES)
def test_a_mail_can_be_unsubscribed_from_where_there_is_a_link(name: str, locale: str) -> None:
    links = example_offered("n-1")
    example = content(name).examples[0]

    with_link = filled(name, example, locale=locale, given_by_us=links)
    without = filled(name, example, locale=locale)

    assert with_link.text.endswith(f": {links.unsubscribe_url}")
    assert links.unsubscribe_url in unescape(with_link.html or "")
    assert "/u/example" not in without.text + unescape(without.html or "")


class _Text(HTMLParser):
    """What a mail says, without its tags; and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: set[str] = set()
        self.tables: list[dict[str, str | None]] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        found = dict(attrs)
        if tag in ("td", "th", "div", "h1"):
            self.said.append(" ")
        if tag == "a":
            self.links.add(found.get("href") or "")
        if tag == "table":
            self.tables.append(found)
        if tag == "th" and found.get("scope"):
            self.tables[-1]["scoped"] = "yes"

    def handle_endtag(self, _tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within not in ("style", "title"):
            self.said.append(data)


def read(html: str | None) -> _Text:
    reader = _Text()
    reader.feed(html or "")
    return reader


def said(mail: Rendered) -> str:
    """What a page says, without what pads its preheader."""
    return plain("".join(read(mail.html).said).replace("\u034f\u200c\xa0", ""))


def plain(text: str) -> str:
    """Compare what is said, whatever separates a label from its value."""
    return " ".join(text.replace(":", " ").split())


def test_there_are_the_seven_in_two_languages_and_every_channel() -> None:
    assert NAMES == [
        "booking.cancelled",
        "booking.confirmed",
        "otp",
        "waitlist.available",
        "waitlist.cancelled",
        "waitlist.joined",
        "welcome",
    ]
    for name in NAMES:
        assert set(content(name).parts) == set(LOCALES)
        for channels in content(name).parts.values():
            assert set(channels) == set(Channel)
            assert set(channels[Channel.EMAIL]) == {"subject", "preheader", "text", "mjml"}


@every_template
@pytest.mark.parametrize("brand", [WHOLE, Brand(name="orders")], ids=["known", "unknown"])
def test_nothing_is_found_in_them(name: str, brand: Brand) -> None:
    assert check(content(name), shared(brand)).findings == []


@pytest.mark.parametrize("brand", [WHOLE, Brand(name="orders")], ids=["known", "unknown"])
def test_nothing_is_found_in_what_they_share(brand: Brand) -> None:
    assert check(content(LAYOUT), shared(brand)).findings == []


@every_template
def test_every_variable_is_described_and_shown_by_an_example(name: str) -> None:
    examples = [dict(_leaves(example)) for example in content(name).examples]

    for path, schema in _described(content(name).schema):
        assert schema.get("description"), path
        assert any(path == each[: len(path)] for example in examples for each in example), path


@every_template
def test_every_variable_is_explained_in_the_documents(name: str) -> None:
    page = (ROOT / "docs" / "ready-made.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    explained = re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE)
    assert explained == [".".join(path) for path, _ in _described(content(name).schema)]


@every_template
def test_a_variable_that_is_missing_is_named(name: str) -> None:
    for path in _required(content(name).schema):
        variables = deepcopy(dict(content(name).examples[0]))
        _within(variables, path[:-1]).pop(path[-1])

        faults = RENDERER.completed(published(name), variables)

        assert not isinstance(faults, Mapping), path
        assert [each.path for each in faults] == [path]


@every_template
def test_nothing_is_blank_in_what_is_sent(name: str) -> None:
    for channel in Channel:
        for mail in every_filling(channel, name):
            for part in filter(None, (mail.subject, mail.text, said(mail))):
                assert part.strip()
                assert not _BLANK.search(part), part


@every_template
def test_mails_stay_under_what_gmail_shows(name: str) -> None:
    for mail in every_filling(Channel.EMAIL, name):
        assert len((mail.html or "").encode()) < 102_400


@every_template
def test_an_sms_is_one_message_of_gsm_7(name: str) -> None:
    for mail in every_filling(Channel.SMS, name):
        size = sms_size(mail.text)
        assert size == SmsSize(SmsEncoding.GSM7, 1), mail.text


@every_template
@pytest.mark.parametrize("locale", LOCALES)
def test_no_value_adds_an_element_an_attribute_or_a_scheme(name: str, locale: str) -> None:
    example = content(name).examples[0]
    before = skeleton(filled(name, example, locale=locale).html)
    tried = 0
    for path, value in _leaves(example):
        for payload in (*PAYLOADS, *ADDRESSES) if isinstance(value, str) else ():
            variables = deepcopy(dict(example))
            _within(variables, path[:-1])[path[-1]] = payload
            after = _skeleton_of(name, variables, locale)
            if after is not None:
                tried += 1
                assert after.found == before.found, (path, payload)
                assert all(map(_is_fit, after.addresses))
    assert tried


@every_template
def test_text_and_html_say_the_same_and_lead_to_the_same_places(name: str) -> None:
    for mail in every_filling(Channel.EMAIL, name):
        page, shown = read(mail.html), said(mail)
        lines = [line for line in mail.text.splitlines() if line.strip() not in ("", "--")]
        links = {line for line in lines if line.startswith("https:")}
        leads_to = {each for each in page.links if not each.startswith("mailto:")}

        assert leads_to == links
        assert len(links) == (0 if name == "otp" else 1)
        for line in set(lines) - links:
            if not line.endswith(":"):  # what leads to a link is a button
                assert plain(line) in shown, line


@every_template
def test_pages_say_their_language_and_what_they_are(name: str) -> None:
    for locale in LOCALES:
        html = filled(name, content(name).examples[0], locale=locale).html or ""

        assert f'<html lang="{locale}" dir="ltr"' in html
        assert re.search(r"<title>[^<{]+</title>", html)
        assert html.count("<h1") == 1
        for table in read(html).tables:
            assert table.get("role") == "presentation" or table.get("scoped"), table


@every_template
def test_every_mail_says_who_writes_and_why(name: str) -> None:
    for locale, because in (
        ("en", "You get this because"),
        ("de", "Sie erhalten diese Nachricht, weil"),
    ):
        mail = filled(name, content(name).examples[0], locale=locale)
        for part in (mail.text, said(mail)):
            assert because in part
            assert "Evently, Example Street 1, 1010 Vienna" in part


@pytest.mark.parametrize("name", [each for each in NAMES if each not in ("otp", "welcome")])
def test_times_are_those_of_the_place_with_its_zone(name: str) -> None:
    for locale, time, zone in (("en", "7:30\u202fPM", " CEST"), ("de", "19:30", " MESZ")):
        mail = filled(name, content(name).examples[0], locale=locale)
        assert time + zone in mail.text
        for channel in (Channel.SMS, Channel.IN_APP):
            text = filled(name, content(name).examples[0], channel, locale).text
            assert zone in text or not re.search(r"\d:\d\d", text)


def test_a_code_comes_without_a_link_and_with_a_notice() -> None:
    for mail in every_filling(Channel.EMAIL, "otp"):
        page = read(mail.html)
        assert page.links == set()
        assert not re.search(r"https?:|mailto:|www\.", mail.text)
        assert re.search(
            "We never ask you for this code|Wir fragen Sie nie nach diesem Code", mail.text
        )
        assert re.search(r"\d+ (minute|Minute)", mail.text)


def test_a_code_is_in_the_subject_only_if_the_service_wants_that() -> None:
    example = dict(content("otp").examples[0])
    for locale in LOCALES:
        hidden = filled("otp", example, locale=locale)
        shown = filled("otp", {**example, "code_in_subject": True}, locale=locale)

        assert str(example["code"]) not in (hidden.subject or "")
        assert str(example["code"]) in (shown.subject or "")
        preheader = (hidden.html or "").partition("<body")[2][:600]
        assert str(example["code"]) not in preheader


def test_a_code_by_sms_ends_with_what_phones_look_for() -> None:
    for mail in every_filling(Channel.SMS, "otp"):
        last = mail.text.splitlines()[-1]
        assert re.fullmatch(r"@evently\.example\.com #[0-9A-Z]+", last)


def test_what_is_read_has_contrast_in_light_and_in_dark() -> None:
    look = content(LAYOUT).parts["en"][Channel.EMAIL]["mjml"]
    dark = look.partition("prefers-color-scheme: dark")[2]
    page, card, *texts = re.findall(r"(?:background-)?color: (#[0-9a-f]{6})", dark)
    brand = Brand(name="Evently")

    light = [
        (brand.text_color, "#ffffff"),
        (brand.text_color, brand.background_color),
        (brand.muted_color, "#ffffff"),
        (brand.color, "#ffffff"),
        (brand.color, brand.background_color),
        (brand.on_color, brand.color),
    ]
    assert len(texts) == 3
    for text, ground in [*light, *((text, ground) for text in texts for ground in (page, card))]:
        assert _ratio(text, ground) >= _CONTRAST, (text, ground)


@every_template
def test_a_mail_stands_without_its_styles(name: str) -> None:
    html = filled(name, content(name).examples[0]).html or ""
    bare = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)

    assert plain("".join(read(bare).said)) == plain("".join(read(html).said))
    assert "max-width:600px" in bare
    if name != "otp":
        button = re.search(r"<a [^>]*padding:14px 28px[^>]*>", bare)
        assert button  # 48 px high
        assert "line-height:20px" in button[0]
    assert "font-size:16px" in bare


def _skeleton_of(name: str, variables: Mapping[str, Any], locale: str) -> Any:
    """What a page is made of; None if the variables are refused."""
    if not isinstance(RENDERER.completed(published(name), variables), Mapping):
        return None
    try:
        return skeleton(filled(name, variables, locale=locale).html)
    except TemplateError:
        return None


def _is_fit(address: str) -> bool:
    return address.startswith(("https://", "mailto:help@"))


def _ratio(one: str, other: str) -> float:
    """Contrast of two colours (WCAG 2.2, relative luminance)."""
    bright, dark = sorted(map(_luminance, (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in pairs:
            yield from _leaves(each, (*path, name))
    else:
        yield path, value


def _described(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, each in schema.get("properties", {}).items():
        yield (*path, name), each
        yield from _described(each, (*path, name))


def _required(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in schema.get("required", []):
        yield (*path, name)
    for name, each in schema.get("properties", {}).items():
        yield from _required(each, (*path, name))


def _within(variables: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        variables = variables[name]
    return cast(Any, variables)


@pytest.mark.parametrize("name", NAMES)
def test_one_is_filled_where_it_is_sent_from(name: str) -> None:
    """It is known to come to little: no process of its own is needed."""
    of, variables = published(name).content, content(name).examples[0]
    parts, given = Parts(of, Finisher()), example_offered("id")

    asked = [(tag, channel) for tag, channels in of.parts.items() for channel in channels]

    assert all(parts.are_small(channel, tag, variables, given) for tag, channel in asked)
