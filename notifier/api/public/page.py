"""The page to unsubscribe, and to choose: one document without scripts, and nothing foreign."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from notifier.api.public.words import Words
from notifier.content.brand import Brand
from notifier.notification.model import Channel

_STYLE = """
:root {{ color-scheme: light dark }}
* {{ box-sizing: border-box }}
body {{ margin: 0; padding: 16px; background: {background}; color: {text};
  font: 16px/1.5 {font} }}
main {{ max-width: 560px; margin: 24px auto; padding: 24px; background: #ffffff;
  border-radius: {radius}px; overflow-wrap: anywhere }}
.brand {{ margin: 0 0 16px; font-weight: 700 }}
h1 {{ margin: 0 0 16px; font-size: 24px; line-height: 1.25 }}
h2 {{ margin: 32px 0 8px; font-size: 18px }}
p {{ margin: 0 0 16px }}
.done {{ padding: 12px 16px; border: 2px solid currentColor; border-radius: {radius}px }}
fieldset {{ margin: 0 0 16px; padding: 8px 16px; border: 1px solid #6b7280;
  border-radius: {radius}px }}
legend {{ padding: 0 4px; font-weight: 700 }}
label {{ display: flex; align-items: center; gap: 12px; min-height: 44px }}
input {{ flex: none; width: 22px; height: 22px; margin: 0; accent-color: {color} }}
button {{ width: 100%; min-height: 48px; padding: 10px 24px; border: 2px solid {color};
  border-radius: {radius}px; background: {color}; color: {on_color}; font: inherit;
  font-weight: 700; cursor: pointer }}
.second {{ background: transparent; border-color: currentColor; color: inherit }}
:focus-visible {{ outline: 3px solid currentColor; outline-offset: 2px }}
@media (min-width: 480px) {{ main {{ padding: 40px }} button {{ width: auto }} }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #111827; color: #f9fafb }} main {{ background: #1f2937 }}
}}
"""
_POLICY = (
    "default-src 'none'; style-src '{hash}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A category that can be switched off, and over which channels it reaches somebody."""

    key: str
    title: str
    channels: Sequence[tuple[Channel, bool]]

    def is_on(self, channel: Channel) -> bool:
        """Whether it reaches them over this channel."""
        return dict(self.channels).get(channel, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the page shows to somebody. `offer` is what their link is about; None: required."""

    title: str
    channel: Channel
    offer: Offer | None
    offers: Sequence[Offer]
    done: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A page, and the policy that lets through what is in it, and nothing else."""

    html: str
    policy: str


def choices_page(view: View, words: Words, brand: Brand) -> Document:
    """Show what somebody gets, and how to change it."""
    parts = [
        f"<h1>{_text(words.heading)}</h1>",
        f'<p class="done" role="status">{_text(view.done)}</p>' if view.done else "",
        *_about(view, words, brand),
        *(_choices(view.offers, words, brand) if view.offers else ()),
    ]
    return _document(words.heading, parts, words, brand)


def unknown_page(words: Words) -> Document:
    """Say that a link does nothing, whyever it does not."""
    brand = Brand(name="")
    parts = [
        f"<h1>{_text(words.unknown_heading)}</h1>",
        f"<p>{_text(words.unknown_words)}</p>",
    ]
    return _document(words.unknown_heading, parts, words, brand)


def _about(view: View, words: Words, brand: Brand) -> Iterable[str]:
    said = {
        "title": view.title,
        "brand": brand.name,
        "channel": words.channels[view.channel],
    }
    if view.offer is None:
        return (f"<p>{_text(words.is_required.format(**said))}</p>",)
    is_on = view.offer.is_on(view.channel)
    sentence = words.is_on if is_on else words.is_off
    action, label = ("off", words.unsubscribe) if is_on else ("on", words.subscribe)
    return (f"<p>{_text(sentence.format(**said))}</p>", _form(_button(action, label)))


def _choices(offers: Sequence[Offer], words: Words, brand: Brand) -> Iterable[str]:
    everything = words.everything_words.format(brand=brand.name)
    return (
        f'<h2 id="choices">{_text(words.all_heading)}</h2>',
        f"<p>{_text(words.all_words.format(brand=brand.name))}</p>",
        _form(*(_fieldset(each, words) for each in offers), _button("save", words.save)),
        f"<h2>{_text(words.everything_heading)}</h2>",
        f"<p>{_text(everything)}</p>",
        _form(_button("nothing", words.everything, "second")),
    )


def _fieldset(offer: Offer, words: Words) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" name="on" value="{_text(f"{offer.key}:{channel}")}"'
        f"{' checked' if is_on else ''}>{_text(words.channels[channel])}</label>"
        f'<input type="hidden" name="shown" value="{_text(f"{offer.key}:{channel}")}">'
        for channel, is_on in offer.channels
    )
    return f"<fieldset><legend>{_text(offer.title)}</legend>{boxes}</fieldset>"


def _button(action: str, label: str, kind: str = "first") -> str:
    return f'<button class="{kind}" name="action" value="{action}">{_text(label)}</button>'


def _form(*parts: str) -> str:
    return f'<form method="post">{"".join(parts)}</form>'


def _document(title: str, parts: Iterable[str], words: Words, brand: Brand) -> Document:
    style = _STYLE.format(
        background=brand.background_color,
        text=brand.text_color,
        font=brand.font_family,
        color=brand.color,
        on_color=brand.on_color,
        radius=brand.radius,
    )
    name = f'<p class="brand">{_text(brand.name)}</p>' if brand.name else ""
    html = (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{_text(': '.join(filter(None, (title, brand.name))))}</title>"
        f"<style>{style}</style></head><body><main>{name}{''.join(parts)}</main></body></html>"
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Document(html, _POLICY.format(hash=f"sha256-{digest}"))


def _text(text: str) -> str:
    return escape(text, quote=True)
