"""`tfvae parts`, `tfvae new`, `tfvae sweep` and `--set`, in this process."""

import tomllib

import numpy as np
import pytest
from typer.testing import CliRunner

from tfvae.cli.app import app
from tfvae.data import load
from tfvae.data.splits import make_splits
from tfvae.sweeps import running
from tfvae.sweeps.workers import Ended, Workers
from tfvae.training import RunConfig
from tfvae.training.commented import commented_file
from tfvae.training.config import read_toml
from tfvae.training.overrides import overrides
from tfvae.training.resolve import resolve


@pytest.fixture
def run_command():
    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)

    return run


def test_parts_are_listed_and_described(run_command):
    family = run_command("parts", "prior").output
    assert "vamp(num_components, activation = none, initializer = none)" in family
    assert "Normalizing flow: a standard normal transformed" in family
    one = run_command("parts", "estimator", "dreg").output
    assert 'training.estimator = {kind = "dreg"}' in one
    assert "num_importance_samples = 5, num_samples = 1" in one
    assert "References:" in one
    assert "training.learning_rate" in run_command("parts").output
    assert "Did you mean 'vamp'" in str(run_command("parts", "prior", "vmap").exception)


def test_a_new_file_is_the_default_run(run_command, tmp_path):
    file = tmp_path / "new.toml"
    assert run_command("new", file, "--data", "digits").exit_code == 0
    splits = load("digits")
    default = RunConfig.from_dict({"data": {"name": "digits"}})
    assert resolve(RunConfig.from_toml(file), splits) == resolve(default, splits)
    text = file.read_text()
    assert 'kl = "auto"  # auto, here analytic; ' in text, "it follows from the prior"
    other = RunConfig.from_toml(file, {"model": {"prior": "flow", "network": "conv"}})
    assert (resolve(other, splits).training.kl, resolve(other, splits).model.activation) == ("monte_carlo", "relu")
    assert "# data: 1,437 train + 360 test examples" in text
    assert "discretized_logistic_mixture" in text, "the data have levels"
    assert "poisson" not in text, "they are no counts"
    again = run_command("new", file)
    assert "exists already" in str(again.exception)
    assert file.read_text() == text


def test_a_file_names_what_fits_the_data():
    splits = load("digits")
    config = RunConfig.from_dict({"data": {"name": "digits"}, "model": {"likelihood": "normal", "prior": "flow"}})
    text = commented_file(config, splits)
    assert resolve(RunConfig.from_dict(tomllib.loads(text)), splits) == resolve(config, splits)
    assert 'network = "mlp"  # or conv, resnet, gated_mlp, residual_mlp' in text
    assert "spherical_uniform" not in text, "the posterior is on no sphere"
    assert max(map(len, text.splitlines())) < 200


def test_a_setting_on_the_command_line_is_toml_or_text(tmp_path):
    first, second, third, fourth = overrides(
        ["model.prior=vamp", "model.prior.num_components=100", "model.hidden=[3, 4]", 'training.beta={kind="constant"}']
    )
    assert (first, second) == ({"model": {"prior": "vamp"}}, {"model": {"prior": {"num_components": 100}}})
    assert third == {"model": {"hidden": [3, 4]}}
    assert fourth == {"training": {"beta": {"kind": "constant"}}}
    config = RunConfig.from_dict(first, second, third)
    assert config.model.prior == {"kind": "vamp", "num_components": 100}
    for text in ("model.prior", "prior=vamp", "model..prior=vamp"):
        with pytest.raises(ValueError, match="--set needs a setting with its table and a value"):
            overrides([text])


def test_a_misspelt_setting_is_one_error_before_anything_is_written(run_command, tmp_path):
    result = run_command("train", "--run-dir", tmp_path / "run", "--set", "model.prior=vmap")
    assert "Did you mean 'vamp'" in str(result.exception)
    assert not (tmp_path / "run").exists()
    resumed = run_command("train", "--resume", tmp_path / "run", "--set", "model.prior=vamp")
    assert "--resume keeps the configuration" in str(resumed.exception)


def test_a_sweep_prints_its_table(run_command, tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text('[data]\nname = "digits"\n[grid]\ntraining.beta = [1.0, 2.0]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "Workers", _Failing)
    output = run_command("sweep", file, "--jobs", "1").output
    assert "failed: beta=1, seed 0: it is a test" in output
    assert "There is one seed" in output
    assert (tmp_path / "sweeps/mine/sweep.md").read_text().count("it is a test") == 2
    assert read_toml(tmp_path / "sweeps/mine/sweep.toml")["grid"]

    def interrupted(self, run):
        raise KeyboardInterrupt

    monkeypatch.setattr(_Failing, "start", interrupted)
    stopped = run_command("sweep", file, "--retry-failed", "--jobs", "1")
    assert "Go on with `tfvae sweep" in str(stopped.exception)


class _Failing(Workers):
    """Every run has ended with an error."""

    def start(self, run):
        path = run.log_file(self._folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("error: it is a test\n")
        self._ended = Ended(run, "failed", None)

    def next_ended(self, timeout=None):
        ended, self._ended = self._ended, None
        return ended

    @property
    def runs(self):
        return [ended.run for ended in (getattr(self, "_ended", None),) if ended is not None]


def test_a_file_for_a_table_has_no_networks_for_images():
    table = make_splits("own", {"train": np.random.default_rng(0).normal(size=(40, 3))}, {}, "own.npy")
    text = commented_file(RunConfig.from_dict({"data": {"name": "own.npy"}}), table)
    assert 'network = "mlp"  # or gated_mlp, residual_mlp' in text
    assert "tril" in text
    assert "bernoulli" not in text.split("likelihood =")[0].splitlines()[-1]
