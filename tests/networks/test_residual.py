"""Residual networks: what a block computes, the shapes of 1 to 3 axes, and training under XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import layers, networks
from tfvae._dtype_policy import dtype_policy
from tfvae.models import VAE
from tfvae.networks.residual_block import normalized


def normalised_by_hand(x, num_groups):
    """x `[B, channels]`, each group of channels with mean zero and variance one."""
    groups = np.reshape(x, (len(x), num_groups, -1))
    groups = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(groups.var(-1, keepdims=True) + 1e-3)
    return groups.reshape(x.shape)


@pytest.mark.parametrize(("normalization", "num_groups"), [("layer", 1), ("group", 2), ("none", None)])
def test_a_block_adds_two_normalised_and_activated_layers_to_its_input(normalization, num_groups):
    block = networks.ResidualBlock(normalization, "tanh")
    x = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    found = block(x)
    rng = np.random.default_rng(1)
    expected = x
    for dense in (layer for layer in block.branch if isinstance(layer, keras.layers.Dense)):
        kernel, bias = rng.normal(size=(8, 8)), rng.normal(size=8)
        dense.kernel.assign(kernel)
        dense.bias.assign(bias)
        before = expected if num_groups is None else normalised_by_hand(expected, num_groups)
        expected = np.tanh(before) @ kernel + bias
    assert not np.allclose(found, x + expected)
    np.testing.assert_allclose(block(x), x + expected, rtol=1e-4, atol=1e-4)


def test_groups_have_at_least_four_channels_of_the_same_number():
    found = {size: normalized("group", "relu", size)[0].groups for size in (1, 3, 7, 8, 12, 18, 32, 64)}
    assert found == {1: 1, 3: 1, 7: 1, 8: 2, 12: 3, 18: 3, 32: 8, 64: 8}


@pytest.mark.parametrize(("shape", "normalization"), [((9, 2), "none"), ((7, 5, 1), "layer"), ((3, 4, 5, 2), "group")])
def test_the_pair_takes_events_with_one_to_three_axes(shape, normalization):
    num_axes = len(shape) - 1
    encoder = networks.residual_encoder(6, (8,), num_axes, normalization, num_axes=num_axes)
    decoder = networks.residual_decoder(shape, 2 * np.prod(shape), (8,), 1, normalization)
    assert encoder(np.ones((2, *shape), "float32")).shape == (2, 6)
    assert decoder(np.ones((2, 4), "float32")).shape == (2, 2 * np.prod(shape))
    assert sum(isinstance(layer, networks.ResidualBlock) for layer in encoder.layers) == num_axes
    for network, outputs in ((encoder, 6), (decoder, 2 * shape[-1])):
        with_bias = [layer for layer in network.layers if getattr(layer, "bias", None) is not None]
        assert with_bias[-1].bias.shape == (outputs,)  # what the initial weights depend on
        after = network.layers[network.layers.index(with_bias[-1]) + 1 :]
        assert not any(layer.weights for layer in after)


def test_residual_mlp_has_a_dense_layer_where_the_number_of_units_changes():
    model = networks.residual_mlp(7, (5, 5, 3), "none")
    assert model(np.ones((2, 3, 4), "float32")).shape == (2, 7)
    dense, block = keras.layers.Dense, networks.ResidualBlock
    kinds = [type(layer) for layer in model.layers[1:]]
    assert kinds == [dense, block, block, dense, block, keras.layers.Activation, dense]
    assert [layer.units for layer in model.layers if isinstance(layer, dense)] == [5, 3, 7]


def test_it_is_saved_in_safe_mode_with_its_precision(tmp_path):
    with dtype_policy("mixed_float16"):
        model = networks.residual_encoder(3, (8,), num_axes=1)
        x = np.random.default_rng(0).normal(size=(2, 6, 2)).astype("float32")
        expected = model(x)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert expected.dtype == "float16"
    np.testing.assert_array_equal(loaded(x), expected)


@pytest.mark.slow
def test_gradients_of_residual_and_gated_layers_under_xla_are_those_without():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([networks.ResidualBlock("group"), networks.GatedDense(4), networks.ResidualBlock("layer")])

    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(model(x)))
        return tape.gradient(loss, model.trainable_variables)

    x = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    model.build(x.shape)
    signature = [tf.TensorSpec((None, 8), tf.float32)]  # of the last, smaller batch too
    expected, compiled = gradients(x), tf.function(gradients, signature, jit_compile=True)
    for gradient, before in zip(compiled(x), expected, strict=True):
        np.testing.assert_allclose(gradient, before, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(5, 2), (4, 3, 1), (2, 3, 3, 1)])
def test_a_vae_of_residual_networks_trains_under_xla(shape):
    keras.utils.set_random_seed(0)
    posterior, likelihood = layers.MultivariateNormalDiag, layers.IndependentBernoulli
    encoder = networks.residual_encoder(posterior.params_size(2), (8,), activation="tanh", num_axes=len(shape) - 1)
    decoder = networks.residual_decoder(shape, likelihood.params_size(shape), (4,), 1, "layer", "tanh")
    vae = VAE(keras.Sequential([encoder, posterior(2)]), keras.Sequential([decoder, likelihood(shape)]), seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), jit_compile=True)
    x = tf.cast(np.random.default_rng(0).integers(0, 2, (8, *shape)), tf.float32)
    vae.build((None, *shape))
    before = [np.asarray(weight) for weight in vae.trainable_variables]
    logs = vae.fit(x, batch_size=8, epochs=1, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert all(np.any(a != np.asarray(b)) for a, b in zip(before, vae.trainable_variables, strict=True))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: networks.residual_encoder(3, normalization="batch"), "`normalization` .*'layer', 'group', 'none'"),
        (lambda: networks.residual_encoder(3, num_axes=4), "`num_axes` must be 1, 2 or 3. Received: num_axes=4"),
        (lambda: networks.residual_encoder(3, num_blocks=0), "`num_blocks` must be an integer of at least 1"),
        (lambda: networks.residual_decoder((4,), 8), r"networks\.mlp.*image_shape=\(4,\)"),
        (lambda: networks.residual_mlp(3, ()), "`hidden` must contain at least one size"),
        (lambda: networks.ResidualBlock()(np.zeros((1, 1, 1, 1, 1, 4))), "`num_axes` must be 1, 2 or 3"),
    ],
)
def test_bad_arguments_are_one_clear_error(build, message):
    with pytest.raises(ValueError, match=message):
        build()
