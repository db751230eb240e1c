"""The bound that sums over a discrete part of z, held to the sum over labels by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from class_models import NUM_CLASSES, SHAPE, vae_of_labels
from small_models import random_bits

import tfvae
from tfvae.estimators import Enumerated, Weighted
from tfvae.layers import IndependentBernoulli

X = random_bits(6, SHAPE)
LABELS = np.array([0, -1, 2, -1, 1, -1])


def by_hand(vae, estimator, seed):
    """L(x, y) [K, B], with the draws of the estimator, and log q(y|x) [K, B]."""
    posterior = vae.infer(tf.constant(X, vae.variable_dtype))
    seed_z = tfvae._seeds.split_seed(seed, 1, "enumerated")[0]
    dtype = vae.variable_dtype
    y = np.broadcast_to(np.eye(NUM_CLASSES)[:, np.newaxis], (NUM_CLASSES, len(X), NUM_CLASSES)).astype(dtype)
    stacked = np.broadcast_to(y, (estimator.num_samples, *y.shape))
    of_q, z = posterior.sample_distributions(stacked.shape[:2], value={"y": stacked}, seed=seed_z)
    of_class = []
    for k in range(NUM_CLASSES):
        likelihood = np.mean(
            [
                vae.generate({"y": tf.constant(y[k]), "z": z["z"][s, k]}).log_prob(X)
                for s in range(estimator.num_samples)
            ],
            axis=0,
        )
        loc, scale = of_q["z"].mean()[0, k], of_q["z"].stddev()[0, k]
        kl = 0.5 * np.sum(loc**2 + scale**2 - 1 - 2 * np.log(scale), axis=-1)
        of_class.append(likelihood - kl + np.log([0.5, 0.2, 0.3][k]))
    return np.array(of_class), np.array([of_q["y"].log_prob(y[k]) for k in range(NUM_CLASSES)])


@pytest.mark.parametrize("num_samples", [1, 3])
def test_the_bound_is_the_sum_over_labels(set_policy, num_samples):
    estimator = Enumerated(classification_weight=2.5, num_samples=num_samples)
    set_policy("float64")
    vae = vae_of_labels(estimator)
    of_class, log_q = by_hand(vae, estimator, 7)
    unlabelled = np.sum(np.exp(log_q) * (of_class - log_q), axis=0)
    known = LABELS >= 0
    labelled = of_class[np.maximum(LABELS, 0), np.arange(6)]
    log_q_of_label = log_q[np.maximum(LABELS, 0), np.arange(6)]
    for labels in (LABELS, np.abs(LABELS), -np.ones(6, int), None):
        batch = vae.batch_of((X.astype("float64"), labels) if labels is not None else X.astype("float64"))
        found = vae.estimate(batch, seed=7)
        seen = np.zeros(6, bool) if labels is None else labels >= 0
        chosen = np.zeros(6, int) if labels is None else np.maximum(labels, 0)
        expected = np.where(seen, of_class[chosen, np.arange(6)], unlabelled)
        np.testing.assert_allclose(found.bound, expected, rtol=1e-10)
        loss = -expected - 2.5 * np.where(seen, log_q[chosen, np.arange(6)], 0.0)
        np.testing.assert_allclose(found.surrogate_loss, loss, rtol=1e-10)
        np.testing.assert_allclose(found.log_likelihood - found.kl, expected, rtol=1e-10)
        np.testing.assert_allclose(found.terms["kl_y"] + found.terms["kl_z"], found.kl, rtol=1e-10)
        assert isinstance(found.terms["accuracy"], Weighted)
        np.testing.assert_array_equal(found.terms["accuracy"].weights, seen)
        right = np.argmax(log_q, axis=0) == chosen
        np.testing.assert_array_equal(found.terms["accuracy"].values[seen], right[seen])
    assert known.any()
    assert np.isfinite(labelled + log_q_of_label).all()


def test_its_gradient_is_that_of_central_differences(set_policy):
    set_policy("float64")
    vae = vae_of_labels(Enumerated(classification_weight=1.5), learned=True)
    batch = vae.batch_of((X.astype("float64"), LABELS))

    def loss():
        return tf.reduce_sum(vae.estimate(batch, seed=3).surrogate_loss)

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, vae.trainable_variables)
    assert len(gradients) == len(vae.trainable_variables)
    rng = np.random.default_rng(0)
    before = [variable.numpy() for variable in vae.trainable_variables]
    directions = [rng.normal(size=value.shape) for value in before]
    ends = []
    for step in (1e-6, -1e-6):
        for variable, value, direction in zip(vae.trainable_variables, before, directions, strict=True):
            variable.assign(value + step * direction)
        ends.append(float(loss()))
    slope = sum(np.sum(gradient * direction) for gradient, direction in zip(gradients, directions, strict=True))
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-6, slope, rtol=1e-6)


@pytest.mark.parametrize("chunk_size", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_chunks_of_classes_change_nothing(set_policy, chunk_size):
    set_policy("float64")
    vae = vae_of_labels(None, learned=True)
    batch = vae.batch_of((X.astype("float64"), LABELS))
    found = []
    for size in (None, chunk_size):
        estimator = Enumerated(classification_weight=1.5, num_samples=2, chunk_size=size)
        seen = []
        generate = vae.generate
        vae.generate = lambda z, **kwargs: seen.append(z["y"].shape[0]) or generate(z, **kwargs)  # noqa: B023
        with tf.GradientTape() as tape:
            estimate = vae.estimate(batch, estimator=estimator, seed=3)
        del vae.generate
        assert max(seen) <= (2 if size is None else size)  # of shape [S, K, ...] or [chunk, ...]
        gradients = tape.gradient(estimate.surrogate_loss, [v.value for v in vae.trainable_variables])
        found.append([estimate.surrogate_loss, estimate.bound, estimate.log_likelihood, estimate.kl, *gradients])
    for chunked, whole in zip(*found, strict=True):
        np.testing.assert_allclose(chunked, whole, rtol=1e-10, atol=1e-13)


def test_labels_in_a_table_are_floats():
    vae = vae_of_labels(Enumerated(classification_weight=1.0))
    whole = vae.estimate(vae.batch_of((X, LABELS)), seed=2)
    table = np.where(LABELS < 0, np.nan, LABELS).astype("float32")
    for labels in (table, table[:, np.newaxis]):
        np.testing.assert_array_equal(vae.estimate(vae.batch_of((X, labels)), seed=2).bound, whole.bound)
    with pytest.raises(ValueError, match=r"numpy.argmax.*labels of shape \(6, 3\)"):
        vae.estimate(vae.batch_of((X, np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]])))


def test_log_marginal_by_draws_and_by_enumeration_agree():
    vae = vae_of_labels(Enumerated())
    # Scales of q(z|x, y) above those of p(z|x, y), without which a few draws would have most of the weight.
    vae.encoder.layers[-1].parts["z"].layers[1].bias.assign([0.0, 0.0, 1.0, 1.0])
    record = tfvae.evaluation.log_marginal(vae, X, num_importance_samples=4000, seed=1)
    assert record.diagnostics["num_above_threshold"] == 0
    # log p(x) = log sum_y p(y) p(x|y), each p(x|y) by importance sampling over z
    posterior = vae.infer(tf.constant(X))
    k = 4000
    y = tf.broadcast_to(tf.eye(3)[:, tf.newaxis], (k, 3, 6, 3))
    of_q, z = posterior.sample_distributions((k, 3), value={"y": y}, seed=(0, 2))
    log_weights = vae.generate({"y": y, "z": z["z"]}).log_prob(X) - of_q["z"].log_prob(z["z"])
    log_weights += vae.prior.distribution().log_prob({"y": y, "z": z["z"]})
    of_class = np.asarray(log_weights, np.float64)  # [S, K, B]
    means = np.exp(of_class).mean(axis=0).sum(axis=0)
    error = np.sqrt((np.exp(of_class).var(axis=0) / k).sum(axis=0)) / means
    total = np.sqrt(error**2 + record.monte_carlo_variance)
    assert (np.abs(np.log(means) - record.per_example) < 5 * total).all()


def test_it_learns_from_a_few_labels_and_is_saved(tmp_path):
    classes = np.random.default_rng(0).integers(0, 3, 600)
    prototypes = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]], "float32")
    x = prototypes[classes]
    labels = np.where(np.arange(600) < 45, classes, -1)
    vae = vae_of_labels(Enumerated(classification_weight=5.0), probs=None)
    vae.compile(keras.optimizers.Adam(0.03), jit_compile=False)
    history = vae.fit(x, labels, batch_size=20, epochs=3, validation_data=(x, classes), verbose=0).history
    assert {"accuracy", "val_accuracy", "classification", "kl_y", "kl_z"} <= set(history)
    assert history["val_accuracy"][-1] > 0.95
    assert 0.0 <= history["accuracy"][0] <= 1.0
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    probabilities = loaded.classify(x[:10])
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1.0, rtol=1e-5)
    assert (np.argmax(probabilities, axis=1) == classes[:10]).mean() > 0.9
    drawn = loaded.sample(200, label=1, seed=0).numpy().mean(axis=0)
    assert np.abs(drawn - prototypes[1]).max() < 0.25
    assert loaded.sample(3, label=[0, 1, 2], seed=0).shape == (3, 5)
    with pytest.raises(ValueError, match=r"one of the 3 classes.*condition=3"):
        loaded.sample(2, label=3)


def test_what_does_not_fit_is_one_error():
    with pytest.raises(ValueError, match="classification_weight"):
        Enumerated(classification_weight=-1.0)
    vae = tfvae.models.VAE(
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), tfvae.layers.IndependentNormal(1)]),
        keras.Sequential([keras.layers.Dense(3), IndependentBernoulli((3,))]),
        estimator=Enumerated(),
    )
    with pytest.raises(ValueError, match="requires a posterior and a prior with a part 'y'"):
        vae.estimate(np.zeros((2, 3), "float32"))
    other = tfvae.models.VAE(vae.encoder, vae.decoder)
    with pytest.raises(ValueError, match="This model has no labels"):
        other.classify(np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match="`probs` must be 2 positive probabilities"):
        tfvae.priors.Categorical(2, [0.5, 0.6])
