"""`tfvae train`, `impute`, `reconstruct` and `encode` with missing values."""

import csv
import json

import numpy as np
import pytest
from small_models import few_signatures, without_xla

import tfvae
from tfvae.training import RunConfig, train

TABLES = {
    "model": {"hidden": [8], "latent_size": 2},
    "training": {"epochs": 30, "learning_rate": 0.02},
    "evaluation": {"num_samples": 1, "num_importance_samples": 2, "num_examples": 1},
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """One factor, in columns of units of their own, of which the second is far from zero."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 1)) * [1.0, 10.0, 0.1] + [0.0, 1000.0, 0.0] + rng.normal(size=(200, 3)) * [0.1, 1.0, 0.01]
    holes = np.where(rng.uniform(size=x.shape) < 0.3, np.nan, x)
    np.save(folder / "own.npy", holes.astype("float32"))
    np.savez(folder / "masks.npz", x=x.astype("float32"), seen=~np.isnan(holes))
    return folder


@pytest.fixture(scope="module")
def run(own):
    with without_xla(), few_signatures():
        train(RunConfig.from_dict({"data": {"name": str(own / "own.npy"), "missing": "nan"}, **TABLES}), own / "run")
    return own / "run"


@pytest.mark.slow
def test_a_run_is_that_of_observed_values(own, run):
    x = np.load(own / "own.npy")
    vae = tfvae.load_model(run / "model.keras")
    standardization = vae.encoder.get_layer("standardization")
    train = tfvae.data.load(own / "own.npy", missing="nan").train
    observed = np.where(train.observed, train.x, np.nan)
    np.testing.assert_allclose(standardization.loc, np.nanmean(observed, axis=0, dtype="float64"), rtol=1e-5)
    np.testing.assert_allclose(standardization.scale, np.nanstd(observed, axis=0, dtype="float64"), rtol=1e-4)
    assert vae.missing == "nan"
    assert np.isfinite(vae.encode(x[:5]).mean()).all()
    report = json.loads((run / "report.json").read_text())
    assert report["failed"] == {}
    assert report["bits_per_dim"]["num_observed"] < 3
    assert report["elbo"]["mean"] > report["baseline"]["mean"]
    markdown = (run / "report.md").read_text()
    assert "bits per observed dimension" in markdown
    assert "of the values missing" in markdown


@pytest.mark.slow
def test_missing_values_are_imputed(own, run, tfvae_command, tmp_path):
    output = tmp_path / "imputed.csv"
    arguments = ("--num-importance-samples", 100, "-n", 2)
    code, out, err = tfvae_command("impute", run, own / "own.npy", *arguments, "-o", output)
    assert code == 0, err
    x = np.load(own / "own.npy")
    assert f"{np.isnan(x).sum()} missing values of 200 examples imputed" in out
    with output.open() as file:
        rows = list(csv.DictReader(file))
    mean = np.array([[float(row[f"mean_{i}"]) for i in range(3)] for row in rows], "float32")
    np.testing.assert_array_equal(mean[~np.isnan(x)], x[~np.isnan(x)])
    with np.load(own / "masks.npz") as found:
        complete = found["x"]
    known = np.isnan(x) & ~np.isnan(x).all(axis=1, keepdims=True)
    errors = (mean - complete) / complete.std(axis=0)
    assert np.mean(errors[known] ** 2) < 0.5  # 1 for the mean of a column
    code, _, err = tfvae_command("impute", run, own / "masks.npz", "--missing", "seen", *arguments, "-o", output)
    assert code == 0, err
    with output.open() as file:
        again = np.array([[float(row[f"mean_{i}"]) for i in range(3)] for row in csv.DictReader(file)], "float32")
    np.testing.assert_array_equal(again, mean)
    code, _, err = tfvae_command("impute", run, own / "masks.npz", "--missing", "none", "-o", output)
    assert code == 1
    assert "no array 'none' for the mask" in err


@pytest.mark.slow
def test_holes_are_nan_in_reconstructions(run, tfvae_command, tmp_path):
    assert tfvae_command("reconstruct", run, "-o", tmp_path / "r.npz")[0] == 0
    with np.load(tmp_path / "r.npz") as found:
        assert np.isnan(found["x"]).any()
        assert np.isfinite(found["mean"]).all()
    assert tfvae_command("encode", run, "-o", tmp_path / "e.npz")[0] == 0


def test_files_of_settings_name_missing_values(own, tfvae_command, tmp_path):
    code, _, err = tfvae_command("new", tmp_path / "own.toml", "--data", own / "own.npy")
    assert code == 1
    assert "--missing nan" in err
    assert tfvae_command("new", tmp_path / "own.toml", "--data", own / "own.npy", "--missing", "nan")[0] == 0
    config = RunConfig.from_toml(tmp_path / "own.toml")
    assert config.data.missing == "nan"
    (line,) = [line for line in (tmp_path / "own.toml").read_text().splitlines() if line.startswith("likelihood")]
    assert "student_t" in line
    assert "mixture" not in line  # whose values depend on each other


def test_likelihoods_of_dependent_values_are_refused(own):
    config = {"data": {"name": str(own / "own.npy"), "missing": "nan"}, "model": {"likelihood": "tril"}}
    with pytest.raises(ValueError, match="needs data without missing values"):
        train(RunConfig.from_dict(config), own / "never")
