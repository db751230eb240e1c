"""Networks of a conditional model: they get the condition besides x or z."""

import math
from collections.abc import Sequence

import keras

from tfvae import networks, priors
from tfvae.data.examples import CONDITION
from tfvae.layers import MultivariateNormalDiag
from tfvae.parts import kinds
from tfvae.training.latent_space import latent_layers
from tfvae.training.model_parts import ModelParts

Shape = tuple[int, ...]


def conditional_encoder(parts: ModelParts, condition_shape: Shape) -> keras.Model:
    """Creates an encoder q(z|x,c). Its network gets x and c as one vector or, if it has spatial axes, as channels.

    It does not get the size of the row, which is the sum of x.
    """
    x, condition = _input(parts.event_shape, "x"), _input(condition_shape, CONDITION)
    given = condition[:, :-1] if parts.takes_sizes else condition
    before, _ = parts.likelihood()
    found = x
    for layer in before:
        found = layer(found)
    body = parts.encoder_body(parts.num_parameters, merges=False)
    is_flat = parts.config.model.network_kind in kinds.OF_ANY_SHAPE
    found = body(_flat_together(found, given) if is_flat else _as_channel(found, given, parts.image_shape))
    for layer in parts.posterior():
        found = layer(found)
    return keras.Model({"x": x, CONDITION: condition}, found, name="encoder")


def conditional_decoder(parts: ModelParts, condition_shape: Shape) -> keras.Model:
    """Creates a decoder p(x|z,c), whose network gets z and c as one vector. The likelihood gets the size of the row."""
    z, condition = _input((parts.config.model.latent_size,), "z"), _input(condition_shape, CONDITION)
    latents = z
    for layer in latent_layers(parts.config.model):
        latents = layer(latents)
    _, likelihood = parts.likelihood()
    if not parts.takes_sizes:
        parameters = parts.decoder_body()(_flat_together(latents, condition))
    else:
        gets_others = condition_shape[0] > 1 and "decoder" in parts.config.model.conditioned
        shares = parts.decoder_body()(_flat_together(latents, condition[:, :-1]) if gets_others else latents)
        # Not in half precision, which would round the size.
        parameters = keras.layers.Concatenate(dtype=z.dtype)([shares, condition[:, -1:]])
    return keras.Model({"z": z, CONDITION: condition}, likelihood(parameters), name="decoder")


def conditional_prior(
    latent_size: int,
    condition_shape: Sequence[int],
    hidden: Sequence[int] = (100,),
    activation: str = "relu",
    *,
    name: str = "prior",
) -> priors.Conditional:
    """Creates a prior p(z|c), a normal distribution whose mean and scales are the output of a network of c.

    Args:
        latent_size: Number of latent dimensions D.
        condition_shape: Shape of one condition.
        hidden: Number of units of each hidden layer.
        activation: Activation of the hidden layers.
        name: Name of the prior.

    References:
        Sohn, Lee & Yan, Learning Structured Output Representation using Deep Conditional Generative Models, 2015.
    """
    body = networks.mlp(MultivariateNormalDiag.params_size(latent_size), hidden, activation)
    network = keras.Sequential(
        [_input(tuple(condition_shape), CONDITION), body, MultivariateNormalDiag(latent_size)], name=f"{name}_network"
    )
    return priors.Conditional(network, name=name)


def _input(shape: Shape, name: str) -> keras.KerasTensor:
    return keras.Input(shape, name=name, dtype=keras.config.dtype_policy().variable_dtype)


def _flat_together(*parts: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Concatenate()([keras.layers.Flatten()(part) for part in parts])


def _as_channel(x: keras.KerasTensor, condition: keras.KerasTensor, image_shape: Shape) -> keras.KerasTensor:
    """Adds a condition to the channels of x: an image of its size as it is, other conditions as one channel of them."""
    spatial = image_shape[:-1]
    if tuple(x.shape[1:]) != image_shape:
        x = keras.layers.Reshape(image_shape)(x)
    if condition.shape[1:-1] != spatial:
        flat = keras.layers.Flatten()(condition)
        condition = keras.layers.Reshape((*spatial, 1))(keras.layers.Dense(math.prod(spatial))(flat))
    return keras.layers.Concatenate()([x, condition])
