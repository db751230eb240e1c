"""Options of `tfvae sweep`."""

from pathlib import Path
from typing import Annotated

import typer


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file of the sweep.")],
    sweep_dir: Annotated[
        Path | None, typer.Option(help="Folder of the sweep.", show_default="sweeps/NAME OF THE FILE")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of processes, which share the cores.",
            show_default="one for each core, at most 4; 1 with a GPU or Optuna",
        ),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Start failed runs again.")] = False,
    allow_code: Annotated[
        bool,
        typer.Option("--allow-code", help="Import and run networks that the file names as module:function."),
    ] = False,
) -> None:
    """Run a list, a grid, random draws or a search by Optuna, with several seeds, and print a table with errors."""
    from rich.console import Console
    from rich.table import Table

    from tfvae.sweeps.results import about, read_rows, table
    from tfvae.sweeps.sweep import plan_in, run_sweep

    console = Console()
    folder = Path("sweeps") / file.stem if sweep_dir is None else sweep_dir
    try:
        path = run_sweep(
            file,
            folder,
            num_jobs=jobs,
            retry_failed=retry_failed,
            allow_code=allow_code,
            on_stage=lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True),
        )
    except KeyboardInterrupt:
        raise InterruptedError(
            f"interrupted. Finished runs are kept. Go on with `tfvae sweep {file} --sweep-dir {folder}`."
        ) from None
    plan = plan_in(file, folder)
    rows = read_rows(plan, folder)
    header, lines = table(rows)
    shown = Table(*header)
    for line in lines:
        shown.add_row(*line)
    console.print(shown)
    for remark in (*plan.remarks, about(rows)):
        console.print(remark, markup=False, highlight=False)
    for name in ("sweep.md", "sweep.csv", "sweep.png"):
        console.print(f"  {path.with_name(name)}", highlight=False, soft_wrap=True)
    console.print(f"  tensorboard --logdir {folder / 'runs'}", highlight=False, soft_wrap=True)
