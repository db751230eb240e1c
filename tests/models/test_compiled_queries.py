"""`vae.compiled`: the numbers of `vae.encode` and `vae.decode`, from any data and after more training."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from class_models import class_vae, vae_of_labels
from conditional_gaussian import exact_vae, sample_data
from small_models import random_bits, small_vae

import tfvae
from tfvae import layers
from tfvae._flat_function import as_input


def assert_encodes(vae, x, **given):
    posterior = vae.encode(x, **given)
    moments = vae.compiled.encode(x, **given)
    np.testing.assert_allclose(moments.mean, posterior.mean(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moments.stddev, posterior.stddev(), rtol=1e-5, atol=1e-6)
    assert isinstance(moments.mean, np.ndarray)
    assert isinstance(moments.stddev, np.ndarray)


def assert_decodes(vae, z, **given):
    mean = vae.compiled.decode(z, **given)
    np.testing.assert_allclose(mean, vae.decode(z, **given).mean(), rtol=1e-5, atol=1e-6)
    assert isinstance(mean, np.ndarray)


@pytest.fixture(scope="module")
def vae():
    return small_vae()


@pytest.mark.parametrize("convert", [lambda x: x, np.float64, tf.constant, np.ndarray.tolist, np.asfortranarray])
def test_one_example_and_batches_of_any_form(vae, convert):
    x, z = random_bits(5, (4, 2)), np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    for rows in (slice(0, 1), slice(3, 4), slice(None), slice(1, 4)):
        assert_encodes(vae, convert(x[rows]))
        assert_decodes(vae, convert(z[rows]))


def test_latents_with_other_leading_axes(vae):
    z = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
    for some in (z, z[:1, :1], z[0, 0], z[:, :0]):
        assert_decodes(vae, some)
    assert vae.compiled.encode(np.zeros((0, 4, 2), "float32")).mean.shape == (0, 2)


def test_programs_read_new_weights():
    vae = small_vae()
    x, z = random_bits(40, (4, 2)), np.ones((1, 2), "float32")
    vae.compile(keras.optimizers.SGD(0.5), jit_compile=False)
    before, decoded = vae.compiled.encode(x[:1]), vae.compiled.decode(z)
    compiled = vae.compiled
    vae.fit(x, batch_size=20, epochs=1, verbose=0)
    assert vae.compiled is compiled
    assert len(compiled._programs) == 2
    assert np.abs(compiled.encode(x[:1]).mean - before.mean).max() > 1e-3
    assert np.abs(compiled.decode(z) - decoded).max() > 1e-3
    assert_encodes(vae, x[:1])
    assert_encodes(vae, x)
    assert_decodes(vae, z)
    assert len(compiled._programs) == 3, "none was traced again"


def test_conditions_of_each_form():
    vae = exact_vae()
    x, c = sample_data(3)
    x, c = x.astype("float32"), c.astype("float32")
    for rows in (slice(0, 1), slice(None)):
        assert_encodes(vae, x[rows], condition=c[rows])
        assert_encodes(vae, {"x": x[rows], "condition": c[rows]})
    assert_encodes(vae, x, condition=c[1])
    z = vae.encode(x, condition=c).mean().numpy()
    assert_decodes(vae, z[:1], condition=c[:1])
    assert_decodes(vae, np.stack([z, 2 * z]), condition=c)
    with pytest.raises(ValueError, match="needs a condition"):
        vae.compiled.encode(x)
    with pytest.raises(ValueError, match="one for each of the 3"):
        vae.compiled.encode(x, condition=c[:2])
    with pytest.raises(ValueError, match="takes no condition"):
        small_vae().compiled.decode(np.zeros((1, 2), "float32"), condition=c[:1])


def test_indices_of_classes():
    vae = class_vae()
    x = np.random.default_rng(0).uniform(size=(2, *vae.event_shape)).astype("float32")
    for label in (1, [1, 0], np.array([2, 2])):
        assert_encodes(vae, x, condition=label)
    with pytest.raises(ValueError, match="one of the"):
        vae.compiled.encode(x, condition=99)


def test_missing_values():
    vae = small_vae(missing="nan")
    x = random_bits(3, (4, 2))
    x[0, 1, 1] = x[2, 0] = np.nan
    assert_encodes(vae, x[:1])
    assert_encodes(vae, x)
    observed = np.random.default_rng(0).uniform(size=x.shape) < 0.5
    assert_encodes(vae, {"x": x, "observed": observed})
    assert_encodes(vae, {"x": x[:1], "observed": observed[:1]})


def test_convolutions():
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [
            keras.layers.Conv2D(3, 3, 2, "same", activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
            layers.MultivariateNormalDiag(2),
        ]
    )
    decoder = keras.Sequential([keras.layers.Dense(64), layers.IndependentBernoulli((8, 8, 1))])
    vae = tfvae.models.VAE(encoder, decoder)
    x = random_bits(2, (8, 8, 1))
    assert_encodes(vae, x[:1])
    assert_encodes(vae, x)


def test_bad_data_have_the_errors_of_the_model(vae):
    for wrong in (np.zeros((1, 3, 2), "float32"), np.zeros((4, 2), "float32"), np.zeros((1, 4, 2), "uint8")):
        with pytest.raises(ValueError, match="x") as expected:
            vae.encode(wrong)
        with pytest.raises(ValueError, match="x") as found:
            vae.compiled.encode(wrong)
        assert str(found.value) == str(expected.value)
    with pytest.raises(ValueError, match="z must have shape"):
        vae.compiled.decode(np.zeros((1, 3), "float32"))
    with pytest.raises(RuntimeError, match=r"inside a tf\.function"):
        tf.function(lambda x: vae.compiled.encode(x).mean)(tf.zeros([1, 4, 2]))


def test_families_without_a_closed_form():
    vae = vae_of_labels(tfvae.estimators.Enumerated())
    x = np.zeros((1, *vae.event_shape), "float32")
    with pytest.raises(ValueError, match="no mean in closed form"):
        vae.compiled.encode(x)
    z = vae.encode(x).sample(seed=(0, 1))
    assert_decodes(vae, z)


def test_what_xla_cannot_compile_runs_as_a_graph(vae):
    @keras.saving.register_keras_serializable("tests")
    class Sorted(keras.layers.Layer):
        def call(self, x):
            return x + tf.cast(tf.size(tf.unique(tf.reshape(x, [-1])).y), x.dtype)

    decoder = keras.Sequential([Sorted(), keras.layers.Dense(8), layers.IndependentBernoulli((4, 2))])
    other = tfvae.models.VAE(vae.encoder, decoder)
    assert_decodes(other, np.ones((1, 2), "float32"))


def test_the_attribute_of_keras_is_a_truth_value():
    vae = small_vae()
    assert not vae.compiled
    with pytest.raises(ValueError, match="compile"):
        vae.fit(random_bits(4, (4, 2)), verbose=0)
    first = vae.compiled
    vae.compile("adam")
    assert vae.compiled
    assert vae.compiled is not first


def test_inputs_are_aligned_copies():
    for array in (
        np.zeros((784, 1), "float32").T,
        np.arange(24.0).reshape(4, 6)[:, 1::2],
        np.array(5),
        np.zeros((0, 3)),
    ):
        tensor = as_input(array)
        np.testing.assert_array_equal(tensor, array)
        assert tensor.dtype.as_numpy_dtype == array.dtype
    x = np.ones((2, 3), "float32")
    x.flags.writeable = False
    tensor = as_input(x)
    x.flags.writeable = True
    x[:] = 2.0
    np.testing.assert_array_equal(tensor, np.ones((2, 3)))
    memories = [np.zeros(100, np.uint8)[start:] for start in range(70)]  # of any alignment
    for memory in memories:
        np.testing.assert_array_equal(tf.linalg.matvec(tf.eye(4), as_input(memory[:16].view("float32"))), np.zeros(4))
