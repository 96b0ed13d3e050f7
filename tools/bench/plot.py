"""The stacks side by side, as bars (SVG)."""

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from tests.svg import picture
from tools.bench.results import Results, is_notifier

_PANELS = {
    "accept": "accepted a second, one API process, 64 connections",
    "drain": "sent a second, SMTP answers at once",
    "slow": "sent a second, SMTP answers after 1 s",
}
_WIDTH, _LEFT, _RIGHT = 960, 250, 190
_TOP, _ROW, _GAP = 34, 22, 46
_OURS, _THEIRS = "#2563eb", "#9ca3af"


def draw(results: Results) -> str:
    """Draw what was measured of accepting and draining, with the ratios to notifier."""
    parts: list[str] = []
    y = _TOP
    for measurement, title in _PANELS.items():
        rates = {
            subject: sample["per_s"]
            for subject, sample in results.medians(measurement).items()
            if "per_s" in sample
        }
        if rates:
            mib = {name: each.get("rss_mib") for name, each in results.medians(measurement).items()}
            parts += _panel(title, rates, mib, y)
            y += _ROW * len(rates) + _GAP
    return picture(_WIDTH, y, parts, font_size=12)


def _panel(
    title: str, rates: Mapping[str, float], mib: Mapping[str, float | None], y: int
) -> Iterator[str]:
    most = max(rates.values())
    ours = next((rate for name, rate in rates.items() if is_notifier(name)), None)
    yield f'<text x="{_LEFT}" y="{y}" font-weight="bold">{escape(title)}</text>'
    for index, (name, rate) in enumerate(rates.items()):
        top = y + 10 + index * _ROW
        width = max(1, rate / most * (_WIDTH - _LEFT - _RIGHT))
        colour = _OURS if is_notifier(name) else _THEIRS
        yield f'<text x="{_LEFT - 8}" y="{top + 12}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="16" fill="{colour}"/>'
        label = _label(rate, ours, mib.get(name), ours_too=is_notifier(name))
        yield f'<text x="{_LEFT + width + 6:.1f}" y="{top + 12}">{label}</text>'


def _label(rate: float, ours: float | None, mib: float | None, *, ours_too: bool) -> str:
    told = [f"{rate:,.0f}"]
    if ours and not ours_too:
        told.append(f"1 : {ours / rate:.1f}")
    if mib is not None:
        told.append(f"{mib:,.0f} MiB")
    return ", ".join(told)
