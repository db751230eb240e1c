"""TensorBoard's event files of a run that goes on."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfvae._files import replacing


def cut_events(folder: Path, num_epochs: int) -> None:
    """Drops the summaries of later epochs from all event files in a folder, and the half record of a killed process.

    The epochs come again; TensorBoard would draw both, one over the other.
    """
    for path in sorted(folder.rglob("events.out.tfevents.*")):
        records, whole = _records(path)
        kept = [record for record in records if tf.compat.v1.Event.FromString(record).step <= num_epochs]
        if whole and len(kept) == len(records):
            continue
        with replacing(path) as beside, tf.io.TFRecordWriter(str(beside)) as writer:
            for record in kept:
                writer.write(record)


def write_reported(folder: Path, report: Mapping[str, Any]) -> None:
    """Puts the report's bounds beside the curves, as the run `test`, so that the HParams table compares runs by them.

    Those of an earlier report of the run go.
    """
    shutil.rmtree(folder / "test", ignore_errors=True)
    active = report["active_units"]
    numbers = {name: report[name]["mean"] for name in ("elbo", "log_marginal", "bits_per_dim")}
    numbers = {name: value for name, value in numbers.items() if value is not None}
    if active is not None:
        numbers["active_units"] = active["num_active"]
    writer = tf.summary.create_file_writer(str(folder / "test"))
    with writer.as_default(report["epochs"]):
        for name, value in numbers.items():
            tf.summary.scalar(name, value)
    writer.close()


def _records(path: Path) -> tuple[list[bytes], bool]:
    """The records of a file, and whether it ends with a whole one."""
    records: list[bytes] = []
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            records.append(record)
    except tf.errors.DataLossError:
        return records, False
    return records, True
