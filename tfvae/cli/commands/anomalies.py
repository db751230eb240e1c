"""Examples that are anomalies by their labels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfvae._errors import quoted
from tfvae.data.classes import UNKNOWN, listed
from tfvae.tables import Schema
from tfvae.tables.cells import cells_of

if TYPE_CHECKING:
    import pandas as pd


class Anomalies(NamedTuple):
    """Which examples are anomalies.

    Attributes:
        is_anomaly: Boolean `[N]`.
        is_known: Where the label is known, boolean `[N]`.
        words: What makes an anomaly, such as "outcome = malignant".
    """

    is_anomaly: np.ndarray
    is_known: np.ndarray
    words: str


def anomalies_in_column(frame: "pd.DataFrame", label: str, anomalies: Sequence[str], schema: Schema) -> Anomalies:
    """Returns the rows of a table with certain labels.

    Raises:
        ValueError: If there is no such column, the model has it in its rows, or no row has such a label.
    """
    if label not in frame:
        raise ValueError(
            f"--anomaly needs the column of the labels, --label COLUMN. Received: --label {quoted(label)} for a table "
            f"with the columns {quoted(list(map(str, frame.columns)))}"
        )
    if label in [column.name for column in schema.used]:
        raise ValueError(
            f"The model has seen the labels, because the column {quoted(label)} is a part of its rows, so that a score "
            f"says nothing about anomalies. Train it without: `tfvae train --label {label}`."
        )
    cells = cells_of(frame[label], schema.missing)
    names = np.asarray([*cells.texts, ""])[cells.codes]
    return _anomalies(names, cells.observed, anomalies, f"the column {quoted(label)}", f"{label} = ")


def anomalies_in_labels(
    labels: np.ndarray | None, class_names: Sequence[str] | None, anomalies: Sequence[str], name: str
) -> Anomalies:
    """Returns the examples of arrays or images with certain labels.

    Raises:
        ValueError: If there are no labels, or no example has such a label.
    """
    if labels is None:
        raise ValueError(f"--anomaly needs labels, which {name} does not have. Give an .npz file with x and y.")
    names = np.asarray(labels).astype(str)
    if class_names is not None:
        names = np.asarray([*class_names, ""])[labels]
    return _anomalies(names, labels != UNKNOWN, anomalies, f"the labels of {name}", "label ")


def _anomalies(names: np.ndarray, is_known: np.ndarray, anomalies: Sequence[str], of: str, words: str) -> Anomalies:
    classes = tuple(map(str, np.unique(names[is_known])))
    unknown = [anomaly for anomaly in anomalies if anomaly not in classes]
    if unknown:
        raise ValueError(
            f"--anomaly must be one of the classes in {of}: {listed(classes)}. Received: --anomaly {quoted(unknown[0])}"
        )
    return Anomalies(np.isin(names, list(anomalies)), is_known, words + " or ".join(anomalies))
