"""What other packages' errors and absences are to a user of an export."""


def first_line(error: Exception) -> str:
    """The first line of an error's text, without its full stop; the name of its class where it has none."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def missing(error: ModuleNotFoundError, function: str, extra: str) -> ValueError:
    """The error to raise where an import failed: it names the extra to install.

    Args:
        error: of the import; one of tfvae's own modules is a mistake of ours, and raised again.
        function: what needs the package, such as "export.save_litert".
        extra: the name of the extra.
    """
    if error.name is None or error.name.startswith("tfvae"):
        raise error
    package = error.name.partition(".")[0]
    return ValueError(f"{function} needs {package}, which is not installed: pip install 'tfvae[{extra}]'.")
