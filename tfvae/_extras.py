"""Messages for missing packages of optional extras."""


def how_to_install(error: ModuleNotFoundError, needed_by: str, extra: str) -> str:
    """Returns the message for a failed import: the missing package, and how to install it.

    Args:
        error: The error of the import. If a module of tfvae is missing, the error is raised again.
        needed_by: Name of the feature that needs the package, such as "export.save_litert".
        extra: Name of the extra that contains the package.
    """
    if error.name is None or error.name.startswith("tfvae"):
        raise error
    package = error.name.partition(".")[0]
    return (
        f"{needed_by} needs {package}, which is not installed. Run pip install 'tfvae[{extra}]', or in a checkout of "
        f"tfvae pip install '.[{extra}]'."
    )
