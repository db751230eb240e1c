"""Flows of each kind follow a posterior on a ring, which a normal cannot: KL(q || p(z|x)) against quadrature."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from slow import slow_except

from tfvae import flows
from tfvae.layers import MultivariateNormalDiag, NormalizingFlow

tfd = tfp.distributions
# x = |z|^2 + noise with z in the plane is 4.
OBSERVED, NOISE = 4.0, 0.5
# KL of the best diagonal normal, which covers one arc, in nats; and by how much less every flow has to have.
BEST_OF_NORMAL, MARGIN = 2.0, 0.5
TRANSFORMS = {
    "planar": lambda: [flows.Planar() for _ in range(4)],
    "radial": lambda: [flows.Radial() for _ in range(2)],
    "inverse autoregressive": lambda: [flows.InverseAutoregressive((16,), input_order=order) for order in ORDERS],
    "coupling": lambda: [flows.Coupling((16,), input_order=order) for order in 2 * ORDERS],
    "spline": lambda: [flows.Spline((16,), input_order=order) for order in ORDERS],
    "sylvester": lambda: [flows.Sylvester(2) for _ in range(2)],
}
ORDERS = ("left-to-right", "right-to-left")
NUM_STEPS, BATCH, RATE = 1000, 64, 0.05


def log_joint(z):
    squared = tf.reduce_sum(z**2, axis=-1)
    prior = tfd.MultivariateNormalDiag(tf.zeros(2, z.dtype), [1.0, 1.0])
    return prior.log_prob(z) + tfd.Normal(squared, tf.constant(NOISE, z.dtype)).log_prob(OBSERVED)


def log_evidence():
    """log p(x) by the trapezoidal rule, exact to rounding for a smooth density that vanishes at the border."""
    axis = np.linspace(-5.0, 5.0, 1001)
    z = np.stack(np.meshgrid(axis, axis), axis=-1)
    return float(tf.reduce_logsumexp(log_joint(tf.constant(z)))) + 2 * np.log(axis[1] - axis[0])


def divergence(transforms):
    """KL(q || p(z|x)) in nats of a q without an encoder, after training its parameters."""
    keras.utils.set_random_seed(0)
    rng, flow = np.random.default_rng(0), None
    start = [np.zeros(4), *[transform.initial_parameters(2, rng) for transform in transforms]]
    raw = keras.Variable(np.concatenate(start), name="raw")
    if transforms:
        flow = NormalizingFlow(2, transforms)
        flow.build((None, flow.parameters_size))
    weights = [raw, *([] if flow is None else flow.trainable_variables)]
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, NUM_STEPS))
    optimizer.build(weights)

    def elbo(number, seed):
        q = MultivariateNormalDiag.new(raw.value, 2) if flow is None else flow.make_distribution(raw.value)
        z, log_q = q.experimental_sample_and_log_prob(number, seed=seed)
        return tf.reduce_mean(log_joint(z) - log_q)

    @tf.function(jit_compile=True)
    def fit():
        for step in tf.range(NUM_STEPS):
            with tf.GradientTape() as tape:
                loss = -elbo(BATCH, tf.stack([step, 1]))
            optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return elbo(10_000, (0, 2))

    return log_evidence() - float(fit())


@pytest.mark.parametrize("kind", slow_except(TRANSFORMS))
def test_flow_beats_the_diagonal_on_a_ring(kind):
    assert divergence(TRANSFORMS[kind]()) < BEST_OF_NORMAL - MARGIN


@pytest.mark.slow
def test_divergence_of_the_best_normal():
    assert divergence([]) == pytest.approx(BEST_OF_NORMAL, abs=0.05)


def test_every_transform_is_on_the_ring():
    classes = {type(transform) for make in TRANSFORMS.values() for transform in make()}
    assert classes == {getattr(flows, name) for name in flows.__all__} - {flows.Reverse, flows.Transform}
