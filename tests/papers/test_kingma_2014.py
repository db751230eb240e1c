"""Few labels, the networks, table 1's numbers and claims, and all experiments on a few images."""

import importlib

import numpy as np
import pytest
import tensorflow as tf
from small_models import without_xla

from tfvae import papers
from tfvae.data import Split
from tfvae.data.classes import with_few_labels
from tfvae.layers._networks import sublayers
from tfvae.papers import kingma_2014
from tfvae.papers.curves import Curve
from tfvae.papers.job import Job
from tfvae.papers.kingma_2014 import Budget, data_sets, networks
from tfvae.papers.kingma_2014.augmentation import augmentation, augmented, joined

# The module, whose name in the package is the function's.
table_1 = importlib.import_module("tfvae.papers.kingma_2014.table_1")


def images(num_examples, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(num_examples) % 10
    # Large patches, which are still known when an image is turned or shifted a little.
    kinds = np.random.default_rng(9).integers(256, size=(10, 4, 4, 1)).repeat(7, axis=1).repeat(7, axis=2)
    raw = np.clip(kinds[labels] + rng.integers(-40, 40, size=(num_examples, 28, 28, 1)), 0, 255)
    return Split(raw.astype("uint8"), labels, num_levels=256)


def test_labelled_images_are_changed_at_random_and_keep_their_labels():
    split = images(30)
    few = with_few_labels(split, 10, seed=1)
    known = np.flatnonzero(few.labels >= 0)
    changed = augmented(few, 3, seed=0)
    np.testing.assert_array_equal(changed.labels, np.tile(few.labels[known], 3))
    np.testing.assert_array_equal(changed.x[:10], split.x[known])
    moved = np.abs(changed.x[10:] - np.tile(split.x[known], (2, 1, 1, 1))).mean(axis=(1, 2, 3))
    assert moved.min() > 0.01
    assert changed.x.min() >= 0.0
    assert changed.x.max() <= 1.0
    np.testing.assert_array_equal(augmented(few, 3, seed=0).x, changed.x)
    assert np.any(augmented(few, 3, seed=1).x != changed.x)
    both = joined(changed, split)
    np.testing.assert_array_equal(both.labels, [*changed.labels, *split.labels])


def test_images_are_classified_as_they_are():
    x = images(3).x
    layers = augmentation()
    np.testing.assert_array_equal(layers(x, training=False), x)
    assert np.any(layers(x, training=True) != x)


def test_the_label_moves_the_posterior_of_the_style():
    vae = networks.m2_of_images(0)
    x = images(3).x
    assert vae.latent_shape == {"y": (10,), "z": (20,)}
    q = vae.encode(x)
    means = [
        q.sample_distributions(value={"y": tf.one_hot([k] * 3, 10)}, seed=(0, 0))[0]["z"].mean().numpy() for k in (0, 1)
    ]
    assert np.all(np.any(means[0] != means[1], axis=1))
    layers = {layer.name: layer for layer in sublayers(vae)}
    of_x, of_y, output = (layers[name] for name in ("of_x", "of_y", "of_hidden"))
    hidden = np.maximum(of_x(x.reshape(3, -1)) + of_y(np.eye(10, dtype="float32")[[1] * 3]), 0.0)
    np.testing.assert_allclose(means[1], output(hidden)[:, :20], rtol=1e-4, atol=1e-5)


def test_table_1_has_means_over_draws_and_tests_claims(monkeypatch):
    errors = {("m1-m2", 100): [4.0, 5.0, 3.0], ("m2", 100): [9.0, 8.0, 10.0]}

    def curve(name):
        return lambda job, budget, *args: Curve(
            [{"error": errors[name, args[-2]][args[-1]]}], None, 1.0, {}, job.folder
        )

    monkeypatch.setattr(table_1, "m1_curve", lambda job, budget: Curve([{"elbo": -90.0}], None, 1.0, {}, job.folder))
    monkeypatch.setattr(table_1, "trained", lambda curve: None)
    monkeypatch.setattr(table_1, "stacked_curve", curve("m1-m2"))
    monkeypatch.setattr(table_1, "m2_curve", curve("m2"))
    monkeypatch.setattr(table_1, "_classifier_error", lambda budget, num_labels, draw: 6.0)
    monkeypatch.setattr(table_1, "_m1_error", lambda vae, budget, num_labels, draw: 12.0)
    result = table_1.table_1(Job("folder", 0), Budget((100,), num_draws=3))
    (table,) = result.tables.values()
    assert "| M1+M2 | 4.00 ± 0.58 | 3.33 |" in table
    assert "| M2 | 9.00 ± 0.58 | 11.97 |" in table
    assert "| M1 | 12.00 ± 0.00 | 11.82 |" in table
    assert "| q(y\\|x) alone | 6.00 ± 0.00 |  |" in table
    assert result.numbers["errors"]["M2"] == {"100": [9.0, 8.0, 10.0]}
    (claim,) = result.claims
    assert claim.holds
    errors["m2", 100] = [3.0, 3.0, 3.0]
    assert not table_1.table_1(Job("folder", 0), Budget((100,), num_draws=3)).claims[0].holds


@pytest.mark.slow
def test_all_experiments_run_and_resume(monkeypatch, tmp_path):
    tiny = Budget(
        (100,),
        num_draws=1,
        m1_passes=12,
        m2_passes=6,
        stacked_passes=15,
        density_passes=1,
        num_train=1_000,
        num_test=100,
        num_importance_samples=5,
        num_marginal=20,
    )
    train, test = images(1_000), images(100, seed=1)
    monkeypatch.setattr(data_sets, "mnist", lambda: (train, test))
    monkeypatch.setattr(importlib.import_module("tfvae.papers.kingma_2014.training"), "mnist", lambda: (train, test))
    monkeypatch.setattr(kingma_2014, "DATA", dict.fromkeys(kingma_2014.EXPERIMENTS, ()))
    monkeypatch.setattr(kingma_2014, "BUDGETS", {"quick": tiny})
    with without_xla():
        results = papers.reproduce("kingma-2014", run_dir=tmp_path)
        lines = []
        again = papers.reproduce("kingma-2014", run_dir=tmp_path, only=["table-1"], say=lines.append)
    assert sum("already done" in line for line in lines) == 3
    assert again["table-1"].numbers["errors"] == results["table-1"].numbers["errors"]
    assert results["table-1"].numbers["errors"]["M1+M2"]["100"][0] < 20
    page = (tmp_path / "README.md").read_text()
    assert all(name in page for name in ("figure-1-analogies.png", "M1+M2", "log p(x\\|y)"))
