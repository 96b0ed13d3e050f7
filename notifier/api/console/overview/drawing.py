"""Lines and bars, as the points and boxes of an SVG."""

from collections.abc import Mapping, Sequence

WIDTH = 300
HEIGHT = 60


def line(values: Sequence[int], most: int) -> str:
    """Return the points of a line through values, the greatest of which is `most`."""
    step = WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{place * step:.1f},{HEIGHT - _height(value, most):.1f}"
        for place, value in enumerate(values)
    )


def bars(values: Sequence[int], most: int) -> Sequence[Mapping[str, str]]:
    """Return a box for each value that is not 0; `most` is as high as the picture."""
    step = WIDTH / max(1, len(values))
    return [
        {
            "x": f"{place * step + step * 0.1:.1f}",
            "y": f"{HEIGHT - _height(value, most):.1f}",
            "width": f"{step * 0.8:.1f}",
            "height": f"{_height(value, most):.1f}",
        }
        for place, value in enumerate(values)
        if value
    ]


def _height(value: int, most: int) -> float:
    return (HEIGHT - 4) * value / max(1, most)
