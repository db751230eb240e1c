"""Files that are missing or damaged: one error that says what and how to fix it."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfvae


@pytest.fixture
def copy(vector_model, tmp_path):
    """A model without checksums of its files, as earlier versions wrote them: TensorFlow finds what is wrong."""
    copy = shutil.copytree(vector_model, tmp_path / "copy")
    (copy / "assets.extra" / "tfvae.json").unlink()
    return copy


def test_an_exported_model(vector_model, vector_vae):
    loaded = tfvae.export.load(vector_model)
    x, seed = np.ones([2, 5], np.float32), tf.constant([1, 2])
    answer = loaded.signatures["reconstruct"](x=tf.constant(x), seed=seed)
    np.testing.assert_allclose(answer["mean"], vector_vae.reconstruct(x, seed=seed), rtol=1e-5, atol=1e-5)


def test_no_folder(tmp_path):
    with pytest.raises(ValueError, match=r"no exported model at .*nowhere\. tfvae\.export\.save"):
        tfvae.export.load(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=r"has no saved_model\.pb\. Export the model again"):
        tfvae.export.load(tmp_path)


def test_the_folder_of_the_versions(copy):
    versions = copy.parent / "versions"
    versions.mkdir()
    copy.rename(versions / "3")
    with pytest.raises(ValueError, match=r"versions \['3'\].*versions/3"):
        tfvae.export.load(versions)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.7, 0.999])
@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_truncated_files(copy, name, kept):
    file = copy / name
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=r"(damaged or incomplete|not written by tfvae)"):
        tfvae.export.load(copy)


@pytest.mark.parametrize("name", ["variables/variables.index", "variables/variables.data-00000-of-00001"])
def test_missing_files(copy, name):
    (copy / name).unlink()
    with pytest.raises(ValueError, match=r"damaged or incomplete: .*overwrite=True"):
        tfvae.export.load(copy)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_files_of_something_else(copy, name):
    (copy / name).write_bytes(b"<html>404 not found</html>" * 100)
    with pytest.raises(ValueError, match="damaged or incomplete"):
        tfvae.export.load(copy)


def test_a_changed_weight(copy):
    file = copy / "variables/variables.data-00000-of-00001"
    content = bytearray(file.read_bytes())
    content[10] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged or incomplete: .*[Cc]hecksum"):
        tfvae.export.load(copy)


def test_another_saved_model(tmp_path):
    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([], name="x")])
    tf.saved_model.save(module, str(tmp_path / "other"), signatures={"serving_default": module.double})
    with pytest.raises(ValueError, match=r"no signature encode, decode.*tf\.saved_model\.load"):
        tfvae.export.load(tmp_path / "other")
