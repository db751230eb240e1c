"""Whole runs on shards: the same contract as on data in memory."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except

import tfvae
from tfvae.data import DataError, Splits, load, write_shards
from tfvae.training import RunConfig, evaluation_split, load_run, train
from tfvae.training.build import build_vae
from tfvae.training.evaluate import evaluate
from tfvae.training.resolve import resolve
from tfvae.training.run_data import RunData


@pytest.fixture(scope="module")
def shards(tmp_path_factory, digits):
    splits = Splits("digits", digits.train.take(700), None, digits.test.take(90))
    return write_shards(splits, tmp_path_factory.mktemp("data") / "shards", shard_size=150)


def small(shards, binarize="dynamic", **training):
    return RunConfig.from_dict(
        {
            "data": {"name": str(shards), "binarize": binarize},
            "model": {"hidden": (8,), "latent_size": 2},
            "training": {"epochs": 3, "batch_size": 64, **training},
            "evaluation": {"num_importance_samples": 5, "num_samples": 2, "num_examples": 3},
        }
    )


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    return train(small(shards), tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.slow
def test_a_run_on_shards_has_everything(finished, shards):
    folder, report = finished
    assert load_run(folder.path).config.data.name == str(shards)
    assert report["split"] == "digits/test"
    assert report["log_marginal"]["num_examples"] == 90
    assert report["elbo"]["mean"] < report["log_marginal"]["mean"] < 0
    history = folder.history()
    assert history["epoch"] == [0, 1, 2]
    assert history["val_elbo"][-1] > history["val_elbo"][0]
    assert (folder.figures / "latent_scatter.png").exists()
    served = tf.saved_model.load(str(folder.saved_model)).signatures["encode"]
    x = load(shards).train.binarized(0).take(5).x
    np.testing.assert_allclose(
        served(x=tf.constant(x), seed=tf.constant([1, 2]))["loc"],
        load_run(folder.path).vae.encode(x).mean(),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.slow
def test_resumed_run_ends_as_the_uninterrupted_one(finished, shards, tmp_path):
    folder, report = finished
    train(small(shards, epochs=1), tmp_path / "run")
    _, resumed = train(small(shards), tmp_path / "run", resume=True)
    for a, b in zip(tfvae.load_model(folder.model).weights, load_run(tmp_path / "run").vae.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert resumed["elbo"] == report["elbo"]


@pytest.mark.parametrize("binarize", slow_except(["dynamic", "static", "threshold", "none"], "dynamic"))
def test_passes_go_on_where_they_were(shards, binarize):
    splits = load(shards)
    config = resolve(small(shards, binarize), splits)
    stream = iter(RunData(config, splits).batches())
    steps = 11  # an epoch
    batches = [next(stream).numpy() for _ in range(3 * steps)]
    resumed = iter(RunData(config, splits).batches(epochs_done=2))
    for batch in batches[2 * steps :]:
        np.testing.assert_array_equal(next(resumed), batch)
    values = np.unique(np.concatenate(batches))
    assert len(values) == (17 if binarize == "none" else 2)


def test_levels_under_a_normal_likelihood_get_noise(shards):
    splits = load(shards)
    config = small(shards, binarize="none")
    config = RunConfig.from_dict(config.to_dict(), {"model": {"likelihood": "normal"}})
    x = next(iter(RunData(resolve(config, splits), splits).batches())).numpy()
    assert 0 < x.min() < x.max() < 1
    assert len(np.unique(x)) > 3000


def test_first_weights_are_those_of_the_first_examples(shards, monkeypatch):
    splits = load(shards)
    config = resolve(small(shards), splits)
    monkeypatch.setattr(evaluation_split, "_MAX_IN_MEMORY", 200)
    data = RunData(config, splits)
    assert (len(data.train()), len(data.train(1000)), len(data.train(30))) == (200, 200, 30)
    np.testing.assert_array_equal(data.train(30).raw, data.train().raw[:30])
    assert data.stored_evaluation is splits.test
    assert data.validation is data.validation
    mean = splits.train.take(200).binarized(0).x.mean(axis=0)
    inside = (mean > 0.01) & (mean < 0.99)
    bias = build_vae(config, splits).decoder.layers[0].layers[-1].bias.numpy().reshape(8, 8, 1)
    np.testing.assert_allclose(tf.sigmoid(bias).numpy()[inside], mean[inside], rtol=1e-5)


def test_large_examples_are_read_by_the_byte(shards, monkeypatch):
    monkeypatch.setattr(evaluation_split, "_MAX_IN_MEMORY_BYTES", 64 * 4 * 30)
    assert len(evaluation_split.first_in_memory(load(shards).train)) == 30


def test_a_damaged_shard_stops_the_run_by_its_name(shards, tmp_path):
    copy = shutil.copytree(shards, tmp_path / "copy")
    name = "train-00002-of-00005.tfrecord"
    content = bytearray((copy / name).read_bytes())
    content[5000] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{copy / name} is missing or damaged: corrupted record"):
        train(small(copy), tmp_path / "run")


@pytest.mark.slow
def test_splits_too_large_for_memory_are_measured_by_their_first_examples(finished, shards, monkeypatch):
    monkeypatch.setattr("tfvae.data.sources.shards._IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr(evaluation_split, "_MAX_IN_MEMORY", 40)
    folder, _ = finished
    splits = load(shards)
    run = load_run(folder.path)
    report = evaluate(run, RunData(run.config, splits), thorough=True)
    assert report["split"] == "digits/test[:40]"
    assert report["log_marginal"]["num_examples"] == 40
    assert "representation" in report


@pytest.mark.slow
def test_evaluations_stream_shards(finished, shards):
    folder, _ = finished
    vae = load_run(folder.path).vae
    split = load(shards).train.thresholded()
    found = tfvae.evaluation.elbo(vae, split, num_samples=2)
    expected = tfvae.evaluation.elbo(vae, split.take(700), num_samples=2)
    np.testing.assert_allclose(found.per_example, expected.per_example, rtol=1e-5)
    assert found.per_example.shape == (700,)
