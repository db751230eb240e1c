"""TensorBoard event files of resumed runs."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae._files import replacing


def cut_events(folder: Path, num_epochs: int) -> None:
    """Removes the summaries of later epochs and incomplete records from all event files in a folder.

    These epochs are repeated, and TensorBoard would draw both curves.
    """
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        records, whole = _records(path)
        kept = [record for record in records if tf.compat.v1.Event.FromString(record).step <= num_epochs]
        if whole and len(kept) == len(records):
            continue
        with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
            for record in kept:
                writer.write(record)


def write_reported(folder: Path, report: Mapping[str, Any]) -> None:
    """Writes the bounds of the report as the TensorBoard run `test`, so that the HParams table can compare runs.

    They replace those of an earlier report.
    """
    shutil.rmtree(folder / "test", ignore_errors=True)
    active = report["active_units"]
    # Columns of a table have different units, so that bits per dimension mean nothing.
    names = ("elbo", "log_marginal", *(() if "columns" in report else ("bits_per_dim",)))
    numbers = {name: report[name]["mean"] for name in names}
    numbers = {name: value for name, value in numbers.items() if value is not None}
    if active is not None:
        numbers["active_units"] = active["num_active"]
    writer = tf.summary.create_file_writer(str(folder / "test"))
    with writer.as_default(report["epochs"]):
        for name, value in numbers.items():
            tf.summary.scalar(name, value)
    writer.close()


def _records(path: Path) -> tuple[list[bytes], bool]:
    """Reads the records of a file. The second value is False if its last record is incomplete."""
    records: list[bytes] = []
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            records.append(record)
    except tf.errors.DataLossError:
        return records, False
    return records, True
