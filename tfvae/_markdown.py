"""Tables in Markdown."""

from collections.abc import Iterable


def table_row(cells: Iterable[str]) -> str:
    """A row of a table; a bar within a cell would end it, in code too."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
