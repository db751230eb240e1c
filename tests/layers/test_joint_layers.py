"""Joint distributions of parts that Keras networks make: densities, draws, shapes and what the networks are given."""

import joint_gaussian as oracle
import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae import layers, priors
from tfvae._kl import exact_kl_or_none
from tfvae.estimators import kl_by_part
from tfvae.layers import DistributionLambda, Joint, MultivariateNormalDiag
from tfvae.layers._coercion import as_distribution

tfd = tfp.distributions
B = 5
H = np.random.default_rng(0).normal(size=(B, 4)).astype("float32")


def network(size, *before):
    dense = keras.layers.Dense(MultivariateNormalDiag.params_size(size), kernel_initializer="random_normal")
    return keras.Sequential([*before, dense, MultivariateNormalDiag(size)])


@pytest.fixture(scope="module")
def layer():
    """q(z1|h) q(z2|h, z1) q(z3|z2), of sizes 2, 3 and 1."""
    keras.utils.set_random_seed(1)
    layer = Joint({"z1": network(2), "z2": network(3), "z3": network(1)}, given={"z3": ["z2"]}, seed=0)
    layer.build((None, 4))
    return layer


def by_hand(layer, h, z):
    """Log q(z|h) of z [B, ...], from the networks themselves."""
    first, second, third = layer.parts.values()
    return (
        first(h).log_prob(z["z1"])
        + second(tf.concat([h, z["z1"]], axis=-1)).log_prob(z["z2"])
        + third(z["z2"]).log_prob(z["z3"])
    )


# Densities and draws -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leading", [[], [2, 3]])
def test_draws_have_leading_axes_and_their_density(layer, leading):
    joint = as_distribution(layer(H))
    assert joint.batch_shape == (B,)
    assert joint.event_shape == layer.event_shape == {"z1": (2,), "z2": (3,), "z3": (1,)}
    z, log_prob = joint.experimental_sample_and_log_prob(leading, seed=(1, 2))
    assert {name: part.shape for name, part in z.items()} == {
        name: (*leading, B, *shape) for name, shape in layer.event_shape.items()
    }
    assert log_prob.shape == (*leading, B)
    np.testing.assert_allclose(joint.log_prob(z), log_prob, rtol=1e-5, atol=1e-5)
    flat = tf.nest.map_structure(lambda part: tf.reshape(part, [-1, part.shape[-1]]), z)
    expected = by_hand(layer, tf.tile(H, [int(np.prod(leading)), 1]), flat)
    np.testing.assert_allclose(tf.reshape(log_prob, [-1]), expected, rtol=1e-5, atol=1e-5)
    tf.nest.map_structure(np.testing.assert_array_equal, joint.sample(leading, seed=(1, 2)), z)
    again = joint.sample_distributions(leading, seed=(1, 2))[1]
    tf.nest.map_structure(np.testing.assert_array_equal, again, z)


def test_draws_broadcast_against_the_batch(layer):
    """As evaluations of the aggregated posterior need it: log q(z_i|x_j)."""
    joint = as_distribution(layer(H))
    z = joint.sample(seed=(1, 2))
    found = joint.log_prob(tf.nest.map_structure(lambda part: part[:3, tf.newaxis], z))  # [3, B]
    assert found.shape == (3, B)
    each = {name: tf.repeat(part[:3], B, axis=0) for name, part in z.items()}  # [3 B, ...]
    expected = by_hand(layer, tf.tile(H, [3, 1]), each)
    np.testing.assert_allclose(tf.reshape(found, [-1]), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("jit_compile", slow_except([False, True], False))
def test_graphs_and_xla_give_the_eager_numbers(layer, jit_compile):
    z = as_distribution(layer(H)).sample(2, seed=(1, 2))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)], jit_compile=jit_compile)
    def compiled(h):
        with tf.GradientTape() as tape:
            joint = as_distribution(layer(h))
            drawn, log_prob = joint.experimental_sample_and_log_prob([2], seed=(1, 2))
            loss = tf.reduce_sum(log_prob) + tf.add_n([tf.reduce_sum(part**2) for part in drawn.values()])
        assert log_prob.shape.rank == 2
        return joint.log_prob(z), tape.gradient(loss, layer.trainable_variables)

    log_prob, gradients = compiled(H)
    assert len(gradients) == 6
    assert all(np.any(gradient != 0.0) for gradient in gradients)
    np.testing.assert_allclose(log_prob, as_distribution(layer(H)).log_prob(z), rtol=1e-5, atol=1e-5)


