"""What other packages' errors and absences are to a user of an export."""

from tfvae._extras import how_to_install


def first_line(error: Exception) -> str:
    """The first line of an error's text, without its full stop; the name of its class where it has none."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def missing(error: ModuleNotFoundError, function: str, extra: str) -> ValueError:
    """The error to raise where an import failed: it names the extra to install.

    Args:
        error: of the import.
        function: what needs the package, such as "export.save_litert".
        extra: the name of the extra.
    """
    return ValueError(how_to_install(error, function, extra))
