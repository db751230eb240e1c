"""Models to export, and a server for them: a process in which tfvae, TFP and Keras cannot be imported."""

import pickle
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae

tfd = tfp.distributions
layers = keras.layers

IMAGE = (8, 8, 1)
LATENT_SIZE = 3


def make_image_vae() -> tfvae.models.VAE:
    """A convolutional decoder, batch normalisation, and a layer that would draw if it were training."""
    keras.utils.set_random_seed(3)
    posterior, likelihood = tfvae.layers.MultivariateNormalDiag, tfvae.layers.IndependentBernoulli
    encoder = keras.Sequential(
        [
            layers.Flatten(),
            layers.Dense(11, activation="tanh"),
            layers.Dropout(0.5),
            layers.Dense(posterior.params_size(LATENT_SIZE)),
            posterior(LATENT_SIZE),
        ]
    )
    decoder = keras.Sequential(
        [
            layers.Dense(4 * 4 * 2, activation="tanh"),
            layers.Reshape((4, 4, 2)),
            layers.BatchNormalization(),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
            layers.Flatten(),
            likelihood(IMAGE),
        ]
    )
    return tfvae.models.VAE(encoder, decoder)


def make_vector_vae() -> tfvae.models.VAE:
    """Full covariance, normal likelihood, a prior with a closed-form KL that is not ours."""
    keras.utils.set_random_seed(4)
    posterior, likelihood = tfvae.layers.MultivariateNormalTriL, tfvae.layers.IndependentNormal
    encoder = keras.Sequential([layers.Dense(posterior.params_size(2)), posterior(2)])
    decoder = keras.Sequential([layers.Dense(likelihood.params_size((5,))), likelihood((5,))])
    prior = tfd.Independent(tfd.Normal(tf.constant([0.5, -1.0]), tf.constant([1.0, 2.0])), 1)
    return tfvae.models.VAE(encoder, decoder, prior=prior)


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(7, *IMAGE)).astype("float32")


@pytest.fixture(scope="session")
def image_vae() -> tfvae.models.VAE:
    vae = make_image_vae()
    rng = np.random.default_rng(5)
    for variable in vae.trainable_variables:
        variable.assign_add(0.1 * rng.normal(size=variable.shape))
    for variable in vae.decoder.non_trainable_variables:  # the averages of the batch normalisation
        variable.assign(rng.uniform(0.5, 1.5, size=variable.shape))
    vae.compile()
    vae.optimizer.build(vae.trainable_variables)  # more that is not to be exported
    return vae


@pytest.fixture(scope="session")
def image_model(image_vae, tmp_path_factory) -> Path:
    """The one model that most tests of SavedModels ask: copy it to change it."""
    about = {"data": {"name": "images"}, "elbo": {"mean": -3.5, "standard_error": 0.25}}
    return tfvae.export.save(image_vae, tmp_path_factory.mktemp("served") / "image" / "1", about=about)


@pytest.fixture(scope="session")
def image_loaded(image_model):
    return tfvae.export.load(image_model)


@pytest.fixture(scope="session")
def vector_vae() -> tfvae.models.VAE:
    return make_vector_vae()


@pytest.fixture(scope="session")
def vector_model(vector_vae, tmp_path_factory) -> Path:
    return tfvae.export.save(vector_vae, tmp_path_factory.mktemp("served") / "vector" / "1")


@pytest.fixture(scope="session")
def server():
    """`server("call", path, signature, **inputs)` -> outputs; "session" asks through TensorFlow 1's loader."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("server.py"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )

    def ask(how, path, signature, **inputs):
        pickle.dump((how, str(path), signature, inputs), process.stdin)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    yield ask
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=60)
