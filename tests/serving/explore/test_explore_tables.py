"""Tables on the page: decoded rows, nearest rows and a row of one's own, in the terms of the columns."""

import json

import numpy as np
import pandas as pd
import pytest
from explore_server import make_run, serving
from explore_visitor import visit
from fastapi import FastAPI
from fastapi.testclient import TestClient
from small_models import without_xla

from tfvae.serving.explore import add_explore, explored_run
from tfvae.serving.explore.nearest_rows import NearestRows
from tfvae.tables import Column, Schema
from tfvae.training.load_data import load_data
from tfvae.training.saved_run import load_run

NUM_ROWS = 600


def write_flowers(path):
    rng = np.random.default_rng(0)
    kind = rng.choice(["iris", "rose"], NUM_ROWS)
    frame = pd.DataFrame(
        {
            "kind": kind,
            "length": np.round(rng.normal(np.where(kind == "iris", 4.0, 60.0), 0.5), 1),
            "leaves": rng.poisson(30, NUM_ROWS) * rng.integers(1, 4, NUM_ROWS),
            "found": (pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 90, NUM_ROWS), unit="D")).strftime(
                "%Y-%m-%d"
            ),
        }
    )
    frame.loc[::9, "length"] = np.nan
    frame.to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    data = {"name": write_flowers(folder / "flowers.csv")}
    with without_xla():
        return load_run(make_run(folder / "flowers", {"data": data, "model": {"latent_size": 2, "hidden": [8]}}))


@pytest.fixture(scope="module")
def table(run):
    return explored_run(run)


@pytest.fixture(scope="module")
def client(table):
    return TestClient(add_explore(FastAPI(), table))


def body(values):
    return np.asarray(values, "<f4").tobytes()


def rows_of(run, split):
    found = getattr(load_data(run.config), split)
    return np.where(found.observed, found.raw, np.nan)


@pytest.mark.slow
def test_the_page_knows_the_columns(client, run):
    model = client.get("/explore/api/model").json()
    kind, length, leaves, found = model["columns"]
    assert (kind["name"], kind["categories"]) == ("kind", ["iris", "rose"])
    train = rows_of(run, "train")
    assert (length["low"], length["high"]) == (np.nanmin(train[:, 1]).round(1), np.nanmax(train[:, 1]).round(1))
    assert (leaves["kind"], leaves["step"]) == ("count", 1.0)
    assert (found["kind"], found["origin"][:10]) == ("date", "2024-03-01")
    assert model["takes_missing"]
    assert model["words"] == ""


@pytest.mark.slow
def test_a_decoded_row_and_the_nearest_training_row(client, run):
    z = np.array([[0.5, -1.0]], "float32")
    row = client.post("/explore/api/row", content=body(z)).json()
    values = np.array(row["values"])
    decoded = np.frombuffer(client.post("/explore/api/decode", content=body(z)).content, "<f4")
    np.testing.assert_allclose(values, decoded, rtol=1e-5)
    likelihood = run.vae.decode(z)
    assert values[0] == likelihood.mode().numpy()[0, 0]
    draws = likelihood.sample(4000, seed=1).numpy()[:, 0]
    assert row["share"][0] == pytest.approx((draws[:, 0] == values[0]).mean(), abs=0.15)
    below = [(draws[:, j] <= row["low"][j]).mean() for j in (1, 2, 3)]
    np.testing.assert_allclose(below, 0.1, atol=0.1)
    np.testing.assert_allclose([(draws[:, j] <= values[j]).mean() for j in (1, 2, 3)], 0.5, atol=0.25)
    train = rows_of(run, "train")
    near = np.array([np.nan if value is None else value for value in row["nearest"]])
    assert (np.isclose(train, near, equal_nan=True).all(axis=1)).any()
    assert row["distance"] >= 0.0


@pytest.mark.slow
def test_a_row_of_ones_own_may_have_missing_values(client, run):
    x = rows_of(run, "test")[:1].astype("float32")
    x[0, 2] = np.nan
    found = client.post("/explore/api/encode", content=body(x)).json()
    assert found["elbo"] == pytest.approx(float(run.vae.elbo(x, num_samples=64, seed=0)[0]), rel=1e-4)
    columns = client.post("/explore/api/columns", content=body(x)).json()
    known = [value for value in columns["log_likelihood"] if value is not None]
    assert columns["log_likelihood"][2] is columns["rank"][2] is None
    assert sum(known) == pytest.approx(found["log_likelihood"], rel=0.02)  # other draws of z
    log_marginal = client.post("/explore/api/log_marginal", content=body(x)).json()["log_marginal"]
    assert log_marginal > found["elbo"] - 0.1
    x[0, 1] = 1e4
    odd = client.post("/explore/api/columns", content=body(x)).json()
    assert odd["rank"][1] == 0.0
    assert odd["log_likelihood"][1] < -5.0
    refused = client.post("/explore/api/columns", content=body(np.full((1, 4), np.nan)))
    assert refused.status_code == 400
    x[0, 0] = 7.0  # no category
    assert client.post("/explore/api/columns", content=body(x)).status_code == 400


