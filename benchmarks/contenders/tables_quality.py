"""How well sampled rows of the Adult census table stand for its real rows."""

import warnings

import numpy as np
import pandas as pd
from sklearn.ensemble import AdaBoostClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

LABEL, POSITIVE = "income", ">50K"
_NUM_BINS = 20
_LEAST_SHARE_OF_ATOM = 0.05


def is_number(column):
    """Whether a column has numbers."""
    return pd.api.types.is_numeric_dtype(column)


def scores(rows, train, test):
    """Returns F1 of the four classifiers and their mean, and the total-variation distance of each column."""
    f1 = f1_scores(rows, train, test)
    distances = {name: _distance(rows[name], train[name]) for name in train}
    return {
        "f1": f1,
        "f1_mean": float(np.mean(list(f1.values()))),
        "total_variation": distances,
        "total_variation_sum": float(sum(distances.values())),
    }


def f1_scores(rows, train, test):
    """Returns F1 of `POSITIVE` among the real test rows, for classifiers trained on `rows`, by SDGym's protocol."""
    classifiers = {
        "decision tree": DecisionTreeClassifier(max_depth=15, class_weight="balanced", random_state=0),
        "AdaBoost": AdaBoostClassifier(random_state=0),
        "logistic regression": LogisticRegression(class_weight="balanced", max_iter=50),
        "perceptron": MLPClassifier((50,), max_iter=50, random_state=0),
    }
    features, labels = _features(rows, train), rows[LABEL] == POSITIVE
    of_test, expected = _features(test, train), test[LABEL] == POSITIVE
    found = {}
    for name, classifier in classifiers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(features, labels)
        found[name] = float(f1_score(expected, classifier.predict(of_test)))
    return found


def _features(frame, train):
    """Logarithms of amounts that reach 1,000, other numbers from 0 to 5, and one-hot categories."""
    columns = []
    for name in train.columns.drop(LABEL):
        values, real = frame[name], train[name]
        if is_number(real):
            low, high = real.min(), real.max()
            is_amount = low >= 0 and high >= 1000
            values = values.to_numpy(float)
            columns.append(np.log(np.maximum(values, 1)) if is_amount else (values - low) / (high - low) * 5)
        else:
            categories = sorted(real.unique())
            columns += [values == category for category in categories[1 if len(categories) == 2 else 0 :]]
    return np.stack([np.asarray(column, float) for column in columns], axis=1)


def _distance(column, real):
    """Returns the total-variation distance of two columns.

    Numbers are in 20 bins, with equally many real rows if that is possible. Numbers that 5% of the real rows have are
    bins of their own.
    """
    if is_number(real):
        shares = real.value_counts(normalize=True)
        atoms = shares.index[shares >= _LEAST_SHARE_OF_ATOM].to_numpy(float)
        edges = np.unique(np.quantile(real, np.linspace(0, 1, _NUM_BINS + 1)))[1:-1]
        column, real = (_binned(values.to_numpy(float), edges, atoms) for values in (column, real))
    shares = [values.value_counts(normalize=True) for values in (column, real)]
    return float(shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2)


def _binned(values, edges, atoms):
    bins = np.searchsorted(edges, values, side="right")
    for number, atom in enumerate(atoms):
        bins = np.where(values == atom, len(edges) + 1 + number, bins)
    return pd.Series(bins)


def quality(rows, train):
    """Returns the quality score of sdmetrics, from 0 to 1, and its two parts."""
    from sdmetrics.reports.single_table import QualityReport

    kinds = {name: {"sdtype": "numerical" if is_number(train[name]) else "categorical"} for name in train}
    report = QualityReport()
    report.generate(train, rows[list(train.columns)], {"columns": kinds}, verbose=False)
    parts = report.get_properties().set_index("Property")["Score"]
    return {"score": float(report.get_score()), **{name: float(score) for name, score in parts.items()}}
