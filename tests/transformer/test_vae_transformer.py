"""VAETransformer: what its methods return, in the form of the data, and scikit-learn's own checks."""

import functools
import inspect
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import tfvae
from tfvae import evaluation, tables
from tfvae.sklearn import VAETransformer
from tfvae.training import RunConfig

SMALL = VAETransformer(latent_size=2, hidden=(4,), epochs=1, num_importance_samples=5, random_state=0)
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": "A row of weight two and two rows are not in the same batches."
}
FAST_CHECKS = ("check_estimators_unfitted", "check_fit1d", "check_no_attributes_set_in_init", "check_valid_tag_types")

RNG = np.random.default_rng(0)
X = RNG.normal([0.0, 50.0, -3.0], [1.0, 9.0, 0.1], size=(60, 3))
HOLES = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, 60),
        "income": RNG.lognormal(8, 1, 60).round(2),
        "city": RNG.choice(["Bonn", "Oslo", "Rome"], 60),
        "name": [f"person {number}" for number in range(60)],
    },
    index=np.arange(100, 160),
)
WITH_HOLES = FRAME.mask(RNG.random(FRAME.shape) < 0.2)


@pytest.fixture(autouse=True)
def _steps_without_a_graph():
    """Training steps that are not compiled, which takes longer than a few steps."""
    compile_ = tfvae.models.VAE.compile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tfvae.models.VAE, "compile", lambda self, *a, **kw: compile_(self, *a, **{**kw, "run_eagerly": True})
        )
        yield


@functools.cache
def of_array():
    return clone(SMALL).fit(HOLES)


@functools.cache
def of_frame():
    return clone(SMALL).fit(WITH_HOLES)


# The interface of scikit-learn -----------------------------------------------------------------------------------


def _check(name):
    return pytest.param(name, marks=[] if name in FAST_CHECKS else pytest.mark.slow, id=name)


