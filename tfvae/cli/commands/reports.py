"""`tfvae compare` and `tfvae report`."""

from pathlib import Path

from rich.table import Table

from tfvae.cli.commands.output import console, say
from tfvae.training.comparison import COLUMNS, best, groups, read_runs, write_comparison
from tfvae.training.html_report import write_html_report

_MOST_RUNS_ABREAST = 4


def compare(run_dirs: list[Path], output: Path) -> None:
    """`tfvae compare`."""
    runs = read_runs(run_dirs)
    for data, group in groups(runs).items():
        marked = [
            [f"[bold]{text}[/]" if best(group, column) is run else text for column, text in run.cells.items()]
            for run in group
        ]
        say(f"On {data}:")
        if len(group) <= _MOST_RUNS_ABREAST:
            table = Table("", *(cells[0] for cells in marked))
            for column, *cells in list(zip(COLUMNS, *marked, strict=True))[1:]:
                table.add_row(column, *cells)
        else:
            table = Table(*COLUMNS)
            for cells in marked:
                table.add_row(*cells)
        console.print(table)
    if len(groups(runs)) > 1:
        say("These runs were measured on different data: numbers of different tables are not comparable.")
    say(f"  {write_comparison(runs, output)}")


def report(run_dir: Path, output: Path | None) -> None:
    """`tfvae report`."""
    say(str(write_html_report(run_dir, output)))
