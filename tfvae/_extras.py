"""What to say where a package of an extra is not installed."""


def how_to_install(error: ModuleNotFoundError, needed_by: str, extra: str) -> str:
    """The message for an import that failed: which package is missing, and how to install it.

    Args:
        error: of the import; one of tfvae's own modules is a mistake of ours, and raised again.
        needed_by: what needs the package, such as "export.save_litert".
        extra: the name of the extra that has it.
    """
    if error.name is None or error.name.startswith("tfvae"):
        raise error
    package = error.name.partition(".")[0]
    return (
        f"{needed_by} needs {package}, which is not installed: pip install 'tfvae[{extra}]', or in a checkout of tfvae "
        f"pip install '.[{extra}]'."
    )
