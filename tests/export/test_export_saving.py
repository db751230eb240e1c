"""Where `save` writes, and what it refuses before it writes."""

import re
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from small_models import few_signatures

import tfvae
from tfvae.export import saving
from tfvae.export.save_context import traced_as_saved
from tfvae.export.signature_functions import SignatureFunctions
from tfvae.export.signatures import Signatures

tfd = tfp.distributions

SEED = tf.constant([0, 1])


def make_vae():
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.layers.Dense(4), tfvae.layers.MultivariateNormalDiag(2)])
    decoder = keras.Sequential([keras.layers.Dense(6), tfvae.layers.IndependentNormal((3,))])
    return tfvae.models.VAE(encoder, decoder)


@pytest.fixture(scope="module")
def vae():
    return make_vae()


@pytest.fixture
def write(monkeypatch):
    """Stands in for TensorFlow's tracing and writing, where only the folders matter."""

    def replace(content=b"new", error=None):
        def write(module, path, signatures):
            Path(path).mkdir()
            (Path(path) / "saved_model.pb").write_bytes(content)
            if error is not None:
                raise error

        monkeypatch.setattr(saving, "Signatures", lambda vae, event_shape: SimpleNamespace(by_name=dict))
        monkeypatch.setattr(saving.tf.saved_model, "save", write)

    replace()
    return replace


