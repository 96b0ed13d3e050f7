"""The stacks side by side, as bars (SVG)."""

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

from tests.svg import picture
from tools.bench.results import Figure, Results, cpu_us, is_notifier, per_s

_PANELS: Mapping[str, tuple[str, Figure]] = {
    "accept": ("µs of CPU for an accepted notification: API, PostgreSQL, RabbitMQ", cpu_us),
    "drain": ("µs of CPU for a sent one: workers, PostgreSQL, RabbitMQ", cpu_us),
    "slow": ("sent a second, SMTP answers after 1 s", per_s),
}
_WIDTH, _LEFT, _RIGHT = 960, 250, 190
_TOP, _ROW, _GAP = 34, 22, 46
_OURS, _THEIRS = "#2563eb", "#9ca3af"


def draw(results: Results) -> str:
    """Draw what accepting and sending cost, and the rates of slow sending, with their ratios."""
    parts: list[str] = []
    y = _TOP
    for measurement, (title, figure) in _PANELS.items():
        medians = results.medians(measurement)
        bars = {name: figure(sample) for name, sample in medians.items() if figure(sample)}
        if bars:
            mib = {name: each.get("rss_mib") for name, each in medians.items()}
            parts += _panel(title, bars, mib, y)
            y += _ROW * len(bars) + _GAP
    return picture(_WIDTH, y, parts, font_size=12)


def _panel(
    title: str, bars: Mapping[str, float], mib: Mapping[str, float | None], y: int
) -> Iterator[str]:
    most = max(bars.values())
    ours = next((value for name, value in bars.items() if is_notifier(name)), None)
    yield f'<text x="{_LEFT}" y="{y}" font-weight="bold">{escape(title)}</text>'
    for index, (name, value) in enumerate(bars.items()):
        top = y + 10 + index * _ROW
        width = max(1, value / most * (_WIDTH - _LEFT - _RIGHT))
        colour = _OURS if is_notifier(name) else _THEIRS
        yield f'<text x="{_LEFT - 8}" y="{top + 12}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="16" fill="{colour}"/>'
        label = _label(value, None if is_notifier(name) else ours, mib.get(name))
        yield f'<text x="{_LEFT + width + 6:.1f}" y="{top + 12}">{label}</text>'


def _label(value: float, ours: float | None, mib: float | None) -> str:
    told = [f"{value:,.0f}"]
    if ours:
        told.append(f"{value / ours:.2g} times ours")
    if mib is not None:
        told.append(f"{mib:,.0f} MiB")
    return ", ".join(told)
