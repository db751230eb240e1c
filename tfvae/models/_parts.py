"""What a VAE asks of its encoder, decoder and prior, checked when it is built."""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow_probability as tfp

from tfvae.layers import DistributionLayer, KLDivergenceAddLoss, KLDivergenceRegularizer
from tfvae.priors import Fixed, Prior, StandardNormal

tfd = tfp.distributions


def output_layer(network: keras.layers.Layer, role: str) -> DistributionLayer | None:
    """The distribution layer that a network ends in, or None for a subclassed model, which cannot be looked into.

    Raises:
        TypeError: when the network ends in another layer.
    """
    layer = network
    while isinstance(layer, keras.Sequential) or _is_functional(layer):
        inner = layer.layers[-1] if isinstance(layer, keras.Sequential) and layer.layers else _producer(layer)
        if inner is None or inner is layer:
            break
        layer = inner
    if isinstance(layer, DistributionLayer):
        return layer
    if isinstance(layer, keras.Model) and type(layer) not in (keras.Model, keras.Sequential):
        return None
    raise TypeError(
        f"The {role} must end in a distribution layer, such as tfvae.layers.{_EXAMPLE[role]}. "
        f"The last layer of '{getattr(network, 'name', network)}' is {layer!r}."
    )


_EXAMPLE = {
    "encoder": "MultivariateNormalDiag(latent_size)",
    "decoder": "IndependentBernoulli(event_shape)",
}


def _is_functional(layer: Any) -> bool:
    return isinstance(layer, keras.Model) and not isinstance(layer, keras.Sequential) and bool(_outputs(layer))


def _outputs(model: keras.Model) -> list[Any]:
    return getattr(model, "outputs", None) or []


def _producer(model: keras.Model) -> Any:
    outputs = _outputs(model)
    return outputs[0]._keras_history.operation if outputs else None


def refuse_own_kl(encoder: keras.layers.Layer) -> None:
    """Raises ValueError when the encoder carries a KL term of its own, which would count twice."""
    for layer in _layers(encoder):
        regularizer = getattr(layer, "distribution_regularizer", None)
        if isinstance(layer, KLDivergenceAddLoss) or isinstance(regularizer, KLDivergenceRegularizer):
            term = layer if isinstance(layer, KLDivergenceAddLoss) else regularizer
            raise ValueError(
                f"The KL would count twice: the VAE adds KL(q(z|x) || p(z)) itself, and the encoder's layer "
                f"'{layer.name}' carries a {type(term).__name__}. Take it off the encoder, and give its prior and "
                "weight to the VAE as prior= and beta=; or train a functional keras.Model with it instead of a VAE."
            )


def refuse_losses(arguments: dict[str, Any], estimator: Any) -> None:
    """Raises ValueError when `compile` is given a loss or metrics, which a VAE has of its own."""
    refused = [name for name in ("loss", "loss_weights", "metrics", "weighted_metrics") if arguments.get(name)]
    if refused:
        raise ValueError(
            f"A VAE takes no {' or '.join(refused)}: it minimises its estimator's surrogate loss ({estimator!r}) and "
            "reports elbo, log_likelihood and kl. Give the VAE another estimator, or train a functional keras.Model "
            "with tfvae.layers and a loss of your own."
        )


def distribution_of(value: Any, network: keras.layers.Layer, role: str) -> Any:
    """What a network returned, when it is a distribution.

    Raises:
        TypeError: when it is not, which a subclassed model shows only when called.
    """
    if not isinstance(value, tfd.Distribution):
        raise TypeError(
            f"The {role} must return a distribution: end it in a distribution layer, such as "
            f"tfvae.layers.{_EXAMPLE[role]}. '{getattr(network, 'name', network)}' returned {value!r}."
        )
    return value


def _layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    yield layer
    for inner in getattr(layer, "_layers", []):
        yield from _layers(inner)


def as_prior(prior: Any, latent_shape: tuple[int, ...] | None) -> Prior:
    """The prior as a layer; None is the standard normal of the encoder's latent size.

    Raises:
        ValueError: when the latent shapes of encoder and prior differ, or none can be told.
    """
    if prior is None:
        if latent_shape is None or len(latent_shape) != 1:
            raise ValueError(
                f"The encoder's event shape is {latent_shape}, so that its latent size cannot be told: give the VAE a "
                "prior, such as prior=tfvae.priors.StandardNormal(latent_size)."
            )
        return StandardNormal(latent_shape[0])
    prior = prior if isinstance(prior, Prior) else Fixed(prior)
    check_latent_shape(latent_shape, prior)
    return prior


def check_latent_shape(latent_shape: Any, prior: Prior) -> None:
    """Raises ValueError when posterior and prior are not over the same z."""
    if latent_shape is not None and tuple(latent_shape) != tuple(prior.event_shape):
        raise ValueError(
            f"Encoder and prior must be over the same latent z: the encoder's distribution has event shape "
            f"{tuple(latent_shape)}, the prior's ({type(prior).__name__}) is {tuple(prior.event_shape)}."
        )


def check_decoder_input(decoder: keras.layers.Layer, prior: Prior) -> None:
    """Raises ValueError when a decoder with a known input shape does not take the prior's z."""
    inputs = getattr(decoder, "inputs", None) or []
    if len(inputs) == 1 and tuple(inputs[0].shape[1:]) != tuple(prior.event_shape):
        raise ValueError(
            f"The decoder takes inputs of shape {tuple(inputs[0].shape[1:])}, but the prior's z "
            f"({type(prior).__name__}) has shape {tuple(prior.event_shape)}. Give both the same latent size."
        )


def shapes(latent_shape: Any) -> list[tuple[int, ...]]:
    """The shapes in a nest of shapes, one a part of z."""
    found: list[tuple[int, ...]] = []
    keras.tree.map_shape_structure(lambda shape: found.append(tuple(shape)), latent_shape)
    return found


def check_latents(parts: list[Any], expected: list[tuple[int, ...]]) -> None:
    """Raises ValueError when z does not have the prior's shape after its leading axes."""
    if len(parts) != len(expected):
        raise ValueError(f"z has {len(expected)} parts, of shapes [..., *{expected}]. Received: {len(parts)}.")
    for part, shape in zip(parts, expected, strict=True):
        rank = part.shape.rank
        if rank is not None and (rank < len(shape) or not part.shape[rank - len(shape) :].is_compatible_with(shape)):
            raise ValueError(
                f"z has shape [..., {', '.join(map(str, shape))}] in this model, with any leading axes. "
                f"Received shape {tuple(part.shape)}."
            )
