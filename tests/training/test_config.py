"""Run configurations: presets, files, overrides, and what they refuse."""

import pytest

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


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"modle": {}}, r"Unknown table \[modle\].*model"),
        ({"model": {"latentsize": 3}}, "Unknown setting model.latentsize.*latent_size"),
        ({"model": {"latent_size": 0}}, "model.latent_size must be .* at least 1. Received: 0"),
        ({"model": {"latent_size": 2.5}}, "model.latent_size"),
        ({"model": {"hidden": []}}, "model.hidden"),
        ({"model": {"network": "cnn"}}, "model.network must be one of mlp, conv. Received: 'cnn'"),
        ({"training": {"epochs": True}}, "training.epochs"),
        ({"training": {"learning_rate": 0}}, "training.learning_rate"),
        ({"training": {"seed": -1}}, "training.seed"),
        ({"data": {"binarize": "yes"}}, "data.binarize"),
        ({"model": 3}, r"\[model\] is a table"),
    ],
)
def test_bad_settings_are_one_clear_error(tables, message):
    with pytest.raises(ValueError, match=message):
        RunConfig.from_dict(tables)


def test_unreadable_files_are_one_clear_error(tmp_path):
    with pytest.raises(ValueError, match="no configuration file"):
        RunConfig.from_toml(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_text("[model\n")
    with pytest.raises(ValueError, match=r"bad.toml cannot be read as TOML"):
        RunConfig.from_toml(tmp_path / "bad.toml")
