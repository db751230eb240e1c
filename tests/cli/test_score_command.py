"""`tfvae score` on a table and on arrays, and `encode`, `predict` and `reconstruct` as tables with ids."""

import keras
import numpy as np
import pandas as pd
import pytest
from small_models import without_xla

from tfvae import evaluation
from tfvae.tables import to_rows
from tfvae.training import RunConfig
from tfvae.training.build import build_vae
from tfvae.training.load_data import load_data
from tfvae.training.resolve import resolve
from tfvae.training.run_folder import RunFolder
from tfvae.training.saved_run import load_run
from tfvae.training.score_reference import reference_of_run

NUM_ROWS = 100
FEW = ("--num-importance-samples", 20)


def run_of(path, folder, **data):
    """Writes a run folder with an untrained model."""
    keras.utils.set_random_seed(0)
    tables = {"data": {"name": str(path), **data}, "model": {"hidden": [4], "latent_size": 2}}
    given = RunConfig.from_dict(tables)
    splits = load_data(given)
    config = resolve(given, splits)
    with without_xla():
        vae = build_vae(config, splits)
    run = RunFolder(folder)
    run.claim(config.to_toml())
    vae.save(run.model)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clinic")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "patient": [f"P{i:03}" for i in range(NUM_ROWS)],
            "height": rng.normal(170, 9, NUM_ROWS).round(1),
            "ward": rng.choice(["north", "south"], NUM_ROWS),
            "stays": rng.poisson(3, NUM_ROWS) * rng.integers(1, 9, NUM_ROWS),
            "outcome": rng.choice(["well", "ill"], NUM_ROWS),
        }
    )
    frame.to_csv(folder / "clinic.csv", index=False)
    columns = {"height": "real", "ward": "category", "stays": "count"}
    run_of(folder / "clinic.csv", folder / "run", id="patient", label="outcome", columns=columns)
    return folder


def test_unusual_rows_are_found_with_their_columns(clinic, tfvae_command, tmp_path):
    frame = pd.read_csv(clinic / "clinic.csv")[::-1]  # with columns in another order
    frame = frame[["stays", "outcome", "ward", "height", "patient"]].astype({"stays": object})
    frame.iloc[3, 2] = "west"
    frame.iloc[5, 3] = 1700.0
    frame.iloc[6, 0] = "many"
    frame.iloc[7, 0] = None
    frame.loc[frame["height"] > 180, "outcome"] = "ill"
    frame.to_csv(tmp_path / "other.csv", index=False)
    arguments = ("score", clinic / "run", tmp_path / "other.csv", *FEW)
    code, out, err = tfvae_command(*arguments, "-o", tmp_path / "scores.csv", "--anomaly", "ill")
    assert code == 0, err
    found = pd.read_csv(tmp_path / "scores.csv", index_col="patient")
    assert list(found.index) == [f"P{i:03}" for i in reversed(range(NUM_ROWS))]
    odd = found.iloc[[3, 5, 6]]
    assert list(odd["column_1"]) == ["ward", "height", "stays"]
    assert list(odd["value_1"]) == ["west", "1700.0", "many"]
    assert list(odd["quantile"]) == [0, 0, 0]
    assert odd["is_unusual"].all()
    assert np.isneginf(found["log_likelihood"]).sum() == 2
    assert "2 have a value that the model excludes" in out
    assert "patient P096: log p(x) -inf; ward = west (+inf)" in out
    assert "the 10 examples of clinic/validation" in out
    assert f"{(frame['outcome'] == 'ill').sum()} with outcome = ill against" in out
    assert found["contribution_1"].ge(found["contribution_2"]).all()
    code, _, err = tfvae_command(*arguments, "-o", tmp_path / "scores.parquet", "--expected-share", 0.5)
    assert code == 0, err
    again = pd.read_parquet(tmp_path / "scores.parquet").set_index("patient")
    np.testing.assert_allclose(again["log_likelihood"], found["log_likelihood"])
    np.testing.assert_array_equal(again["is_unusual"], found["quantile"] <= 0.5)


@pytest.mark.slow
def test_the_file_has_what_python_computes(clinic, tfvae_command, tmp_path):
    code, _, err = tfvae_command("score", clinic / "run", *FEW, "-o", tmp_path / "s.npz", "--id", "outcome")
    assert code == 0, err
    run = load_run(clinic / "run")
    rows = load_data(run.config)
    whole = np.concatenate([split.x for split in rows.all.values()])
    with np.load(tmp_path / "s.npz") as found:
        assert found["contributions"].shape == (NUM_ROWS, 3)
        assert set(found["outcome"]) == {"well", "ill"}
        reference = evaluation.score_reference(run.vae, rows.validation, num_importance_samples=20)
        expected = evaluation.score(run.vae, whole, reference=reference, num_importance_samples=500)
        order = np.argsort(found["log_likelihood"])
        error = np.sort(expected.log_marginal) - found["log_likelihood"][order]
        assert np.abs(error).max() < 5 * found["standard_error"].max()


