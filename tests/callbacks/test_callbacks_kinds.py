"""TensorBoard's pictures of data that are no images in [0, 1]."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import tfvae
from tfvae import _plots
from tfvae._display import Display
from tfvae.callbacks import VAETensorBoard
from tfvae.callbacks._tensorboard.pictures import PICTURES, PictureInputs
from tfvae.tables import Column, Schema


def seen(x, num_images=4):
    """A model that makes of each z the example itself."""
    x = x.astype("float32")
    views = SimpleNamespace(
        has_vector_latents=True,
        samples=lambda num: x[:num],
        reconstructions=lambda x: x,
        decode=lambda z: x[: len(z)],
    )
    encoding = SimpleNamespace(statistics={"mean": np.zeros((len(x), 3), "float32")}, z=np.zeros((8, len(x), 3)))
    return PictureInputs(views, num_images, x, encoding)


@pytest.mark.parametrize("shape", [(64, 3), (13,), (200,)])
@pytest.mark.parametrize("name", ["samples", "reconstructions", "traversals"])
def test_series_and_tables_are_plots(shape, name):
    x = np.random.default_rng(0).normal(size=(40, *shape)) * 5
    picture = PICTURES[name](seen(x))
    assert picture.shape[-1] == 3
    assert (picture == 255).all(axis=-1).mean() > 0.3  # paper
    assert (picture == _plots.COLORS[0].astype("uint8")).all(axis=-1).any()


def test_decibels_are_visible():
    x = np.random.default_rng(0).uniform(-80, -1, size=(40, 30, 20, 1))
    assert PICTURES["samples"](seen(x)).std() > 50


def test_how_to_read_the_pictures_is_said_once(tmp_path, read_events, show):
    x = np.random.default_rng(0).normal(size=(32, 24, 2)).astype("float32") * 5
    keras.utils.set_random_seed(0)
    latent, event = tfvae.layers.MultivariateNormalDiag, (24, 2)
    encoder = keras.Sequential(
        [keras.Input(event), keras.layers.Flatten(), keras.layers.Dense(latent.params_size(2)), latent(2)]
    )
    likelihood = tfvae.layers.IndependentNormal
    decoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(likelihood.params_size(event)), likelihood(event)]
    )
    every = {**dict.fromkeys(VAETensorBoard.EVERY, 0), "reconstructions": 1}
    show(tfvae.models.VAE(encoder, decoder), VAETensorBoard(tmp_path, x, every, num_images=4), epochs=2)
    found = read_events(tmp_path / "train")
    assert found.text["pictures"] == {1: Display.of(x).caption()}
    assert found.text["pictures"][1].startswith("One line per channel (0, 1); bottom to top")
    np.testing.assert_array_equal(
        found.images["reconstructions"][1][: _plots.HEIGHT, : _plots.WIDTH], Display.of(x).pictures(x)[0]
    )


def test_rows_of_a_table_are_texts(tmp_path, read_events, show):
    schema = Schema([Column("height", "real", decimals=1), Column("colour", "category", ("red", "blue|green"))])
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(170, 10, 40), rng.integers(0, 2, 40)], axis=1).astype("float32")
    observed = rng.random(x.shape) < 0.8
    keras.utils.set_random_seed(0)
    likelihood, encoding = tfvae.layers.TableLikelihood(schema), tfvae.layers.TableEncoding(schema)
    for layer in (likelihood, encoding):
        layer.adapt(x, observed)
    latent = tfvae.layers.MultivariateNormalDiag
    encoder = keras.Sequential([keras.Input((2,)), encoding, keras.layers.Dense(latent.params_size(2)), latent(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(likelihood.params_size(schema)), likelihood])
    vae = tfvae.models.VAE(encoder, decoder, missing="nan")
    every = {
        **dict.fromkeys(VAETensorBoard.EVERY, 0),
        "samples": 1,
        "reconstructions": 1,
        "traversals": 1,
        "projector": 1,
    }
    show(vae, VAETensorBoard(tmp_path, tfvae.data.Split(x, observed=observed, schema=schema), every))
    found = read_events(tmp_path / "train")
    assert set(found.text) >= {"samples", "reconstructions"}
    assert not found.images
    head, _, height, colour = found.text["reconstructions"][1].split("\n")
    assert head.startswith("| column | row 1 | reconstruction 1 | row 2 |")
    cells = [cell.strip() for cell in height.split(" | ")]
    assert cells[1::2] == [
        f"{value:.1f}" if is_there else "missing" for value, is_there in zip(x[:4, 0], observed[:4, 0], strict=True)
    ]
    assert set(colour.strip("| ").split(" | ")) <= {"colour", "red", "blue\\|green", "missing"}
    lines = (tmp_path / "train/labels.tsv").read_text().splitlines()
    assert (lines[0], len(lines)) == ("example\theight\tcolour", 41)
    assert not (tmp_path / "train/thumbnails.png").exists()
