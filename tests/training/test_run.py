"""Whole runs on real data: what is in the folder, resuming, and what a bad run leaves behind."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import tomllib
import types
from pathlib import Path

import keras
import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf
from small_models import without_xla

import tfvae
from tfvae.training import RunConfig, build_vae, environment, load_run, run, train
from tfvae.training.checkpoints import write_checkpoint
from tfvae.training.resolve import resolve
from tfvae.training.run_data import RunData
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState


def small(**training):
    return RunConfig.from_dict(
        {
            "model": {"hidden": (20,)},
            "training": {"epochs": 4, **training},
            "evaluation": {"num_importance_samples": 20, "num_samples": 2},
        }
    )


@pytest.fixture(scope="module", autouse=True)
def _without_xla():
    """Which the runs of the command line have."""
    with without_xla():
        yield


# What the run of `finished` said.
STAGES = []


def with_checkpoints_within_epochs(**training):
    """144 steps an epoch, of which a call makes 50."""
    return small(batch_size=10, checkpoint_steps=50, **training)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One test alone takes it, where slow tests do not run: two processes would train it twice."""
    config = with_checkpoints_within_epochs()
    return train(config, tmp_path_factory.mktemp("runs") / "run", on_stage=STAGES.append)


@pytest.fixture
def four_epochs(tmp_path):
    """A folder with what resuming needs, as if after four epochs."""
    splits = tfvae.data.load("digits")
    config = resolve(small(), splits)
    folder = RunFolder(tmp_path / "run")
    folder.claim(config.to_toml())
    write_checkpoint(folder, build_vae(config, splits), TrainingState(4, settings=config.to_dict()))
    return folder


def test_run_folder_holds_everything(finished):
    folder, report = finished
    names = {path.name for path in folder.path.iterdir()}
    assert names == {
        "config.toml", "environment.json", "metrics.csv", "tensorboard", "checkpoints", "model.keras", "saved_model",
        "figures", "report.json", "report.md", "per_example.npz",
    }  # fmt: skip
    config = tomllib.loads(folder.config.read_text())
    assert config["model"]["likelihood"] == "bernoulli"  # resolved, no "auto" is left
    assert "auto" not in str(config)
    environment = json.loads(folder.environment.read_text())
    assert environment["packages"]["tensorflow"] == tf.__version__
    assert environment["devices"]
    with folder.metrics.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert {"elbo", "val_elbo", "log_likelihood", "val_kl", "seconds"} <= set(rows[0])
    assert json.loads(folder.report_json.read_text()) == json.loads(json.dumps(report))
    assert not report["failed"]
    with np.load(folder.per_example) as values:
        assert values["elbo"].shape == values["log_marginal"].shape == (360,)
        assert values["elbo"].mean() == pytest.approx(report["elbo"]["mean"])
    assert tfvae.export.read_manifest(folder.saved_model)["about"]["elbo"] == report["elbo"]
    assert report["baseline"]["num_examples"] == 360
    assert report["validation"] == "digits/test", "digits have no validation split"
    assert [choice["name"] for choice in report["choices"]] == [line.split()[0] for line in STAGES[1:6]]
    assert STAGES[2] == "  likelihood    Bernoulli, for values in [0, 1]  (--likelihood normal)"
    for name in ("reconstructions", "prior_samples", "manifold", "latent_scatter", "training_curves"):
        picture = matplotlib.image.imread(folder.figures / f"{name}.png")
        assert min(picture.shape[:2]) > 200
        assert picture[..., :3].std() > 0.02  # something is drawn
        assert f"figures/{name}.png" in folder.report_markdown.read_text()
    assert_the_model_has_a_card(folder, report)
    assert_checkpoints_are_where_they_are_asked_for(folder)
    assert_reported_numbers_are_those_of_the_saved_model(folder, report)


def assert_the_model_has_a_card(folder, report):
    manifest, extra = tfvae.export.read_manifest(folder.saved_model), folder.saved_model / "assets.extra"
    card = (extra / "MODEL_CARD.md").read_text()
    assert card == manifest["card"]
    assert f"| log p(x), 20 importance samples | {report['log_marginal']['mean']:.3f} ±" in card
    assert {"## Intended use", "| prior p(z) | standard_normal |", f"- tfvae: {tfvae.__version__}"} <= set(
        card.splitlines()
    )
    for name in ("manifold", "training_curves"):
        assert (extra / "figures" / f"{name}.png").read_bytes() == (folder.figures / f"{name}.png").read_bytes()
        assert f"(figures/{name}.png)" in card
        assert f"assets.extra/figures/{name}.png" in manifest["files"]
    tfvae.export.load(folder.saved_model)  # which checks the files


