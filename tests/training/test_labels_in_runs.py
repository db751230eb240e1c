"""Conditions, labels and M2 from the settings of a run."""

import tomllib

import numpy as np
import pytest
from slow import slow_except
from small_models import without_xla

import tfvae
from tfvae.data import DataError
from tfvae.training import RunConfig, build_vae
from tfvae.training.load_data import load_data, load_other_data
from tfvae.training.resolve import resolve
from tfvae.training.run_data import RunData


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A table of two classes with names, a number and an image for each row."""
    path = tmp_path_factory.mktemp("own") / "own.npz"
    rng = np.random.default_rng(0)
    side = np.array(["left", "right"])[np.arange(60) % 2]
    x = rng.normal(np.where(side == "left", -2.0, 2.0)[:, None], 0.5, (60, 3)).astype("float32")
    np.savez(path, x=x, y=side, angle=rng.random(60), image=rng.random((60, 4, 4, 1)))
    return path


def prepared(own, **tables):
    tables = {"data": {}, "model": {}, "training": {}, **tables}
    tables["data"] = {"name": str(own), **tables["data"]}
    tables["model"] = {"hidden": [4], "latent_size": 2, **tables["model"]}
    tables["training"] = {"epochs": 1, "batch_size": 10, **tables["training"]}
    config = RunConfig.from_dict(tables)
    splits = load_data(config)
    config = resolve(config, splits)
    assert RunConfig.from_dict(tomllib.loads(config.to_toml())) == config, "the file makes the same run"
    return config, splits


MODELS = {
    "of labels": {"data": {"condition": "label"}},
    "of a number": {"data": {"condition": "angle"}, "model": {"conditioned": ["decoder"]}},
    "of an image": {"data": {"condition": "image"}, "model": {"conditioned": ["encoder"]}},
    "prior": {"data": {"condition": "label"}, "model": {"conditioned": [], "prior": "conditional"}},
    "m2": {"data": {"num_labels": 10}, "model": {"kind": "m2", "label_prior": [0.3, 0.7]}},
    "sticks": {"model": {"kind": "m2", "posterior": "kumaraswamy_sticks", "prior": "stick_breaking"}},
    "all labels": {"model": {"kind": "m2", "posterior": "autoregressive_flow", "label_prior": "learned"}},
}


def test_a_flow_starts_near_its_normal(own):
    posterior = {"kind": "flow", "transform": "planar", "num_transforms": 4}
    config, splits = prepared(own, model={"kind": "m2", "posterior": posterior})
    vae = build_vae(config, splits)
    of_q, _ = vae.encode(RunData(config, splits).validation.x).sample_distributions(seed=(0, 1))
    draws = of_q["z"].distribution.sample(50, seed=(0, 1))
    assert np.abs(of_q["z"].bijector.forward(draws) - draws).max() < 0.2


@pytest.mark.parametrize("name", slow_except(MODELS, "prior"))
def test_settings_make_a_model_that_learns_from_batches(own, name, tmp_path):
    config, splits = prepared(own, **MODELS[name])
    with without_xla():
        vae, data = build_vae(config, splits), RunData(config, splits)
    batches = list(data.batches().take(data.steps_per_epoch))
    vae.fit(
        data.batches(),
        steps_per_epoch=data.steps_per_epoch,
        epochs=1,
        verbose=0,
        validation_data=data.validation.batches(6, labels=data.has_labels),
    )
    vae.save(tmp_path / "vae.keras")
    loaded = tfvae.load_model(tmp_path / "vae.keras")
    assert len(batches) == data.steps_per_epoch
    if config.model.kind == "m2":
        assert set(vae.get_metrics_result()) >= {"accuracy", "classification", "kl_y", "kl_z"}
        np.testing.assert_allclose(loaded.classify(data.validation.x), vae.classify(data.validation.x), rtol=1e-6)
        assert config.data.classes == ("left", "right")
        if config.data.num_labels:
            assert all((labels.numpy() >= 0).sum() == 1 for _, labels in batches)
    else:
        c = data.validation.condition
        np.testing.assert_allclose(
            loaded.sample(len(c), condition=c, seed=0), vae.sample(len(c), condition=c, seed=0), rtol=1e-5
        )


def test_a_condition_changes_what_is_drawn(own):
    """With the mean of each class known, samples of a trained model lie at the class that was asked for."""
    config, splits = prepared(own, data={"condition": "label"}, training={"learning_rate": 0.05})
    with without_xla():
        vae = build_vae(config, splits)
    data = RunData(config, splits)
    vae.fit(data.batches(), steps_per_epoch=data.steps_per_epoch, epochs=20, verbose=0)
    left, right = (np.mean(vae.sample(200, condition=k, seed=0)) for k in (0, 1))
    assert left < -1.5
    assert right > 1.5


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"data": {"num_labels": 5}}, "data.num_labels has no effect without model.kind"),
        ({"data": {"condition": "label"}, "model": {"kind": "m2"}}, 'data.condition must be ""'),
        ({"model": {"kind": "m2"}, "training": {"estimator": "iwae"}}, "training.estimator must be enumerated"),
        ({"training": {"estimator": "enumerated"}}, "training.estimator must be enumerated"),
        ({"model": {"prior": "conditional"}}, "needs a condition"),
        ({"data": {"condition": "label"}, "model": {"conditioned": []}}, "must name a network"),
        ({"data": {"condition": "label"}, "model": {"prior": {"kind": "vamp", "num_components": 3}}}, "pseudo-inputs"),
        ({"data": {"condition": "label"}, "model": {"network": {"kind": "a:b", "decoder": "a:c"}}}, "of your own"),
        ({"data": {"condition": "size"}}, "no array 'size'"),
        ({"data": {"labelled_per_batch": 10}, "model": {"kind": "m2"}}, "less than training.batch_size"),
        ({"model": {"kind": "m3"}}, "model.kind must be one of vae, m2"),
        ({"model": {"label_prior": [0.5, 0.6]}}, "model.label_prior must be"),
        ({"model": {"conditioned": ["prior"]}}, "model.conditioned must be"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(own, tables, message):
    with pytest.raises(ValueError, match=message):
        prepared(own, **tables)


def test_other_data_have_the_classes_of_the_run(own, tmp_path):
    config, _ = prepared(own, data={"condition": "label"})
    other = tmp_path / "other.npz"
    np.savez(other, x=np.zeros((3, 3), "float32") + 0.5, y=np.array(["right"] * 3))
    found = load_other_data(config, str(other), "test")
    np.testing.assert_array_equal(found.condition, [[0, 1]] * 3)
    np.savez(other, x=np.zeros((3, 3), "float32") + 0.5, y=np.array(["right", "up", "left"]))
    with pytest.raises(DataError, match=r"one of the classes of the training data, left, right\. Received: 'up'"):
        load_other_data(config, str(other), "test")
    np.savez(other, x=np.zeros((3, 3), "float32") + 0.5)
    with pytest.raises(DataError, match="has no labels"):
        load_other_data(config, str(other), "test")
