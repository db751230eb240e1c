"""Result of a conversion to another format, with the deviations from the model."""

import dataclasses
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Deviation:
    """Deviation of one output of a file from the model, over all values of all measured examples.

    Attributes:
        file: File within the folder, such as "int8/encoder.tflite".
        precision: Precision of the file: "float32", "float16" or "int8".
        output: Name of the output, such as "loc".
        max_abs: Largest absolute difference.
        mean_abs: Mean absolute difference.
        largest: Largest absolute value of the output of the model, for comparison.
    """

    file: str
    precision: str
    output: str
    max_abs: float
    mean_abs: float
    largest: float


@dataclasses.dataclass(frozen=True)
class ConvertedModel:
    """Result of `save_litert` and `save_onnx`.

    Attributes:
        path: Folder of the files.
        num_bytes: Size of each file in bytes, by its name within the folder.
        deviations: One deviation per output of each file.
        num_examples: Number of real examples on which the deviations were measured.
    """

    path: Path
    num_bytes: dict[str, int]
    deviations: tuple[Deviation, ...]
    num_examples: int

    def to_dict(self) -> dict[str, Any]:
        """Returns the content as JSON, without the path."""
        return {
            "num_examples": self.num_examples,
            "num_bytes": self.num_bytes,
            "deviations": [dataclasses.asdict(deviation) for deviation in self.deviations],
        }
