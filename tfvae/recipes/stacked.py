"""M1 and M2, one on the other: a model of labels whose data are the latents of another model."""

from typing import Any

import keras

from tfvae import priors
from tfvae.estimators import Enumerated
from tfvae.layers import DistributionLayer, Joint
from tfvae.layers._networks import is_functional, output_layer
from tfvae.models import VAE
from tfvae.recipes.m2 import LABEL, STYLE

LOWER, UPPER = "z1", "z2"


def stacked(
    first: VAE,
    second: VAE,
    *,
    estimator: Enumerated | None = None,
    seed: int | None = None,
    name: str | None = None,
) -> VAE:
    """Joins a trained VAE of x (M1) and a trained M2 of its latents to one model from x to y and back (M1+M2).

    The latents are (y, z1, z2), with p(y) p(z2) p(z1|y, z2) p(x|z1) and q(y|x) q(z1|x) q(z2|z1, y), where q(y|x) is the
    classifier of the second model at the mean of q(z1|x). The result has copies of the layers of both models.

    Train the first model on x alone, and the second on draws of q(z1|x) and the known labels (`latent_split`). The
    result classifies, samples by label and has a bound like any M2. It may be trained further as a whole, with
    `fit(x, y)`.

    Args:
        first: A VAE with one vector of latents z1, whose encoder is a functional or sequential model.
        second: A model of `m2` with `event_shape=(D,)` for the D latents of the first.
        estimator: The bound of the result. None is that of the second model.
        seed: Seed of the random numbers of the model. None draws a seed.
        name: Name of the model.

    Raises:
        ValueError: If the second model is not an M2 of the latents of the first.

    References:
        Kingma, Mohamed, Rezende & Welling, Semi-supervised Learning with Deep Generative Models, 2014,
        arXiv 1406.5298, section 2.1.
    """
    _require_match(first, second)
    # Keras does not load a layer that several functional models call, hence two copies of the features of z1.
    first, of_y, second = _copy(first), _copy(second), _copy(second)
    dtype = first.variable_dtype
    posterior: Any = output_layer(first.encoder, "encoder")
    classifier, features_of_mean = _posterior_and_features(of_y)
    of_labels, features = _posterior_and_features(second)
    x = keras.Input(first.event_shape, name="x", dtype=dtype)
    parameters = _before(first.encoder, posterior)(x)
    size = parameters.shape[1:]
    y, z1, z2 = (
        keras.Input(shape, name=part, dtype=dtype)
        for part, shape in (
            (LABEL, second.latent_shape[LABEL]),
            (LOWER, first.latent_shape),
            (UPPER, second.latent_shape[STYLE]),
        )
    )
    joint = Joint(
        {
            LABEL: keras.Sequential(
                [keras.Input(size, dtype=dtype), _mean_of(posterior), features_of_mean, classifier.parts[LABEL]],
                name="classifier",
            ),
            LOWER: posterior,
            UPPER: keras.Model(
                {LABEL: y, LOWER: z1}, _given_label(of_labels.parts[STYLE], features(z1), y), name="of_z2"
            ),
        },
        given={LABEL: ["inputs"], LOWER: ["inputs"]},
        name="posterior",
    )
    prior = priors.Joint(
        {
            LABEL: second.prior.parts[LABEL],
            UPPER: second.prior.parts[STYLE],
            LOWER: keras.Model({LABEL: y, UPPER: z2}, second.decoder({LABEL: y, STYLE: z2}), name="of_z1"),
        },
        name="prior",
    )
    return VAE(
        keras.Model(x, joint(parameters), name="encoder"),
        keras.Model({LABEL: y, LOWER: z1, UPPER: z2}, first.decoder(z1), name="decoder"),
        prior,
        second.estimator if estimator is None else estimator,
        seed=seed,
        name=name,
    )


def _copy(vae: VAE) -> VAE:
    """Returns a model of the same configuration and weights."""
    made = VAE.from_config(vae.get_config())
    made.set_weights(vae.get_weights())
    return made


def _posterior_and_features(vae: VAE) -> tuple[Any, keras.Model]:
    """Returns the joint layer of an M2 and the network before it."""
    joint: Any = output_layer(vae.encoder, "encoder")
    return joint, keras.Model(vae.encoder.input, joint.input, name="features")


def _before(encoder: Any, posterior: DistributionLayer) -> keras.Model:
    """Returns the network from x to the parameters of the posterior."""
    return keras.Model(encoder.inputs, posterior.input, name="encoder_body")


def _mean_of(posterior: DistributionLayer) -> DistributionLayer:
    """Returns the layer of a distribution with its mean as value."""
    return type(posterior).from_config({**posterior.get_config(), "convert_to_tensor_fn": "mean", "name": "mean_of_z1"})


def _given_label(network: Any, h: Any, y: Any) -> Any:
    """Calls the network of q(z2|z1, y) as its joint layer does."""
    if is_functional(network) and isinstance(network.input, dict):
        return network({"inputs": h, LABEL: y})
    return network(keras.layers.Concatenate()([h, y]))


def _require_match(first: VAE, second: VAE) -> None:
    parts = second.latent_shape if isinstance(second.latent_shape, dict) else {}
    if set(parts) != {LABEL, STYLE} or second.event_shape != first.latent_shape:
        raise ValueError(
            "The second model must be one of tfvae.recipes.m2 with the latents of the first as its data: "
            f"event_shape={first.latent_shape}. Received: a second model with event_shape={second.event_shape} and "
            f"latent_shape={second.latent_shape}"
        )