def test_other_models_have_no_columns(explored):
    client = TestClient(add_explore(FastAPI(), explored))
    assert client.get("/explore/api/model").json()["columns"] is None
    for path, size in (("row", 2), ("columns", 64)):
        refused = client.post(f"/explore/api/{path}", content=body(np.zeros(size)))
        assert refused.status_code == 404
        assert "not a table" in refused.json()["error"]
    nan = client.post("/explore/api/encode", content=body(np.full(64, np.nan)))
    assert nan.status_code == 400


def test_distances_between_rows():
    schema = Schema([Column("price", "positive"), Column("colour", "category", ("r", "g", "b")), Column("n", "count")])
    rows = np.array([[1.0, 0, 5], [10.0, 1, 5], [100.0, 2, np.nan], [np.nan] * 3], "float32")
    rows = NearestRows(rows, schema)
    found = rows.find(np.array([9.0, 1, 5], "float32"))
    np.testing.assert_array_equal(found.values, [10.0, 1.0, 5.0])
    assert not found.differs.any()
    spread = np.std([0.0, np.log(10.0), np.log(100.0)])
    assert found.distance == pytest.approx(np.sqrt(np.square(np.log(10 / 9) / spread) / 3), rel=1e-5)
    other = rows.find(np.array([1.0, 2, 5], "float32"))  # its category differs
    np.testing.assert_array_equal(other.values, [1.0, 0.0, 5.0])
    np.testing.assert_array_equal(other.differs, [False, True, False])
    assert other.distance == pytest.approx(np.sqrt(2 / 3))
    last = rows.find(np.array([100.0, 2, 5], "float32"))
    assert np.isnan(last.values[2])
    assert last.distance == pytest.approx(np.sqrt(2 / 3))
    assert not last.differs[2]


@pytest.mark.slow
def test_the_page_of_a_table(browser, table, run):
    train = rows_of(run, "train")

    def unusual(content):
        return json.dumps({**json.loads(content), "rank": [1.0, 0.0, 0.5, 0.5]})

    with serving(table) as address, visit(browser, address, answers={"columns": unusual}) as visitor:
        page = visitor.page
        assert page.locator("h1").inner_text() == "Every point on this map is a row of the table"
        shown = lambda: page.locator("#decoded-rows tr").all_inner_texts()  # noqa: E731
        visitor.until(lambda: shown()[0].count("\t") == 3 and "%" in shown()[0])
        kind, length, leaves, found = (line.split("\t") for line in shown())
        assert kind[0] == "kind"
        assert kind[1] in ("iris", "rose")
        assert " to " in length[2]
        assert leaves[1].isdigit()
        assert found[1].startswith("2024-")
        assert not page.locator("#own").is_visible()
        assert not page.locator("#decoded").is_visible()
        assert page.locator("#sweep-film td").count() == 4 * 7
        before = shown()
        page.locator("#sweep-film .frame").last.click()
        visitor.until(lambda: shown() != before)
        assert shown() != before
        page.locator("#take-nearest").click()
        visitor.until(lambda: page.locator("#row-elbo").inner_text() != "–")
        slider = page.locator("#own-fields input").first
        assert float(slider.get_attribute("max")) == pytest.approx(np.nanmax(train[:, 1]), abs=0.05)
        page.locator("#own-fields select").select_option("iris")
        slider.evaluate("field => { field.value = field.max; field.dispatchEvent(new Event('input')); }")
        verdict = page.locator("#row-verdict")
        visitor.until(lambda: "Unusual" in verdict.inner_text())
        assert verdict.inner_text().endswith("Unusual: length.")
        visitor.until(lambda: "log p(x)" in page.locator("#row-log-marginal").inner_text())
        assert "log p(x) about" in page.locator("#row-log-marginal").inner_text()
        page.locator("#own-fields output").first.click()
        assert page.locator("#own-fields output").first.inner_text() == "missing"
        visitor.rest()
        assert page.evaluate("document.documentElement.scrollWidth") == 1400