def assert_checkpoints_are_where_they_are_asked_for(folder):
    names = [path.name for _, path in folder.saved_checkpoints()]
    # The newest three, of which one is the best.
    assert names == ["epoch-00003-step-0000050.keras", "epoch-00003-step-0000100.keras", "epoch-00004.keras"]
    state = TrainingState.read(folder.checkpoints / names[1])
    assert (state.epochs, state.steps, state.validation_elbo) == (3, 100, None)
    assert [means[1] for means in state.running_means] == [1000.0] * 4  # examples seen in the epoch
    assert len(state.history.splitlines()) == 4
    optimizer = tfvae.load_model(folder.checkpoints / names[1]).optimizer
    assert int(optimizer.iterations) == 3 * 144 + 100


def assert_reported_numbers_are_those_of_the_saved_model(folder, report):
    vae = tfvae.load_model(folder.model)
    splits = tfvae.data.load("digits")
    split = RunData(load_run(folder.path).config, splits).evaluation
    again = tfvae.evaluation.elbo(vae, split, num_samples=2)
    assert report["elbo"]["mean"] == pytest.approx(again.mean, abs=1e-5)
    assert report["elbo"]["mean"] < report["log_marginal"]["mean"] < 0
    bits = -report["log_marginal"]["mean"] / (64 * np.log(2))
    assert report["bits_per_dim"]["mean"] == pytest.approx(bits)
    assert report["log_marginal"]["num_examples"] == 360
    served = tf.saved_model.load(str(folder.saved_model)).signatures["elbo"]
    values = served(x=tf.constant(split.x[:8]), num_samples=tf.constant(3), seed=tf.constant([1, 2]))["elbo"]
    assert np.isfinite(values).all()


@pytest.mark.slow
def test_same_seed_same_run(finished, tmp_path):
    _folder, report = finished
    _, again = train(with_checkpoints_within_epochs(), tmp_path / "again")
    assert again["elbo"] == report["elbo"]
    assert again["log_marginal"] == report["log_marginal"]
    _, other = train(with_checkpoints_within_epochs(seed=1), tmp_path / "other")
    assert other["elbo"]["mean"] != report["elbo"]["mean"]


