"""Small models and data of the scenarios, and what is read off a trained model."""

import functools

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tfvae import layers

tfd = tfp.distributions
SHAPE, LATENT, BATCH_SIZE, NUM_EXAMPLES = (8, 8), 3, 8, 36  # four batches and a half


def images(num_examples=NUM_EXAMPLES, seed=0):
    """Binary images `[N, 8, 8]` of two patterns with noise."""
    rng = np.random.default_rng(seed)
    patterns = rng.uniform(size=(2, *SHAPE)) < 0.4
    return (patterns[rng.integers(0, 2, num_examples)] ^ (rng.uniform(size=(num_examples, *SHAPE)) < 0.1)).astype(
        "float32"
    )


X = images()
GRAY = np.random.default_rng(1).integers(0, 17, (NUM_EXAMPLES, *SHAPE), np.uint8)
LABELS = np.random.default_rng(2).integers(0, 3, NUM_EXAMPLES)
WEIGHTS = np.linspace(0.5, 2.0, NUM_EXAMPLES).astype("float32")


def make_encoder(middle=(), discrete=False, **dense):
    """q(z|x), normal or of bits."""
    family = layers.IndependentBernoulli((LATENT,)) if discrete else layers.MultivariateNormalDiag(LATENT)
    network = [
        keras.layers.Flatten(),
        keras.layers.Dense(12, activation="tanh", **dense),
        *middle,
        keras.layers.Dense(family.params_size(LATENT)),
        family,
    ]
    return keras.Sequential(network)


def make_decoder(middle=(), **dense):
    """p(x|z), of bits."""
    network = [
        keras.layers.Dense(12, activation="tanh", **dense),
        *middle,
        keras.layers.Dense(layers.IndependentBernoulli.params_size(SHAPE)),
        layers.IndependentBernoulli(SHAPE),
    ]
    return keras.Sequential(network)


def bits_prior():
    """The uniform distribution of bits."""
    return tfd.Independent(tfd.Bernoulli(logits=tf.zeros(LATENT), dtype=tf.float32), 1)


def make_vae(estimator=None, *, prior=None, encoder=None, decoder=None, beta=1.0):
    """A small VAE with a seed."""
    return tfvae.models.VAE(encoder or make_encoder(), decoder or make_decoder(), prior, estimator, beta=beta, seed=4)


def fit(vae, x=X, *, optimizer=None, jit_compile=False, compiled=None, **kwargs):
    """Compiles and fits for two epochs; returns `trained`."""
    vae.compile(optimizer or keras.optimizers.Adam(0.01), jit_compile=jit_compile, **(compiled or {}))
    batch = {} if isinstance(x, tf.data.Dataset | keras.utils.PyDataset) else {"batch_size": BATCH_SIZE}
    history = vae.fit(x, epochs=2, verbose=0, **{**batch, **kwargs}).history
    return trained(vae, history)


def trained(model, history=None):
    """Weights, optimizer variables and history of a model."""
    arrays = {f"weights/{i:02d}": weight for i, weight in enumerate(model.get_weights())}
    arrays |= {f"optimizer/{i:02d}": np.asarray(variable) for i, variable in enumerate(model.optimizer.variables)}
    return arrays | {f"history/{name}": np.array(values) for name, values in (history or {}).items()}


def fitting(make, **kwargs):
    """The scenario that fits the model that `make()` returns."""
    return functools.partial(_fit_made, make, kwargs)


def _fit_made(make, kwargs, folder):
    return fit(make(), **kwargs)


def flat(value, name=""):
    """The numbers of nested dictionaries and lists, by path."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return {name: np.array(value)} if isinstance(value, bool | int | float) else {}
    found = {}
    for key, inner in items:
        found |= flat(inner, f"{name}/{key}" if name else str(key))
    return found
