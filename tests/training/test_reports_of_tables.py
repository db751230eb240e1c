"""Reports of runs whose data are a table."""

import json

import numpy as np
import pandas as pd
import pytest
from small_models import without_xla

from tfvae.training import RunConfig
from tfvae.training.build import build_vae
from tfvae.training.evaluate import evaluate
from tfvae.training.load_data import load_data
from tfvae.training.resolve import resolve
from tfvae.training.run_data import RunData
from tfvae.training.run_folder import RunFolder
from tfvae.training.saved_run import Run

NUM_ROWS = 200


def write_flowers(path):
    """A table of two measures, with holes, that depend on the kind of flower."""
    rng = np.random.default_rng(0)
    kind = rng.choice(["iris", "rose"], NUM_ROWS)
    length = np.round(rng.normal(np.where(kind == "iris", 4.0, 6.0), 0.5), 1)
    frame = pd.DataFrame({"length": length, "leaves": rng.poisson(3, NUM_ROWS), "kind": kind})
    frame.loc[5:9, "length"] = np.nan
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["plain", "condition", "m2"])
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_report_speaks_in_columns(tmp_path, kind):
    path = write_flowers(tmp_path / "flowers.csv")
    data = {"name": str(path)}
    data |= {} if kind == "plain" else {"label": "kind"}
    data |= {"condition": "label"} if kind == "condition" else {}
    model = {"hidden": [8], "latent_size": 2, "kind": "m2" if kind == "m2" else "vae"}
    given = RunConfig.from_dict(
        {"data": data, "model": model, "evaluation": {"num_importance_samples": 20, "num_samples": 2}}
    )
    splits = load_data(given)
    config = resolve(given, splits)
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    with without_xla():
        report = evaluate(Run(folder, config, build_vae(config, splits)), RunData(config, splits))
    assert json.loads(json.dumps(report)) == json.loads(folder.report_json.read_text())
    assert report["failed"] == {}
    columns = ["length", "leaves"] + ["kind"] * (kind == "plain")
    assert list(report["columns"]) == columns
    length = report["columns"]["length"]
    assert 0.0 < length["total_variation"] < 1.0
    assert length["num_observed"] < 20 or report["columns"]["leaves"]["num_observed"] == 20
    sums = sum(found["log_likelihood"] * found["num_observed"] / 20 for found in report["columns"].values())
    assert sums == pytest.approx(report["elbo"]["log_likelihood"], rel=1e-5)
    assert (report["prediction"]["target"], report["prediction"]["predicts_classes"]) == ("kind", True)
    assert report["prediction"]["num_sampled"] == 1000
    drawn = {path.stem for path in folder.figures.iterdir()}
    assert drawn == {"latent_scatter", "marginals", "associations", "column_likelihoods"}
    assert "## Columns" in folder.report_markdown.read_text()
