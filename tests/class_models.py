"""Small models with classes: conditions of encoder and decoder, or labels that are a part of z."""

import keras

import tfvae
from tfvae import layers
from tfvae.layers import IndependentBernoulli, Joint, MultivariateNormalDiag, OneHotCategorical

NUM_CLASSES, LATENT_SIZE, SHAPE = 3, 2, (5,)


def vae_of_labels(estimator, probs=(0.5, 0.2, 0.3), learned=False):
    """q(y|x) q(z|x, y), p(y) p(z), p(x|y, z)."""
    keras.utils.set_random_seed(4)
    dtype = keras.config.dtype_policy().variable_dtype  # inputs are float32 otherwise
    dense = keras.layers.Dense
    classifier = keras.Sequential([dense(NUM_CLASSES), OneHotCategorical(NUM_CLASSES)])
    of_z = keras.Sequential([dense(6, activation="tanh"), dense(2 * LATENT_SIZE), MultivariateNormalDiag(LATENT_SIZE)])
    encoder = keras.Sequential(
        [keras.Input(SHAPE, dtype=dtype), dense(7, activation="tanh"), Joint({"y": classifier, "z": of_z})]
    )
    y, z = keras.Input((NUM_CLASSES,), name="y", dtype=dtype), keras.Input((LATENT_SIZE,), name="z", dtype=dtype)
    decoded = dense(5)(dense(6, activation="tanh")(keras.layers.Concatenate()([y, z])))
    decoder = keras.Model({"y": y, "z": z}, IndependentBernoulli(SHAPE)(decoded))
    prior = tfvae.priors.Joint(
        {
            "y": tfvae.priors.Categorical(NUM_CLASSES, probs, learned),
            "z": tfvae.priors.StandardNormal(LATENT_SIZE),
        }
    )
    return tfvae.models.VAE(encoder, decoder, prior, estimator, seed=1)


def class_vae(**kwargs):
    """Binary x with a class among four as the condition of encoder and decoder."""
    keras.utils.set_random_seed(2)
    x, c, z = keras.Input((4, 2), name="x"), keras.Input((4,), name="condition"), keras.Input((2,), name="z")
    flat = keras.layers.Concatenate()([keras.layers.Flatten()(x), c])
    posterior = layers.MultivariateNormalDiag(2)(keras.layers.Dense(4)(flat))
    decoded = keras.layers.Dense(8)(keras.layers.Concatenate()([z, c]))
    likelihood = layers.IndependentBernoulli((4, 2))(decoded)
    encoder = keras.Model({"x": x, "condition": c}, posterior)
    vae = tfvae.models.VAE(encoder, keras.Model({"z": z, "condition": c}, likelihood), seed=1, **kwargs)
    vae.compile(keras.optimizers.Adam(0.05), jit_compile=False)
    return vae
