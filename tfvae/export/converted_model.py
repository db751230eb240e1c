"""What an export to another format has become, and how far its answers are from the model's."""

import dataclasses
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Deviation:
    """How far one output of one file is from the model's, over all values of all examples that were measured.

    Attributes:
        file: inside the folder, such as "int8/encoder.tflite".
        precision: of the file: "float32", "float16" or "int8".
        output: such as "loc".
        max_abs: the largest absolute difference.
        mean_abs: the mean absolute difference.
        largest: the largest absolute value that the model itself answered, for comparison.
    """

    file: str
    precision: str
    output: str
    max_abs: float
    mean_abs: float
    largest: float


@dataclasses.dataclass(frozen=True)
class ConvertedModel:
    """What `save_litert` and `save_onnx` return.

    Attributes:
        path: the folder.
        num_bytes: the size of each file, by its name inside the folder.
        deviations: one for each output of each file.
        num_examples: real examples that the deviations were measured on.
    """

    path: Path
    num_bytes: dict[str, int]
    deviations: tuple[Deviation, ...]
    num_examples: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without the path."""
        return {
            "num_examples": self.num_examples,
            "num_bytes": self.num_bytes,
            "deviations": [dataclasses.asdict(deviation) for deviation in self.deviations],
        }
