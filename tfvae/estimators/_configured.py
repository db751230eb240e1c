"""How an estimator is written to a file: by its arguments."""

import dataclasses
from typing import Any, Self


@dataclasses.dataclass(frozen=True, repr=False)
class Configured:
    """A frozen dataclass whose fields are its configuration."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The estimator that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        """The call that makes it, without what is as by default."""
        changed = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _set(self, **values: Any) -> None:
        """Puts checked values in place of what was given; for `__post_init__`."""
        for name, value in values.items():
            object.__setattr__(self, name, value)
