"""Settings on the command line, `table.key=value`."""

import tomllib
from collections.abc import Sequence
from typing import Any

from tfvae._errors import quoted


def overrides(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Converts texts such as "model.prior.num_components=100" to nested tables, one for each.

    A value is written as in TOML. Anything else is text, so that quotation marks are not needed.

    Raises:
        ValueError: If a text is not of this form.
    """
    return [_table(text) for text in texts]


def _table(text: str) -> dict[str, Any]:
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or len(keys) < 2 or not all(keys):
        raise ValueError(
            f"--set needs a setting with its table and a value, as in --set model.prior.num_components=100. "
            f"Received: {quoted(text)}"
        )
    table: Any = _value(value.strip())
    for key in reversed(keys):
        table = {key: table}
    return table


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
