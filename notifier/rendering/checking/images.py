"""What html shows of the images that come with a template."""

from collections.abc import Collection, Mapping
from uuid import UUID

from notifier.content.showing import shown_ids
from notifier.rendering.checking.findings import Findings, Place

_PARTS = frozenset({"html", "mjml"})


def check_images(
    wholes: Mapping[Place, str], images: Mapping[str, UUID], findings: Findings
) -> None:
    """Find images that are shown and not there, and those that are there and not shown."""
    shown: set[str] = set()
    for place, text in wholes.items():
        if place.part in _PARTS:
            shown |= _checked(shown_ids(text), images, place, findings)
    for name in sorted(images.keys() - shown):
        findings.warning("image-unused", f"no html shows cid:{name}")


def _checked(
    shown: Collection[str], images: Mapping[str, UUID], place: Place, findings: Findings
) -> set[str]:
    for name in sorted(shown):
        if "{" in name:
            findings.error("image", "an image's name stands behind cid: without variables", place)
        elif name not in images:
            words = f"it shows cid:{name[:100]}, and images names none of that name"
            findings.error("image", words, place)
    return set(shown)
