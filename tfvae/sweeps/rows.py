"""Tables of settings: their leaves by dotted names, and names for rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfvae.parts import described


def leaves(table: Mapping[str, Any], prefix: str = "", stop: Sequence[str] = ()) -> Iterator[tuple[str, Any]]:
    """Yields the settings of nested tables as ("model.latent_size", value).

    Args:
        table: The tables.
        prefix: Text in front of each name.
        stop: Keys of tables that are values.
    """
    for key, value in table.items():
        if isinstance(value, Mapping) and not set(stop) & set(value):
            yield from leaves(value, f"{prefix}{key}.", stop)
        else:
            yield f"{prefix}{key}", value


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Returns nested tables from settings with dotted names."""
    tables: dict[str, Any] = {}
    for setting, value in pairs:
        *path, key = setting.split(".")
        table = tables
        for name in path:
            table = table.setdefault(name, {})
        table[key] = value
    return tables


def row_name(row: Mapping[str, Any]) -> str:
    """Returns a name for a row from its settings, such as "latent_size=2, beta=4"."""
    return ", ".join(_described(row)) or "run"


def _described(row: Mapping[str, Any]) -> Iterator[str]:
    for key, value in row.items():
        if isinstance(value, Mapping) and "kind" in value:
            yield f"{key}={described(value)}"
        elif isinstance(value, Mapping):
            yield from _described(value)
        else:
            yield f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
