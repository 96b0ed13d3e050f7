"""The course of a run as a picture (SVG)."""

from collections.abc import Iterable, Sequence

from tests.svg import picture
from tools.chaos.faults import Fault
from tools.chaos.figures import Course

_WIDTH, _HEIGHT = 960, 420
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 40, 20, 130
_COLOURS = {"accepted": "#2563eb", "handed over": "#16a34a", "backlog": "#d97706"}


def draw(course: Course, faults: Sequence[Fault], began_at: float) -> str:
    """Draw what was accepted and handed over, the backlog, and the faults beneath them."""
    duration_s = course.at_s[-1]
    most = max(*course.accepted, *course.sent, 1)
    lines = {"accepted": course.accepted, "handed over": course.sent, "backlog": course.backlog}
    parts = [
        *_axes(duration_s, most),
        *_bands(faults, began_at, duration_s),
        *(_line(course.at_s, values, most, _COLOURS[name]) for name, values in lines.items()),
        *_legend(),
    ]
    return picture(_WIDTH, _HEIGHT, parts)


def _x(share: float) -> float:
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(share: float) -> float:
    return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def _line(at_s: Sequence[float], values: Sequence[int], most: int, colour: str) -> str:
    duration_s = at_s[-1]
    points = " ".join(
        f"{_x(second / duration_s)},{_y(value / most)}"
        for second, value in zip(at_s, values, strict=True)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _axes(duration_s: float, most: int) -> Iterable[str]:
    for quarter in range(5):
        share = quarter / 4
        y, x = _y(share), _x(share)
        yield f'<path d="M{_x(0)} {y}H{_x(1)}" stroke="#e5e7eb"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{round(most * share):,}</text>'
        second = f"{duration_s * share:.0f} s"
        yield f'<text x="{x}" y="{_y(0) + 16}" text-anchor="middle">{second}</text>'


def _bands(faults: Sequence[Fault], began_at: float, duration_s: float) -> Iterable[str]:
    """A row for each kind of fault, beneath the axis."""
    kinds = sorted({fault.kind for fault in faults})
    for row, kind in enumerate(kinds):
        y = _y(0) + 26 + row * 10
        yield f'<text x="{_LEFT - 6}" y="{y + 7}" text-anchor="end" font-size="7">{kind}</text>'
        for fault in (each for each in faults if each.kind is kind):
            x = _x(min(1, (fault.began_at - began_at) / duration_s))
            end = _x(min(1, (fault.ended_at - began_at) / duration_s))
            yield f'<rect x="{x}" y="{y}" width="{max(2, end - x):.1f}" height="8" fill="#dc2626"/>'
            yield f'<path d="M{x} {y}V{_TOP}" stroke="#dc2626" stroke-width="0.4" opacity="0.5"/>'


def _legend() -> Iterable[str]:
    for index, (name, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + index * 130
        yield f'<rect x="{x}" y="18" width="12" height="4" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="24">{name}</text>'
