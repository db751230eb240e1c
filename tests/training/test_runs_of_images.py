"""Folders of images as the data of a run."""

import tomllib

import numpy as np
import pytest
from PIL import Image
from small_models import few_signatures, without_xla

import tfvae
from tfvae.cli import checks
from tfvae.cli.commands.data import shard
from tfvae.data import DataError, load
from tfvae.training import RunConfig, train
from tfvae.training.load_data import load_data, load_other_data
from tfvae.training.resolve import resolve


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Images of two sizes in two classes."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(40):
        path = folder / ("cat" if i % 2 else "ant") / f"{i:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (6 + i % 3, 5, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def config(photos):
    data = {"name": str(photos), "image_size": "6x5", "condition": "label"}
    config = RunConfig.from_dict({"data": data, "model": {"hidden": [4], "latent_size": 2}})
    return resolve(config, load_data(config))


def test_a_run_resizes_its_images(photos, config):
    splits = load_data(config)
    assert (splits.event_shape, len(splits.train)) == ((6, 5, 3), 32)
    assert config.data.classes == ("ant", "cat")
    assert RunConfig.from_dict(tomllib.loads(config.to_toml())) == config
    checks.check_data(config.data)
    unchanged = RunConfig.from_dict({"data": {"name": str(photos)}})
    with pytest.raises(DataError, match=r"differ in size.*14 of 6x5, 13 of 8x5, 13 of 7x5"):
        checks.check_data(unchanged.data)


def test_a_run_finds_its_folder_from_any_other(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    config = RunConfig.from_dict({"data": {"name": photos.name, "image_size": "6x5"}, "model": {"hidden": [4]}})
    assert resolve(config, load_data(config)).data.name == str(photos.resolve())


def test_images_of_other_folders_are_resized_too(photos, config, tmp_path):
    checks.check_examples(str(photos / "cat"), config.data, "test")
    (tmp_path / "cat").symlink_to(photos / "cat")
    other = load_other_data(config, str(tmp_path), "test")
    assert (other.event_shape, len(other)) == ((6, 5, 3), 20)
    assert other.condition.tolist() == [[0.0, 1.0]] * 20
    np.savez(tmp_path / "other.npz", x=other.raw, y=["cat"] * 20)
    checks.check_examples(str(tmp_path / "other.npz"), config.data, "test")
    array = load_other_data(config, str(tmp_path / "other.npz"), "test")
    np.testing.assert_array_equal(array.raw, other.raw)


def test_other_data_have_no_size():
    with pytest.raises(DataError, match="image_size is for folders of images"):
        checks.check_data(RunConfig.from_dict({"data": {"name": "digits", "image_size": "8"}}).data)


def test_images_as_shards(photos, tmp_path):
    shard(str(photos), tmp_path / "shards", None, 0, {"image_size": "6x5"})
    assert [len(part) for part in load(tmp_path / "shards").all.values()] == [32, 4, 4]


@pytest.mark.slow
def test_a_model_is_trained_on_images(config, tmp_path):
    tables = {"training": {"epochs": 1}, "evaluation": {"num_importance_samples": 2, "num_examples": 1}}
    with without_xla(), few_signatures():
        train(RunConfig.from_dict(tomllib.loads(config.to_toml()), tables), tmp_path / "run")
    vae = tfvae.load_model(tmp_path / "run" / "model.keras")
    assert vae.sample(3, condition=np.eye(2, dtype="float32")[[0, 1, 1]], seed=0).shape == (3, 6, 5, 3)


def test_a_whole_number_is_a_size():
    assert RunConfig.from_dict({"data": {"image_size": 28}}).data.image_size == "28"


@pytest.mark.parametrize("image_size", ["0", "28x", "a", 2.5, True, -1, "28x28x3"])
def test_sizes_that_are_none(image_size):
    with pytest.raises(ValueError, match=r"data\.image_size must be a number of pixels"):
        RunConfig.from_dict({"data": {"image_size": image_size}})
