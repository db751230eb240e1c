"""Samples and reconstructions as functions of distributions and a seed, without a model."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.models.queries import ancestral_sample, block_seed, reconstruction

tfd = tfp.distributions

PRIOR = tfd.MultivariateNormalDiag([1.0, -2.0], [0.5, 2.0])
POSTERIOR = tfd.MultivariateNormalDiag([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [0.1, 0.2])


def generate(z):
    return tfd.Independent(tfd.Normal(3.0 * z, 0.5), 1)


def test_an_ancestral_sample_goes_through_the_prior():
    decoded = ancestral_sample(PRIOR, generate, 5, seed=7)
    seed_z, seed_x = split_seed(7, 2, "ancestral")
    z = PRIOR.sample(5, seed=seed_z)
    np.testing.assert_array_equal(decoded.z, z)
    np.testing.assert_array_equal(decoded.mean(), 3.0 * z)
    np.testing.assert_array_equal(decoded.sample(), generate(z).sample(seed=seed_x))


def test_a_reconstruction_goes_through_the_posterior():
    decoded = reconstruction(POSTERIOR, generate, seed=(3, 7))
    z = POSTERIOR.sample(seed=tf.constant([3, 7]))
    np.testing.assert_array_equal(decoded.z, z)
    np.testing.assert_array_equal(decoded.mean(), 3.0 * z)
    (seed_x,) = split_seed((3, 7), 1, "reconstruct")
    np.testing.assert_array_equal(decoded.sample(), generate(z).sample(seed=seed_x))


def test_a_graph_has_static_shapes_and_a_seed_that_is_a_tensor():
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec([2], tf.int32)])
    def draw(seed):
        drawn = ancestral_sample(PRIOR, generate, 5, seed=seed), reconstruction(POSTERIOR, generate, seed=seed)
        answers = [decoded.sample() for decoded in drawn]
        shapes.extend(tuple(answer.shape) for answer in answers)
        return answers

    sample, reconstructed = draw(stateless_seed(7))
    assert shapes == [(5, 2), (3, 2)]
    np.testing.assert_allclose(sample, ancestral_sample(PRIOR, generate, 5, seed=7).sample(), rtol=1e-6)
    np.testing.assert_allclose(reconstructed, reconstruction(POSTERIOR, generate, seed=7).sample(), rtol=1e-6)


def test_the_first_block_has_the_seed_itself():
    np.testing.assert_array_equal(block_seed(5, 0), stateless_seed(5))
    np.testing.assert_array_equal(block_seed(5, 2), fold_in(5, 2))
