"""Convolutional encoder and decoder for images of any size."""

from collections.abc import Sequence

import keras

from tfvae.networks._checks import image_shape_of, positive_size, positive_sizes

_KERNEL_SIZE = 4  # a multiple of the stride, to avoid checkerboard artifacts


def conv_encoder(
    output_size: int, filters: Sequence[int] = (32, 64), activation: str = "relu", *, name: str | None = None
) -> keras.Sequential:
    """Creates a convolutional network that halves an image once per entry of `filters`, and maps it to parameters.

    Args:
        output_size: Number of outputs, `params_size(...)` of the next distribution layer.
        filters: Number of channels after each halving.
        activation: Activation of the convolutions.
        name: Name of the model.

    Returns:
        A model from `[B, height, width, channels]` to `[B, output_size]`.

    Raises:
        ValueError: If a size is below 1.
    """
    filters = positive_sizes(filters, "filters")
    output_size = positive_size(output_size, "output_size")
    convolutions = [
        keras.layers.Conv2D(size, _KERNEL_SIZE, strides=2, padding="same", activation=activation) for size in filters
    ]
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

    The image is cropped, so any height and width is possible.

    Args:
        image_shape: Shape of one event, `(height, width, channels)`.
        output_size: Number of outputs, `params_size(image_shape)` of the next distribution layer. It must be a multiple
            of the size of the event.
        filters: Number of channels before each doubling.
        activation: Activation of the convolutions.
        name: Name of the model.

    Returns:
        A model from `[B, D]` to `[B, output_size]`. The output contains the flattened image of each parameter of the
        distribution in turn (all locs, then all scales).

    Raises:
        ValueError: If `image_shape` is not the shape of an image, a size is below 1, or `output_size` is not a multiple
            of the size of the event.
    """
    height, width, channels = image_shape_of(image_shape)
    filters = positive_sizes(filters, "filters")
    num_parameters, rest = divmod(int(output_size), height * width * channels)
    if rest or num_parameters < 1:
        raise ValueError(
            f"`output_size` must be a multiple of the {height * width * channels} values in an image of shape "
            f"{(height, width, channels)}. Use params_size(image_shape) of the distribution layer. "
            f"Received: output_size={output_size}"
        )
    # The smallest image that covers the target after len(filters) doublings; the excess is cropped at the end.
    scale = 2 ** len(filters)
    small_height, small_width = -(-height // scale), -(-width // scale)
    extra_height, extra_width = small_height * scale - height, small_width * scale - width
    layers = [
        keras.layers.Dense(small_height * small_width * filters[0], activation=activation),
        keras.layers.Reshape((small_height, small_width, filters[0])),
    ]
    for size in [*filters[1:], filters[-1]]:
        layers.append(
            keras.layers.Conv2DTranspose(size, _KERNEL_SIZE, strides=2, padding="same", activation=activation)
        )
    layers.append(keras.layers.Conv2D(num_parameters * channels, 3, padding="same"))
    if extra_height or extra_width:
        top, left = extra_height // 2, extra_width // 2
        layers.append(keras.layers.Cropping2D(((top, extra_height - top), (left, extra_width - left))))
    if num_parameters > 1:
        layers += [
            keras.layers.Reshape((height, width, num_parameters, channels)),
            keras.layers.Permute((3, 1, 2, 4)),
        ]
    return keras.Sequential([*layers, keras.layers.Flatten()], name=name)
