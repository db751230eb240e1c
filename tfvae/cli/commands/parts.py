"""Implementation of `tfvae parts` and `tfvae new`."""

from pathlib import Path

import keras as keras
from rich.markup import escape

from tfvae._files import write_text
from tfvae.cli.commands.saying import console, say
from tfvae.parts import FAMILIES
from tfvae.parts.listing import documentation, families, setting_of, signature, summary
from tfvae.training.commented import commented_file
from tfvae.training.config import RunConfig
from tfvae.training.load_data import load_data
from tfvae.training.settings import DataConfig


def parts(family: str | None, kind: str | None) -> None:
    """Runs `tfvae parts`."""
    if family is not None and kind is not None:
        setting = setting_of(family)
        text = documentation(setting, kind)
        title = f'{setting} = {{kind = "{kind}"}}'
        console.print(f"[bold]{escape(title)}[/]", highlight=False)
        console.print(f"arguments: {escape(signature(setting, kind)) or 'none'}\n", highlight=False)
        console.print(escape(text), highlight=False, soft_wrap=True)
        return
    for setting in families().values() if family is None else [setting_of(family)]:
        console.print(f"[bold]{setting}[/]", highlight=False)
        for name in FAMILIES[setting].kinds:
            console.print(f"  [bold]{name}[/]({escape(signature(setting, name))})", highlight=False, soft_wrap=True)
            console.print(f"    {escape(summary(setting, name))}", highlight=False, soft_wrap=True)
        console.print()


def new(file: Path, data: DataConfig, network: str | None) -> None:
    """Runs `tfvae new`."""
    model = {} if network is None else {"network": network}
    settings = {"name": data.name, "missing": data.missing, "image_size": data.image_size}
    config = RunConfig.from_dict({"data": settings, "model": model})
    write_text(file, commented_file(config, load_data(config)))
    say(f"{file}: change what you want, then `tfvae train --config {file}`.")
