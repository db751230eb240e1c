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
        (lambda: networks.conv_decoder((28, 28), 784), r"networks\.mlp.*image_shape=\(28, 28\)"),
        (lambda: networks.conv_decoder((4, 4, 1), 17), "multiple of the 16"),
        (lambda: networks.conv_encoder(4, (0,)), "`filters` must contain only integers"),
    ],
)
def test_bad_sizes_are_one_clear_error(build, message):
    with pytest.raises(ValueError, match=message):
        build()
