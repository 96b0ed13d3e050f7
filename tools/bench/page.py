"""docs/performance.md: its tables and its picture are a run's own output."""

import re
from collections.abc import Mapping
from pathlib import Path

from tests.e2e.processes import CHECKOUT
from tools.bench.plot import draw
from tools.bench.results import Results
from tools.bench.tables import sections

PAGE = CHECKOUT / "docs" / "performance.md"
PICTURE = CHECKOUT / "docs" / "performance.svg"
_PLACE = re.compile(r"(<!-- bench: ([\w-]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def fill(text: str, tables: Mapping[str, str]) -> str:
    """Put each table in its place; a place whose measurement was not made stays as it is."""

    def filled(found: re.Match[str]) -> str:
        table = tables.get(found[2])
        return found[0] if table is None else f"{found[1]}{table}\n{found[3]}"

    return _PLACE.sub(filled, text)


def write_page(results: Results, *, page: Path = PAGE, plot: Path = PICTURE) -> None:
    """Bring the page and the picture up to date."""
    page.write_text(fill(page.read_text(), sections(results)))
    plot.write_text(draw(results))
