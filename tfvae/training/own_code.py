"""Networks of the user's own, which a configuration names as "module:function"."""

from tfvae._errors import quoted
from tfvae.parts import is_own_code, part_of
from tfvae.parts.building import constructor
from tfvae.training.settings import ModelConfig


def require_allowed(model: ModelConfig, allow_code: bool) -> None:
    """Raises ValueError if the network is the user's own, and code is not allowed. Imports nothing."""
    if is_own_code(model.network_kind) and not allow_code:
        raise ValueError(
            f"model.network names Python code, {quoted(model.network_kind)}, which is imported and run only with "
            "--allow-code of `tfvae train` and `tfvae sweep`, or allow_code=True in Python, because a file may be "
            "another person's. "
            f"Received: model.network={quoted(model.network)}"
        )


def import_own_code(model: ModelConfig, allow_code: bool) -> None:
    """Imports the modules of a network of the user's own, so that a model with their layers can be loaded.

    Raises:
        ValueError: If code is not allowed, or a function cannot be imported.
    """
    require_allowed(model, allow_code)
    kind, arguments = part_of(model.network, "model.network")
    if is_own_code(kind):
        for path in (kind, arguments["decoder"]):
            constructor(path)
