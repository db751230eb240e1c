"""Page of a comparison of several runs: tables and a figure."""

import os
from collections.abc import Sequence
from pathlib import Path

from tfvae._files import write_text
from tfvae._markdown import table_row
from tfvae.training.comparison import COLUMNS, MEASURED, ComparedRun, about_differences, best, differences, groups
from tfvae.training.comparison_figure import comparison_figure


def write_comparison(runs: Sequence[ComparedRun], folder: str | os.PathLike[str]) -> Path:
    """Writes `comparison.md` and `comparison.svg`. Returns the path of the former."""
    write_text(Path(folder) / "comparison.svg", comparison_figure(runs))
    return write_text(Path(folder) / "comparison.md", comparison_markdown(runs))


def comparison_markdown(runs: Sequence[ComparedRun]) -> str:
    """Returns the page: two tables for each group of comparable runs, and the figure."""
    lines = ["# Comparison of runs", ""]
    for data, group in groups(runs).items():
        lines += [
            f"On {data}:",
            "",
            table_row(COLUMNS),
            "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for run in group:
            cells = [f"**{text}**" if best(group, column) is run else text for column, text in run.cells.items()]
            lines.append(table_row(cells))
        lines.append("")
        if len(group) > 1:
            lines += [table_row(("difference from the highest", *MEASURED)), "| --- | ---: | ---: |"]
            lines += [table_row(row) for row in differences(group)]
            lines += ["", about_differences(group), ""]
    lines += ["Nats; ± is one standard error over the examples.", "", "![Curves](comparison.svg)"]
    return "\n".join(lines) + "\n"
