"""Serialisation of estimators by their constructor arguments."""

import dataclasses
from typing import Any, Self

from tfvae._checks import number, whole_number


@dataclasses.dataclass(frozen=True, repr=False)
class Configured:
    """A frozen dataclass whose fields are its configuration."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON values."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Creates an estimator from the output of `get_config`."""
        return cls(**config)

    def __repr__(self) -> str:
        """Returns the call that creates the object, without arguments that have their default values."""
        changed = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _check_counts(self, *names: str, at_least: int = 1) -> None:
        """Converts these fields to plain ints, or raises ValueError."""
        self._set(**{name: whole_number(getattr(self, name), name, at_least=at_least) for name in names})

    def _check_chunk_size(self) -> None:
        """Converts `chunk_size` to a plain int unless it is None, or raises ValueError."""
        if self.chunk_size is not None:  # type: ignore[attr-defined]
            self._check_counts("chunk_size")

    def _check_numbers(self, *names: str) -> None:
        """Converts these fields to plain numbers of at least 0, or raises ValueError."""
        self._set(**{name: number(getattr(self, name), name, at_least=0) for name in names})

    def _set(self, **values: Any) -> None:
        """Replaces fields of the frozen object in `__post_init__`."""
        for name, value in values.items():
            object.__setattr__(self, name, value)
