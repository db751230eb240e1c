"""TensorFlow Datasets: prepared data, unknown names, other features, and no network."""

import json
import re
import shutil
import time

import numpy as np
import pytest
import requests

from tfvae.data import DataError, load

tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture
def prepared_part(tfds_folder, tmp_path):
    """A copy of a prepared MNIST that holds its 10,000 test images alone, as the splits of the names given."""

    def make(*splits, name="mnist"):
        (source,) = (tfds_folder / name).iterdir()
        target = tmp_path / name / source.name
        target.mkdir(parents=True)
        for file in ("features.json", "dataset_info.json"):
            shutil.copy(source / file, target / file)
        description = json.loads((target / "dataset_info.json").read_text())
        kept = next(entry for entry in description["splits"] if entry["name"] == "test")
        description["splits"] = [{**kept, "name": split} for split in splits]
        (target / "dataset_info.json").write_text(json.dumps(description))
        shards = [target / f"{name}-{split}.tfrecord-00000-of-00001" for split in splits]
        for shard in shards:
            shutil.copy(source / f"{name}-test.tfrecord-00000-of-00001", shard)
        return shards[0]

    return make


@pytest.fixture
def offline(monkeypatch):
    """No server answers, whatever the network of this machine."""

    def refuse(*args, **kwargs):
        raise requests.exceptions.ConnectionError("no network in this test")

    monkeypatch.setattr(requests, "head", refuse)


def test_long_name_and_a_data_set_with_training_data_alone(prepared_part, tmp_path):
    prepared_part("train")
    splits = load("tfds:mnist", data_dir=tmp_path)
    assert (splits.name, splits.validation, splits.test) == ("mnist", None, None)
    train = splits.train  # which are MNIST's test data
    assert (train.raw.shape, train.num_levels) == ((10000, 28, 28, 1), 256)
    assert train.x.mean(dtype=np.float64) == pytest.approx(0.132515, abs=1e-6)
    assert np.bincount(train.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.class_names == tuple("0123456789")


def test_binary_images_without_labels_and_two_splits(prepared_part, tmp_path):
    prepared_part("train", "validation", name="binarized_mnist")
    splits = load("binarized_mnist", data_dir=tmp_path)
    assert (splits.num_levels, splits.test) == (2, None)
    for split in (splits.train, splits.validation):  # which are the data set's test data
        assert (len(split), split.is_binary, split.labels) == (10_000, True, None)
        assert split.raw.mean() == pytest.approx(0.132512, abs=1e-6)


def test_no_training_split(prepared_part, tmp_path):
    prepared_part("test")
    with pytest.raises(DataError, match=r"no split 'train'.*\['test'\]"):
        load("mnist", data_dir=tmp_path)


def test_damaged_prepared_data(prepared_part, tmp_path):
    shard = prepared_part("train")
    shard.chmod(0o644)
    shard.write_bytes(shard.read_bytes()[:100_000])
    with pytest.raises(DataError, match=r"cannot be read\. Delete that folder"):
        load("mnist", data_dir=tmp_path)


def test_offline_and_not_prepared(offline, tmp_path):
    folder = tmp_path / "not" / "there"
    started = time.monotonic()
    with pytest.raises(DataError, match=r"set TFDS_DATA_DIR.*or run once with a network") as caught:
        load("tfds:cifar10", data_dir=folder)
    assert time.monotonic() - started < 20
    assert isinstance(caught.value.__cause__, requests.exceptions.ConnectionError)
    assert str(folder) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_offline_reads_the_environment_variable_when_called(offline, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=re.escape(f"not prepared in {tmp_path}")):
        load("mnist")
    assert list(tmp_path.iterdir()) == []


def test_versions_that_are_prepared_are_named(offline, prepared_part, tmp_path):
    """TFDS reads none but the newest by itself; by its name an older one loads."""
    prepared_part("train").parent.rename(tmp_path / "mnist" / "3.0.0")
    description = tmp_path / "mnist" / "3.0.0" / "dataset_info.json"
    description.chmod(0o644)
    description.write_text(description.read_text().replace('"3.0.1"', '"3.0.0"'))
    for name, message in (
        ("mnist", r"TFDS reads version 3\.0\.1 unless another one is named\. .* these names: 'tfds:mnist:3\.0\.0'\."),
        ("tfds:mnist:7.0.0", r"Prepared there, to be loaded by these names: 'tfds:mnist:3\.0\.0'\."),
    ):
        with pytest.raises(DataError, match=message):
            load(name, data_dir=tmp_path)
    assert len(load("tfds:mnist:3.0.0", data_dir=tmp_path).train) == 10_000


def test_failure_while_preparing_leaves_no_empty_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: None)
    (tmp_path / "kept").mkdir()

    def fail(builder, **kwargs):
        (tmp_path / "downloads" / "cifar10" / "half.tmp.1").mkdir(parents=True)
        (tmp_path / "cifar10").mkdir()
        raise ModuleNotFoundError("No module named 'parsers'", name="parsers")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(DataError, match="needs the Python package 'parsers'"):
        load("tfds:cifar10", data_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_unknown_tfds_name():
    with pytest.raises(DataError, match=r"no data set 'cifr10'.*'cifar10'"):
        load("tfds:cifr10")


def test_data_set_without_images(tmp_path):
    with pytest.raises(DataError, match=r"no feature 'image'.*'text': 'Text'"):
        load("tfds:wikipedia", data_dir=tmp_path)


def test_images_of_many_sizes(tmp_path):
    with pytest.raises(DataError, match=r"differ in size.*\(None, None, 3\)"):
        load("tfds:imagenette", data_dir=tmp_path)
