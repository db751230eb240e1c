"""`tfvae train`, `sample`, `predict` and `encode` with conditions and labels."""

import csv

import numpy as np
import pytest
from small_models import few_signatures, without_figures, without_graphs, without_views

from tfvae.training import RunConfig, train

TABLES = {
    "model": {"hidden": [4], "latent_size": 2},
    "training": {"epochs": 2, "learning_rate": 0.05},
    "evaluation": {"num_samples": 1, "num_importance_samples": 2, "num_examples": 1},
}


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    side = np.array(["left", "right"])[np.arange(200) % 2]
    x = rng.normal(np.where(side == "left", -2.0, 2.0)[:, None], 0.5, (200, 3)).astype("float32")
    np.savez(folder / "own.npz", x=x, y=side)
    return folder


def trained(own, name, **tables):
    tables = {table: {**TABLES.get(table, {}), **tables.get(table, {})} for table in ("data", "model", "training")}
    tables["data"]["name"] = str(own / "own.npz")
    with without_graphs(), few_signatures(), without_figures(), without_views():
        train(RunConfig.from_dict({**tables, "evaluation": TABLES["evaluation"]}), own / name)
    return own / name


@pytest.fixture(scope="module")
def conditional(own):
    return trained(own, "conditional", data={"condition": "label"}, training={"epochs": 20})


@pytest.fixture(scope="module")
def m2(own):
    return trained(own, "m2", data={"num_labels": 20}, model={"kind": "m2"})


@pytest.mark.slow
def test_samples_of_a_condition(conditional, tfvae_command, tmp_path):
    output = tmp_path / "right.npz"
    code, _, err = tfvae_command("sample", conditional, "--condition", "right", "-n", 50, "-o", output)
    assert code == 0, err
    with np.load(output) as found:
        assert found["sample"].shape == (50, 3)
        assert found["sample"].mean() > 1
    for arguments, message in (
        ((), "needs a condition: --condition, one of left, right"),
        (("--condition", "up"), "one of the classes of the training data, left, right. Received: 'up'"),
        (("--condition", "left", "--label", "left"), "has no labels"),
    ):
        code, _, err = tfvae_command("sample", conditional, *arguments, "-o", output)
        assert code == 1
        assert message in err
    assert tfvae_command("reconstruct", conditional, "-n", 5, "-o", tmp_path / "r.npz")[0] == 0
    assert tfvae_command("encode", conditional, "-o", tmp_path / "e.npz")[0] == 0


def test_labels_are_predicted_and_drawn(m2, own, tfvae_command, tmp_path):
    output = tmp_path / "labels.csv"
    code, out, err = tfvae_command("predict", m2, own / "own.npz", "-o", output)
    assert code == 0, err
    assert "of 200 examples with a label" in out
    with output.open() as file:
        rows = list(csv.DictReader(file))
    with np.load(own / "own.npz") as data:
        right = np.mean([row["label"] == label for row, label in zip(rows, data["y"], strict=True)])
    assert right > 0.9
    np.testing.assert_allclose([float(row["p_left"]) + float(row["p_right"]) for row in rows], 1.0, rtol=1e-5)
    code, out, err = tfvae_command("sample", m2, "--label", "left", "-n", 8, "-o", tmp_path / "s.npz")
    assert code == 0, err
    with np.load(tmp_path / "s.npz") as found:
        np.testing.assert_array_equal(found["y"], [[1.0, 0.0]] * 8)
    assert tfvae_command("encode", m2, "-o", tmp_path / "e.npz")[0] == 0
    code, out, err = tfvae_command("sample", m2, "--label", "up", "-o", tmp_path / "s.npz")
    assert "one of the classes of the training data, left, right. Received: 'up'" in err
