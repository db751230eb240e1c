"""Training runs: from a configuration to a folder with model, logs, figures, report and exports."""

from tfvae.training.config import DataConfig, EvaluationConfig, ModelConfig, RunConfig, TrainingConfig

__all__ = [
    "DataConfig",
    "EvaluationConfig",
    "ModelConfig",
    "RunConfig",
    "TrainingConfig",
    "build_vae",
    "load_run",
    "train",
]


def __getattr__(name: str) -> object:
    # The command line reads configurations without importing TensorFlow.
    if name in ("build_vae", "load_run", "train"):
        from tfvae.training import build, run, saved_run

        return {"build_vae": build.build_vae, "load_run": saved_run.load_run, "train": run.train}[name]
    raise AttributeError(f"module 'tfvae.training' has no attribute {name!r}")
