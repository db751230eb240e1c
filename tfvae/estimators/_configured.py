"""How an estimator is written to a file: by its arguments."""

import dataclasses
from typing import Any, Self

from tfvae._checks import number, whole_number


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

    def _check_counts(self, *names: str, at_least: int = 1) -> None:
        """Makes plain ints of these fields, or raises ValueError; for `__post_init__`."""
        self._set(**{name: whole_number(getattr(self, name), name, at_least=at_least) for name in names})

    def _check_chunk_size(self) -> None:
        """Makes a plain int of `chunk_size` where there is one, or raises ValueError; for `__post_init__`."""
        if self.chunk_size is not None:  # type: ignore[attr-defined]
            self._check_counts("chunk_size")

    def _check_numbers(self, *names: str) -> None:
        """Makes plain numbers, at least 0, of these fields, or raises ValueError; for `__post_init__`."""
        self._set(**{name: number(getattr(self, name), name, at_least=0) for name in names})

    def _set(self, **values: Any) -> None:
        """Puts checked values in place of what was given; for `__post_init__`."""
        for name, value in values.items():
            object.__setattr__(self, name, value)
