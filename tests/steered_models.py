"""Small models that one can steer: by a condition, by a label among the latents, and with missing values."""

import keras
import numpy as np

import tfvae
from tfvae import layers, priors

SHAPE, NUM_CLASSES, LATENT_SIZE = (4, 2), 3, 2


def _with_random_weights(vae: tfvae.models.VAE) -> tfvae.models.VAE:
    rng = np.random.default_rng(2)
    for variable in vae.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return vae


def _joined(shapes, layer):
    """A network of named inputs, flattened and joined."""
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(part) for part in inputs.values()])
    return keras.Model(inputs, layer(keras.layers.Dense(layer.parameters_size)(joined)))


def conditional_vae(shape=(NUM_CLASSES,)) -> tfvae.models.VAE:
    """q(z|x,c), p(z|c) and p(x|z,c) of x `[B, 4, 2]` in [0, 1], and conditions `[B, *shape]`."""
    normal = layers.MultivariateNormalDiag(LATENT_SIZE)
    prior = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(normal.parameters_size), normal]
    )
    return _with_random_weights(
        tfvae.models.VAE(
            _joined({"x": SHAPE, "condition": shape}, layers.MultivariateNormalDiag(LATENT_SIZE)),
            _joined({"z": (LATENT_SIZE,), "condition": shape}, layers.IndependentBernoulli(SHAPE)),
            priors.Conditional(prior),
            seed=0,
        )
    )


def labelled_vae(**settings) -> tfvae.models.VAE:
    """M2: q(y|x) q(z|x,y), p(y) p(z) and p(x|y,z) of x `[B, 4, 2]` in [0, 1]."""
    dense = keras.layers.Dense
    normal = layers.MultivariateNormalDiag(LATENT_SIZE)
    parts = {
        "y": keras.Sequential([dense(NUM_CLASSES), layers.OneHotCategorical(NUM_CLASSES)]),
        "z": keras.Sequential([dense(normal.parameters_size), normal]),
    }
    encoder = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), layers.Joint(parts)])
    prior = priors.Joint(
        {"y": priors.Categorical(NUM_CLASSES, (0.5, 0.2, 0.3)), "z": priors.StandardNormal(LATENT_SIZE)}
    )
    decoder = _joined({"y": (NUM_CLASSES,), "z": (LATENT_SIZE,)}, layers.IndependentBernoulli(SHAPE))
    return _with_random_weights(
        tfvae.models.VAE(encoder, decoder, prior, tfvae.estimators.Enumerated(**settings), seed=0)
    )


def stacked_vae() -> tfvae.models.VAE:
    """M1+M2: q(y|x) q(z1|x) q(z2|z1,y), p(y) p(z2) p(z1|y,z2) and p(x|z1)."""
    dense, normal = keras.layers.Dense, layers.MultivariateNormalDiag
    first = tfvae.models.VAE(
        keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), dense(6), normal(3)]),
        keras.Sequential([keras.Input((3,)), dense(8), layers.IndependentBernoulli(SHAPE)]),
    )
    second = tfvae.recipes.m2(
        event_shape=(3,),
        num_classes=NUM_CLASSES,
        classifier=keras.Sequential([dense(NUM_CLASSES)]),
        encoder=keras.Sequential([dense(2 * LATENT_SIZE)]),
        posterior=normal(LATENT_SIZE),
        decoder=keras.Sequential([dense(6)]),
        likelihood=layers.IndependentNormal((3,)),
    )
    return _with_random_weights(tfvae.recipes.stacked(first, second, seed=0))


def vae_with_holes() -> tfvae.models.VAE:
    """NaN is a missing value, and the encoder sees where values are missing."""
    return _with_random_weights(
        tfvae.models.VAE(
            _joined({"x": SHAPE, "observed": SHAPE}, layers.MultivariateNormalDiag(LATENT_SIZE)),
            keras.Sequential([keras.layers.Dense(8), layers.IndependentBernoulli(SHAPE)]),
            missing="nan",
            seed=0,
        )
    )


def data(count=5, seed=0) -> np.ndarray:
    """x `[count, 4, 2]`."""
    return np.random.default_rng(seed).uniform(size=(count, *SHAPE)).astype("float32")


def with_holes(x: np.ndarray) -> np.ndarray:
    """x with half of its values missing."""
    return np.where(np.random.default_rng(1).random(x.shape) < 0.5, np.nan, x).astype("float32")
