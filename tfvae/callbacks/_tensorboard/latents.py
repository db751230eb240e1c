"""KL and activity of each latent dimension over the epochs."""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from tfvae._activity import ACTIVE_THRESHOLD
from tfvae._errors import reading
from tfvae._files import write_text

KL, ACTIVITY = "kl", "activity"
_TITLES = {
    KL: "KL of each dimension, nats",
    ACTIVITY: f"Activity: variance of E[z|x] over x (active above {ACTIVE_THRESHOLD})",
}


class LatentHistory:
    """KL and activity of each latent dimension after each epoch, in a file from which a run can resume.

    Args:
        path: CSV file with one row per epoch: `epoch`, `kl_0`, ..., `activity_0`, ...
    """

    def __init__(self, path: Path):
        self._path = path
        self._rows: list[dict[str, float]] = []

    def resume(self, num_epochs: int) -> None:
        """Reads the rows of the first `num_epochs` epochs, and deletes those of later epochs."""
        if not self._path.exists():
            return
        with reading(self._path, "Delete it to restart the history of the latents."):
            lines = [line for line in self._path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
            table = csv.DictReader(lines)
            self._rows = [
                {name: float(value) for name, value in row.items()} for row in table if int(row["epoch"]) <= num_epochs
            ]
        write_text(self._path, _as_text(self._rows, header=True))

    def add(self, epoch: int, columns: dict[str, np.ndarray]) -> None:
        """Adds the row of an epoch. `columns` has values `[D]` by name."""
        row = {"epoch": float(epoch)}
        row |= {f"{name}_{d}": float(value) for name, values in columns.items() for d, value in enumerate(values)}
        if self._rows and row.keys() != self._rows[-1].keys():  # another model in the same folder
            self._rows = []
        self._rows.append(row)
        if len(self._rows) == 1:
            write_text(self._path, _as_text(self._rows, header=True))
        else:
            with self._path.open("a") as file:
                file.write(_as_text([row], header=False))

    def picture(self) -> np.ndarray | None:
        """Draws heat maps over the epochs, `[H, W, 3]`. None before the first epoch."""
        maps = {name: self._columns(name) for name in (KL, ACTIVITY)}
        maps = {name: values for name, values in maps.items() if values.size}
        if not maps:
            return None
        figure = Figure(figsize=(4.5 * len(maps), 4.0), dpi=90)
        epochs = [row["epoch"] for row in self._rows]
        for axes, (name, values) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
            finite = values[np.isfinite(values) & (values > 0)]
            high = max(float(finite.max()) if finite.size else 1.0, 10 * ACTIVE_THRESHOLD)
            norm = LogNorm(ACTIVE_THRESHOLD / 10, high, clip=True)
            extent = (epochs[0] - 0.5, epochs[-1] + 0.5, -0.5, values.shape[1] - 0.5)
            image = axes.imshow(
                values.T, norm=norm, aspect="auto", origin="lower", interpolation="nearest", extent=extent
            )
            figure.colorbar(image, ax=axes).minorticks_off()  # placing their labels takes long
            axes.set_title(_TITLES[name], fontsize="small")
            axes.set(xlabel="epoch", ylabel="latent dimension")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.yaxis.get_major_locator().set_params(integer=True)
        figure.subplots_adjust(left=0.08, right=0.98, bottom=0.13, top=0.92, wspace=0.15)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3]

    def _columns(self, name: str) -> np.ndarray:
        """Returns one quantity of all dimensions, `[epochs, D]`."""
        keys = [key for key in self._rows[-1] if key.startswith(f"{name}_")] if self._rows else []
        return np.array([[row[key] for key in keys] for row in self._rows])


def num_active(activity: np.ndarray) -> int:
    """How many dimensions respond to x."""
    return int((activity > ACTIVE_THRESHOLD).sum())


def _as_text(rows: Sequence[dict[str, float]], *, header: bool) -> str:
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow([int(row["epoch"]), *(_short(value) for name, value in row.items() if name != "epoch")])
    return text.getvalue()


def _short(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "nan"
