"""Layers of an estimator, whose weights are trained and saved with the model."""

from typing import Any

import keras

from tfvae.estimators import Estimator, EstimatorWithBuild, EstimatorWithLayers


def layers_of(estimator: Estimator, *, model_is_built: bool = False) -> list[keras.layers.Layer]:
    """Returns the layers of an estimator, for a model that tracks them.

    Raises:
        ValueError: If there are layers and the model is built already.
    """
    layers = list(estimator.layers) if isinstance(estimator, EstimatorWithLayers) else []
    if layers and model_is_built:
        raise ValueError(
            "An estimator with layers must be passed to the constructor, VAE(..., estimator=...), because Keras does "
            f"not track layers that are added to a built model. Received: estimator={estimator!r}"
        )
    return layers


def build_layers(estimator: Estimator, x: keras.KerasTensor, latent_shape: Any) -> None:
    """Builds the layers of an estimator for symbolic data `(None, *event)` and the shape of one z."""
    if isinstance(estimator, EstimatorWithBuild):
        estimator.build(tuple(x.shape), latent_shape)
    else:
        for layer in layers_of(estimator):
            layer(x)
