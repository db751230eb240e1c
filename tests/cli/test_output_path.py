"""Where a command writes, and as what."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tfvae._csv import CsvWriter
from tfvae.cli.output_path import checked_output


@pytest.mark.parametrize(
    ("given", "written"),
    [("a.npz", "a.npz"), ("a.csv", "a.csv"), ("a.CSV", "a.CSV"), ("a", "a.npz"), ("z-0.5", "z-0.5.npz"), (None, None)],
)
def test_ending(given, written):
    assert checked_output(given and Path(given)) == (written and Path(written))


@pytest.mark.parametrize("name", ["x.parquet", "x.txt", "x.npy", "x.json"])
def test_other_kinds_of_file_are_refused(name):
    with pytest.raises(ValueError, match=r"must end in \.npz or \.csv.*Received: --output "):
        checked_output(Path(name))


def test_csv_holds_every_number(tmp_path):
    rng = np.random.default_rng(0)
    mean, images, labels = rng.normal(size=(5, 3)).astype("float32"), rng.random((5, 2, 2, 1)), np.arange(5)
    path = tmp_path / "new" / "x.csv"
    with CsvWriter(path) as file:
        for rows in (slice(0, 3), slice(3, 5)):
            file.add(mean=mean[rows], image=images[rows], label=labels[rows])
        assert not path.exists()
    assert file.shapes == {"mean": (5, 3), "image": (5, 2, 2, 1), "label": (5,)}
    with path.open(newline="") as opened:
        header, *rows = csv.reader(opened)
    assert header == ["mean_0", "mean_1", "mean_2", "image_0", "image_1", "image_2", "image_3", "label"]
    found = np.array(rows, float)
    np.testing.assert_array_equal(found[:, :3].astype("float32"), mean)
    np.testing.assert_array_equal(found[:, 3:7], images.reshape(5, 4))
    np.testing.assert_array_equal(found[:, 7], labels)
    assert [row[-1] for row in rows] == ["0", "1", "2", "3", "4"]


def test_csv_of_a_failed_command_leaves_what_there_was(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="longer"), CsvWriter(path) as file:
        file.add(a=np.zeros(3), b=np.zeros(4))
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["x.csv"]
