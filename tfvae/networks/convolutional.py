"""Convolutional encoder and decoder for images, series and volumes of any size."""

from collections.abc import Sequence

import keras

from tfvae.networks._checks import positive_size, positive_sizes
from tfvae.networks._spatial import (
    doubling,
    first_layers,
    halving,
    image_shape_of,
    last_layers,
    num_parameters_of,
    spatial_axes,
)


def conv_encoder(
    output_size: int,
    filters: Sequence[int] = (32, 64),
    activation: str = "relu",
    *,
    num_axes: int = 2,
    name: str | None = None,
) -> keras.Sequential:
    """Creates a convolutional network that halves an image once per entry of `filters`, and maps it to parameters.

    Args:
        output_size: Number of outputs, `params_size(...)` of the next distribution layer.
        filters: Number of channels after each halving.
        activation: Activation of the convolutions.
        num_axes: Number of spatial axes: 1 for series, 2 for images, 3 for volumes.
        name: Name of the model.

    Returns:
        A model from `[B, length, channels]`, `[B, height, width, channels]` or `[B, depth, height, width, channels]` to
        `[B, output_size]`.

    Raises:
        ValueError: If a size is below 1, or `num_axes` is not 1, 2 or 3.
    """
    filters = positive_sizes(filters, "filters")
    output_size = positive_size(output_size, "output_size")
    num_axes = spatial_axes(num_axes)
    convolutions = [halving(num_axes, size, activation) for size in filters]
    return keras.Sequential([*convolutions, keras.layers.Flatten(), keras.layers.Dense(output_size)], name=name)


def conv_decoder(
    image_shape: Sequence[int],
    output_size: int,
    filters: Sequence[int] = (64, 32),
    activation: str = "relu",
    *,
    name: str | None = None,
) -> keras.Sequential:
    """Creates a convolutional network that maps latents to a small image, and doubles it once per entry of `filters`.

    The image is cropped, so any size is possible.

    Args:
        image_shape: Shape of one event: `(length, channels)`, `(height, width, channels)` or `(depth, height, width,
            channels)`.
        output_size: Number of outputs, `params_size(image_shape)` of the next distribution layer. It must be a multiple
            of the size of the event.
        filters: Number of channels before each doubling.
        activation: Activation of the convolutions.
        name: Name of the model.

    Returns:
        A model from `[B, D]` to `[B, output_size]`. The output contains the flattened image of each parameter of the
        distribution in turn (all locs, then all scales).

    Raises:
        ValueError: If `image_shape` is not such a shape, there is no size or one below 1, or `output_size` is not a
            multiple of the size of the event.
    """
    shape = image_shape_of(image_shape)
    filters = positive_sizes(filters, "filters", can_be_empty=False)
    num_parameters, num_axes = num_parameters_of(output_size, shape), len(shape) - 1
    layers = first_layers(shape, len(filters), filters[0], activation)
    layers += [doubling(num_axes, size, activation) for size in [*filters[1:], filters[-1]]]
    return keras.Sequential([*layers, *last_layers(shape, len(filters), num_parameters)], name=name)
