"""Whatever form data come in, evaluations see the same x, in the model's precision; what is no data is one error."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from gaussian_vaes import gaussian_vae
from linear_gaussian import make_linear_gaussian
from slow import slow_except

import tfvae
from tfvae import evaluation
from tfvae.estimators import SGVB
from tfvae.evaluation._batches import first_batch_of_examples

MODEL = make_linear_gaussian(latent_size=2, data_size=4, sigma=0.9)
N = 11
X = MODEL.data(N, seed=3).astype("float32")
LABELS = np.arange(N) % 2


def make_vae(policy="float32"):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return gaussian_vae(MODEL, 0.8 * MODEL.posterior_weights, np.array([0.1, -0.2]), np.array([0.5, 0.7]))
    finally:
        keras.config.set_dtype_policy(before)


@pytest.fixture(scope="module")
def vae():
    return make_vae()


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return X[4 * i : 4 * i + 4], LABELS[4 * i : 4 * i + 4]


FORMS = {
    "tensor": lambda: tf.constant(X),
    "list": lambda: X.tolist(),
    "array with labels": lambda: (X, LABELS),
    "array with labels and weights": lambda: (X, LABELS, np.ones(N)),
    "dictionary": lambda: {"image": X, "label": LABELS},
    "split": lambda: tfvae.data.Split(X, LABELS),
    "data set": lambda: tf.data.Dataset.from_tensor_slices(X).batch(4),
    "data set of pairs": lambda: tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(4),
    "data set of dictionaries": lambda: tf.data.Dataset.from_tensor_slices({"x": X, "label": LABELS}).batch(4),
    "PyDataset": Batches,
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_data(vae, form):
    expected = evaluation.elbo(vae, X, num_samples=2, batch_size=4)
    found = evaluation.elbo(vae, FORMS[form](), num_samples=2, batch_size=4)
    np.testing.assert_array_equal(found.per_example, expected.per_example)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (lambda: None, TypeError, r"`data` must be an array.*Received: data=None"),
        (lambda: (X[i : i + 4] for i in range(3)), TypeError, "from_generator.*type generator"),
        (lambda: "mnist", TypeError, r"Received: data=mnist \(of type str\)"),
        (lambda: 3.0, TypeError, r"Received: data=3.0"),
        (lambda: [[1.0, 2.0], [1.0]], ValueError, "data is a list whose parts differ in shape"),
        (lambda: {"a": X, "b": X}, ValueError, "one of the keys"),
        (lambda: tf.data.Dataset.from_tensor_slices(X).batch(4).repeat(), ValueError, "repeats for ever"),
        (lambda: tf.data.Dataset.from_tensor_slices(X), ValueError, r"\.batch\(n\)"),
        (lambda: X[:0], ValueError, "no examples"),
        (lambda: X.astype("int32"), ValueError, "dtype int32"),
    ],
)
def test_what_is_no_data(vae, data, error, message):
    for call in (
        lambda data: evaluation.elbo(vae, data),
        lambda data: evaluation.log_marginal(vae, data, num_importance_samples=2),
        lambda data: evaluation.active_units(vae, data),
    ):
        with pytest.raises(error, match=message):
            call(data())


CALLS = {
    "elbo": lambda vae, x: evaluation.elbo(vae, x).mean,
    "log_marginal": lambda vae, x: evaluation.log_marginal(vae, x, num_importance_samples=30).mean,
    "ais": lambda vae, x: evaluation.log_marginal_ais(vae, x, num_steps=3, num_chains=2).mean,
    "ais from q": lambda vae, x: evaluation.log_marginal_ais(vae, x, num_steps=3, num_chains=2, start="posterior").mean,
    "hmc": lambda vae, x: evaluation.log_marginal_hmc(vae, x, num_samples=10, num_burnin=10, max_tree_depth=2).mean,
    "gaps": lambda vae, x: (
        evaluation.inference_gaps(vae, x, num_steps=2, num_samples=2, num_importance_samples=9).elbo.mean
    ),
    "diagnostics": lambda vae, x: evaluation.diagnostics(vae, x).rate.mean,
    "active units": lambda vae, x: evaluation.active_units(vae, x).variance,
    "gradients": lambda vae, x: evaluation.gradient_variance(vae, x, SGVB(), num_repeats=3).rows[0].variance,
    "representation": lambda vae, x: (
        evaluation.representation(vae, x, x, train_labels=LABELS, test_labels=LABELS).linear_probe.mean
    ),
    "prior and posterior": lambda vae, x: evaluation.prior_vs_posterior(
        vae, x, num_samples=20, num_components=2
    ).z_posterior.mean(),
    "traversal": lambda vae, x: evaluation.latent_traversal(vae, x[0]).means,
    "interpolation": lambda vae, x: evaluation.interpolate(vae, x[:2], x[2:4]).means,
}


@pytest.mark.parametrize(
    ("of_model", "of_data", "name"),
    slow_except(
        [(a, b, name) for a, b in (("float32", "float64"), ("float64", "float32")) for name in CALLS],
        ("float32", "float64", "active units"),
        ("float64", "float32", "log_marginal"),
        ("float64", "float32", "interpolation"),
    ),
)
def test_data_in_another_precision_than_the_models(name, of_model, of_data):
    vae = make_vae(of_model)
    found, expected = (CALLS[name](vae, X.astype(dtype)) for dtype in (of_data, of_model))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gradient_variance_takes_the_first_batch(vae):
    def numbers(data):
        found = evaluation.gradient_variance(vae, data, [SGVB()], num_repeats=3)
        return found.batch_size, found.rows[0].variance

    assert numbers(FORMS["data set of pairs"]()) == numbers(X[:4])
    for form in FORMS:
        size = len(first_batch_of_examples(vae, FORMS[form](), 100))
        assert size == (4 if "data set" in form or form == "PyDataset" else N)
    assert len(first_batch_of_examples(vae, FORMS["split"](), 5)) == 5