@pytest.mark.slow
def test_resumed_run_ends_as_the_uninterrupted_one(finished, tmp_path):
    folder, report = finished
    train(with_checkpoints_within_epochs(epochs=2), tmp_path / "run")
    _, resumed = train(with_checkpoints_within_epochs(), tmp_path / "run", resume=True)
    for a, b in zip(tfvae.load_model(folder.model).weights, load_run(tmp_path / "run").vae.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert resumed["elbo"] == report["elbo"]
    history = RunFolder(tmp_path / "run").history()
    assert history["epoch"] == [0, 1, 2, 3]
    assert history["elbo"] == folder.history()["elbo"]


def test_two_processes_do_not_train_one_run(four_epochs):
    folder = four_epochs
    other = RunFolder(folder.path)
    other.lock()
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    with pytest.raises(ValueError, match="Another process is training"):
        train(small(epochs=5), folder.path, resume=True)
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before
    other.unlock()
    folder.lock()
    folder.unlock()


@pytest.mark.slow
def test_killed_run_can_be_resumed(tmp_path):
    run = tmp_path / "run"
    (tmp_path / "config.toml").write_text(small(epochs=200).to_toml())
    command = [sys.executable, "-m", "tfvae.cli", "train", "--config", "config.toml", "--run-dir", str(run)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 240
        while not RunFolder(run).saved_checkpoints() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    saved = RunFolder(run).saved_checkpoints()
    assert saved
    assert not (run / "model.keras").exists()
    done, checkpoint = saved[-1]
    tfvae.load_model(checkpoint)  # whole, whenever the kill came
    config = RunConfig.from_toml(run / "config.toml", {"training": {"epochs": done + 1}})
    folder, _ = train(config, run, resume=True)
    assert folder.history()["epoch"] == list(range(done + 1))


@pytest.mark.slow
def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    config = small(epochs=3)
    train(config, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    before = {path: path.read_bytes() for _, path in folder.saved_checkpoints()}

    class Blow(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 5:
                self.model.optimizer.learning_rate.assign(1e30)

    with pytest.raises(tfvae.callbacks.NonFiniteLossError, match=r"(kl|log_likelihood) is (inf|nan|-inf) in epoch 4"):
        train(small(epochs=6), folder.path, resume=True, callbacks=[Blow()])
    assert {path: path.read_bytes() for _, path in folder.saved_checkpoints()} == before
    weights = tfvae.load_model(folder.saved_checkpoints()[-1][1]).weights
    assert all(np.isfinite(weight).all() for weight in weights)


def test_folder_that_holds_a_run_is_left_alone(four_epochs):
    folder = four_epochs
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    with pytest.raises(ValueError, match=r"contains a run.*--resume.*--run-dir"):
        train(small(), folder.path)
    with pytest.raises(ValueError, match=r"4 epochs already.*Received: --epochs 2"):
        train(small(epochs=2), folder.path, resume=True)
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before


def write_npz(path, x, **more):
    np.savez(path, x=x, **more)
    return str(path)


def test_bad_data_leave_no_folder(tmp_path):
    rng = np.random.default_rng(0)
    cases = {
        "nan": (np.where(rng.random((40, 6)) < 0.1, np.nan, 0.5).astype("float32"), {}, "finite"),
        "integers": (rng.integers(0, 900, (40, 6)), {}, "divide|uint8"),
        "outside": (rng.normal(size=(40, 6)).astype("float32"), {"likelihood": "bernoulli"}, r"\[0, 1\].*normal"),
        "empty": (np.zeros((0, 6), "float32"), {}, "(?i)no examples|few|empty"),
    }
    for name, (x, model, message) in cases.items():
        path = write_npz(tmp_path / f"{name}.npz", x)
        config = RunConfig.from_dict({"data": {"name": path}, "model": {"hidden": (8,), **model}})
        with pytest.raises(ValueError, match=message):
            train(config, tmp_path / "run")
        assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_own_vectors_train_with_a_normal_likelihood(tmp_path):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 1)) * [1.0, 2.0, -1.0] + rng.normal(size=(300, 3)) * 0.1).astype("float32")
    config = RunConfig.from_dict(
        {
            "data": {"name": write_npz(tmp_path / "own.npz", x)},
            "model": {"latent_size": 1, "hidden": (16,), "posterior": "tril"},
            "training": {"epochs": 60, "learning_rate": 1e-2, "kl": "monte_carlo", "num_samples": 2},
            "evaluation": {"num_importance_samples": 50},
        }
    )
    _folder, report = train(config, tmp_path / "run")
    covariance = np.cov(x.T)
    # Far better than three independent normals, for which the data has this entropy.
    independent = -0.5 * np.sum(np.log(2 * np.pi * np.e * np.diag(covariance)))
    joint = -0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]
    assert independent + 0.5 * (joint - independent) < report["log_marginal"]["mean"] < joint + 0.6
    assert "a density in the units of the data" in report["note"]


@pytest.mark.slow
def test_frey_face_uses_a_dequantised_normal_likelihood(find_archives, tmp_path, monkeypatch):
    monkeypatch.setenv("TFVAE_DATA_DIR", str(find_archives("frey_faces.npz")))
    config = RunConfig.from_dict(
        {
            "data": {"name": "frey_face"},
            "model": {"network": "conv", "filters": (8, 16), "latent_size": 4},
            "training": {"epochs": 12},
            "evaluation": {"num_importance_samples": 20},
        }
    )
    _, report = train(config, tmp_path / "run")
    assert 3.0 < report["bits_per_dim"]["mean"] < 8.0  # 8 bits is no model at all
    by_hand = 8.0 - report["log_marginal"]["mean"] / (560 * np.log(2))
    assert report["bits_per_dim"]["mean"] == pytest.approx(by_hand)


def test_same_seed_same_first_weights():
    splits = tfvae.data.load("digits")
    config = resolve(small(), splits)
    a, b = build_vae(config, splits), build_vae(config, splits)
    for first, second in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("select", "best", "ends_with"), [("last", 1, "last"), ("best", 1, "1"), ("best", 2, "last")])
