"""Whether the text of a mail says what its page does."""

import re

import nh3

from notifier.content.links import written_links

_MOST_CHARS = 200
_SHARE = 3
"""A text that says the same is not so much shorter."""
# "View this email in your browser", in the languages of many who write mails.
_BROWSER = re.compile(
    r"\b(?:browser|webversion|web version|online version|html|navigateur|navegador|przegl\u0105dar"
    r"|webbl\u00e4sare|nettleser|prohl\u00ed\u017ee\u010d|selain|\u0431\u0440\u0430\u0443\u0437\u0435\u0440"
    r"|\u30d6\u30e9\u30a6\u30b6|\u6d4f\u89c8\u5668)",
    re.IGNORECASE,
)
_STRIPPER = nh3.Cleaner(tags=set(), attributes={}, link_rel=None)


def leads_to_page_alone(text: str, html: str) -> bool:
    """Whether a text does no more than to send its reader to the page."""
    own = text
    for link in written_links(text):
        own = own.replace(link, "")
    own = " ".join(own.split())
    if len(own) > _MOST_CHARS or not _BROWSER.search(own):
        return False
    return len(" ".join(_STRIPPER.clean(html).split())) > _SHARE * len(own)
