"""Implementation of `tfvae compare`."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from tfvae.cli.commands.saying import console, say
from tfvae.training.comparison import (
    COLUMNS,
    MEASURED,
    ComparedRun,
    about_differences,
    best,
    differences,
    finished_runs,
    groups,
    read_runs,
)
from tfvae.training.comparison_page import write_comparison

_MAX_SIDE_BY_SIDE = 4
_NUMBERS = ("run", "ELBO", "log p(x)", "active units")


def compare(run_dirs: list[Path], output: Path) -> None:
    """Runs `tfvae compare`. A sweep stands for its finished runs."""
    runs = read_runs([run for path in run_dirs for run in finished_runs(path)])
    for data, group in groups(runs).items():
        say(f"On {data}:")
        console.print(_side_by_side_table(group) if len(group) <= _MAX_SIDE_BY_SIDE else _stacked_table(group))
        if len(group) > 1:
            console.print(_differences(group))
            say(about_differences(group))
    if len(groups(runs)) > 1:
        say("These runs were evaluated on different data, so numbers from different tables cannot be compared.")
    say(f"  {write_comparison(runs, output)}")


def _side_by_side_table(group: Sequence[ComparedRun]) -> Table:
    table = Table("", *(escape(run.name) for run in group))
    for column in COLUMNS[1:]:
        table.add_row(column, *(_cell(run, column, group) for run in group))
    return table


def _stacked_table(group: Sequence[ComparedRun]) -> Table:
    """Returns a table of the main numbers, which fits a narrow screen. `comparison.md` has the rest."""
    table = Table()
    for column in _NUMBERS:
        table.add_column(column, no_wrap=column != "run", justify="left" if column == "run" else "right")
    for run in group:
        table.add_row(*(_cell(run, column, group) for column in _NUMBERS))
    return table


def _differences(group: Sequence[ComparedRun]) -> Table:
    table = Table("difference from the highest")
    for column in MEASURED:
        table.add_column(column, justify="right", no_wrap=True)
    for name, *cells in differences(group):
        table.add_row(escape(name), *cells)
    return table


def _cell(run: ComparedRun, column: str, group: Sequence[ComparedRun]) -> str:
    text = escape(run.cells[column])
    return f"[bold]{text}[/]" if best(group, column) is run else text
