"""What a visitor of the explore page may choose besides z: a condition or a label."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from tfvae.data import Split

# A vector with more numbers than this has no fields on the page.
_MAX_FIELDS = 12

Kind = Literal["condition", "label", "numbers", "example"]


@dataclasses.dataclass(frozen=True)
class Choices:
    """Choices of a visitor.

    Attributes:
        kind: "condition" for a class, "label" for the label of a model that has it among its latents, "numbers" for a
            short vector, "example" for the condition of an example, where a condition is none of these.
        shape: Shape of a condition, or of the one-hot vector of a label.
        of_examples: Conditions of the examples, or one-hot vectors of their labels, float32 `[N, *shape]`.
        names: Names of the classes, or of the numbers.
    """

    kind: Kind
    shape: tuple[int, ...]
    of_examples: np.ndarray
    names: tuple[str, ...] = ()

    @classmethod
    def of_condition(cls, examples: Split, shape: tuple[int, ...]) -> "Choices":
        """Returns the choices of a conditional model.

        Raises:
            ValueError: If the examples have no conditions of this shape.
        """
        if examples.condition is None or examples.condition_shape != shape:
            raise ValueError(
                f"The examples need conditions of shape (N, {', '.join(map(str, shape))}) for this model. "
                f"Received: {examples!r}"
            )
        condition = np.asarray(examples.condition, np.float32)
        if len(shape) == 1 and shape[0] > 1 and _are_one_hot(condition):
            return cls("condition", shape, condition, _names(examples.condition_names, shape[0]))
        if len(shape) == 1 and shape[0] <= _MAX_FIELDS:
            return cls("numbers", shape, condition, tuple(f"c{i + 1}" for i in range(shape[0])))
        return cls("example", shape, condition)

    @classmethod
    def of_labels(cls, examples: Split, probs: np.ndarray) -> "Choices":
        """Returns the choices of a model with labels.

        Args:
            examples: Examples, some of which may have a label.
            probs: Probabilities `[N, K]`. The most probable class stands for a label that is unknown.
        """
        num_classes = probs.shape[1]
        found = probs.argmax(axis=1)
        if examples.labels is not None:
            is_known = (examples.labels >= 0) & (examples.labels < num_classes)
            found = np.where(is_known, examples.labels, found)
        one_hot = np.eye(num_classes, dtype=np.float32)[found]
        return cls("label", (num_classes,), one_hot, _names(examples.class_names, num_classes))

    def default(self) -> Any:
        """Returns the choice at the start, as JSON."""
        return self.of_examples.mean(axis=0).tolist() if self.kind == "numbers" else 0

    def read(self, text: str | None) -> np.ndarray:
        """Returns the condition, or the one-hot vector of the label, `[*shape]`, of a choice as text.

        Raises:
            ValueError: If the text is not the index of a class or an example, or the numbers of a condition.
        """
        if text is None:
            return self.read(",".join(map(str, np.ravel(self.default()))))
        if self.kind == "numbers":
            return self._numbers(text)
        count = len(self.of_examples) if self.kind == "example" else self.shape[0]
        # int() alone would accept "1_0" and numbers with a million digits.
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) < count):
            raise ValueError(f"`choice` must be an integer from 0 to {count - 1}. Received: choice={text[:40]!r}")
        return self.of_examples[int(text)] if self.kind == "example" else np.eye(count, dtype=np.float32)[int(text)]

    def _numbers(self, text: str) -> np.ndarray:
        parts = text[:1000].split(",")
        try:
            values = np.array([float(part) for part in parts], np.float32)
        except ValueError:
            values = np.array([np.nan])
        if values.shape != self.shape or not np.isfinite(values).all():
            raise ValueError(
                f"`choice` must be {self.shape[0]} finite numbers, separated by commas. Received: choice={text[:40]!r}"
            )
        return values

    def describe(self) -> dict[str, Any]:
        """Describes the choices to the page, in types that JSON has."""
        return {
            "kind": self.kind,
            "names": list(self.names),
            "shape": list(self.shape),
            "default": self.default(),
        }

    def to_bytes(self) -> bytes:
        """Returns the choice of each example: numbers as float32 `[N, K]`, classes as int32 `[N]`."""
        if self.kind == "numbers":
            return self.of_examples.astype("<f4").tobytes()
        found = np.arange(len(self.of_examples)) if self.kind == "example" else self.of_examples.argmax(axis=1)
        return found.astype("<i4").tobytes()


def _are_one_hot(vectors: np.ndarray) -> bool:
    return bool(np.isin(vectors, (0.0, 1.0)).all() and (vectors.sum(axis=1) == 1.0).all())


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Returns the names of classes, which are their numbers by default."""
    return tuple(map(str, range(count))) if names is None or len(names) != count else tuple(names)
