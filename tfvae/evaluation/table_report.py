"""The part of a report about the columns of a table."""

from collections.abc import Mapping
from typing import Any

from tfvae._errors import shortened

_MAX_LISTED = 100
_MAX_NAME = 20


COLUMN_TITLES = ("column", "kind", "log p", "independent", "gain", "± rows", "TV", "by chance")


def column_rows(report: Mapping[str, Any], most: int = _MAX_LISTED) -> list[tuple[str, ...]]:
    """Returns a row of text for each column, in order; of more than `most`, those whose distributions differ most."""
    columns: Mapping[str, Any] = report.get("columns") or {}
    names = list(columns)
    if len(names) > most:
        names = sorted(names, key=lambda name: -(columns[name].get("total_variation") or 0.0))[:most]
    return [(name, *_cells(columns[name])) for name in names]


def _cells(found: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = (
        "log_likelihood",
        "independent",
        "gain",
        "gain_standard_error",
        "total_variation",
        "expected_total_variation",
    )
    return (found["kind"], *(_number(found.get(name)) for name in numbers))


def table_summary(report: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Returns rows of the main table of a report, `(quantity, value, standard error over draws, unit)`."""
    lines = []
    comparison, apart, prediction = (report.get(name) for name in ("table_comparison", "tell_apart", "prediction"))
    if comparison is not None:
        lines += [
            ("total variation of columns", _number(comparison["mean_total_variation"]), "", "0 is best"),
            ("error of associations", _number(comparison["association_error"]), "", "0 is best"),
        ]
    if apart is not None:
        value = f"{apart['auroc']:.3f} ± {apart['standard_error']:.3f}"
        lines.append(("sampled or real rows, AUROC", value, "", "0.5 is best"))
    if prediction is not None:
        measure, title = _measure(prediction)
        for where, text in (("trained_on_sampled", "sampled"), ("trained_on_real", "real")):
            lines.append((f"{title}, {text} rows", _number(prediction[where].get(measure)), "", ""))
    return lines


def _measure(prediction: Mapping[str, Any]) -> tuple[str, str]:
    target = shortened(prediction["target"])[:_MAX_NAME]
    return ("accuracy", f"accuracy for {target}") if prediction["predicts_classes"] else ("r2", f"R² for {target}")


def table_markdown(report: Mapping[str, Any]) -> list[str]:
    """Returns lines of Markdown with a section on columns, and one on predictions, if they were measured."""
    return [*_columns_section(report), *_prediction_section(report)]


def _columns_section(report: Mapping[str, Any]) -> list[str]:
    listed = column_rows(report)
    if not listed:
        return []
    titles, number = COLUMN_TITLES, len(report["columns"])
    some = "" if len(listed) == number else f" The {len(listed)} of {number} columns that differ most are listed."
    lines = [
        "",
        "## Columns",
        "",
        f"| {' | '.join(map(_escaped, titles))} |",
        f"| --- | --- |{' ---: |' * (len(titles) - 2)}",
        *(f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in listed),
        "",
        "`log p` is E log p(column|z) over z ~ q(z|x), a mean over the held-out rows that have a value in the column, "
        "in nats. These are the terms of the log-likelihood in the ELBO: their sum minus the KL is the ELBO, where "
        "each column counts with the share of rows that have a value. `independent` is log p(column) without z, and "
        f"`gain` the difference: what z knows of the column.{some}",
    ]
    found = report.get("table_comparison")
    if found is not None:
        lines += [
            "",
            f"TV is the total variation distance between {found['num_real']:,} training rows and "
            f"{found['num_sampled']:,} sampled rows, from 0 to 1. Each category is a cell. Of numbers, values with a "
            "share of at least 5% are cells, and quantiles of the training rows cut the others into cells of about 5%. "
            "Two tables of these sizes with the same distribution have about the distance `by chance`.",
            "",
            "Associations are Spearman's rank correlation between columns in order (numbers, dates, ordinal and "
            "boolean columns), the correlation ratio of ranks between such a column and a category, and Cramér's V "
            "between categories.",
        ]
    return lines


def _prediction_section(report: Mapping[str, Any]) -> list[str]:
    found, lines = report.get("prediction"), []
    if found is not None:
        names = {"accuracy": "accuracy", "f1": "F1, mean over classes"} if found["predicts_classes"] else {"r2": "R²"}
        constant = "the most frequent class" if found["predicts_classes"] else "the mean"
        rows = {
            "trained_on_real": "training rows, tested on held-out rows",
            "trained_on_sampled": "sampled rows, tested on held-out rows",
            "tested_on_sampled": "training rows, tested on sampled rows",
            "constant": f"always {constant}, tested on held-out rows",
        }
        lines += [
            "",
            "## Learning from sampled rows",
            "",
            f"Gradient-boosted trees predict `{found['target']}` from the other columns: {found['num_real']:,} "
            f"training rows, {found['num_sampled']:,} sampled rows, {found['num_test']:,} held-out rows.",
            "",
            f"| learned from | {' | '.join(names.values())} |",
            f"| --- |{' ---: |' * len(names)}",
            *(
                f"| {title} | {' | '.join(_number(found[name].get(measure)) for measure in names)} |"
                for name, title in rows.items()
            ),
        ]
    apart = report.get("tell_apart")
    if apart is not None:
        lines += [
            "",
            f"Such trees tell sampled rows from training rows with an AUROC of {apart['auroc']:.3f} ± "
            f"{apart['standard_error']:.3f} ({apart['num_rows']:,} rows of each, scores of trees that were trained on "
            "other rows). 0.5 means that they cannot be told apart, 1 that they always can.",
        ]
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
