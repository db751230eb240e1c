"""The header of a folder of shards: the form of their records, and the check that all shards are complete."""

import dataclasses
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfvae._errors import quoted, reading
from tfvae._files import write_json
from tfvae.data.errors import DataError
from tfvae.data.shard_fields import CHECKS, LATER_FIELDS

HEADER = "shards.json"
_FORMAT = "tfvae shards"
# Version 2 has what earlier versions of tfvae would not notice: conditions, masks and schemas.
_VERSIONS = (1, 2)
# A record stands in its file after its length (8 bytes) and a checksum of that (4), and before a checksum of its own.
_BEFORE, _AFTER = 12, 4
_NUM_PROBED = 64
_COPY_AGAIN = "Copy it again, or write the shards again."
_HOW_TO_MAKE = "`tfvae data shard DATA FOLDER` makes such a folder of a data set, tfvae.data.write_shards of a stream"


class Field(NamedTuple):
    """One part of a record: so many bytes from an offset, of a type and a shape."""

    offset: int
    num_bytes: int
    dtype: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class ShardHeader:
    """The contents of `shards.json`.

    A record is the bytes of one example, then those of its mask, its condition and its label if there are any,
    little-endian.

    Attributes:
        name: The name of the data set.
        event_shape: The shape of one example.
        dtype: The type of the stored values, "uint8" or "float32".
        num_levels: As in `Split`; with float32, 2 for zeros and ones.
        value_range: The smallest and the largest x, as in `Split`.
        has_labels: Whether records end with a label.
        num_examples: For each split, the number of examples in each of its shards.
        checksums: For each split, the checksum of a few records of each shard, which identifies the file. None for
            shards of earlier versions.
        channel_added: As in `Split`; False in headers of earlier versions.
        has_missing: Whether records have a mask, one byte a value, 0 at missing values.
        condition: The name of the conditions, float32, for `load`, or "" if records have none.
        condition_shape: The shape of one condition, or None.
        class_names: As in `Split`.
        condition_names: As in `Split`.
        schema: The columns of a table, as `tfvae.tables.files.schema_to_dict` returns them, or None.
    """

    name: str
    event_shape: tuple[int, ...]
    dtype: str
    num_levels: int | None
    value_range: tuple[float, float]
    has_labels: bool
    num_examples: Mapping[str, tuple[int, ...]]
    checksums: Mapping[str, Sequence[int]] | None = None
    channel_added: bool = False
    has_missing: bool = False
    condition: str = ""
    condition_shape: tuple[int, ...] | None = None
    class_names: tuple[str, ...] | None = None
    condition_names: tuple[str, ...] | None = None
    schema: Mapping[str, Any] | None = None

    @property
    def num_values(self) -> int:
        """The number of values of one example."""
        return math.prod(self.event_shape)

    @property
    def fields(self) -> dict[str, Field]:
        """The parts of a record by their names in a `Block`, in the order of their bytes."""
        forms: dict[str, tuple[str, tuple[int, ...]]] = {"x": (self.dtype, self.event_shape)}
        if self.has_missing:
            forms["observed"] = ("uint8", self.event_shape)
        if self.condition_shape is not None:
            forms["condition"] = ("float32", self.condition_shape)
        if self.has_labels:
            forms["labels"] = ("int64", ())
        found, offset = {}, 0
        for name, (dtype, shape) in forms.items():
            num_bytes = math.prod(shape) * np.dtype(dtype).itemsize
            found[name] = Field(offset, num_bytes, dtype, shape)
            offset += num_bytes
        return found

    @property
    def record_size(self) -> int:
        """The number of bytes of one record."""
        return sum(field.num_bytes for field in self.fields.values())

    def files(self, split: str) -> tuple[str, ...]:
        """Returns the names of the files of a split."""
        sizes = self.num_examples[split]
        return tuple(f"{split}-{i:05d}-of-{len(sizes):05d}.tfrecord" for i in range(len(sizes)))

    def write(self, folder: Path) -> None:
        """Writes `shards.json`; it comes last and marks the folder as complete."""
        is_new = self.has_missing or self.condition_shape is not None or self.schema is not None
        version = _VERSIONS[1] if is_new else _VERSIONS[0]
        write_json(folder / HEADER, {"format": _FORMAT, "version": version, **dataclasses.asdict(self)})

    def with_checksums(self, folder: Path) -> "ShardHeader":
        """Returns the header with the checksums of the files in a folder."""
        sums = {
            split: tuple(
                self._checksum(folder / file, size) for file, size in zip(self.files(split), sizes, strict=True)
            )
            for split, sizes in self.num_examples.items()
        }
        return dataclasses.replace(self, checksums=sums)

    @classmethod
    def read(cls, folder: Path) -> "ShardHeader":
        """Reads the header and compares it with the files' sizes, a few records of each and the first of each split.

        Raises:
            DataError: If the folder has no shards, or if they are incomplete or damaged.
        """
        if not (folder / HEADER).is_file():
            kind = "the contents of its .tfrecord files are unknown" if _has_records(folder) else "it has no shards"
            raise DataError(
                f"{folder} has no {HEADER}: {kind}. {_HOW_TO_MAKE}, such as a tf.data.Dataset that reads other "
                ".tfrecord files; a folder whose writing was interrupted must be written again."
            )
        header = cls._parsed(folder / HEADER)
        for split in header.num_examples:
            for file, size in zip(header.files(split), header.num_examples[split], strict=True):
                header._require_size(folder / file, size)
            header._require_values(folder / header.files(split)[0])
        header._require_checksums(folder)
        return header

    @classmethod
    def _parsed(cls, path: Path) -> "ShardHeader":
        with reading(path, _COPY_AGAIN, kind=DataError):
            fields = json.loads(path.read_text("utf-8"))
        if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
            raise DataError(f"{path} is not the header of tfvae's shards. {_HOW_TO_MAKE}.")
        if fields.get("version") not in _VERSIONS:
            raise DataError(
                f"{path} is of version {quoted(fields.get('version'))}, and this tfvae reads version {_VERSIONS[0]} "
                f"and {_VERSIONS[1]}. Write the shards again with it, or read them with the tfvae that wrote them."
            )
        fields = {**LATER_FIELDS, **fields}
        for name, is_right in CHECKS.items():
            if name not in fields or not is_right(fields[name]):
                raise DataError(f"{path} is damaged: {name} cannot be {quoted(fields.get(name))}. {_COPY_AGAIN}")
        return cls(
            name=fields["name"],
            event_shape=tuple(fields["event_shape"]),
            dtype=fields["dtype"],
            num_levels=fields["num_levels"],
            value_range=tuple(fields["value_range"]),
            has_labels=fields["has_labels"],
            num_examples={split: tuple(sizes) for split, sizes in fields["num_examples"].items()},
            checksums=fields.get("checksums"),
            channel_added=fields.get("channel_added") is True,
            has_missing=fields["has_missing"],
            condition=fields["condition"],
            condition_shape=_tuple(fields["condition_shape"]),
            class_names=_tuple(fields["class_names"]),
            condition_names=_tuple(fields["condition_names"]),
            schema=fields["schema"],
        )

    def _require_size(self, path: Path, num_examples: int) -> None:
        expected = num_examples * (_BEFORE + self.record_size + _AFTER)
        try:
            size = path.stat().st_size
        except OSError:
            raise DataError(
                f"The shard {path} is missing. Copy it into the folder again, or write the shards again."
            ) from None
        if size != expected:
            raise DataError(
                f"The shard {path} is damaged, or {HEADER} is not the header it was written with: "
                f"{num_examples} examples of shape {self.event_shape} ({self.dtype}) take {expected} bytes, the file "
                f"has {size}. Copy both again, or write the shards again."
            )

    def _checksum(self, path: Path, num_examples: int) -> int:
        """Returns the checksum of the first, the middle and the last record of a file."""
        frame = _BEFORE + self.record_size + _AFTER
        checksum = 0
        with path.open("rb") as file:
            for i in sorted({0, num_examples // 2, num_examples - 1}):
                file.seek(i * frame)
                checksum = zlib.crc32(file.read(frame), checksum)
        return checksum

    def _require_checksums(self, folder: Path) -> None:
        if self.checksums is None:
            return
        for split, sizes in self.num_examples.items():
            for i, (file, size) in enumerate(zip(self.files(split), sizes, strict=True)):
                with reading(folder / HEADER, _COPY_AGAIN, kind=DataError):
                    expected = self.checksums[split][i]
                with reading(folder / file, _COPY_AGAIN, kind=DataError):
                    found = self._checksum(folder / file, size)
                if found != expected:
                    raise DataError(
                        f"The shard {folder / file} is not the one that was written under this name: it is damaged, or "
                        f"another shard was copied over it. {_COPY_AGAIN}"
                    )

    def _require_values(self, path: Path) -> None:
        """Checks the first records as bytes, without TensorFlow."""
        frame = _BEFORE + self.record_size + _AFTER
        with reading(path, _COPY_AGAIN, kind=DataError):
            records = np.fromfile(path, np.uint8, _NUM_PROBED * frame).reshape(-1, frame)
        lengths = records[:, :8].copy().view("<u8")
        if (lengths != self.record_size).any():
            problem = f"records of {int(lengths[lengths != self.record_size][0])} bytes"
        else:
            values = self._field(records, "x")
            if self.has_missing:
                mask = self._field(records, "observed")
                if mask.max() > 1:
                    raise self._other_values(path, f"the value {mask.max()} in a mask of zeros and ones")
                values = values[mask == 1]
            if not values.size or self._are_possible(values):
                return
            low, high = values.min(), values.max()
            problem = (
                f"values from {low} to {high}, outside {quoted(list(self.value_range))}"
                if self.dtype == "float32"
                else f"the level {high}, with num_levels {self.num_levels}"
            )
        raise self._other_values(path, problem)

    def _field(self, records: np.ndarray, name: str) -> np.ndarray:
        """Returns one part of records that are bytes `[n, frame]`."""
        field = self.fields[name]
        start = _BEFORE + field.offset
        return records[:, start : start + field.num_bytes].copy().view(np.dtype(field.dtype).newbyteorder("<"))

    def _are_possible(self, values: np.ndarray) -> bool:
        if self.dtype == "float32":
            low, high = self.value_range
            return bool(np.isfinite(values).all() and low <= values.min() and values.max() <= high)
        return self.num_levels is not None and bool(values.max() < self.num_levels)

    def _other_values(self, path: Path, problem: str) -> DataError:
        return DataError(
            f"The shard {path} is damaged, or {HEADER} is not the header it was written with: there are {problem}. "
            "Copy both again, or write the shards again."
        )


def is_shards(path: Path) -> bool:
    """Whether `load` should read a path as a folder of shards, complete or not."""
    return path.is_dir() and ((path / HEADER).exists() or _has_records(path))


def has_schema(path: Path) -> bool:
    """Whether a path is a folder of shards with the rows of a table, as far as its header can be read."""
    try:
        return (path / HEADER).is_file() and ShardHeader._parsed(path / HEADER).schema is not None
    except (DataError, OSError):  # of which loading makes an error
        return False


def _has_records(folder: Path) -> bool:
    return next(folder.glob("*.tfrecord"), None) is not None


def _tuple(value: Any) -> tuple[Any, ...] | None:
    return None if value is None else tuple(value)
