"""Estimators that score fixed draws invert a flow: their gradients against those of the forward pass."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import flows
from tfvae._seeds import split_seed
from tfvae.estimators import Problem, StickingTheLanding
from tfvae.layers import NormalizingFlow

tfd = tfp.distributions
D, B = 3, 4
SEED = (3, 4)
X = tf.constant(np.random.default_rng(1).normal(size=(B, D)))
PRIOR = tfd.MultivariateNormalDiag(tf.zeros(D, tf.float64), [1.0, 0.5, 2.0])


def generate(z):
    return tfd.MultivariateNormalDiag(tf.sinh(z), tf.fill([D], tf.constant(0.7, tf.float64)))


def test_gradients_along_fixed_draws():
    """d log q(z) / dz is also J^-T d/du [log q(u) - log |det J|] with J = dz/du, which needs no inverse."""
    layer = NormalizingFlow(D, [flows.Planar(), flows.Radial(), flows.Sylvester(2)], dtype="float64")
    layer.build((None, layer.parameters_size))
    raw = tf.constant(np.random.default_rng(0).normal(scale=0.7, size=(B, layer.parameters_size)))
    (seed,) = split_seed(SEED, 1, "sticking_the_landing")
    posterior = layer.make_distribution(raw)
    u = posterior.bijector.inverse(tf.identity(posterior.sample([1], seed=seed)))[0]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([raw, u])
        by_raw = layer.make_distribution(raw)
        z = by_raw.sample([1], seed=seed)[0]
        at_z = tf.stop_gradient(z)
        tape.watch(at_z)
        log_joint = PRIOR.log_prob(at_z) + generate(at_z).log_prob(X)
        through_u = tf.unstack(by_raw.bijector.forward(u), axis=-1)
        log_q = by_raw.distribution.log_prob(u) - by_raw.bijector.forward_log_det_jacobian(u)
    jacobian = tf.stack([tape.gradient(one, u) for one in through_u], axis=1)  # [B, z, u]
    slope_of_q = tf.linalg.solve(jacobian, tape.gradient(log_q, u)[..., tf.newaxis], adjoint=True)[..., 0]
    slope = tape.gradient(log_joint, at_z) - slope_of_q
    expected = tape.gradient(z, raw, output_gradients=-slope)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        problem = Problem(X, layer.make_distribution(raw), PRIOR, generate)
        estimate = StickingTheLanding()(problem, beta=1.0, seed=SEED)
    np.testing.assert_allclose(tape.gradient(estimate.surrogate_loss, raw), expected, rtol=1e-6, atol=1e-8)