@pytest.mark.parametrize(
    "name",
    [
        _check(name)
        for name in dict.fromkeys(
            getattr(check, "func", check).__name__
            for _, check in estimator_checks.estimator_checks_generator(SMALL, mark=None)
        )
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_check(name):
    for estimator, check in estimator_checks.estimator_checks_generator(SMALL, mark=None):
        if getattr(check, "func", check).__name__ != name:
            continue
        if name in EXPECTED_FAILURES:
            with pytest.raises(AssertionError):
                check(estimator)
        else:
            check(estimator)


def test_defaults_are_those_of_a_run():
    parameters = inspect.signature(VAETransformer).parameters
    config = RunConfig.from_dict({"data": {"name": "table.csv"}})
    for part in (config.model, config.training):
        for name in parameters.keys() & vars(part).keys():
            assert (parameters[name].default or 0) == getattr(part, name), name


def test_before_fit():
    for method in ("transform", "inverse_transform", "score_samples", "score", "impute"):
        with pytest.raises(NotFittedError):
            getattr(VAETransformer(), method)(X)
    with pytest.raises(NotFittedError):
        VAETransformer().sample()
    assert not hasattr(VAETransformer(), "schema_")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"latent_size": 0}, r"latent_size must be an integer from 1 .* Received: model.latent_size=0"),
        ({"epochs": 0}, r"`epochs` .* Received: epochs=0"),
        ({"batch_size": 2.5}, r"`batch_size` .* Received: batch_size=2.5"),
        ({"validation_fraction": 1}, r"`validation_fraction` must be .* below 1.* Received: validation_fraction=1"),
        ({"num_importance_samples": 0}, r"`num_importance_samples` .* Received: num_importance_samples=0"),
        ({"handle_unknown": "ignore"}, r'`handle_unknown` must be "error" or "missing". Received: .*ignore'),
        ({"network": "conv"}, r"model.network must be one of"),
        ({"columns": {"x9": "count"}}, r"named x0 to x2. Received: columns=.*x9"),
        ({"columns": {"x0": "positive"}}, r"The column 'x0' cannot be 'positive'"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        clone(SMALL).set_params(**parameters).fit(X)


@pytest.mark.slow
def test_numbers_of_numpy_are_parameters():
    found = clone(SMALL).set_params(latent_size=np.int64(2), hidden=[np.int64(4)], beta=np.float32(1)).fit(HOLES)
    np.testing.assert_array_equal(found.transform(X), of_array().transform(X))


@pytest.mark.slow
def test_fit_leaves_the_global_random_numbers_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    clone(SMALL).fit(X[:5])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_pickle():
    again = pickle.loads(pickle.dumps(of_frame()))
    codes = np.eye(2)
    pd.testing.assert_frame_equal(again.inverse_transform(codes), of_frame().inverse_transform(codes))
    assert again.get_params() == of_frame().get_params()
    assert again.schema_ == of_frame().schema_


@pytest.mark.slow
def test_load_in_a_fresh_process(tmp_path):
    joblib.dump(of_frame(), tmp_path / "transformer.joblib")
    FRAME.to_pickle(tmp_path / "frame.pickle")
    code = (
        f"import joblib, pandas as pd; found = joblib.load({str(tmp_path / 'transformer.joblib')!r}); "
        f"print(found.transform(pd.read_pickle({str(tmp_path / 'frame.pickle')!r})).tolist())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    np.testing.assert_allclose(
        np.array(eval(run.stdout)),
        of_frame().transform(FRAME),
        rtol=1e-6,
    )


@pytest.mark.slow
def test_pipeline_and_search():
    y = (X[:, 0] > 0).astype(int)
    search = GridSearchCV(
        make_pipeline(clone(SMALL), LogisticRegression()), {"vaetransformer__latent_size": [1, 2]}, cv=2
    ).fit(HOLES, y)
    assert search.best_estimator_[0].transform(X).shape == (60, search.best_params_["vaetransformer__latent_size"])


# Arrays ----------------------------------------------------------------------------------------------------------


def test_answers_are_those_of_the_model():
    found, rows = of_array(), HOLES.astype("float32")
    codes = found.transform(HOLES)
    np.testing.assert_allclose(codes, found.model_.encode(rows).mean(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.inverse_transform(codes), found.model_.decode(codes).mean(), rtol=1e-5)
    scores = found.score_samples(HOLES)
    one = evaluation.log_marginal(found.model_, rows[7:8], num_importance_samples=5)
    np.testing.assert_array_equal(scores[7], one.per_example[0])  # the draws of a row are those of the first row
    assert found.score(HOLES) == pytest.approx(scores.mean())


def test_a_score_does_not_depend_on_other_rows():
    found = of_array()
    np.testing.assert_array_equal(found.score_samples(HOLES)[10:20], found.score_samples(HOLES[10:20]))
    np.testing.assert_array_equal(found.transform(HOLES)[10:20], found.transform(HOLES[10:20]))


def test_samples():
    draws = of_array().sample(700, random_state=1)
    assert draws.shape == (700, 3)
    np.testing.assert_array_equal(draws, of_array().sample(700, random_state=1))
    assert (of_array().sample(2) != of_array().sample(2)).all()
    assert (np.abs(draws.mean(axis=0) - X.mean(axis=0)) < X.std(axis=0) / 2).all()
    with pytest.raises(ValueError, match=r"`n_samples` must be an integer of at least 1\. Received: n_samples=0"):
        of_array().sample(0)


@pytest.mark.slow
def test_impute_an_array():
    filled = of_array().impute(HOLES)
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[~np.isnan(HOLES)], HOLES[~np.isnan(HOLES)])
    expected = evaluation.impute(of_array().model_, HOLES.astype("float32"), num_samples=0, num_importance_samples=5)
    np.testing.assert_allclose(filled, expected.mean, rtol=1e-6)


@pytest.mark.slow
def test_kinds_of_the_columns_of_an_array():
    x = np.column_stack([X, np.full(60, np.nan), np.full(60, 7.0), RNG.choice([10, 25, 40], 60)])
    found = clone(SMALL).set_params(columns={"x5": "category"}).fit(x)
    assert [column.kind for column in found.schema_] == ["real", "real", "real", "ignored", "real", "category"]
    back = found.inverse_transform(found.transform(x))
    assert np.isnan(back[:, 3]).all()
    assert set(back[:, 5]) <= {10.0, 25.0, 40.0}
    np.testing.assert_allclose(back[:, 4], 7.0, atol=0.5)
    other = x.copy()
    other[0, 5] = 11
    with pytest.raises(ValueError, match="column 'x5' does not fit its kind 'category'"):
        found.transform(other)
    found.set_params(handle_unknown="missing")
    other[0, 5] = 11
    hole = np.where(np.arange(6) == 5, np.nan, x[:1])
    np.testing.assert_array_equal(found.transform(other)[:1], found.transform(hole))


@pytest.mark.slow
def test_one_kind_for_all_columns_of_an_array():
    x = np.column_stack([RNG.integers(0, 2, (60, 3)), np.zeros(60)])
    found = clone(SMALL).set_params(columns="boolean").fit(x)
    assert [column.kind for column in found.schema_] == ["boolean"] * 3 + ["real"]
    assert set(found.sample(50)[:, :3].ravel()) == {0.0, 1.0}


def test_values_too_large_for_float32():
    with pytest.raises(ValueError, match=r"too large for float32\. .* Received: 1e\+39"):
        clone(SMALL).fit(np.where(np.eye(60)[:, :3] > 0, 1e39, X))


@pytest.mark.slow
def test_rows_of_weight_zero_are_left_out():
    weights = np.repeat([0.0, 2.0], [20, 40])
    found = clone(SMALL).fit(X, sample_weight=weights)
    alone = clone(SMALL).fit(X[20:], sample_weight=weights[20:])
    np.testing.assert_array_equal(found.transform(X), alone.transform(X))
    for bad in (np.zeros(60), np.full(60, -1.0), np.ones(5)):
        with pytest.raises(ValueError, match="`sample_weight` must"):
            clone(SMALL).fit(X, sample_weight=bad)


@pytest.mark.slow
def test_the_best_epoch_is_kept():
    found = clone(SMALL).set_params(epochs=3, validation_fraction=0.25, learning_rate=1.0).fit(X)
    order = np.random.RandomState(np.random.RandomState(0).randint(2**31 - 1)).permutation(60)
    best = max(found.history_["val_elbo"])
    now = evaluation.elbo(found.model_, X[order[:15]].astype("float32"), num_samples=100).mean
    assert now == pytest.approx(best, abs=0.3 * abs(best))


# Data frames -----------------------------------------------------------------------------------------------------


def test_codes_of_a_frame():
    found = of_frame()
    rows, observed = tables.to_rows(WITH_HOLES, found.schema_)
    expected = found.model_.encode(np.where(observed, rows, np.nan)).mean()
    np.testing.assert_allclose(found.transform(WITH_HOLES), expected, rtol=1e-5, atol=1e-6)
    codes = clone(SMALL).set_output(transform="pandas").fit_transform(WITH_HOLES)
    assert list(codes.columns) == list(found.get_feature_names_out()) == ["vaetransformer0", "vaetransformer1"]
    assert list(codes.index) == list(FRAME.index)
    back = found.inverse_transform(codes)
    assert list(back.index) == list(FRAME.index)
    assert list(back.columns) == ["age", "income", "city"]
    likelihood = found.model_.decode(codes.to_numpy())
    expected = np.column_stack([likelihood.mean()[:, :2], likelihood.mode()[:, 2]])
    pd.testing.assert_frame_equal(back, tables.to_frame(expected, found.schema_).set_index(codes.index))
    with pytest.raises(ValueError, match="Codes must have 2 columns"):
        found.inverse_transform(np.zeros((3, 5)))


@pytest.mark.slow
def test_samples_have_the_types_of_the_frame():
    found = clone(SMALL).fit(FRAME)
    draws = found.sample(40, random_state=0)
    assert draws.dtypes.to_dict() == FRAME[["age", "income", "city"]].dtypes.to_dict()
    assert set(draws["city"]) <= {"Bonn", "Oslo", "Rome"}


def test_impute_a_frame():
    filled = of_frame().impute(WITH_HOLES)
    used = ["age", "income", "city"]
    assert filled[used].notna().all(axis=None)
    assert (filled[used] == FRAME[used])[WITH_HOLES[used].notna()].stack().all()
    pd.testing.assert_series_equal(filled["name"], WITH_HOLES["name"])
    assert list(filled.index) == list(FRAME.index)


def test_a_category_that_fit_has_not_seen():
    other = FRAME.copy()
    other.loc[100, "city"] = "Paris"
    with pytest.raises(ValueError, match=r"Expected one of the 3 categories .* Received: 'Paris'"):
        of_frame().transform(other)
    hole = other.assign(city=other["city"].where(other["city"] != "Paris"))
    expected = of_frame().transform(hole)
    try:
        of_frame().set_params(handle_unknown="missing")
        np.testing.assert_array_equal(of_frame().transform(other), expected)
        assert of_frame().impute(other).loc[100, "city"] == "Paris"
    finally:
        of_frame().set_params(handle_unknown="error")


@pytest.mark.slow
def test_kinds_of_the_columns_of_a_frame():
    found = clone(SMALL).set_params(columns={"age": "real", "city": "ignored"}).fit(FRAME)
    assert [column.kind for column in found.schema_] == ["real", "positive", "ignored", "ignored"]
    with pytest.raises(ValueError, match="no column that can be used"):
        clone(SMALL).fit(FRAME[["name"]])


@pytest.mark.slow
def test_names_of_columns_that_are_numbers():
    frame = pd.DataFrame(X, columns=[3, 4, 5])
    found = clone(SMALL).fit(frame)
    assert list(found.sample(2).columns) == [3, 4, 5]
    assert list(found.impute(frame.mask(frame > 55)).columns) == [3, 4, 5]
    np.testing.assert_array_equal(found.transform(X), found.transform(frame))
