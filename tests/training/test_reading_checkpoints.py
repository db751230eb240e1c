"""Reading checkpoints back: what is damaged, no VAE or of another configuration is passed over, or one clear error."""

import contextlib
import dataclasses
import json
import math
import types
import zipfile

import keras
import pytest
from small_models import small_vae

from tfvae.models import VAE, load_model
from tfvae.training import RunConfig, checkpoints, load_run
from tfvae.training.checkpoints import read_checkpoint, write_checkpoint
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState


def compiled_vae():
    vae = small_vae()
    vae.compile("sgd")
    return vae


def with_member(path, content, name="training_state.json"):
    """The archive with another content of one member; None leaves it out."""
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = content
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            if data is not None:
                archive.writestr(member, data)


STATE = dataclasses.asdict(TrainingState(2))
OPTIONAL = {"settings", "callbacks", "has_ended"}  # earlier versions wrote none
NEEDED = set(STATE) - OPTIONAL


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        "[1, 2]",
        "3",
        '"epochs"',
        "null",
        "{}",
        "[" * 100_000,
        b"\xff",
        *(
            json.dumps({key: value for key, value in STATE.items() if key != name})
            for name in STATE
            if name not in OPTIONAL
        ),
        json.dumps(STATE | {"unknown": 1}),
        json.dumps(STATE | {"epochs": "2"}),
        json.dumps(STATE | {"epochs": True}),
        json.dumps(STATE | {"epochs": -1}),
        json.dumps(STATE | {"epochs": 10**400}),
        json.dumps(STATE | {"epochs": 1}),  # another epoch's
        json.dumps(STATE | {"seconds": math.nan}),
        json.dumps(STATE | {"seconds": 10**400}),
        json.dumps(STATE | {"running_means": 3}),
        json.dumps(STATE | {"running_means": [[None]]}),
        json.dumps(STATE | {"history": None}),
        json.dumps(STATE | {"settings": []}),
        json.dumps(STATE | {"settings": {"model": 3}}),
        json.dumps(STATE | {"callbacks": [{"best": "high"}]}),
        json.dumps(STATE | {"has_ended": 1}),
    ],
)
def test_a_state_that_is_none_is_passed_over_for_the_older_checkpoint(tmp_path, content):
    folder = RunFolder(tmp_path)
    folder.checkpoints.mkdir()
    for epochs in (1, 2):  # the model does not matter, and takes long
        with zipfile.ZipFile(folder.checkpoint(epochs), "w") as archive:
            archive.writestr("config.json", "{}")
        TrainingState(epochs).add_to(folder.checkpoint(epochs))
    with_member(folder.checkpoint(2), content)
    with any_model():
        _, state = read_checkpoint(folder)
        assert state == TrainingState(1)
        folder.checkpoint(1).unlink()
        with pytest.raises(ValueError, match=r"No checkpoint of .* can be loaded\. .*epoch-00002\.keras") as refused:
            read_checkpoint(folder)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 700


@contextlib.contextmanager
def any_model():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "load_vae", lambda path: types.SimpleNamespace(optimizer=1, latent_shape=(2,)))
        yield


def test_a_model_that_is_no_vae_is_passed_over_too(tmp_path):
    folder, vae = RunFolder(tmp_path), compiled_vae()
    write_checkpoint(folder, vae, TrainingState(1))
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    other.compile("adam", "mse")
    write_checkpoint(folder, other, TrainingState(3))
    write_checkpoint(folder, load_model(folder.checkpoint(1), compile=False), TrainingState(2))
    assert read_checkpoint(folder)[1] == TrainingState(1)
    folder.config.write_text("[model]\nlatent_size = 2\n")
    assert isinstance(load_run(folder.path).vae, VAE)
    other.save(folder.model)
    with pytest.raises(ValueError, match=r"model\.keras contains a Keras model of class Sequential, but a tfvae"):
        load_run(folder.path)
    for path in (folder.model, folder.checkpoint(1), folder.checkpoint(3)):
        path.unlink()
    with pytest.raises(ValueError, match=r"epoch-00002\.keras contains a model that is not compiled"):
        load_run(folder.path)


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        ("model", "latent_size", 5),
        ("model", "hidden", (500, 3)),
        ("training", "seed", 1),
        ("data", "binarize", "static"),
    ],
)
def test_what_cannot_change_within_a_run_is_refused(tmp_path, table, name, value):
    config = RunConfig.from_dict({"data": {"name": "mnist"}, "model": {"latent_size": 2}})
    folder = RunFolder(tmp_path)
    folder.checkpoints.mkdir()
    TrainingState(2, settings=config.to_dict()).add_to(folder.checkpoint(2))
    changed = RunConfig.from_dict(config.to_dict(), {table: {name: value}})
    with any_model():
        with pytest.raises(
            ValueError, match=rf"was written with {table}\.{name} = .*configuration has .*Restore the setting"
        ):
            read_checkpoint(folder, changed)
        resumable = {"training": {"epochs": 77, "learning_rate": 1.0, "beta": 0.5, "keep": 1}}
        moved = {"data": {"name": "elsewhere.npz"}, "evaluation": {"num_samples": 3}}
        assert read_checkpoint(folder, RunConfig.from_dict(config.to_dict(), resumable, moved))[1].epochs == 2
        TrainingState(3).add_to(folder.checkpoint(3))  # of an earlier version
        assert read_checkpoint(folder, config)[1].epochs == 3
        wider = RunConfig.from_dict({"model": {"latent_size": 5}})
        folder.checkpoint(2).unlink()
        with pytest.raises(ValueError, match=r"has latents of shape \(2,\), but .* model\.latent_size = 5"):
            read_checkpoint(folder, wider)
