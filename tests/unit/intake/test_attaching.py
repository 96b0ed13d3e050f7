"""What goes along with a mail is there, is small enough, and is what its html shows."""

from dataclasses import replace
from uuid import uuid4

import pytest

from notifier.content.attachment import Attachment, AttachmentLimits
from notifier.content.showing import shown_ids
from notifier.intake.attaching import Attacher
from notifier.intake.draft import AttachmentWish, Draft
from notifier.intake.inline import read_inline
from notifier.notification.mail import AttachmentRef
from notifier.notification.medium import MEDIA
from notifier.notification.model import Channel
from notifier.rendering.markup import HtmlMarkup
from tests.files import KeptFiles, a_file

PDF = a_file()
LOGO = a_file("logo.png", "image/png")
MAIL = Draft(channel=Channel.EMAIL, recipient="anna@example.com", content="Hello", subject="Hi")
SHOWING = replace(MAIL, html='<img src="cid:logo.png">')


async def attached(
    draft: Draft, *files: Attachment, most: int = 15_000_000, inline: bool = False
) -> object:
    """What goes along, or what is wrong by its place."""
    wishes = [AttachmentWish(each.id, is_inline=inline) for each in files]
    return await judged(replace(draft, attachments=wishes), KeptFiles(*files), most)


async def judged(draft: Draft, kept: KeptFiles, most: int = 15_000_000) -> object:
    attacher = Attacher(kept, AttachmentLimits(max_mail_bytes=most))
    held = await attacher.held([draft], "orders")
    said = await read_inline(draft, MEDIA[draft.channel], HtmlMarkup())
    found = await attacher.attached(draft, held, said)
    if isinstance(found, tuple):
        return found
    return {each.path: each.words for each in found}


async def test_files_go_along_in_their_order() -> None:
    assert await attached(MAIL, PDF, LOGO) == (AttachmentRef(PDF.id), AttachmentRef(LOGO.id))


async def test_nothing_is_looked_up_where_nothing_goes_along() -> None:
    kept = KeptFiles(PDF)

    assert await judged(SHOWING, kept) != ()
    assert await judged(MAIL, kept) == ()
    assert kept.held == []


async def test_an_image_that_html_shows_goes_along_under_its_name() -> None:
    assert await attached(SHOWING, LOGO, inline=True) == (AttachmentRef(LOGO.id, "logo.png"),)


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.IN_APP])
async def test_only_an_email_has_attachments(channel: Channel) -> None:
    assert await attached(replace(MAIL, channel=channel), PDF) == {
        (): "only an email has attachments"
    }


async def test_what_is_not_there_or_is_anothers_is_unknown() -> None:
    theirs = a_file(service="payments")
    wishes = [AttachmentWish(uuid4()), AttachmentWish(theirs.id), AttachmentWish(PDF.id)]

    found = await judged(replace(MAIL, attachments=wishes), KeptFiles(theirs, PDF))

    assert isinstance(found, dict)
    assert list(found) == [(0, "id"), (1, "id")]
    assert "upload it first" in found[0, "id"]


async def test_the_same_file_goes_along_once() -> None:
    found = await attached(MAIL, PDF, PDF)

    assert isinstance(found, dict)
    assert list(found) == [(0, "id"), (1, "id")]


@pytest.mark.parametrize(("size", "is_taken"), [(730_740, True), (730_741, False)])
async def test_files_together_fit_into_a_mail_as_base64(size: int, *, is_taken: bool) -> None:
    found = await attached(MAIL, a_file(size=size), most=1_000_000)

    assert isinstance(found, tuple) == is_taken
    if isinstance(found, dict):
        assert "at most 1000000 are sent" in found[()]
        assert "1000038 bytes" in found[()]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (PDF, "only an image"),
        (a_file("my logo.png", "image/png"), "letters, digits"),
        (a_file("other.png", "image/png"), "no cid:other.png"),
    ],
)
async def test_what_can_not_be_shown_is_not_inline(file: Attachment, words: str) -> None:
    found = await attached(SHOWING, file, inline=True)

    assert isinstance(found, dict)
    assert words in found[0, "inline"]
    assert found[()] == "the html shows cid:logo.png, and no inline attachment has this name"


async def test_two_images_of_one_name_are_told_apart() -> None:
    found = await attached(SHOWING, LOGO, a_file("logo.png", "image/png"), inline=True)

    assert isinstance(found, dict)
    assert list(found) == [(0, "inline"), (1, "inline")]


async def test_an_image_needs_html_that_shows_it() -> None:
    found = await attached(MAIL, LOGO, inline=True)

    assert isinstance(found, dict)
    assert "no cid:logo.png" in found[0, "inline"]


async def test_what_html_shows_is_known_once_its_variables_are_filled_in() -> None:
    draft = replace(MAIL, html='<img src="cid:{{ name }}.png">', variables={"name": "logo"})

    assert isinstance(await attached(draft, LOGO, inline=True), tuple)


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("", set()),
        ("<p>Write to cid:foo or see acid:rain</p>", set()),
        ('<a href="https://app.example/?next=cid:5">a=cid:5</a>', set()),
        ("<img alt=''src = ' cid:a.png'>", {"a.png"}),
        ("<img src='CID:a.png'><img src=cid:b.png>", {"a.png", "b.png"}),
        ('<td background="cid:a.png" style="background:url( cid:b.png )">', {"a.png", "b.png"}),
        ("<td style=\"background:url('cid:b.png')\">", {"b.png"}),
        ('<img src="cid:a%2Db.png"><img src="cid:a&amp;b">', {"a-b.png", "a&b"}),
    ],
)
def test_what_html_shows_is_found_where_html_shows_it(html: str, shown: set[str]) -> None:
    assert shown_ids(html) == shown


@pytest.mark.parametrize("start", ["=", "url(", " src=", " src", "<", " a"])
def test_no_html_takes_long_to_look_through(start: str) -> None:
    # With two places for the same white space it took half an hour.
    for html in (f"cid:{start}{' ' * 500_000}x", f"cid:{start * 100_000}"):
        assert shown_ids(html) == frozenset()
