"""The report of a run in which something cannot be measured."""

import dataclasses
import json
import warnings

import numpy as np
import pytest

from tfvae import evaluation
from tfvae.data import Split, Splits
from tfvae.evaluation import figures
from tfvae.evaluation.report import rows
from tfvae.training import RunConfig, build_vae, train
from tfvae.training.attempts import Attempts, one_sentence
from tfvae.training.evaluate import _bounds, _collapse, about_run, evaluate
from tfvae.training.event_files import write_reported
from tfvae.training.per_example import read_per_example, write_per_example
from tfvae.training.resolve import resolve
from tfvae.training.run import hparams_of
from tfvae.training.run_data import RunData
from tfvae.training.run_folder import RunFolder
from tfvae.training.saved_run import Run


def table(num, name):
    return Split(np.random.default_rng(num).normal(size=(num, 4)).astype("float32"), name=f"table/{name}")


@pytest.fixture(scope="module")
def run_and_splits(tmp_path_factory):
    """A model of three rows in all that has not been trained."""
    splits = Splits("table", table(2, "train"), test=table(1, "test"))
    config = RunConfig.from_dict(
        {
            "data": {"name": "table"},
            "model": {"latent_size": 2, "hidden": (4,)},
            "evaluation": {"num_importance_samples": 10, "num_samples": 2},
        }
    )
    config = resolve(config, splits)
    folder = RunFolder(tmp_path_factory.mktemp("evaluate") / "run")
    folder.path.mkdir()
    return Run(folder, config, build_vae(config, splits)), splits


def fails(*arguments, **options):
    raise RuntimeError("no memory left\n  at line 3")


@pytest.fixture(scope="module")
def report(run_and_splits):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        patch.setattr(evaluation, "log_marginal", fails)
        patch.setattr(figures, "prior_samples", fails)
        run, splits = run_and_splits
        found = evaluate(run, RunData(run.config, splits))
    said = [str(warning.message) for warning in warned if warning.category is UserWarning]
    assert "log p(x): RuntimeError: no memory left" in said
    assert "prior_samples: RuntimeError: no memory left" in said
    return found


def test_what_fails_is_unknown_and_the_rest_is_there(run_and_splits, report):
    folder = run_and_splits[0].folder
    assert json.loads(json.dumps(report)) == json.loads(folder.report_json.read_text())
    assert set(report["failed"]) == {"active units", "log p(x)", "prior_samples"}
    assert "need at least 2 examples to compare. Received: 1" in report["failed"]["active units"]
    assert np.isfinite(report["elbo"]["mean"])
    assert report["elbo"]["standard_error"] is None  # of a single example
    for name in ("log_marginal", "bits_per_dim"):
        assert report[name]["mean"] is None
        assert report[name]["num_examples"] == 1
    numbers = {name.strip(): value for name, value, *_ in rows(report)}
    assert numbers["test ELBO"] == f"{report['elbo']['mean']:.3f} ± unknown"
    assert numbers["log p(x), 10 importance samples"] == numbers["bits per dimension"] == "unknown"
    assert numbers["active units"] == "unknown"
    assert {path.stem for path in folder.figures.iterdir()} == {"reconstructions", "latent_scatter", "manifold"}
    text = folder.report_markdown.read_text()
    assert "- log p(x): RuntimeError: no memory left\n" in text
    assert "figures/prior_samples.png" not in text
    assert "figures/reconstructions.png" in text
    assert "line 3" not in text


def test_an_unknown_number_goes_into_no_table_of_numbers(report, tmp_path):
    write_reported(tmp_path, report)
    assert list((tmp_path / "test").iterdir())
    assert about_run(report)["log_marginal"]["mean"] is None
    json.dumps(about_run(report), allow_nan=False)


def test_values_of_single_examples_are_kept(run_and_splits, report, tmp_path):
    run, splits = run_and_splits
    found = read_per_example(run.folder.per_example)
    assert found.values["elbo"] == pytest.approx([report["elbo"]["mean"]])
    assert np.isnan(found.values["log_marginal"]).all()
    write_per_example(tmp_path / "same.npz", splits.test.x, {})
    write_per_example(tmp_path / "other.npz", splits.test.x + 1, {})
    assert read_per_example(tmp_path / "same.npz").examples == found.examples
    assert read_per_example(tmp_path / "other.npz").examples != found.examples
    (tmp_path / "damaged.npz").write_bytes(run.folder.per_example.read_bytes()[:50])
    assert read_per_example(tmp_path / "damaged.npz") is read_per_example(tmp_path / "none.npz") is None


@pytest.mark.parametrize(("estimator", "is_own"), [("hamiltonian", True), ("iwae", False)])
def test_bounds_are_those_of_an_estimator_with_draws_of_its_own(run_and_splits, monkeypatch, estimator, is_own):
    run, splits = run_and_splits
    config = dataclasses.replace(run.config, training=dataclasses.replace(run.config.training, estimator=estimator))
    run = dataclasses.replace(run, config=config, vae=build_vae(config, splits))
    given = []
    for name in ("elbo", "log_marginal"):
        monkeypatch.setattr(evaluation, name, lambda *_, estimator, **__: given.append(estimator))
    _bounds(run, splits.test, Attempts(), lambda stage: None)
    assert given == [run.vae.estimator if is_own else None] * 2


