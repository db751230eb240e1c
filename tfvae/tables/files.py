"""Schemas as TOML."""

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from tfvae._errors import quoted, reading
from tfvae.tables.column import Column
from tfvae.tables.errors import TableError
from tfvae.tables.schema import Schema

_FIELDS = {field.name: field for field in dataclasses.fields(Column)}
_TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "categories": (list,),
    "low": (int, float),
    "high": (int, float),
    "atoms": (list,),
    "decimals": (int,),
    "dtype": (str,),
    "origin": (str,),
    "format": (str,),
    "missing_share": (int, float),
    "reason": (str,),
}


def write_schema(schema: Schema, path: str | os.PathLike[str]) -> None:
    """Writes a schema as TOML, with a table [columns.NAME] for each column.

    Args:
        schema: The schema.
        path: The file to write.
    """
    Path(path).write_text(tomli_w.dumps(schema_to_dict(schema)), "utf-8")


def read_schema(path: str | os.PathLike[str]) -> Schema:
    """Reads a schema that `write_schema` has written, and that may have been edited.

    Args:
        path: The file.

    Raises:
        TableError: If the file cannot be read, or a column in it is not valid.
    """
    with reading(path, "Expected TOML, as tfvae writes schemas.", kind=TableError):
        contents = tomllib.loads(Path(path).read_text("utf-8"))
    return schema_from_dict(contents, path)


def schema_from_dict(contents: Mapping[str, Any], path: str | os.PathLike[str]) -> Schema:
    """Returns the schema of plain values, as `schema_to_dict` returns them.

    Args:
        contents: The values.
        path: Where they are from, for messages.

    Raises:
        TableError: If a column is not valid.
    """
    contents = dict(contents)
    columns, missing = contents.pop("columns", None), contents.pop("missing", [])
    if contents or not isinstance(columns, dict) or not _is_list_of_text(missing):
        raise TableError(
            f"{path} is no schema. Expected a table [columns.NAME] for each column, and optionally missing, a list of "
            f"texts. Received: {quoted(sorted(contents) if contents else columns)}"
        )
    return Schema([_column(name, settings, path) for name, settings in columns.items()], missing)


def schema_to_dict(schema: Schema) -> dict[str, Any]:
    """Returns a schema as plain values, as in its TOML file."""
    columns = {}
    for column in schema:
        values = {name: getattr(column, name) for name in _FIELDS if name != "name"}
        columns[column.name] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if name in ("kind", "dtype", "reason") or value != _FIELDS[name].default
        }
    return {**({"missing": list(schema.missing)} if schema.missing else {}), "columns": columns}


def _column(name: str, settings: Any, path: str | os.PathLike[str]) -> Column:
    if not isinstance(settings, dict) or "kind" not in settings:
        raise TableError(f"{path}: the column {name!r} must be a table with a kind. Received: {quoted(settings)}")
    for key, value in settings.items():
        if key not in _TYPES:
            raise TableError(f"{path}: a column has the settings {', '.join(_TYPES)}. Received: {name}.{key}")
        if not isinstance(value, _TYPES[key]) or isinstance(value, bool):
            expected = " or ".join(cls.__name__ for cls in _TYPES[key])
            raise TableError(f"{path}: {name}.{key} must be of type {expected}. Received: {quoted(value)}")
    categories = settings.get("categories", [])
    if not _is_list_of_text(categories):
        raise TableError(f"{path}: {name}.categories must be texts. Received: {quoted(categories)}")
    atoms = settings.get("atoms", [])
    if not all(isinstance(atom, int | float) and not isinstance(atom, bool) for atom in atoms):
        raise TableError(f"{path}: {name}.atoms must be numbers. Received: {quoted(atoms)}")
    try:
        return Column(name, **{**settings, "categories": tuple(categories), "atoms": tuple(map(float, atoms))})
    except ValueError as error:
        raise TableError(f"{path}: {error}") from error


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
