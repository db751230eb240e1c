"""M2, the semi-supervised model whose label is a latent that is known for some examples."""

import math
from typing import Any

import keras

from tfvae import layers, priors
from tfvae.estimators import Enumerated
from tfvae.layers import DistributionLayer
from tfvae.layers._networks import is_functional
from tfvae.models import VAE
from tfvae.priors import Prior

LABEL, STYLE = "y", "z"


def m2(
    *,
    event_shape: tuple[int, ...],
    num_classes: int,
    classifier: keras.layers.Layer,
    encoder: keras.layers.Layer,
    posterior: DistributionLayer,
    decoder: keras.layers.Layer,
    likelihood: DistributionLayer,
    features: keras.layers.Layer | None = None,
    latent_layer: keras.layers.Layer | None = None,
    label_prior: Prior | None = None,
    prior: Prior | None = None,
    estimator: Enumerated | None = None,
    seed: int | None = None,
    name: str | None = None,
) -> VAE:
    """Creates a VAE with the latents (y, z), of which y is a class label: p(y) p(z) p(x|y, z) and q(y|x) q(z|x, y).

    Args:
        event_shape: Shape of one x.
        num_classes: Number of classes, K.
        classifier: Network from features `[B, F]` to the logits of q(y|x) `[B, K]`.
        encoder: Network from features and a one-hot y, concatenated to `[B, F + K]`, to the parameters of q(z|x, y). A
            functional model with the inputs "inputs" and "y" gets the two apart. Its layers run for each class: what
            depends on x alone is faster in `features`.
        posterior: Distribution layer of q(z|x, y), such as `tfvae.layers.MultivariateNormalDiag(50)`.
        decoder: Network from a one-hot y and z, concatenated to `[B, K + D]`, to the parameters of p(x|y, z).
        likelihood: Distribution layer of p(x|y, z).
        features: Network from x `[B, *event]` to features `[B, F]` of `classifier` and `encoder`, computed once for
            all classes. None is `keras.layers.Flatten()`.
        latent_layer: Layer from z to what the decoder gets in its place, such as `tfvae.layers.StickBreaking()`, which
            turns log-odds of sticks into shares. None is z itself.
        label_prior: The prior p(y). None is uniform; `tfvae.priors.Categorical(K, probs, learned=True)` is others.
        prior: The prior p(z). None is the standard normal.
        estimator: The bound, such as `tfvae.estimators.Enumerated(classification_weight=100.0)`. None is
            `Enumerated()`, in which q(y|x) does not learn from labels directly.
        seed: Seed of the random numbers of the model. None draws a seed.
        name: Name of the model.

    Returns:
        A model for `fit(x, y)` with integer labels y, -1 where unknown, and `classify`.

    Raises:
        ValueError: If the sizes of parts differ.

    References:
        Kingma, Mohamed, Rezende & Welling, Semi-supervised Learning with Deep Generative Models, 2014,
        arXiv 1406.5298, section 2.1.
    """
    latent_shape = posterior.event_shape
    if latent_shape is None:
        raise ValueError(
            "The posterior of M2 must have a known event shape, such as tfvae.layers.MultivariateNormalDiag(50). "
            f"Received: posterior={posterior!r}"
        )
    dtype = keras.config.dtype_policy().variable_dtype
    x = keras.Input(event_shape, name="x", dtype=dtype)
    joint = layers.Joint(
        {
            LABEL: _ending_in(classifier, layers.OneHotCategorical(num_classes), "classifier"),
            STYLE: _ending_in(encoder, posterior, "encoder_of_z"),
        },
        name="posterior",
    )
    q = joint((features or keras.layers.Flatten(name="features"))(x))
    y = keras.Input((num_classes,), name=LABEL, dtype=dtype)
    z = keras.Input(latent_shape, name=STYLE, dtype=dtype)
    latents = keras.layers.Concatenate(name="latents")([y, z if latent_layer is None else latent_layer(z)])
    return VAE(
        keras.Model(x, q, name="encoder"),
        keras.Model({LABEL: y, STYLE: z}, likelihood(decoder(latents)), name="decoder"),
        priors.Joint(
            {
                LABEL: label_prior or priors.Categorical(num_classes, name="prior_of_y"),
                STYLE: prior or priors.StandardNormal(math.prod(latent_shape), name="prior_of_z"),
            },
            name="prior",
        ),
        Enumerated() if estimator is None else estimator,
        seed=seed,
        name=name,
    )


def _ending_in(body: Any, layer: DistributionLayer, name: str) -> keras.Model:
    """Returns the network with a distribution layer at its end."""
    if is_functional(body) and isinstance(body.input, dict):
        return keras.Model(body.input, layer(body.output), name=name)
    return keras.Sequential([body, layer], name=name)