def test_an_interrupt_is_not_a_failed_step():
    attempt = Attempts()
    with pytest.raises(KeyboardInterrupt):
        attempt("x", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    assert attempt("y", lambda: 3) == 3
    assert not attempt.failed
    assert one_sentence(MemoryError()) == "MemoryError."
    assert one_sentence(ValueError("This and that.\nmore")) == "This and that."


def test_a_collapse_is_known_by_its_units_and_its_rate():
    elbo = evaluation.Record("elbo", "nats", np.zeros(3), np.zeros(3), {"kl": 0.01, "kl_standard_error": 0.001})
    means = np.random.default_rng(0).normal(size=(50, 20)) * 0.01
    found = _collapse(elbo, evaluation.ActiveUnits.of(means, np.zeros_like(means)))
    assert found["has_collapsed"]
    assert "0 of 20 latent units are active and the rate is 0.01 ± 0.001 nats" in found["message"]
    assert "KL warm-up" in found["message"]
    assert not _collapse(dataclasses.replace(elbo, diagnostics={"kl": 3.0}), None)["has_collapsed"]
    assert _collapse(evaluation.Record.unknown("elbo", "nats", 3, kl=None), None) is None


def test_settings_that_are_the_usual_ones_are_not_in_the_way(tmp_path):
    np.save(tmp_path / "own.npy", table(20, "own").x)
    splits = Splits("own", table(20, "train"))
    settings = {"model": {"latent_size": 2, "hidden": [4]}, "training": {"seed": 3}}
    config = resolve(RunConfig.from_dict({"data": {"name": str(tmp_path / "own.npy")}, **settings}), splits)
    assert hparams_of(config, splits) == {"latent_size": 2, "hidden": (4,), "seed": 3, "data": "own"}


@pytest.mark.parametrize("kind", ["conditional", pytest.param("m2", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_reports_of_models_with_classes(tmp_path, kind):
    rng, names = np.random.default_rng(0), ("cat", "dog")

    def split(num, name):
        labels = np.arange(num) % 2
        given = {"condition": np.eye(2, dtype="float32")[labels], "condition_names": names}
        x = (rng.random((num, 4, 4)) < 0.3 + 0.4 * labels[:, np.newaxis, np.newaxis]).astype("uint8")
        more = given if kind == "conditional" else {"class_names": names}
        return Split(x[..., np.newaxis], labels, num_levels=2, name=f"pets/{name}", **more)

    splits = Splits("pets", split(12, "train"), test=split(10, "test"))
    settings = {"data": {"name": "pets"}, "model": {"latent_size": 2, "hidden": (4,)}}
    settings["evaluation"] = {"num_importance_samples": 10, "num_samples": 2}
    if kind == "conditional":
        settings["data"]["condition"] = "label"
    else:
        settings["model"]["kind"] = "m2"
    config = resolve(RunConfig.from_dict(settings), splits)
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    run = Run(folder, config, build_vae(config, splits))
    found = evaluate(run, RunData(config, splits))
    assert not found["failed"]
    assert {"styles", "analogies", "latent_scatter"} <= {path.stem for path in folder.figures.iterdir()}
    numbers = {name.strip(): value for name, value, *_ in rows(found)}
    text = folder.report_markdown.read_text()
    if kind == "conditional":
        expected = evaluation.log_marginal(run.vae, splits.test, num_importance_samples=10).mean
        assert found["log_marginal"]["mean"] == pytest.approx(expected)
        assert "log p(x|c), 10 importance samples" in numbers
        assert "| log p(x\\|c), 10 importance samples |" in text
        assert "accuracy" not in found
    else:
        assert found["accuracy"] == evaluation.accuracy(run.vae, splits.test).to_dict()
        assert "| accuracy of q(y\\|x) |" in text


@pytest.mark.slow
@pytest.mark.parametrize(("num", "latent_size"), [(3, 2), (10, 1)])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_few_examples_train_and_are_exported(tmp_path, num, latent_size):
    x = (np.random.default_rng(0).random((num, 8, 8)) > 0.5).astype("uint8")
    np.save(tmp_path / "few.npy", x)
    settings = {"model": {"hidden": (8,), "latent_size": latent_size}, "training": {"epochs": 2}}
    settings |= {"data": {"name": str(tmp_path / "few.npy")}, "evaluation": {"num_importance_samples": 10}}
    folder, report = train(RunConfig.from_dict(settings), tmp_path / "run")
    assert set(report["failed"]) == {"active units"}
    assert (folder.saved_model / "saved_model.pb").exists()
    assert {"reconstructions", "prior_samples", "latent_scatter"} <= {path.stem for path in folder.figures.iterdir()}


@pytest.mark.slow
def test_the_exported_model_does_not_wait_for_the_report(tmp_path, monkeypatch):
    monkeypatch.setattr("tfvae.training.run.evaluate", fails)
    settings = {"model": {"hidden": (8,)}, "training": {"epochs": 1}}
    with pytest.raises(RuntimeError, match="no memory left"):
        train(RunConfig.from_dict(settings), tmp_path / "run")
    assert (tmp_path / "run" / "saved_model" / "saved_model.pb").exists()
