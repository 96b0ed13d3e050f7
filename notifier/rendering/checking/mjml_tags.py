"""The tags of MJML 4 and their attributes, as documentation.mjml.io lists them.

Without those that mrml does not know: `mj-html-attributes`, and what components are made with.
"""

from collections.abc import Mapping

_ANY = "css-class mj-class"
_PADDING = "padding padding-top padding-right padding-bottom padding-left"
_INNER = (
    "inner-padding inner-padding-top inner-padding-right inner-padding-bottom inner-padding-left"
)
_BORDER = "border border-top border-right border-bottom border-left border-radius"
_FONT = (
    "color font-family font-size font-style font-weight letter-spacing line-height "
    "text-decoration text-transform"
)
_BACKGROUND = (
    "background-color background-url background-repeat background-size background-position "
    "background-position-x background-position-y"
)
_SECTION = f"{_BACKGROUND} {_BORDER} {_PADDING} direction full-width text-align gap"
_LINK = "href rel target title name"

_TAGS: Mapping[str, str] = {
    "mjml": "lang dir owa xmlns version",
    "mj-head": "",
    "mj-body": "background-color width id lang dir title",
    "mj-title": "",
    "mj-preview": "",
    "mj-attributes": "",
    "mj-breakpoint": "width",
    "mj-font": "name href",
    "mj-style": "inline",
    "mj-raw": "position",
    "mj-section": _SECTION,
    "mj-wrapper": _SECTION,
    "mj-column": (
        "background-color inner-background-color inner-border inner-border-top inner-border-right "
        "inner-border-bottom inner-border-left inner-border-radius width vertical-align direction "
        f"{_BORDER} {_PADDING}"
    ),
    "mj-group": "background-color direction vertical-align width",
    "mj-text": f"{_FONT} {_PADDING} align container-background-color height",
    "mj-button": (
        f"{_FONT} {_PADDING} {_BORDER} {_LINK} {_INNER} align background-color "
        "container-background-color height text-align vertical-align width"
    ),
    "mj-image": (
        f"{_PADDING} {_BORDER} {_LINK} align alt container-background-color fluid-on-mobile height "
        "max-height sizes src srcset usemap width font-size"
    ),
    "mj-divider": (
        f"{_PADDING} align border-color border-style border-width container-background-color width"
    ),
    "mj-spacer": f"{_BORDER} {_PADDING} container-background-color height",
    "mj-table": (
        f"{_FONT} {_PADDING} align border cellpadding cellspacing container-background-color role "
        "table-layout width"
    ),
    "mj-hero": (
        f"{_BACKGROUND} {_PADDING} {_INNER} background-height background-width border-radius "
        "container-background-color height inner-background-color mode vertical-align width"
    ),
    "mj-navbar": f"{_PADDING} align base-url hamburger ico-align ico-close ico-color "
    "ico-font-family ico-font-size ico-line-height ico-open ico-padding ico-padding-bottom "
    "ico-padding-left ico-padding-right ico-padding-top ico-text-decoration ico-text-transform",
    "mj-navbar-link": f"{_FONT} {_PADDING} {_LINK}",
    "mj-social": (
        f"{_FONT} {_PADDING} {_INNER} align border-radius container-background-color icon-height "
        "icon-padding icon-size mode table-layout text-padding vertical-align"
    ),
    "mj-social-element": (
        f"{_FONT} {_PADDING} {_LINK} align alt background-color border-radius icon-height "
        "icon-padding icon-position icon-size sizes src srcset text-padding vertical-align"
    ),
    "mj-accordion": (
        f"{_PADDING} border container-background-color font-family icon-align icon-height "
        "icon-position icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt "
        "icon-wrapped-url"
    ),
    "mj-accordion-element": (
        "background-color border font-family icon-align icon-height icon-position "
        "icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt icon-wrapped-url"
    ),
    "mj-accordion-title": f"{_PADDING} background-color color font-family font-size font-weight",
    "mj-accordion-text": (
        f"{_PADDING} background-color color font-family font-size font-weight letter-spacing "
        "line-height"
    ),
    "mj-carousel": (
        f"{_PADDING} align background-color border-radius container-background-color icon-width "
        "left-icon right-icon tb-border tb-border-radius tb-hover-border-color "
        "tb-selected-border-color tb-width thumbnails thumbnails-src"
    ),
    "mj-carousel-image": (
        f"{_LINK} alt border-radius container-background-color src tb-border tb-border-radius "
        "thumbnails-src"
    ),
}

TAGS: Mapping[str, frozenset[str]] = {
    tag: frozenset(f"{names} {_ANY}".split()) for tag, names in _TAGS.items()
}
"""The attributes of each tag; `mj-all` and `mj-class` have those of every one."""

EVERY_ATTRIBUTE: frozenset[str] = frozenset[str]().union(*TAGS.values())
