"""Looking into an encoder or decoder: the distribution layer it ends in, and a KL term that it carries."""

from collections.abc import Iterator
from typing import Any

import keras

from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.layers.kl_divergence_add_loss import KLDivergenceAddLoss
from tfvae.layers.kl_divergence_regularizer import KLDivergenceRegularizer

_EXAMPLE = {
    "encoder": "MultivariateNormalDiag(latent_size)",
    "decoder": "IndependentBernoulli(event_shape)",
}


def example_of(role: str) -> str:
    """A layer that an "encoder" or a "decoder" may end in, for error messages."""
    return f"tfvae.layers.{_EXAMPLE[role]}"


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
        f"The {role} must end in a distribution layer, such as {example_of(role)}. "
        f"The last layer of '{getattr(network, 'name', network)}' is {layer!r}."
    )


def _is_functional(layer: Any) -> bool:
    return isinstance(layer, keras.Model) and not isinstance(layer, keras.Sequential) and bool(_outputs(layer))


def _outputs(model: keras.Model) -> list[Any]:
    return getattr(model, "outputs", None) or []


def _producer(model: keras.Model) -> Any:
    outputs = _outputs(model)
    return outputs[0]._keras_history.operation if outputs else None


def own_kl(network: keras.layers.Layer) -> tuple[keras.layers.Layer, Any] | None:
    """The first layer of a network that adds a KL term to the loss, and the term; None where there is none."""
    for layer in sublayers(network):
        regularizer = getattr(layer, "distribution_regularizer", None)
        if isinstance(layer, KLDivergenceAddLoss):
            return layer, layer
        if isinstance(regularizer, KLDivergenceRegularizer):
            return layer, regularizer
    return None


def sublayers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """The layer and all that it holds."""
    yield layer
    for inner in getattr(layer, "_layers", []):
        yield from sublayers(inner)
