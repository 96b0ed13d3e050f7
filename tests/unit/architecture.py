"""What docs/architecture.md says about states, for the tests that keep it true."""

from pathlib import Path

_ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"


def states_section() -> str:
    """The part of the architecture's description that is about states."""
    after = _ARCHITECTURE.read_text(encoding="utf-8").partition("\n## States\n")[2]
    return after.partition("\n## ")[0]


def rows_of(header: str) -> list[list[str]]:
    """The cells of the table whose first column is called `header`."""
    table = states_section().partition(f"| {header} |")[2].partition("\n\n")[0]
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
