"""What our pictures have in common."""

from collections.abc import Iterable


def picture(width: float, height: float, parts: Iterable[str], *, font_size: int = 11) -> str:
    """An SVG of these parts on white."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'font-family="sans-serif" font-size="{font_size}">'
    )
    white = f'<rect width="{width:g}" height="{height:g}" fill="white"/>'
    return "\n".join([head, white, *parts, "</svg>\n"])