@pytest.fixture
def old_model(tmp_path):
    path = tmp_path / "m"
    path.mkdir()
    (path / "saved_model.pb").write_bytes(b"old")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """All files but what `save` adds itself."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.parent.name != "assets.extra"]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


class TestRefusals:
    def refused(self, folder, error, message, model, path, **options):
        before = contents(folder)
        with pytest.raises(error, match=message):
            tfvae.export.save(model, path, **options)
        assert contents(folder) == before
        assert not list(folder.rglob(".*"))

    def test_not_a_vae(self, tmp_path):
        model = keras.Sequential([keras.layers.Dense(1)])
        self.refused(tmp_path, TypeError, r"tfvae\.models\.VAE.*Received: vae=<Sequential", model, tmp_path / "a" / "b")
        assert not list(tmp_path.iterdir())

    def test_not_built(self, tmp_path):
        normal = tfvae.layers.DistributionLambda(lambda t: tfd.Independent(tfd.Normal(t, 1.0), 1))
        encoder = keras.Sequential([keras.layers.Dense(4), tfvae.layers.MultivariateNormalDiag(2)])
        vae = tfvae.models.VAE(encoder, keras.Sequential([keras.layers.Dense(3), normal]))
        self.refused(tmp_path, ValueError, r"not built.*vae\.build", vae, tmp_path / "m")

    def test_unknown_event_shape(self, tmp_path):
        pairs = tfvae.layers.DistributionLambda(
            lambda t: tfd.Independent(tfd.Normal(tf.repeat(t, tf.shape(t)[0], axis=1), 1.0), 1), "mean"
        )
        encoder = keras.Sequential([keras.layers.Dense(4), tfvae.layers.MultivariateNormalDiag(2)])
        vae = tfvae.models.VAE(encoder, keras.Sequential([keras.layers.Dense(3), pairs]))
        vae.build((None, 3))
        self.refused(
            tmp_path, ValueError, r"event shape of p\(x\|z\)\. .*Received: event_shape=\(None,\)", vae, tmp_path / "m"
        )

    def test_latents_that_are_no_tensor(self, vae, tmp_path, monkeypatch):
        monkeypatch.setattr(type(vae), "latent_shape", ((2,), (4,)))
        self.refused(tmp_path, ValueError, r"one tensor.*\(\(2,\), \(4,\)\)", vae, tmp_path / "m")

    def test_there_is_a_model_already(self, vae, tmp_path, old_model):
        self.refused(tmp_path, ValueError, r"already.*overwrite=True", vae, old_model)

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_a_folder_of_something_else(self, vae, tmp_path, overwrite):
        (tmp_path / "m").mkdir()
        (tmp_path / "m" / "thesis.tex").write_bytes(b"precious")
        self.refused(
            tmp_path,
            ValueError,
            "neither empty nor a SavedModel, so it is not replaced",
            vae,
            tmp_path / "m",
            overwrite=overwrite,
        )

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_a_file(self, vae, tmp_path, overwrite):
        (tmp_path / "m").write_bytes(b"precious")
        self.refused(tmp_path, ValueError, "is a file", vae, tmp_path / "m", overwrite=overwrite)

    def test_a_place_that_is_no_folder_of_this_machine(self, vae, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        self.refused(tmp_path, ValueError, re.escape("'gs://bucket/m'"), vae, "gs://bucket/m")


def test_variables_of_several_devices_are_in_the_order_of_the_model():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        vae = make_vae()
        vae.build((None, 3))
    assert all(isinstance(variable.value, tf.distribute.DistributedValues) for variable in vae.trainable_variables)
    with traced_as_saved():
        served = Signatures(vae, (3,), ("likelihood", "posterior"))
    assert [v.shape.as_list() for v in served.model_variables] == [[3, 4], [4], [2, 6], [6]]


class TestWriting:
    def test_new_folders_are_made_and_nothing_else(self, vae, tmp_path):
        before = [np.array(v) for v in vae.variables]
        with few_signatures():
            path = tfvae.export.save(vae, str(tmp_path / "name" / "1"))
        for variable, value in zip(vae.variables, before, strict=True):
            np.testing.assert_array_equal(variable, value)
        assert path == tmp_path / "name" / "1"
        assert [entry.name for entry in tmp_path.rglob("*") if entry.parent in (tmp_path, path.parent)] == ["name", "1"]
        assert path.stat().st_mode == tmp_path.joinpath("name").stat().st_mode  # not the private one of a temporary
        served = tf.saved_model.load(str(path))
        assert served.signatures["sample"](num_samples=tf.constant(2), seed=SEED)["mean"].shape == (2, 3)

    def test_each_function_is_traced_once(self, vae, tmp_path, monkeypatch):
        traced, encode = [], SignatureFunctions.encode
        monkeypatch.setattr(SignatureFunctions, "encode", lambda *given: traced.append(given) or encode(*given))
        with few_signatures():
            tfvae.export.save(vae, tmp_path / "m")
        assert len(traced) == 1

    def test_an_empty_folder_is_free(self, vae, tmp_path, write):
        (tmp_path / "m").mkdir()
        tfvae.export.save(vae, tmp_path / "m")
        assert contents(tmp_path) == {"m/saved_model.pb": b"new"}

    def test_overwrite_replaces_the_whole_model(self, vae, tmp_path, old_model, write):
        (old_model / "variables").mkdir()
        (old_model / "variables" / "variables.index").write_bytes(b"old")
        tfvae.export.save(vae, old_model, overwrite=True)
        assert contents(tmp_path) == {"m/saved_model.pb": b"new"}

    def test_overwrite_follows_a_link(self, vae, tmp_path, old_model, write):
        (tmp_path / "latest").symlink_to("m")
        tfvae.export.save(vae, tmp_path / "latest", overwrite=True)
        assert (tmp_path / "latest").is_symlink()
        assert (old_model / "saved_model.pb").read_bytes() == b"new"

    @pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
    def test_an_interrupted_write_leaves_the_old_model(self, vae, tmp_path, old_model, write, error):
        write(b"hal", error)
        with pytest.raises(type(error)):
            tfvae.export.save(vae, old_model, overwrite=True)
        assert contents(tmp_path) == {"m/saved_model.pb": b"old"}
        assert [entry.name for entry in tmp_path.iterdir()] == ["m"]

    def test_a_rename_that_fails_puts_the_old_model_back(self, vae, tmp_path, old_model, write, monkeypatch):
        rename = Path.rename

        def fail_for_the_new(source, target):
            if source.name == "new":
                raise OSError("no")
            return rename(source, target)

        monkeypatch.setattr(Path, "rename", fail_for_the_new)
        with pytest.raises(OSError, match="no"):
            tfvae.export.save(vae, old_model, overwrite=True)
        assert contents(tmp_path) == {"m/saved_model.pb": b"old"}
