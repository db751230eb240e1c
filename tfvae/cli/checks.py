"""What commands look at before TensorFlow is imported, so that a slip is told at once."""

from pathlib import Path

from tfvae._errors import quoted
from tfvae._targets import expanded, output_file, output_folder
from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder


def check_run(run_dir: Path) -> RunConfig:
    """The configuration of a run that has a model.

    Raises:
        ValueError: when it is no run folder, or there is no model in it yet.
    """
    folder = RunFolder(run_dir)
    folder.require_run()
    folder.require_model()
    return RunConfig.of_run(folder.config)


def check_new_run(run_dir: Path | None) -> None:
    """Raises ValueError where a run cannot be made."""
    if run_dir is not None:
        RunFolder(run_dir).require_free()


def check_served(path: Path) -> None:
    """Raises ValueError for what is no folder, and so no model that could be served."""
    if not path.is_dir():
        raise ValueError(
            f"There is no model at {path}. Give a run folder, a SavedModel, or the folder of its numbered versions; "
            "`tfvae train` makes a run, and `tfvae export RUN -o NAME/1` a SavedModel."
        )


def check_data(name: str, split: str = "train") -> None:
    """Raises an error for data that are not there, or not data, as far as their names and headers tell."""
    from tfvae.data.load import check_name, check_split

    check_split(split)
    check_name(name)


def check_file(*paths: Path) -> None:
    """Raises ValueError for paths where no file can be written."""
    for path in paths:
        output_file(expanded(path))


def check_outputs(run: Path, data: str | None, *paths: Path) -> None:
    """Raises ValueError for paths where no file can be written, and for files that the run or its reader needs."""
    check_file(*paths)
    needed = {path.resolve() for path in RunFolder(run).own_files()}
    if data is not None:
        needed.add(Path(data).resolve())
    for path in paths:
        if path.resolve() in needed:
            raise ValueError(f"{path} is a file that this command reads or the run needs. Give another name.")


def check_folder(*paths: Path | None) -> None:
    """Raises ValueError for paths where no folder can be made or written into; None is one that is chosen later."""
    for path in paths:
        if path is not None:
            output_folder(expanded(path))


def check_choice(value: str, known: tuple[str, ...], kind: str) -> None:
    """Raises ValueError for what is not one of the known names."""
    if value not in known:
        raise ValueError(f"There is no {kind} {quoted(value)}. There are: {', '.join(known)}.")
