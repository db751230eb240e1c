"""Values as they stand in a file, on one line."""

from collections.abc import Mapping
from typing import Any

import tomli_w


def written(value: Any) -> str:
    """Returns a value as TOML. None, which TOML does not have, is "none", and an object its `str`."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, bool | int | float | str):
        return tomli_w.dumps({"value": value}).partition("=")[2].strip()
    return str(value)
