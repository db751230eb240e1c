"""Markdown tables."""

from collections.abc import Iterable


def table_row(cells: Iterable[str]) -> str:
    """Returns a row of a table; vertical bars in cells are escaped, because they end a cell even in code."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
