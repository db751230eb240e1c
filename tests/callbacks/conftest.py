"""Small models and data, and a reader of what TensorBoard would read."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfvae

EVENT_SHAPE, LATENT_SIZE = (6, 4, 1), 3


def _make_vae(event_shape=EVENT_SHAPE, *, hidden=(), learning_rate=1e-2, encoder_scale=1.0, **compile_arguments):
    keras.utils.set_random_seed(3)
    encoder = keras.Sequential(
        [
            keras.Input(event_shape),
            keras.layers.Flatten(),
            *hidden,
            keras.layers.Dense(8, activation="tanh", kernel_regularizer=keras.regularizers.L2(1e-3)),
            keras.layers.Dense(tfvae.layers.MultivariateNormalDiag.params_size(LATENT_SIZE)),
            keras.layers.Rescaling(encoder_scale),
            tfvae.layers.MultivariateNormalDiag(LATENT_SIZE),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((LATENT_SIZE,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dropout(0.25, seed=5),
            keras.layers.Dense(tfvae.layers.IndependentBernoulli.params_size(event_shape)),
            tfvae.layers.IndependentBernoulli(event_shape),
        ]
    )
    vae = tfvae.models.VAE(encoder, decoder, beta=0.5, seed=7)
    # XLA takes longer to compile this than to train it.
    vae.compile(keras.optimizers.SGD(learning_rate), **{"jit_compile": False, **compile_arguments})
    return vae


@pytest.fixture(scope="session")
def make_vae():
    """A function that makes the same small compiled VAE every time."""
    return _make_vae


@pytest.fixture(scope="session")
def _shared_vae():
    vae = _make_vae()
    vae.optimizer.build(vae.trainable_variables)
    variables = [*vae.variables, *vae.optimizer.variables]
    return vae, [(variable, variable.numpy()) for variable in variables]


@pytest.fixture
def vae(_shared_vae):
    """The model that `make_vae` makes, as new for each test, but compiled to a graph once for all."""
    vae, variables = _shared_vae
    for variable, value in variables:
        variable.assign(value)
    return vae


@pytest.fixture(scope="session")
def make_functional():
    """A function that makes a model built as TFP's users do, with nothing but `loss` in its logs."""

    def make(learning_rate=1e-2):
        keras.utils.set_random_seed(4)
        inputs = keras.Input((5,))
        outputs = tfvae.layers.IndependentNormal(5)(
            keras.layers.Dense(tfvae.layers.IndependentNormal.params_size(5))(inputs)
        )
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.SGD(learning_rate), loss=lambda x, rv_x: -rv_x.log_prob(x), jit_compile=False)
        return model

    return make


@pytest.fixture(scope="session")
def show():
    """A function that has a callback write what a model shows after some epochs, without training it."""

    def write(vae, callback, epochs=1, kl=1.0):
        callback.set_model(vae)
        callback.on_train_begin()
        for epoch in range(epochs):
            callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch, {"elbo": -1.0, "kl": kl})
        callback.on_train_end()

    return write


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(0).uniform(size=(22, *EVENT_SHAPE)).astype("float32")


@pytest.fixture(scope="session")
def read_events():
    """A function from a run's folder to its scalars, images, histograms and texts: `{tag: {step: value}}` each."""

    def read(folder):
        accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
        kinds = {"scalars": {}, "images": {}, "histograms": {}, "text": {}, "hparams": {}}
        for tag in accumulator.Tags()["tensors"]:
            kind = accumulator.SummaryMetadata(tag).plugin_data.plugin_name
            events = [(event.step, tf.make_ndarray(event.tensor_proto)) for event in accumulator.Tensors(tag)]
            if kind == "scalars":
                events = [(step, float(value)) for step, value in events]
            elif kind == "images":
                events = [(step, tf.io.decode_png(value[2]).numpy()) for step, value in events]
            elif kind == "text":
                events = [(step, value.item().decode()) for step, value in events]
            values = dict(events)
            assert len(values) == len(events), f"{tag} has a step twice"
            kinds[kind][tag] = values
        return SimpleNamespace(**kinds)

    return read
