"""The network builders: shapes for any image size, and the order of the parameters they emit."""

import keras
import numpy as np
import pytest

from tfvae import layers, networks


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 20, 1), (7, 9, 2), (1, 1, 1), (32, 32, 3), (5, 64, 1)])
@pytest.mark.parametrize("likelihood", [layers.IndependentBernoulli, layers.IndependentNormal])
def test_conv_pair_takes_images_of_any_size(shape, likelihood):
    encoder = networks.conv_encoder(6, (4, 8))
    decoder = networks.conv_decoder(shape, likelihood.params_size(shape), (8, 4))
    images = np.zeros((3, *shape), "float32")
    assert encoder(images).shape == (3, 6)
    assert decoder(np.zeros((3, 2), "float32")).shape == (3, likelihood.params_size(shape))


@pytest.mark.parametrize("shape", [(9, 2), (3, 4, 5, 1)])
def test_conv_pair_takes_series_and_volumes(shape):
    keras.utils.set_random_seed(0)
    encoder = networks.conv_encoder(6, (2, 3), num_axes=len(shape) - 1)
    decoder = networks.conv_decoder(shape, 2 * np.prod(shape), (3, 2))
    assert encoder(np.zeros((2, *shape), "float32")).shape == (2, 6)
    z = np.ones((2, 2), "float32")
    assert decoder(z).shape == (2, 2 * np.prod(shape))
    last = max(i for i, layer in enumerate(decoder.layers) if getattr(layer, "bias", None) is not None)
    image = keras.Sequential(decoder.layers[: last + 2])(z)  # the last convolution and the cropping
    assert image.shape == (2, *shape[:-1], 2 * shape[-1])
    locs, scales = np.split(np.asarray(image), 2, axis=-1)
    np.testing.assert_array_equal(decoder(z), np.concatenate([locs.reshape(2, -1), scales.reshape(2, -1)], axis=1))


def test_conv_pair_of_images_has_the_layers_and_weights_of_earlier_versions():
    def same(filters, kernel_size, cls=keras.layers.Conv2D, **kwargs):
        return cls(filters, kernel_size, padding="same", **kwargs)

    halves, relu, transposed = {"strides": 2}, {"activation": "relu"}, keras.layers.Conv2DTranspose
    keras.utils.set_random_seed(3)
    found = [networks.conv_encoder(6, (4, 8)), networks.conv_decoder((9, 7, 2), 2 * 9 * 7 * 2, (8, 4))]
    encoder_input, decoder_input = np.random.default_rng(0).normal(size=(2, 9, 7, 2)), np.ones((2, 3))
    outputs = [found[0](encoder_input), found[1](decoder_input)]
    keras.utils.set_random_seed(3)
    expected = [
        keras.Sequential(
            [
                *(same(size, 4, **halves, **relu) for size in (4, 8)),
                keras.layers.Flatten(),
                keras.layers.Dense(6),
            ]
        ),
        keras.Sequential(
            [
                keras.layers.Dense(3 * 2 * 8, **relu),
                keras.layers.Reshape((3, 2, 8)),
                same(4, 4, transposed, **halves, **relu),
                same(4, 4, transposed, **halves, **relu),
                same(4, 3),
                keras.layers.Cropping2D(((1, 2), (0, 1))),
                keras.layers.Reshape((9, 7, 2, 2)),
                keras.layers.Permute((3, 1, 2, 4)),
                keras.layers.Flatten(),
            ]
        ),
    ]
    for model, reference, x, output in zip(found, expected, (encoder_input, decoder_input), outputs, strict=True):
        np.testing.assert_array_equal(output, reference(x))
        for layer, before in zip(model.layers, reference.layers, strict=True):
            assert type(layer) is type(before)
            assert layer.name.rstrip("_0123456789") == before.name.rstrip("_0123456789")
        for weight, before in zip(model.weights, reference.weights, strict=True):
            np.testing.assert_array_equal(weight, before)


def test_conv_decoder_emits_all_locs_then_all_scales():
    shape = (5, 6, 2)
    decoder = networks.conv_decoder(shape, layers.IndependentNormal.params_size(shape), (4, 3))
    decoder.build((None, 2))
    *_, kernel, bias = decoder.weights
    kernel.assign(np.zeros(kernel.shape))
    bias.assign([1.0, 2.0, 30.0, 40.0])  # loc of channel 0 and 1, raw scale of channel 0 and 1
    distribution = layers.IndependentNormal.new(decoder(np.zeros((1, 2), "float32")), shape)
    np.testing.assert_array_equal(distribution.mean()[0, ..., 0], np.full((5, 6), 1.0))
    np.testing.assert_array_equal(distribution.mean()[0, ..., 1], np.full((5, 6), 2.0))
    np.testing.assert_allclose(distribution.stddev()[0, ..., 1], np.full((5, 6), 40.0), rtol=1e-6)


def test_conv_decoder_keeps_pixels_in_their_places():
    # The event shape that the likelihood reshapes to is the image that the last convolution made.
    shape = (3, 5, 1)
    decoder = networks.conv_decoder(shape, 15, (4,))
    decoder.build((None, 2))
    image_model = keras.Sequential(decoder.layers[:-1])
    z = np.random.default_rng(0).normal(size=(2, 2)).astype("float32")
    np.testing.assert_allclose(np.reshape(decoder(z), (2, *shape)), image_model(z), rtol=1e-6)


def test_mlp_flattens_and_has_the_hidden_layers_asked_for():
    model = networks.mlp(7, (11, 5))
    assert model(np.zeros((2, 3, 4), "float32")).shape == (2, 7)
    assert [layer.units for layer in model.layers[1:]] == [11, 5, 7]
    assert model.layers[1].activation is keras.activations.tanh


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: networks.mlp(0), "`output_size` must be an integer of at least 1"),
        (lambda: networks.mlp(3, (5, 0)), r"`hidden` must contain only integers .* hidden=\[5, 0\]"),
        (lambda: networks.conv_decoder((784,), 784), r"networks\.mlp.*image_shape=\(784,\)"),
        (lambda: networks.conv_decoder((2,) * 5, 32), r"image_shape=\(2, 2, 2, 2, 2\)"),
        (lambda: networks.conv_decoder((4, 4, 1), 16, ()), "`filters` must contain at least one size"),
        (lambda: networks.conv_encoder(4, num_axes=0), "`num_axes` must be 1, 2 or 3. Received: num_axes=0"),
        (lambda: networks.conv_decoder((4, 4, 1), 17), "multiple of the 16"),
        (lambda: networks.conv_encoder(4, (0,)), "`filters` must contain only integers"),
    ],
)
def test_bad_sizes_are_one_clear_error(build, message):
    with pytest.raises(ValueError, match=message):
        build()