@pytest.mark.slow
def test_the_reference_is_measured_once(clinic, monkeypatch):
    run = load_run(clinic / "run")
    first = reference_of_run(run, 7)
    assert first.name == "clinic/validation"
    monkeypatch.setattr("tfvae.training.score_reference.load_data", lambda config: pytest.fail("data loaded again"))
    again = reference_of_run(run, 7)
    np.testing.assert_array_equal(again.reference.surprise, first.reference.surprise)
    monkeypatch.undo()
    weight = run.vae.decoder.trainable_variables[0]
    weight.assign(weight + 0.5)
    assert (reference_of_run(run, 7).reference.surprise != first.reference.surprise).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "outcome"), "--label is for tables, with --anomaly CLASS"),
        (("--anomaly", "dead"), "--anomaly must be one of the classes in the column 'outcome': ill, well"),
        pytest.param(
            ("--anomaly", "north", "--label", "ward"),
            "The model has seen the labels, because the column 'ward'",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ("--anomaly", "north", "--label", "age"), "--label COLUMN. Received: --label 'age'", marks=pytest.mark.slow
        ),
        (("-o", "scores.txt"), "--output must end in"),
        pytest.param(("other.csv",), "lacks 2 of 3 columns: ['ward', 'stays']", marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_scored(clinic, tfvae_command, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.csv").write_text("height\n170\n")
    code, _, err = tfvae_command("score", clinic / "run", *FEW, *arguments)
    assert code == 1
    assert message in err
    assert "Traceback" not in err


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    x = np.random.default_rng(0).integers(0, 256, (40, 4, 3, 1)).astype("uint8")
    np.savez(folder / "own.npz", x=x, y=np.arange(40) % 3)
    run_of(folder / "own.npz", folder / "run", binarize="threshold")
    return folder


@pytest.mark.slow
def test_pixels_of_images(images, tfvae_command, tmp_path):
    code, out, err = tfvae_command(
        "score", images / "run", images / "own.npz", *FEW, "--anomaly", 1, "--anomaly", 2, "-o", tmp_path / "s.csv"
    )
    assert code == 0, err
    found = pd.read_csv(tmp_path / "s.csv")
    assert list(found["row"]) == list(range(40))
    row, column = map(int, found["pixel_1"][0].split(","))
    assert (row, column) < (4, 3)
    assert set(found["value_1"]) <= {0, 1}
    assert "26 with label 1 or 2 against 14 others" in out


def test_codes_are_a_table_with_ids(clinic, tfvae_command, tmp_path):
    frame = pd.read_csv(clinic / "clinic.csv")
    for name in ("codes.csv", "codes.parquet"):
        code, _, err = tfvae_command("encode", clinic / "run", clinic / "clinic.csv", "-o", tmp_path / name)
        assert code == 0, err
    codes, again = pd.read_csv(tmp_path / "codes.csv"), pd.read_parquet(tmp_path / "codes.parquet")
    assert list(codes.columns) == ["patient", "mean_0", "mean_1", "stddev_0", "stddev_1", "z_0", "z_1", "labels"]
    pd.testing.assert_frame_equal(codes, again, check_dtype=False, rtol=1e-6)
    assert list(codes["patient"]) == list(frame["patient"])
    assert list(codes["labels"]) == list(frame["outcome"])
    run = load_run(clinic / "run")
    rows, _ = to_rows(frame, load_data(run.config).schema)
    np.testing.assert_allclose(codes[["mean_0", "mean_1"]], run.vae.encode(rows).mean(), rtol=1e-4, atol=1e-5)
    code, _, err = tfvae_command("encode", clinic / "run", "--id", "nobody")
    assert code == 1
    assert "--id must be a column of a table. Received: --id 'nobody'" in err


@pytest.mark.slow
def test_reconstructions_are_rows_of_the_table(clinic, tfvae_command, tmp_path):
    code, _, err = tfvae_command("reconstruct", clinic / "run", "-n", 8, "-o", tmp_path / "r.csv")
    assert code == 0, err
    found = pd.read_csv(tmp_path / "r.csv")
    assert list(found.columns) == ["patient", "height", "ward", "stays"]
    assert len(found) == 8
    assert set(found["ward"]) <= {"north", "south"}
    assert found["stays"].dtype == "int64"
    assert not (tmp_path / "r.png").exists()
