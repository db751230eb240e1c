"""Runs of one process that share a model and its compiled programs."""

import csv
import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import few_signatures, random_bits, small_vae, without_xla

import tfvae
from tfvae.training.config import RunConfig
from tfvae.training.run import train
from tfvae.training.shared_programs import OtherStructureError, SharedPrograms


def compiled(optimizer="sgd", **parts):
    vae = small_vae(**parts)
    vae.compile(keras.optimizers.get(optimizer), jit_compile=False)
    return vae


def of_run(seed, beta, learning_rate):
    vae = compiled(keras.optimizers.Adam(learning_rate), beta=beta)
    rng = np.random.default_rng(seed)
    for variable in vae.training_variables():
        if "float" in str(variable.dtype) and len(variable.shape):
            variable.assign(rng.uniform(size=variable.shape))
    vae.seed = seed
    vae.seed_generator.state.assign([0, seed])
    vae.num_updates = 3 + seed
    return vae


def test_a_run_gets_the_model_of_the_process_with_its_own_state(tmp_path):
    programs, x = SharedPrograms(), random_bits(8, (4, 2))
    first = programs.model(of_run(1, 1.0, 0.1))
    first.fit(x, verbose=0)
    second = of_run(2, 0.5, 0.01)
    second.save(tmp_path / "alone.keras")
    shared = programs.model(second)
    assert shared is first
    shared.save(tmp_path / "shared.keras")
    alone, saved = (tfvae.load_model(tmp_path / f"{name}.keras") for name in ("alone", "shared"))
    assert (saved.seed, saved.initial_beta, saved.learning_rate) == (2, 0.5, pytest.approx(0.01))
    for a, b in zip(alone.training_variables(), saved.training_variables(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    second.fit(x, verbose=0, shuffle=False)
    shared.fit(x, verbose=0, shuffle=False)
    for a, b in zip(second.training_variables(), shared.training_variables(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    "other",
    [
        lambda: compiled("adam"),
        lambda: compiled(keras.optimizers.SGD(0.01, momentum=0.5)),
        lambda: compiled(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.01, 3, 0.9))),
        lambda: compiled(estimator=tfvae.estimators.ImportanceWeighted(2)),
        lambda: compiled(beta=tfvae.estimators.FreeBits(0.5)),
        lambda: compiled(prior=tfvae.priors.Normal(2)),
    ],
)
def test_another_structure_is_refused(other):
    programs = SharedPrograms()
    vae = programs.model(compiled())
    assert programs.model(vae) is vae
    with pytest.raises(OtherStructureError, match="another structure"):
        programs.model(other())


def test_each_export_has_the_weights_of_its_time(tmp_path):
    programs = SharedPrograms()
    with few_signatures():
        vae = programs.model(of_run(1, 1.0, 0.1))
        programs.export(vae, tmp_path / "1")
        programs.model(of_run(2, 1.0, 0.1))
        programs.export(vae, tmp_path / "2")
    x, seed = random_bits(3, (4, 2)), tf.constant([0, 5])
    served = [tf.saved_model.load(str(tmp_path / name)).signatures["encode"] for name in ("1", "2")]
    first, second = (function(x=tf.constant(x), seed=seed)["loc"].numpy() for function in served)
    np.testing.assert_allclose(second, vae.encode(x).mean(), rtol=1e-5)
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.slow
def test_runs_of_a_process_are_the_runs_they_would_be_alone(tmp_path):
    """Also after a run that diverged, with checkpoints within epochs and early stopping."""
    callback = {"kind": "early_stopping", "monitor": "val_elbo", "patience": 1}
    chosen = {"epochs": 4, "checkpoint_steps": 5, "callbacks": [callback]}

    def run(name, programs, **training):
        settings = {"data": {"name": "digits"}, "model": {"hidden": [8]}, "evaluation": {"num_importance_samples": 2}}
        config = RunConfig.from_dict({**settings, "training": {**chosen, **training}})
        return train(config, tmp_path / name, programs=programs)[0]

    programs = SharedPrograms()
    with without_xla(), few_signatures():
        run("first", programs, seed=1)
        with pytest.raises(tfvae.callbacks.NonFiniteLossError):
            run("diverged", programs, seed=2, learning_rate=1e30)
        shared = run("shared", programs, seed=3, beta=0.5, learning_rate=0.01)
        alone = run("alone", SharedPrograms(), seed=3, beta=0.5, learning_rate=0.01)
    curves = [list(csv.DictReader(folder.metrics.open())) for folder in (shared, alone)]
    for row in (*curves[0], *curves[1]):
        del row["seconds"]
    assert curves[0] == curves[1]
    names = [[path.name for _, path in folder.saved_checkpoints()] for folder in (shared, alone)]
    assert names[0] == names[1]
    reports = [json.loads(folder.report_json.read_text()) for folder in (shared, alone)]
    assert reports[0]["log_marginal"] == reports[1]["log_marginal"]
    weights = [zipfile.ZipFile(folder.model).read("model.weights.h5") for folder in (shared, alone)]
    assert len(weights[0]) == len(weights[1])
    models = [tfvae.load_model(folder.model) for folder in (shared, alone)]
    for a, b in zip(*(model.training_variables() for model in models), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
