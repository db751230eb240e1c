"""Model files that are damaged, foreign or hostile: one short sentence with the file's name, and nothing is run."""

import json
import zipfile

import keras
import numpy as np
import pytest
from small_models import small_vae

from tfvae.models import load_model
from tfvae.models.load import load_vae


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "vae.keras"
    small_vae().save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def layer(class_name, module="keras.layers", registered_name=None, **config):
    return json.dumps(
        {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}
    ).encode()


FOREIGN = {
    "no JSON": b"{",
    "no text": b"\xff",
    "a list": b"[]",
    "nothing": b"null",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep tables": b'{"config": ' * 100_000 + b"1" + b"}" * 100_000,
    "no class": b"{}",
    "an unknown class": layer("Mine", "my.package", "my_package>Mine", text="x" * 100_000),
    "an unknown layer": layer("NoSuchLayer"),
    "a layer of torch": layer("TorchModuleWrapper", "keras.src.utils.torch_utils", module_of="torch.nn"),
    "a module of torch": layer("Linear", "torch.nn", in_features=3),
    "a layer of jax": layer("FlaxLayer", modules={}),
    "a function": layer("function", "builtins", config="system"),
    "a program": layer("system", "os", command="touch here"),
    "a Sequential of nonsense": layer("Sequential", "keras", layers=[3]),
    "a wrong argument": layer("Dense", units="many"),
    "a huge layer": layer("Dense", units=10**400),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_configurations_that_are_no_model(tmp_path, members, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "m.keras", members | {"config.json": FOREIGN[kind]})
    assert_refused(tmp_path / "m.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def write(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def assert_refused(path):
    with pytest.raises(ValueError, match=rf"^{path} ") as refused:
        load_vae(path)
    text = str(refused.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def test_archives_that_are_damaged(tmp_path, members):
    path = tmp_path / "m.keras"
    write(path, members)
    whole = path.read_bytes()
    encrypted, deflated = bytearray(whole), bytearray(whole)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[whole.index(mark) + place] |= 1
    middle = whole.index(b"model.weights.h5") + 100
    deflated[middle : middle + 50] = b"\xff" * 50
    for content in (b"", b"no archive", whole[:-40], whole[: len(whole) // 2], bytes(encrypted), bytes(deflated)):
        path.write_bytes(content)
        assert_refused(path)
    path.unlink()
    path.mkdir()
    assert_refused(path)
    with pytest.raises(ValueError, match="There is no model file"):
        load_model(tmp_path / "none.keras")


def test_members_that_are_missing_or_not_what_they_should_be(tmp_path, members):
    path = tmp_path / "m.keras"
    for name in ("config.json", "model.weights.h5"):
        write(path, {member: content for member, content in members.items() if member != name})
        assert_refused(path)
    for content in (b"", b"no HDF5", members["model.weights.h5"][:-500]):
        write(path, members | {"model.weights.h5": content})
        assert_refused(path)


def test_a_model_that_is_no_vae(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras").get_weights()[0], model.get_weights()[0])
    assert "of class Sequential, but a tfvae.models.VAE is required" in assert_refused(tmp_path / "m.keras")