def test_the_exact_posterior_of_two_layers():
    """Log p(x, z) - log q(z|x) is log p(x) at every z."""
    covariance, model, size = oracle.MODEL.posterior_covariance, oracle.MODEL, oracle.SIZE
    gain = covariance[size:, :size] @ np.linalg.inv(covariance[:size, :size])
    rest = covariance[size:, size:] - gain @ covariance[:size, size:]

    def mean_of(x):
        return oracle._times(model.posterior_weights, x - tf.constant(model.bias, x.dtype))

    def first(x):
        return oracle._normal(mean_of(x)[..., :size], np.linalg.cholesky(covariance[:size, :size]))

    def second(given):
        x, z1 = given[..., : model.data_size], given[..., model.data_size :]
        loc = mean_of(x)[..., size:] + oracle._times(gain, z1 - mean_of(x)[..., :size])
        return oracle._normal(loc + oracle._times(oracle.COUPLING, z1), np.linalg.cholesky(rest))

    def below(z1):
        return oracle._normal(oracle._times(oracle.COUPLING, z1), np.eye(5 - size))

    q = Joint({"z1": DistributionLambda(first), "z2": DistributionLambda(second)}, dtype="float64")
    x = model.data(6, seed=3)
    for part in q.parts.values():
        part.dtype_policy = "float64"
    p = priors.Joint({"z1": oracle.prior().model[0], "z2": DistributionLambda(below, dtype="float64")}, dtype="float64")
    z, log_q = as_distribution(q(x)).experimental_sample_and_log_prob([3], seed=(1, 2))
    log_weights = oracle.generate(z.values()).log_prob(x) + p(z) - log_q
    np.testing.assert_allclose(log_weights, np.broadcast_to(model.log_marginal(x), (3, 6)))


# What the networks are given ---------------------------------------------------------------------------------------


def test_a_functional_model_is_given_what_it_names():
    """By name, as a list, as one tensor: the same numbers."""
    h, z1 = keras.Input((4,), name="inputs"), keras.Input((2,), name="z1")
    last = network(3)
    body = last(keras.layers.Concatenate()([h, z1]))
    only = keras.Input((2,), name="z1")
    layer = Joint(
        {
            "z1": network(2),
            "named": keras.Model({"inputs": h, "z1": z1}, body),
            "listed": keras.Model([h, z1], body),
            "plain": last,
            "only": keras.Model({"z1": only}, network(1)(only)),
            "other": network(2),
        },
        given={"listed": ["z1", "inputs"], "plain": ["inputs", "z1"], "other": ["only"]},
    )
    both = ["inputs", "z1"]
    assert layer.given == {
        **{"z1": ["inputs"], "named": both, "listed": both, "plain": both},
        **{"only": ["z1"], "other": ["only"]},
    }
    distributions, _ = as_distribution(layer(H)).sample_distributions(seed=(0, 1))
    for name in ("listed", "plain"):
        np.testing.assert_array_equal(distributions[name].mean(), distributions["named"].mean())


def test_what_is_not_a_vector_is_flattened():
    layer = Joint({"z1": layers.IndependentNormal((2, 2)), "z2": network(3)})
    z = as_distribution(layer(np.ones((B, 8), "float32"))).sample(7, seed=(0, 1))
    assert z["z1"].shape == (7, B, 2, 2)
    assert layer.parts["z2"].layers[0].kernel.shape == (12, 6)


def test_layers_that_draw_inside_a_conditional_draw_once():
    """The density of a draw is that of the network which drew it, dropout and all; the next call drops others."""
    layer = Joint({"z1": network(2), "z2": network(3, keras.layers.Dropout(0.5))}, seed=0)
    joint, other = (as_distribution(layer(H, training=True)) for _ in range(2))
    z, log_prob = joint.experimental_sample_and_log_prob(seed=(1, 2))
    np.testing.assert_allclose(joint.log_prob(z), log_prob, rtol=1e-5)
    assert np.any(np.abs(other.log_prob(z) - log_prob) > 1e-3)


