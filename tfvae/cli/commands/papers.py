"""Implementation of `tfvae reproduce`."""

from pathlib import Path

from rich.table import Table

from tfvae import papers
from tfvae.cli.commands.output import plain_warnings
from tfvae.cli.commands.saying import console, say


def reproduce(
    name: str,
    budget: str,
    reading: str | None,
    only: list[str],
    run_dir: Path | None,
    output: Path | None,
    seed: int,
    data_dir: Path | None,
) -> None:
    """Runs `tfvae reproduce`."""
    try:
        with plain_warnings():
            results = papers.reproduce(
                name,
                budget=budget,
                reading=reading,
                only=only,
                run_dir=run_dir,
                output=output,
                seed=seed,
                data_dir=data_dir,
                say=say,
            )
    except KeyboardInterrupt:
        raise InterruptedError("interrupted. Run the same command again to resume.") from None
    table = Table("experiment", "claim", "holds", "our numbers")
    for experiment, result in results.items():
        for claim in result.claims:
            table.add_row(experiment, claim.statement, "yes" if claim.holds else "[bold red]no[/]", claim.evidence)
    if table.row_count:
        console.print(table)
