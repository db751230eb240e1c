"""Runs on sparse counts: choices, training, resuming, samples and latents."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse
from small_models import few_signatures, without_xla
from typer.testing import CliRunner

from tfvae import layers
from tfvae.cli.app import app
from tfvae.data import DataError, load
from tfvae.training.baseline import measure_baseline
from tfvae.training.build import build_vae
from tfvae.training.config import RunConfig
from tfvae.training.load_data import load_data
from tfvae.training.resolve import resolve
from tfvae.training.run import train
from tfvae.training.run_data import RunData

N, D = 150, 12


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cells.npz"
    draw = np.random.default_rng(0)
    shares = draw.dirichlet(np.full(D, 0.5), size=3)[draw.integers(3, size=N)]
    scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(draw.poisson(shares * draw.integers(20, 400, size=(N, 1)))))
    return path


def config_of(path, **tables):
    small = {"latent_size": 2, "hidden": [8]}
    return RunConfig.from_dict(
        {"data": {"name": str(path)}, "model": small, "training": {"epochs": 2, "batch_size": 50}}, tables
    )


def resolved(path, **tables):
    config = config_of(path, **tables)
    splits = load_data(config)
    return resolve(config, splits), splits


@pytest.mark.parametrize(
    ("given", "inflated"),
    [
        ("auto", False),
        ("negative_binomial", False),
        ("zero_inflated_negative_binomial", True),
        ({"kind": "sized_negative_binomial", "zero_inflated": True}, True),
    ],
)
def test_likelihoods(cells, given, inflated):
    config, _ = resolved(cells, model={"likelihood": given})
    assert config.model.likelihood == {"kind": "sized_negative_binomial", "zero_inflated": inflated}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"likelihood": "normal"}, r"'normal' needs dense data.*These fit: sized_negative_binomial\. Received"),
        ({"kind": "m2"}, "model.kind must be"),
        ({"prior": "conditional"}, "model.prior must be another than conditional"),
    ],
)
def test_what_rows_of_counts_cannot_have(cells, model, message):
    config = config_of(cells, model=model)
    with pytest.raises(ValueError, match=message):
        resolve(config, load(cells))


def test_other_data_have_no_sizes():
    config = config_of("digits", model={"likelihood": "sized_negative_binomial"})
    with pytest.raises(ValueError, match="needs rows of sparse counts with their sizes"):
        resolve(config, load("digits"))


def test_a_model_begins_at_its_baseline(cells):
    config, splits = resolved(cells)
    with without_xla():
        vae = build_vae(config, splits)
    data = RunData(config, splits)
    baseline = measure_baseline(data).mean
    start = vae.evaluate(data.evaluation.batches(50), return_dict=True, verbose=0)["elbo"]
    assert start == pytest.approx(baseline, rel=0.02)


def test_the_encoder_sees_logarithms_and_the_decoder_sizes(cells):
    config, splits = resolved(cells)
    vae = build_vae(config, splits)
    assert isinstance(vae.encoder.layers[0], layers.LogCounts)
    assert vae.condition_shape == (1,)
    z = np.zeros((2, 2), "float32")
    mean = vae.decode(z, condition=np.array([[100.0], [200.0]])).mean().numpy()
    np.testing.assert_allclose(mean.sum(axis=1), [100, 200], rtol=1e-4)
    np.testing.assert_allclose(mean[1], 2 * mean[0], rtol=1e-4)


def test_conditions_besides_the_size(cells, monkeypatch):
    splits = load(cells)
    given = {
        key: split.with_condition(np.eye(3, dtype="float32")[split.rows % 3], ("a", "b", "c"))
        for key, split in splits.all.items()
    }
    config = config_of(cells, data={"condition": "batch"})
    monkeypatch.setattr("tfvae.data.load", lambda *args, **kwargs: type(splits)("cells", **given))
    loaded = load_data(config)
    config = resolve(config, loaded)
    vae = build_vae(config, loaded)
    assert (config.data.classes, vae.condition_shape) == (("a", "b", "c"), (4,))
    x, z = loaded.test.take(2).x, np.ones((2, 2), "float32")
    one, other = np.array([[1, 0, 0, 50.0]] * 2), np.array([[0, 1, 0, 50.0]] * 2)
    for layer in (vae.encoder, vae.decoder):
        for weight in layer.trainable_weights:
            weight.assign(keras.random.normal(weight.shape, seed=1))
    assert not np.allclose(vae.encode(x, condition=one).mean(), vae.encode(x, condition=other).mean())
    assert not np.allclose(vae.decode(z, condition=one).mean(), vae.decode(z, condition=other).mean())
    more = one * [1, 1, 1, 3]  # the encoder has the size in x
    np.testing.assert_array_equal(vae.encode(x, condition=one).mean(), vae.encode(x, condition=more).mean())


@pytest.fixture(scope="module")
def run(cells, tmp_path_factory):
    config = config_of(cells, evaluation={"num_importance_samples": 20})
    with without_xla(), few_signatures():
        return train(config, tmp_path_factory.mktemp("runs") / "run")


def test_a_run(run):
    folder, report = run
    assert not report["failed"]
    assert report["baseline"]["family"] == "counts"
    assert "log-probability" in report["note"]
    assert {path.stem for path in folder.figures.iterdir()} >= {"reconstructions", "prior_samples", "latent_scatter"}


def test_commands(run, cells, tmp_path):
    folder = str(run[0].path)
    invoke = CliRunner().invoke
    result = invoke(app, ["sample", folder, "-n", "20", "-o", str(tmp_path / "s.npz")])
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "s.npz") as file:
        assert file["sample"].shape == (20, D)
        sums = file["mean"].sum(axis=1)
    sizes = load(cells).train.sizes
    assert sizes.min() - 1 <= sums.min() < sums.max() <= sizes.max() + 1
    assert len(np.unique(sums)) > 10
    result = invoke(app, ["encode", folder, str(cells), "-o", str(tmp_path / "z.npz")])
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "z.npz") as file:
        assert file["mean"].shape == (N, 2)


def test_columns_of_other_files_are_found_by_name(run, cells, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run[0].path, folder)
    names = [f"g{i}" for i in range(D)]
    (folder / "column_names.json").write_text(json.dumps(names))
    x, order = scipy.sparse.load_npz(cells), np.random.default_rng(0).permutation(D)
    for name, columns in {"other": order, "part": order[2:]}.items():
        (tmp_path / name).mkdir()
        scipy.io.mmwrite(tmp_path / name / "matrix.mtx", x[:, columns].tocoo())
        (tmp_path / name / "genes.tsv").write_text("".join(f"{names[i]}\tgene\n" for i in columns))
    invoke = CliRunner().invoke
    for data in (cells, tmp_path / "other"):
        result = invoke(app, ["encode", str(folder), str(data), "-o", str(tmp_path / f"{data.name}.z.npz")])
        assert result.exit_code == 0, result.output
    with np.load(tmp_path / "cells.npz.z.npz") as one, np.load(tmp_path / "other.z.npz") as other:
        np.testing.assert_array_equal(one["mean"], other["mean"])
    few = ["--num-importance-samples", "5", "-o", str(tmp_path / "scores.csv")]
    result = invoke(app, ["score", str(folder), str(tmp_path / "other"), *few])
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores["column_1"].isin(names).all()
    row, column = 0, names.index(scores["column_1"][0])
    assert scores["value_1"][0] == x[row, column]
    result = invoke(app, ["encode", str(folder), str(tmp_path / "part"), "-o", str(tmp_path / "z.npz")])
    assert isinstance(result.exception, DataError)
    assert "lacks 2 of the 12 columns" in str(result.exception)


def test_runs_keep_the_names_of_columns(tmp_path, cells, monkeypatch):
    x = scipy.sparse.load_npz(cells)
    scipy.io.mmwrite(tmp_path / "matrix.mtx", x.tocoo())
    (tmp_path / "genes.tsv").write_text("".join(f"g{i}\n" for i in range(D)))
    monkeypatch.setattr("tfvae.training.run._fit", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(config_of(tmp_path), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "column_names.json").read_text()) == [f"g{i}" for i in range(D)]


@pytest.mark.slow
def test_resumed_runs_are_those_without_a_break(cells, tmp_path):
    whole, _ = train(config_of(cells, training={"epochs": 3}), tmp_path / "whole")
    train(config_of(cells, training={"epochs": 1}), tmp_path / "parts")
    parts, _ = train(config_of(cells, training={"epochs": 3}), tmp_path / "parts", resume=True)
    for found, expected in zip(
        keras.saving.load_model(parts.model).weights, keras.saving.load_model(whole.model).weights, strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_latents_in_files_of_anndata(cells, tmp_path):
    anndata = pytest.importorskip("anndata", reason="anndata is not installed")
    x = scipy.sparse.load_npz(cells)
    before = anndata.AnnData(x, layers={"other": x * 2}, obsm={"X_pca": np.ones((N, 3))}, uns={"a": {"b": 1}})
    before.obs["kind"] = ["a", "b", "c"] * (N // 3)
    before.write_h5ad(tmp_path / "cells.h5ad")
    folder, _ = train(config_of(tmp_path / "cells.h5ad", data={"label": "kind"}), tmp_path / "run")
    invoke = CliRunner().invoke
    for given in ([str(tmp_path / "cells.h5ad")], []):
        result = invoke(app, ["encode", str(folder.path), *given, "-o", str(tmp_path / "out.h5ad")])
        assert result.exit_code == 0, result.output
        after = anndata.read_h5ad(tmp_path / "out.h5ad")
        assert after.obsm["X_tfvae"].shape == (N, 2)
        del after.obsm["X_tfvae"]
        assert (after.X != before.X).nnz == (after.layers["other"] != before.layers["other"]).nnz == 0
        assert after.obs.equals(before.obs)
        assert after.uns["a"]["b"] == 1
        np.testing.assert_array_equal(after.obsm["X_pca"], before.obsm["X_pca"])
    result = invoke(app, ["sample", str(folder.path), "-n", "5", "-o", str(tmp_path / "samples.h5ad")])
    assert result.exit_code == 0, result.output
    samples = anndata.read_h5ad(tmp_path / "samples.h5ad")
    assert (samples.shape, list(samples.var_names)) == ((5, D), list(before.var_names))