def test_mixed_precision():
    policy = keras.DTypePolicy("mixed_float16")
    dense = keras.layers.Dense(4, dtype=policy)
    layer = Joint({"z1": network(2), "z2": keras.Sequential([dense, network(3)])}, dtype=policy)
    z, log_prob = as_distribution(layer(H.astype("float16"))).experimental_sample_and_log_prob(seed=(1, 2))
    assert {part.dtype for part in z.values()} == {tf.float32} == {log_prob.dtype}


# In Keras ----------------------------------------------------------------------------------------------------------


def test_in_models_and_configurations(layer):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 1)  # a draw of z3
    z = as_distribution(layer(H)).sample(seed=(1, 2))
    copy = Joint.from_config(layer.get_config())
    copy.build((None, 4))
    copy.set_weights(layer.get_weights())
    assert copy.given == layer.given
    for same in (model(H), copy(H)):
        np.testing.assert_allclose(same.log_prob(z), layer(H).log_prob(z), rtol=1e-6)


def test_exact_kl_of_independent_parts():
    q = Joint({"z2": network(3), "z1": network(2)}, given={"z1": ["inputs"]})
    p = priors.Joint({"z1": priors.Normal(2), "z2": tfd.MultivariateNormalDiag(tf.zeros(3), 2.0 * tf.ones(3))})
    joint, prior = as_distribution(q(H)), p.distribution()
    parts = kl_by_part(joint, prior, joint.sample(2, seed=(0, 1)))
    np.testing.assert_allclose(sum(parts.values()), np.broadcast_to(exact_kl_or_none(joint, prior), (2, B)), rtol=1e-5)


def test_a_prior_is_one_distribution():
    prior = priors.Joint({"b": priors.StandardNormal(2), "a": network(3, keras.layers.Dropout(0.9))})
    assert prior.event_shape == {"b": (2,), "a": (3,)}
    distribution = prior.distribution()
    assert distribution.batch_shape == ()
    z = distribution.sample([4, 2], seed=(0, 1))
    np.testing.assert_array_equal(prior(z), prior(z))
    assert prior(z).shape == (4, 2)
    same = priors.Joint.from_config(prior.get_config())
    same.set_weights(prior.get_weights())
    np.testing.assert_allclose(same(z), prior(z), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Joint({}), ValueError, "at least one part"),
        (lambda: Joint({"inputs": network(2)}), ValueError, r"names other than 'inputs'.*Received: name='inputs'"),
        (lambda: Joint({"a": lambda h: h}), TypeError, r"Part 'a'.*must be a Keras layer"),
        (lambda: Joint({"a": keras.layers.Dense(2)}), TypeError, "conditional must end in a distribution layer"),
        (lambda: Joint({"a": network(2)}, {"b": []}), ValueError, r"does not have: \['b'\]"),
        (
            lambda: Joint({"a": network(2), "b": network(2)}, {"a": ["b"]}),
            ValueError,
            r"'a'.*can be given \['inputs'\]",
        ),
        (lambda: Joint({"a": network(2)}, {"a": []}), ValueError, "given nothing"),
        (lambda: Joint({"a": priors.StandardNormal(2)}), ValueError, "is a prior, which depends on nothing"),
        (lambda: Joint({"a": network(2, keras.layers.BatchNormalization())}), ValueError, "depends on other draws"),
        (lambda: Joint({"a": network(2, keras.layers.Dense(2, activity_regularizer="l2"))}), ValueError, "count once"),
        (lambda: Joint({"a": MultivariateNormalDiag(2, activity_regularizer="l2")}), ValueError, "count once"),
        (lambda: priors.Joint({"a": network(2)}), ValueError, r"given nothing.*StandardNormal"),
        (lambda: priors.Joint({"a": 3}), TypeError, "A prior must be a layer of tfvae.priors or a TFP distribution"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
