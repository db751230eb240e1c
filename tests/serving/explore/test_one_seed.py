"""One seed, one picture, whoever draws it."""

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae._display import Display
from tfvae._images import beside, tile
from tfvae.callbacks._tensorboard.views import ModelViews
from tfvae.cli.commands import draws
from tfvae.evaluation import figures
from tfvae.export.signatures import Signatures

SEED, NUM = 7, 24


@pytest.fixture(scope="module")
def vae(digits_run):
    return digits_run.vae


@pytest.fixture(scope="module")
def signatures(vae):
    return Signatures(vae, (8, 8, 1), ("encode", "reconstruct", "sample")).by_name()


@pytest.fixture
def command(digits_run, monkeypatch, tmp_path):
    """Runs a command of the command line, on the run that is loaded; returns the arrays that it writes."""

    def run(name, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(draws, "load_run", lambda path: digits_run)
            getattr(draws, name)(tmp_path, *arguments, SEED, tmp_path / f"{name}.npz")
        with np.load(tmp_path / f"{name}.npz") as found:
            return {array: found[array] for array in found.files}

    return run


def close(found, expected):
    """Graphs may round otherwise; another draw is far from this."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def drawn_pixels(figure):
    return np.asarray(figure.axes[0].get_images()[0].get_array())


def test_one_seed_is_one_sample(vae, signatures, command, explored):
    samples = vae.sample(NUM, seed=SEED)
    served = signatures["sample"](tf.constant(NUM), tf.constant([0, SEED]))
    written = command("sample", NUM, None, None)
    np.testing.assert_array_equal(served["sample"], samples)
    np.testing.assert_array_equal(written["sample"], samples)
    z, means = explored.draw(NUM, SEED)
    close(written["z"], z)
    close(vae.decode(z).mean(), means)
    close(served["mean"], means)
    close(written["mean"], means)
    close(ModelViews(vae, seed=SEED).samples(NUM), means)
    picture = tile(Display.of(means).pictures(means)).squeeze()
    np.testing.assert_array_equal(drawn_pixels(figures.prior_samples(vae, num_samples=NUM, seed=SEED)), picture)


def test_one_seed_is_one_reconstruction(vae, signatures, command):
    x = tfvae.data.load("digits").test.take(NUM).thresholded().x
    means = vae.reconstruct(x, seed=SEED)
    served = signatures["reconstruct"](tf.constant(x), tf.constant([0, SEED]))
    written = command("reconstruct", None, "test", NUM)
    np.testing.assert_array_equal(written["x"], x)
    close(served["mean"], means)
    close(written["mean"], means)
    np.testing.assert_array_equal(written["sample"], served["sample"])
    close(ModelViews(vae, seed=SEED).reconstructions(tf.constant(x)), means)
    display = Display.of(x)
    picture = beside(display.pictures(x), display.pictures(means), 10).squeeze()
    np.testing.assert_array_equal(drawn_pixels(figures.reconstructions(vae, x, seed=SEED)), picture)


def test_one_seed_is_one_z(vae, signatures, command):
    written = command("encode", None, "test")
    x = tfvae.data.load("digits").test.thresholded().x
    assert len(x) <= 500  # one block
    seed = tf.constant([0, SEED])
    close(written["z"], vae.encode(x).sample(seed=seed))
    close(written["z"], signatures["encode"](tf.constant(x), seed)["z"])
