"""TensorBoard's event files of a run that goes on."""

from pathlib import Path

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


def _records(path: Path) -> tuple[list[bytes], bool]:
    """The records of a file, and whether it ends with a whole one."""
    records: list[bytes] = []
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            records.append(record)
    except tf.errors.DataLossError:
        return records, False
    return records, True
