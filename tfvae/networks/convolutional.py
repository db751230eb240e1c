"""A convolutional pair for images of any size."""

from collections.abc import Sequence

import keras

from tfvae.networks._checks import image_shape_of, positive_sizes

_KERNEL_SIZE = 4  # a multiple of the stride, so that every pixel is covered equally often (no checkerboard)


def conv_encoder(
    output_size: int, filters: Sequence[int] = (32, 64), activation: str = "relu", *, name: str | None = None
) -> keras.Sequential:
    """Halves an image once for each entry of `filters`, then maps it to parameters.

    Args:
        output_size: `params_size(...)` of the distribution layer that follows.
        filters: channels after each halving.
        activation: activation of the convolutions.
        name: name of the model.

    Returns:
        A model from `[B, height, width, channels]` to `[B, output_size]`.

    Raises:
        ValueError: for a size below 1.
    """
    filters = positive_sizes(filters, "Filters")
    (output_size,) = positive_sizes([output_size], "Output sizes")
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
    """Maps latents to a small image and doubles it once for each entry of `filters`, up to any height and width.

    Args:
        image_shape: `(height, width, channels)` of one event.
        output_size: `params_size(image_shape)` of the distribution layer that follows: a multiple of the event's size.
        filters: channels before each doubling.
        activation: activation of the convolutions.
        name: name of the model.

    Returns:
        A model from `[B, D]` to `[B, output_size]`: for each parameter of the distribution in turn (all locs, then all
        scales), the flattened image.

    Raises:
        ValueError: for data that are not images, a size below 1, or an output size that is no multiple.
    """
    height, width, channels = image_shape_of(image_shape)
    filters = positive_sizes(filters, "Filters")
    num_parameters, rest = divmod(int(output_size), height * width * channels)
    if rest or num_parameters < 1:
        raise ValueError(
            f"output_size must be a multiple of the {height * width * channels} numbers in an image of shape "
            f"{(height, width, channels)}: pass params_size(image_shape) of the distribution layer. "
            f"Received: {output_size}."
        )
    # The smallest image that, doubled len(filters) times, covers the target; the rest is cropped at the end.
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
