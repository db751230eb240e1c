"""Layers of convolutional networks for events with 1 to 3 spatial axes and channels."""

import math
from collections.abc import Sequence
from typing import Any

import keras

_KERNEL_SIZE = 4  # a multiple of the stride, to avoid checkerboard artifacts
_LAST_KERNEL_SIZE = 3

_CONVOLUTIONS = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
_TRANSPOSED_CONVOLUTIONS = {
    1: keras.layers.Conv1DTranspose,
    2: keras.layers.Conv2DTranspose,
    3: keras.layers.Conv3DTranspose,
}
_CROPPINGS = {1: keras.layers.Cropping1D, 2: keras.layers.Cropping2D, 3: keras.layers.Cropping3D}


def spatial_axes(num_axes: int) -> int:
    """Returns the number of spatial axes.

    Raises:
        ValueError: If it is not 1, 2 or 3.
    """
    if num_axes not in _CONVOLUTIONS:
        raise ValueError(f"`num_axes` must be 1, 2 or 3. Received: num_axes={num_axes!r}")
    return int(num_axes)


def image_shape_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Returns the shape of an event with 1 to 3 spatial axes and channels.

    Raises:
        ValueError: If it is not such a shape.
    """
    if len(shape) - 1 not in _CONVOLUTIONS or any(size < 1 for size in shape):
        raise ValueError(
            "A convolutional network requires an image shape: (length, channels), (height, width, channels) or "
            "(depth, height, width, channels). Use networks.mlp for other data. "
            f"Received: image_shape={tuple(shape)}"
        )
    return tuple(int(size) for size in shape)


def num_parameters_of(output_size: int, shape: tuple[int, ...]) -> int:
    """Returns the number of parameters that a distribution has for each value of an event.

    Raises:
        ValueError: If `output_size` is not a multiple of the size of the event.
    """
    num_parameters, rest = divmod(int(output_size), math.prod(shape))
    if rest or num_parameters < 1:
        raise ValueError(
            f"`output_size` must be a multiple of the {math.prod(shape)} values in an image of shape {shape}. Use "
            f"params_size(image_shape) of the distribution layer. Received: output_size={output_size}"
        )
    return num_parameters


def convolution(num_axes: int, filters: int, kernel_size: int, dtype: Any = None) -> keras.layers.Layer:
    """Creates a convolution that keeps the size of each spatial axis."""
    return _CONVOLUTIONS[num_axes](filters, kernel_size, padding="same", dtype=dtype)


def halving(num_axes: int, filters: int, activation: str | None = None) -> keras.layers.Layer:
    """Creates a convolution that halves each spatial axis."""
    return _CONVOLUTIONS[num_axes](filters, _KERNEL_SIZE, strides=2, padding="same", activation=activation)


def doubling(num_axes: int, filters: int, activation: str | None = None) -> keras.layers.Layer:
    """Creates a transposed convolution that doubles each spatial axis."""
    return _TRANSPOSED_CONVOLUTIONS[num_axes](filters, _KERNEL_SIZE, strides=2, padding="same", activation=activation)


def first_layers(
    shape: tuple[int, ...], num_doublings: int, filters: int, activation: str | None = None
) -> list[keras.layers.Layer]:
    """Creates the layers from latents to the smallest image that covers an event after some doublings."""
    small = _smallest(shape[:-1], num_doublings)
    return [
        keras.layers.Dense(math.prod(small) * filters, activation=activation),
        keras.layers.Reshape((*small, filters)),
    ]


def last_layers(shape: tuple[int, ...], num_doublings: int, num_parameters: int) -> list[keras.layers.Layer]:
    """Creates the layers from the doubled image to parameters: the flattened event of each parameter in turn."""
    *spatial, channels = shape
    num_axes = len(spatial)
    layers = [convolution(num_axes, num_parameters * channels, _LAST_KERNEL_SIZE)]
    small = _smallest(spatial, num_doublings)
    extra = [few * 2**num_doublings - size for few, size in zip(small, spatial, strict=True)]
    if any(extra):
        cropping = tuple((each // 2, each - each // 2) for each in extra)
        layers.append(_CROPPINGS[num_axes](cropping if num_axes > 1 else cropping[0]))
    if num_parameters > 1:
        axes = range(1, num_axes + 1)
        layers += [
            keras.layers.Reshape((*spatial, num_parameters, channels)),
            keras.layers.Permute((num_axes + 1, *axes, num_axes + 2)),
        ]
    return [*layers, keras.layers.Flatten()]


def _smallest(spatial: Sequence[int], num_doublings: int) -> tuple[int, ...]:
    return tuple(-(-size // 2**num_doublings) for size in spatial)
