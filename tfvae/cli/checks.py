"""Checks of arguments that run before TensorFlow is imported, so that mistakes are reported at once."""

from pathlib import Path

from tfvae._errors import quoted
from tfvae._targets import expanded, output_file, output_folder
from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder
from tfvae.training.settings import DataConfig


def check_run(run_dir: Path) -> RunConfig:
    """Returns the configuration of a run that has a model.

    Raises:
        ValueError: If `run_dir` is not a run folder, or does not contain a model yet.
    """
    folder = RunFolder(run_dir)
    folder.require_run()
    folder.require_model()
    return RunConfig.of_run(folder.config)


def check_new_run(run_dir: Path | None) -> None:
    """Raises ValueError if the run folder cannot be created."""
    if run_dir is not None:
        RunFolder(run_dir).require_free()


def check_served(path: Path) -> None:
    """Raises ValueError if `path` is not a folder, and so cannot contain a model to serve."""
    if not path.is_dir():
        raise ValueError(
            f"There is no model at {path}. Give a run folder, a SavedModel, or the folder of its numbered versions. "
            "`tfvae train` writes a run folder, and `tfvae export RUN -o NAME/1` a SavedModel."
        )


def check_data(data: DataConfig, split: str = "train") -> None:
    """Raises an error if the data of a run do not exist or cannot be read, judging by their names and headers."""
    from tfvae.data.checks import check_name, check_split

    check_split(split)
    check_name(
        data.name,
        data.condition or None,
        data.missing or None,
        data.image_size or None,
        data.label or None,
        data.id or None,
        data.weight or None,
    )


def check_examples(name: str, data: DataConfig, split: str, missing: str | None = None) -> None:
    """Raises an error if data for the model of a run do not exist or cannot be read, as `check_data` does.

    Args:
        name: The name or path of the data.
        data: The data of the run.
        split: The name of the split.
        missing: As `data.missing`. None is that of the run.
    """
    from tfvae.data.checks import check_examples as check_other
    from tfvae.data.checks import check_split

    check_split(split)
    missing = data.missing if missing is None else missing
    check_other(name, data.condition or None, missing or None, data.image_size or None)


def check_file(*paths: Path) -> None:
    """Raises ValueError if a file cannot be written to one of the paths."""
    for path in paths:
        output_file(expanded(path))


def check_outputs(run: Path, data: str | None, *paths: Path) -> None:
    """Raises ValueError if a path is not writable, or is a file that the run or this command needs."""
    check_file(*paths)
    needed = {path.resolve() for path in RunFolder(run).own_files()}
    if data is not None:
        needed.add(Path(data).resolve())
    for path in paths:
        if path.resolve() in needed:
            raise ValueError(f"{path} is a file that this command reads or the run needs. Give another name.")


def check_folder(*paths: Path | None) -> None:
    """Raises ValueError if a folder cannot be created or written to. A path of None is chosen later."""
    for path in paths:
        if path is not None:
            output_folder(expanded(path))


def check_choice(value: str, known: tuple[str, ...], kind: str) -> None:
    """Raises ValueError if `value` is not one of the known names."""
    if value not in known:
        raise ValueError(f"There is no {kind} {quoted(value)}. Expected one of: {', '.join(known)}.")
