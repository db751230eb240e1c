"""How a file of text is written: its separator, and whether its first row has names."""

import csv
import itertools
import re
from collections.abc import Sequence

from tfvae.tables.cells import MISSING, is_number

SEPARATORS = ("\t", ";", "|", ",")
SPACES = r"\s+"


def separator_of(lines: Sequence[str]) -> str:
    r"""Returns the separator that gives all these lines equally many cells: one of `SEPARATORS`, or spaces.

    A comma comes last, because it is the decimal point of some files. Spaces separate rows that have numbers, and not
    words of a text. Without a separator, the table has one column.
    """
    evenness = {separator: _evenness(rows_of(lines, separator)) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: evenness[separator])
    if evenness[best] < 1:
        rows = rows_of(lines, SPACES)
        if _evenness(rows) == 1 and all(any(map(is_number, row)) for row in rows[1:] or rows):
            return SPACES
    return best if evenness[best] > 0 else ","


def rows_of(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Returns the cells of each line, without spaces around them."""
    if separator == SPACES:
        rows = csv.reader([line.strip() for line in lines], delimiter=" ", skipinitialspace=True)
    else:
        rows = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    return [[cell.strip() for cell in row] for row in rows]


def _evenness(rows: list[list[str]]) -> float:
    """Returns the share of rows that have the most frequent number of cells; 0 if that is a single cell.

    The first row may lack the name of the first cell.
    """
    sizes = [len(row) for row in rows]
    body = sizes[1:] or sizes
    size = max(set(body), key=lambda size: (body.count(size), size))
    if size == 1:
        return 0.0
    is_header_even = sizes[0] == size or (sizes[0] == size - 1 and size > 2)
    return (body.count(size) + is_header_even) / (len(body) + 1)


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of these rows has names, and not values.

    It has values if a cell is a number, or if most cells occur again in their columns. Numbers one after the other, as
    years or places, are names.
    """
    first, others = rows[0], rows[1:]
    if not others:
        return True
    again = [any(len(row) > place and row[place] == cell for row in others) for place, cell in enumerate(first)]
    numbers = [float(cell) for cell in first if is_number(cell)]
    if not numbers:
        filled = [is_again for is_again, cell in zip(again, first, strict=True) if cell not in MISSING]
        return not filled or sum(filled) < len(filled) / 2
    is_run = len(numbers) > 1 and all(b - a == 1 for a, b in itertools.pairwise(numbers))
    return is_run and not all(again)


_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?(?:[eE][+-]?\d+)?")


def with_decimal_points(texts: Sequence[str], missing: Sequence[str]) -> list[str] | None:
    """Returns numbers with a decimal comma as numbers with a point; None if these are no such numbers.

    Args:
        texts: Different values of a column.
        missing: Texts that stand for a missing value.
    """
    found = []
    for text in texts:
        plain = text.strip()
        if plain in MISSING or plain in missing:
            found.append(text)
        elif _DECIMAL_COMMA.fullmatch(plain):
            found.append(plain.replace(".", "").replace(",", "."))
        else:
            return None
    return found
