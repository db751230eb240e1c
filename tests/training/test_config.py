"""Run configurations: presets, files, overrides, and what they refuse."""

import keras
import numpy as np
import pytest

from tfvae.parts.activations import ACTIVATIONS
from tfvae.training import RunConfig


def test_defaults_are_the_digits_with_their_preset():
    config = RunConfig.from_dict()
    assert config.data.name == "digits"
    assert config.model.latent_size == 10
    assert config.model.hidden == (500,)


def test_preset_gives_way_to_file_and_file_to_options(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[data]\nname = "frey_face"\n[model]\nhidden = [64, 32]\nlatent_size = 5\n')
    config = RunConfig.from_toml(path, {"model": {"latent_size": 7}})
    assert (config.model.hidden, config.model.latent_size, config.training.epochs) == ((64, 32), 7, 200)
    named = RunConfig.from_toml(path, {"data": {"name": "mnist"}})
    assert (named.training.epochs, named.model.hidden) == (10, (64, 32))


def test_toml_round_trip(tmp_path):
    config = RunConfig.from_dict({"model": {"hidden": (3, 4), "posterior": "tril"}, "training": {"beta": 0.5}})
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml())
    assert RunConfig.from_toml(path) == config


def test_a_part_is_a_name_or_a_table():
    first = {"model": {"prior": {"kind": "vamp", "num_components": 5}, "network": {"kind": "conv", "filters": [8]}}}
    config = RunConfig.from_dict(first)
    assert (config.model.network, config.model.filters) == ("conv", (8,)), "a setting of the table has one place"
    changed = RunConfig.from_dict(first, {"model": {"prior": {"num_components": 100}, "filters": [4, 4]}})
    assert changed.model.prior == {"kind": "vamp", "num_components": 100}
    assert changed.model.filters == (4, 4)
    assert RunConfig.from_dict(first, {"model": {"prior": "normal"}}).model.prior == "normal"
    adam = RunConfig.from_dict({"training": {"optimizer": {"kind": "adamw", "learning_rate": 1e-2}}})
    assert (adam.training.optimizer, adam.training.learning_rate) == ("adamw", 1e-2)


def test_a_run_of_an_earlier_version_is_not_standardized(tmp_path):
    (tmp_path / "config.toml").write_text('[data]\nname = "own.npy"\n[model]\nlikelihood = "normal"\n')
    assert RunConfig.of_run(tmp_path / "config.toml").model.standardize == "off"
    assert RunConfig.from_toml(tmp_path / "config.toml").model.standardize == "auto"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"modle": {}}, r"Unknown table \[modle\].*model"),
        ({"model": {"latentsize": 3}}, "Unknown setting model.latentsize.*latent_size"),
        ({"model": {"latent_size": 0}}, "model.latent_size must be .* from 1 to .*Received: model.latent_size=0"),
        ({"model": {"latent_size": 2.5}}, "model.latent_size"),
        ({"model": {"latent_size": 2_000_000_000}}, "model.latent_size must be an integer from 1 to 1000000"),
        ({"model": {"filters": [32, 1_000_001]}}, "model.filters must be a list of integers from 1 to 1000000"),
        ({"model": {"activation": "nope"}}, "one of auto, .*relu.*Received: model.activation='nope'"),
        ({"model": {"hidden": []}}, "model.hidden"),
        ({"model": {"network": "cnn"}}, "model.network must be one of conv, .*mlp.*Received: model.network='cnn'"),
        ({"model": {"prior": "vmap"}}, "model.prior must be one of .*Did you mean 'vamp'"),
        ({"model": {"likelihood": {"num_components": 5}}}, "model.likelihood needs a `kind`"),
        ({"training": {"beta": {"kind": "free_bit"}}}, "training.beta must be one of .*Did you mean 'free_bits'"),
        ({"training": {"callbacks": ["early_stop"]}}, "training.callbacks must be .*Did you mean 'early_stopping'"),
        ({"training": {"precision": "float8"}}, "training.precision must be one of float32, mixed_float16"),
        (
            {"training": {"on_nan": "rewind", "learning_rate": {"kind": "cosine_decay"}}},
            'training.learning_rate must be a number with training.on_nan = "rewind"',
        ),
        ({"training": {"epochs": True}}, "training.epochs"),
        ({"training": {"learning_rate": 0}}, "training.learning_rate"),
        ({"training": {"seed": -1}}, "training.seed"),
        ({"data": {"binarize": "yes"}}, "data.binarize"),
        ({"model": {"standardize": True}}, "model.standardize must be one of auto, on, off"),
        ({"model": 3}, r"\[model\] must be a table"),
    ],
)
def test_bad_settings_are_one_clear_error(tables, message):
    with pytest.raises(ValueError, match=message):
        RunConfig.from_dict(tables)


def test_unreadable_files_are_one_clear_error(tmp_path):
    with pytest.raises(ValueError, match="no configuration file"):
        RunConfig.from_toml(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("[model\n")
    with pytest.raises(ValueError, match=r"bad.toml cannot be read: .*Expected TOML"):
        RunConfig.from_toml(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"x = " + b"[" * 5000,
        b"training.epochs = 1" + b"0" * 400,
        b"training.epochs = 1" + b"0" * 5000,
        b"training.beta = 1" + b"0" * 400,
        b"training.batch_size = 9223372036854775808",
        b"training.checkpoint_steps = false",
        b"evaluation.num_samples = 9223372036854775808",
        b"model.hidden = [10000000000]",
        b"model.activation = 3",
        b"data = 3",
        b'data = "digits"',
        b"data = [1]",
        b"data.name = 3",
        b'data.name = "a\\u0000"',
        b'"' + b"x" * 100_000 + b'" = 3',
        b'model."' + b"x" * 100_000 + b'" = 3',
        b'training.kl = "' + b"x" * 100_000 + b'"',
        b"training = 1979-05-27",
    ],
)
def test_files_that_cannot_be_right_are_one_short_sentence_with_their_name(tmp_path, content):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.toml") as refused:
        RunConfig.from_toml(path, {"training": {"epochs": 3}})
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 800


def test_the_known_activations_are_those_of_keras_that_keep_the_shape():
    x = np.zeros((2, 4), "float32")
    assert all(keras.activations.get(name)(x).shape == x.shape for name in ACTIVATIONS)
    others = {"deserialize", "get", "serialize", "glu", "threshold"}
    public = {name for name in dir(keras.activations) if callable(getattr(keras.activations, name))}
    assert public - set(ACTIVATIONS) <= others


def test_an_option_that_is_wrong_is_not_blamed_on_the_file(tmp_path):
    (tmp_path / "config.toml").write_text("training.epochs = 3")
    with pytest.raises(ValueError, match=r"^training\.epochs must be"):
        RunConfig.from_toml(tmp_path / "config.toml", {"training": {"epochs": -1}})
