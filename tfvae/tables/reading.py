"""Tables from files."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tfvae._data_names import COMPRESSIONS, TABLE_SUFFIXES, TEXT_SUFFIXES, suffix_of
from tfvae._errors import quoted, reading, reason
from tfvae.tables.errors import TableError
from tfvae.tables.text_form import SPACES, has_header, rows_of, separator_of, with_decimal_points

if TYPE_CHECKING:
    import pandas as pd

_NUM_LINES = 50  # of which the form of a file is found
_NEVER = "\x01"  # a separator that does not occur, so that a line is one cell
_ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")


def read_table(
    path: str | os.PathLike[str], *, header: bool | None = None, missing: Sequence[str] = ()
) -> "pd.DataFrame":
    """Reads a table from a `.csv`, `.tsv`, `.txt`, `.data`, `.dat`, `.parquet` or `.feather` file.

    Files of text may be compressed: `.csv.gz`, `.zip`, `.bz2`, `.xz` or `.zst`. Their separator (tab, `;`, `|`, comma
    or spaces) is found from the first lines. All their cells stay text, so that nothing is lost, such as the zeros of
    the postal code 02139; `infer` finds out what is a number. Only decimal commas become points, in files that are not
    separated by commas.

    Args:
        path: The file.
        header: Whether the first row has the names of the columns. None finds out: it has none if one of its cells is
            a number, or if its cells occur again below. Columns without names are c0, c1, ...
        missing: Texts that stand for a missing value among numbers with decimal commas, besides the usual ones.

    Raises:
        TableError: If the file does not exist, cannot be read, or has no rows.

    Warns:
        UserWarning: If the file has no header or columns of the same name, or is not UTF-8.
    """
    path = Path(path)
    suffix = require_table(path)
    notes: list[str] = []
    frame = _read_text(path, header, missing, notes) if suffix in TEXT_SUFFIXES else _read_typed(path, suffix)
    if not len(frame) or not len(frame.columns):
        raise TableError(
            f"{path} has no rows. Expected a line of names and at least one row of values. Received: a table of "
            f"{len(frame)} rows and {len(frame.columns)} columns"
        )
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return frame


def require_table(path: Path) -> str:
    """Returns the suffix of a file with a table, without that of a compression.

    Raises:
        TableError: If the name is not that of a table, or there is no such file.
    """
    suffix = suffix_of(path)
    if suffix not in TABLE_SUFFIXES:
        raise TableError(
            f"The name of a table must end in {', '.join(TABLE_SUFFIXES)}; one of {', '.join(COMPRESSIONS)} may follow "
            f"those of text. Rename or convert the file. Received: path={quoted(str(path))}"
        )
    if not path.is_file():
        raise TableError(f"There is no file {quoted(str(path))}. Correct the path. Received: path={quoted(str(path))}")
    return suffix


def _read_typed(path: Path, suffix: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        with reading(path, f"Expected a {suffix} file that pandas can read.", kind=TableError):
            frame = pd.read_parquet(path) if suffix == ".parquet" else pd.read_feather(path)
    except TableError as error:
        raise with_package(error, path) from error.__cause__
    # An index with a name is a column that was made the index.
    return frame.reset_index() if any(name is not None for name in frame.index.names) else frame


class TextForm(NamedTuple):
    """The form of a table of text.

    Attributes:
        separator: What is between cells.
        start: The number of lines above the table.
        names: The names of the columns, or None if the first row has them.
    """

    separator: str
    start: int
    names: list[str] | None


def _read_text(path: Path, header: bool | None, missing: Sequence[str], notes: list[str]) -> "pd.DataFrame":
    form = text_form(path, header, notes)
    return _finished(_parsed(path, form, notes), form.separator, missing)


def text_form(path: Path, header: bool | None, notes: list[str]) -> TextForm:
    """Returns the form of a table of text, which is found from its first lines.

    Args:
        path: The file.
        header: As for `read_table`.
        notes: Takes what users should know.
    """
    lines = _first_lines(path)
    start = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    above, lines = lines[:start], [line for line in lines[start:] if line.strip()]
    separator = separator_of(lines)
    rows = rows_of(lines, separator)
    if header is None:
        header = has_header(rows)
        names = rows_of([above[-1].lstrip("# ")], separator)[0] if above and above[-1].strip() else []
        if not header and len(names) == len(rows[0]):
            return TextForm(separator, start, names)
        if not header:
            notes.append(
                f"The first row of {path} has values, so its columns are named c0 to c{len(rows[0]) - 1}. Add a row of "
                "names, or read the file with header=True if the first row has names."
            )
    sizes = {len(row) for row in rows[1:]}
    if not header:
        return TextForm(separator, start, [f"c{number}" for number in range(len(rows[0]))])
    if sizes == {len(rows[0]) + 1}:
        # R writes the names of rows without a name for their column, others a separator at the end of rows.
        is_last_empty = not any(row[-1] for row in rows[1:])
        return TextForm(separator, start + 1, [*rows[0], "unnamed"] if is_last_empty else ["row", *rows[0]])
    notes += _duplicates(path, rows[0])
    return TextForm(separator, start, None)


def _finished(frame: "pd.DataFrame", separator: str, missing: Sequence[str]) -> "pd.DataFrame":
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame if separator == "," else _with_decimal_points(frame, missing)


def _parsed(path: Path, form: TextForm, notes: list[str]) -> "pd.DataFrame":
    """Reads all cells as text, in UTF-8 or else as Windows writes western languages.

    Args:
        path: The file.
        form: Its form.
        notes: Takes what users should know.
    """
    what = "spaces" if form.separator == SPACES else repr(form.separator)
    advice = (
        f"Expected rows with as many cells as the first row, separated by {what}; quote cells that contain it, and "
        "delete titles above the names."
    )
    for encoding in encodings_of(path):
        try:
            with reading(path, advice, kind=TableError):
                frame = _parsed_as(path, encoding, form)
        except TableError as error:
            if not isinstance(error.__cause__, UnicodeDecodeError):
                raise with_package(error, path) from error.__cause__
            continue
        if encoding in _ENCODINGS[1:]:
            notes.append(f"{path} is not UTF-8; its text is read as {encoding}. Save it as UTF-8 if letters are wrong.")
        return frame
    raise TableError(f"{path} cannot be read as text. Save it as UTF-8. Received: an unknown encoding")


def _parsed_as(path: Path, encoding: str, form: TextForm) -> "pd.DataFrame":
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                path,
                encoding=encoding,
                **text_options(form),
            )
        except pd.errors.ParserWarning as warning:  # pandas would cut off cells
            raise ValueError("rows have more cells than the first row") from warning


def text_options(form: TextForm) -> dict[str, Any]:
    """Returns the arguments of `pandas.read_csv` that read all cells as text."""
    return {
        "sep": form.separator,
        "dtype": str,
        "keep_default_na": False,
        "skipinitialspace": True,
        "header": 0 if form.names is None else None,
        "names": form.names,
        "index_col": False,
        "skiprows": form.start,
    }


def _first_lines(path: Path) -> list[str]:
    import pandas as pd

    try:
        with reading(path, "Expected a table of text with a row of names.", kind=TableError):
            lines = pd.read_csv(
                path,
                sep=_NEVER,
                header=None,
                names=["line"],
                quoting=3,  # no quotes
                dtype=str,
                keep_default_na=False,
                nrows=_NUM_LINES + 1,
                skip_blank_lines=False,
                encoding=encodings_of(path)[-1],
                encoding_errors="replace",
            )["line"]
    except TableError as error:
        raise with_package(error, path) from error.__cause__
    if not lines.str.strip().any():
        raise no_lines(path)
    whole = list(lines[:-1]) if len(lines) > _NUM_LINES else list(lines)
    return [_decoded(line) for line in whole]


def no_lines(path: Path) -> TableError:
    """Returns the error for an empty file."""
    return TableError(f"{path} is empty. Expected a row of names and rows of values. Received: a file of 0 lines")


def _decoded(line: str) -> str:
    """Returns a line that was read as Latin-1, in which every file can be read, in the encoding that it has."""
    try:
        return line.encode("latin-1").decode("utf-8-sig")
    except UnicodeEncodeError:  # a line of UTF-16
        return line.removeprefix("\ufeff")
    except UnicodeDecodeError:
        return line


def encodings_of(path: Path) -> tuple[str, ...]:
    """Returns the encodings that a file of text may have, in the order in which they are tried."""
    with path.open("rb") as file:
        return ("utf-16",) if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else _ENCODINGS


def _with_decimal_points(frame: "pd.DataFrame", missing: Sequence[str]) -> "pd.DataFrame":
    for name in frame.columns[~frame.columns.duplicated(keep=False)]:
        column = frame[name]
        if not column.str.contains(",", regex=False, na=False).any():
            continue
        values = column.dropna().unique()
        points = with_decimal_points(list(values), [str(mark) for mark in missing])
        if points is not None:
            frame[name] = column.map(dict(zip(values, points, strict=True)))
    return frame


def _duplicates(path: Path, names: Sequence[str]) -> list[str]:
    twice = sorted({name for name in names if name and names.count(name) > 1}) if len({*names}) < len(names) else []
    if not twice:
        return []
    return [
        f"{path} has columns of the same name: {quoted(twice)}. The others are named {quoted(twice[0] + '.1')} etc."
    ]


def with_package(error: TableError, path: Path) -> TableError:
    """Returns the error, or one that names the package that is missing."""
    if not isinstance(error.__cause__, ImportError):
        return error
    return TableError(
        f"{path} needs a package that is not installed: {reason(error.__cause__)}. Install it with pip, or convert the "
        f"file to .csv. Received: path={quoted(str(path))}"
    )
