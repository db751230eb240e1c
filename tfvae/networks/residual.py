"""Residual networks for images, series and volumes, and for vectors."""

import itertools
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
from tfvae.networks.residual_block import ResidualBlock, known_normalization, normalized


def residual_encoder(
    output_size: int,
    filters: Sequence[int] = (32, 64),
    num_blocks: int = 1,
    normalization: str = "group",
    activation: str = "swish",
    *,
    num_axes: int = 2,
    name: str | None = None,
) -> keras.Sequential:
    """Creates a residual network that halves an image once per entry of `filters`, and maps it to parameters.

    Args:
        output_size: Number of outputs, `params_size(...)` of the next distribution layer.
        filters: Number of channels after each halving.
        num_blocks: Number of residual blocks after each halving.
        normalization: Normalisation before each convolution of a block: "layer", "group" or "none", as in
            `ResidualBlock`.
        activation: Activation after each normalisation.
        num_axes: Number of spatial axes: 1 for series, 2 for images, 3 for volumes.
        name: Name of the model.

    Returns:
        A model from `[B, length, channels]`, `[B, height, width, channels]` or `[B, depth, height, width, channels]` to
        `[B, output_size]`. Its last layer is dense, without normalisation after it.

    Raises:
        ValueError: If there is no size or one below 1, the normalisation is unknown, or `num_axes` is not 1, 2 or 3.

    References:
        He, Zhang, Ren & Sun, Identity Mappings in Deep Residual Networks, 2016, arXiv 1603.05027.
    """
    filters = positive_sizes(filters, "filters", can_be_empty=False)
    output_size, num_blocks = positive_size(output_size, "output_size"), positive_size(num_blocks, "num_blocks")
    normalization, num_axes = known_normalization(normalization), spatial_axes(num_axes)
    layers = []
    for size in filters:
        layers += [halving(num_axes, size), *_blocks(num_blocks, normalization, activation)]
    layers += normalized(normalization, activation, filters[-1])
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(output_size)], name=name)


def residual_decoder(
    image_shape: Sequence[int],
    output_size: int,
    filters: Sequence[int] = (64, 32),
    num_blocks: int = 1,
    normalization: str = "group",
    activation: str = "swish",
    *,
    name: str | None = None,
) -> keras.Sequential:
    """Creates a residual network that maps latents to a small image, and doubles it once per entry of `filters`.

    The image is cropped, so any size is possible.

    Args:
        image_shape: Shape of one event: `(length, channels)`, `(height, width, channels)` or `(depth, height, width,
            channels)`.
        output_size: Number of outputs, `params_size(image_shape)` of the next distribution layer. It must be a multiple
            of the size of the event.
        filters: Number of channels before each doubling.
        num_blocks: Number of residual blocks before each doubling.
        normalization: Normalisation before each convolution of a block: "layer", "group" or "none", as in
            `ResidualBlock`.
        activation: Activation after each normalisation.
        name: Name of the model.

    Returns:
        A model from `[B, D]` to `[B, output_size]`. The output contains the flattened image of each parameter of the
        distribution in turn (all locs, then all scales), without normalisation after the last convolution.

    Raises:
        ValueError: If `image_shape` is not such a shape, there is no size or one below 1, the normalisation is
            unknown, or
            `output_size` is not a multiple of the size of the event.

    References:
        He, Zhang, Ren & Sun, Identity Mappings in Deep Residual Networks, 2016, arXiv 1603.05027.
    """
    shape = image_shape_of(image_shape)
    filters = positive_sizes(filters, "filters", can_be_empty=False)
    num_blocks, normalization = positive_size(num_blocks, "num_blocks"), known_normalization(normalization)
    num_parameters, num_axes = num_parameters_of(output_size, shape), len(shape) - 1
    layers = first_layers(shape, len(filters), filters[0])
    for size in [*filters[1:], filters[-1]]:
        layers += [*_blocks(num_blocks, normalization, activation), doubling(num_axes, size)]
    layers += normalized(normalization, activation, filters[-1])
    return keras.Sequential([*layers, *last_layers(shape, len(filters), num_parameters)], name=name)


def residual_mlp(
    output_size: int,
    hidden: Sequence[int] = (256, 256),
    normalization: str = "layer",
    activation: str = "swish",
    *,
    name: str | None = None,
) -> keras.Sequential:
    """Creates a fully connected residual network for vectors, such as the rows of a table.

    Args:
        output_size: Number of outputs, `params_size(...)` of the next distribution layer.
        hidden: Number of units of each residual block. A dense layer comes before the first block, and where the
            number changes.
        normalization: Normalisation before each dense layer of a block: "layer", "group" or "none", as in
            `ResidualBlock`.
        activation: Activation after each normalisation.
        name: Name of the model.

    Returns:
        A model from `[B, *event]`, which it flattens, to `[B, output_size]`. Its last layer is dense, without
        normalisation after it.

    Raises:
        ValueError: If there is no size or one below 1, or the normalisation is unknown.

    References:
        He, Zhang, Ren & Sun, Identity Mappings in Deep Residual Networks, 2016, arXiv 1603.05027.
    """
    hidden = positive_sizes(hidden, "hidden", can_be_empty=False)
    output_size, normalization = positive_size(output_size, "output_size"), known_normalization(normalization)
    layers = [keras.layers.Flatten()]
    for before, size in itertools.pairwise([None, *hidden]):
        layers += [] if size == before else [keras.layers.Dense(size)]
        layers += _blocks(1, normalization, activation)
    layers += normalized(normalization, activation, hidden[-1])
    return keras.Sequential([*layers, keras.layers.Dense(output_size)], name=name)


def _blocks(number: int, normalization: str, activation: str) -> list[keras.layers.Layer]:
    return [ResidualBlock(normalization, activation) for _ in range(number)]
