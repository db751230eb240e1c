"""A model whose weights are not finite: every evaluation says so, in one sentence that names the weight."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from gaussian_vaes import decoder_of, gaussian_vae
from linear_gaussian import make_linear_gaussian
from slow import slow_except

import tfvae
from tfvae import evaluation, layers
from tfvae.estimators import SGVB

tfd = tfp.distributions
MODEL = make_linear_gaussian(latent_size=2, data_size=4, sigma=0.9)
X = MODEL.data(12, seed=3).astype("float32")
LABELS = np.arange(12) % 2


@pytest.fixture(params=["encoder", "decoder"], scope="module")
def diverged(request):
    vae = gaussian_vae(MODEL, 0.8 * MODEL.posterior_weights, np.array([0.1, -0.2]), np.array([0.5, 0.7]))
    kernel = getattr(vae, request.param).layers[0].kernel
    values = kernel.numpy()
    values[0, 0] = np.nan
    kernel.assign(values)
    return vae, kernel.path, request.param


OF_ENCODER = {
    "active units": lambda vae: evaluation.active_units(vae, X),
    "representation": lambda vae: evaluation.representation(vae, X, X, train_labels=LABELS, test_labels=LABELS),
}
OF_BOTH = {
    "elbo": lambda vae: evaluation.elbo(vae, X),
    "log_marginal": lambda vae: evaluation.log_marginal(vae, X, num_importance_samples=5),
    "ais": lambda vae: evaluation.log_marginal_ais(vae, X, num_steps=2, num_chains=2, start="posterior"),
    "hmc": lambda vae: evaluation.log_marginal_hmc(vae, X, num_samples=3, num_burnin=3, max_tree_depth=2),
    "gaps": lambda vae: evaluation.inference_gaps(vae, X, num_steps=2, num_samples=2, num_importance_samples=9),
    "diagnostics": lambda vae: evaluation.diagnostics(vae, X),
    "gradients": lambda vae: evaluation.gradient_variance(vae, X, SGVB(), num_repeats=3),
    "prior and posterior": lambda vae: evaluation.prior_vs_posterior(vae, X, num_samples=20, num_components=2),
    "traversal": lambda vae: evaluation.latent_traversal(vae, X[0]),
    "interpolation": lambda vae: evaluation.interpolate(vae, X[:2], X[2:4]),
}


@pytest.mark.parametrize("name", slow_except([*OF_BOTH, *OF_ENCODER], "log_marginal", "representation", "traversal"))
def test_weights_that_are_not_finite(diverged, name):
    vae, path, part = diverged
    if part == "decoder" and name in OF_ENCODER:
        assert OF_ENCODER[name](vae) is not None  # the decoder has no say in it
        return
    with pytest.raises(evaluation.NotFiniteError, match=rf"not finite.*'{path}' has NaN.*earlier checkpoint") as caught:
        (OF_BOTH | OF_ENCODER)[name](vae)
    assert len(str(caught.value)) < 400


def test_the_first_example_is_named_across_batches():
    vae = gaussian_vae(MODEL, 0.8 * MODEL.posterior_weights, np.array([0.1, -0.2]), np.array([0.5, 0.7]))
    far = np.where(np.arange(12)[:, None] == 7, np.float32(3e38), X)
    with pytest.raises(
        evaluation.NotFiniteError, match=r"The ELBO is not finite for 1 of the 5.*example 7, at -inf.*too small"
    ):
        evaluation.elbo(vae, far, batch_size=5)


WITHOUT_SUPPORT = {
    "elbo": evaluation.elbo,
    "log_marginal": lambda vae, x: evaluation.log_marginal(vae, x, num_importance_samples=3),
    "diagnostics": evaluation.diagnostics,
}


@pytest.mark.parametrize("name", slow_except(WITHOUT_SUPPORT, "elbo"))
def test_supports_that_do_not_meet(name):
    encoder = keras.Sequential([keras.layers.Dense(4), layers.MultivariateNormalDiag(2)])
    prior = tfd.Independent(tfd.Uniform(tf.fill([2], 50.0), tf.fill([2], 51.0)), 1)
    vae = tfvae.models.VAE(encoder, decoder_of(MODEL), prior)
    with pytest.raises(evaluation.NotFiniteError, match=r"at -inf\. .*supports do not overlap"):
        WITHOUT_SUPPORT[name](vae, X)


def test_a_posterior_without_a_mean_has_no_active_units():
    """Cauchy: its mean is not a number, though its weights are fine."""
    layer = layers.GenericDistribution(tfd.Cauchy, 2)
    encoder = keras.Sequential([keras.layers.Dense(layer.parameters_size), layer])
    vae = tfvae.models.VAE(encoder, decoder_of(MODEL))
    assert evaluation.active_units(vae, X) is None
    result = evaluation.diagnostics(vae, X)
    assert result.active_units is None
    assert "units" not in result.message
    with pytest.raises(
        evaluation.NotFiniteError, match=r"E\[z\|x\] is not finite for 12 of the 12.*weights are finite"
    ):
        evaluation.representation(vae, X, X, train_labels=LABELS, test_labels=LABELS)
    with pytest.raises(ValueError, match=r"`z` must be finite. Received: z=\[nan"):
        evaluation.latent_traversal(vae, z=[np.nan, 0.0])