def test_a_run_ends_with_the_model_that_is_selected(select, best, ends_with, monkeypatch):
    paths = [(epoch, pathlib.Path(f"{epoch}.keras")) for epoch in (1, 2)]
    folder = types.SimpleNamespace(best_checkpoint=lambda: paths[best - 1][1], saved_checkpoints=lambda: paths)
    monkeypatch.setattr(run, "load_vae", lambda path: path.stem)
    programs = types.SimpleNamespace(model=lambda vae: vae)
    assert run._selected("last", small(select=select), folder, programs, lambda stage: None) == ends_with


def test_of_two_runs_one_gets_the_folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim("first = 1")
    with pytest.raises(ValueError, match="contains a run"):
        folder.claim("second = 2")
    assert folder.config.read_text() == "first = 1"


def test_folders_that_cannot_be_runs_are_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("x")
    is_other = "not a run folder"
    for name, message in (("file", is_other), ("file/run", "not a writable folder"), ("other", is_other)):
        with pytest.raises(ValueError, match=message):
            RunFolder(tmp_path / name).require_free()


@pytest.mark.slow
def test_resume_takes_an_older_checkpoint_where_the_newest_is_damaged_and_a_new_learning_rate(tmp_path):
    folder, _ = train(small(epochs=2), tmp_path / "run")
    (_, older), (_, newest) = folder.saved_checkpoints()
    newest.write_bytes(newest.read_bytes()[:1000])
    folder, _ = train(small(epochs=3, learning_rate=1e-4), folder.path, resume=True)
    assert folder.history()["epoch"] == [0, 1, 2]
    assert older.name == "epoch-00001.keras"
    assert float(load_run(folder.path).vae.optimizer.learning_rate) == pytest.approx(1e-4)


@pytest.mark.slow
def test_damaged_checkpoints_change_nothing(tmp_path):
    folder, _ = train(small(epochs=1), tmp_path / "run")
    for _, path in folder.saved_checkpoints():
        path.write_bytes(b"damaged")
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r"No checkpoint of .* can be loaded"):
        train(small(epochs=2), folder.path, resume=True)
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_a_run_on_a_file_can_be_evaluated_from_elsewhere(tmp_path, monkeypatch):
    np.save(tmp_path / "own.npy", (np.random.default_rng(0).random((60, 5)) > 0.5).astype("float32"))
    monkeypatch.chdir(tmp_path)
    config = RunConfig.from_dict(
        {
            "data": {"name": "own.npy"},
            "model": {"hidden": (4,), "latent_size": 1},
            "training": {"epochs": 1},
            "evaluation": {"num_importance_samples": 5},
        }
    )
    train(config, "run")
    assert load_run("run").config.model.likelihood == "bernoulli"  # floats that are all 0 and 1 are binary
    assert load_run("run").config.data.name == str(tmp_path / "own.npy")


@pytest.mark.parametrize("inside", ["ours", "another's"])
def test_only_the_commit_of_our_own_checkout_is_told(tmp_path, monkeypatch, inside):
    """An installed package may lie in the repository of whoever uses it."""
    root = tmp_path if inside == "ours" else tmp_path / "lib" / "site-packages"
    module = root / "tfvae" / "training" / "environment.py"
    module.parent.mkdir(parents=True)
    (root / "setup.cfg").write_text("[metadata]\nname = tfvae\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    monkeypatch.setattr(environment, "__file__", str(module))
    monkeypatch.setenv("GIT_DIR", str(Path(__file__).parents[2] / ".git"))
    assert environment._commit() == (head if inside == "ours" else None)
    (root / "setup.cfg").write_text("[metadata]\nname = another\n")
    assert environment._commit() is None


def test_the_split_that_is_out_of_range_is_the_one_that_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", x_train=np.full((9, 2), 0.5), x_test=np.full((3, 2), -7.5))
    config = RunConfig.from_dict({"data": {"name": str(tmp_path / "x.npz")}, "model": {"likelihood": "bernoulli"}})
    with pytest.raises(ValueError, match=r"x/test with values from -7\.5 to -7\.5"):
        resolve(config, tfvae.data.load(config.data.name))
