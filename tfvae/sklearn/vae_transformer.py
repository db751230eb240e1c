"""The VAE as a scikit-learn transformer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from tfvae._checks import whole_number
from tfvae.data.holes import with_nan
from tfvae.evaluation import impute
from tfvae.sklearn import _answers
from tfvae.sklearn._array_form import ArrayForm
from tfvae.sklearn._frame_form import FrameForm
from tfvae.sklearn._parameters import checked_weights, settings
from tfvae.sklearn._saved import from_bytes, to_bytes
from tfvae.sklearn._training import trained
from tfvae.tables import Schema
from tfvae.tables.column import Kind
from tfvae.tables.filling import NUM_DRAWS, with_frequent_categories

if TYPE_CHECKING:
    import pandas as pd


class VAETransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Variational autoencoder of the rows of an array or a data frame, as a scikit-learn transformer.

    `transform` returns codes, `score_samples` log p(x) in nats, and `sample` new rows. The model has one distribution
    for each column (`tfvae.layers.TableLikelihood`) and standardises the columns itself. NaN is a missing value. The
    columns of an array are real numbers. Those of a data frame have the kinds that `tfvae.tables.infer` finds.

    Use `tfvae.models.VAE` for images, for conditions and labels, and for networks of your own.

    Args:
        latent_size: Number of latent dimensions, the columns of the codes.
        hidden: Units of each hidden layer of the encoder. The decoder has them in reverse order.
        activation: Activation of the hidden layers.
        epochs: Passes over the rows. None chooses from 10 to 300 so that there are about 10,000 steps.
        batch_size: Number of rows per step. None chooses from 32 to 500 so that there are about 50 steps in a pass.
        learning_rate: Learning rate of Adam, or a schedule.
        beta: Weight of the KL, or a schedule or weighting.
        network: "mlp", "gated_mlp" or "residual_mlp".
        prior: The prior p(z), such as "standard_normal" or {"kind": "vamp", "num_components": 50}.
        estimator: The bound that is maximised, such as "sgvb" or {"kind": "importance_weighted",
            "num_importance_samples": 20}. This and the three arguments above are as in a settings file:
            docs/settings.md.
        columns: Kinds of some columns by name, such as {"age": "real"}, or one kind for all columns. The columns of an
            array are named x0, x1, ... A list of values is an ordinal column.
        handle_unknown: "error" if a value that does not fit its column, such as a category that `fit` has not seen, is
            an error in other methods, or "missing" if it is a missing value.
        validation_fraction: Share of the rows that are left out of the training, and choose the epoch whose weights
            are kept, by their ELBO, so that a long training does no harm. 0 keeps those of the last epoch.
        num_importance_samples: Number of draws of z per row for log p(x), and to impute.
        random_state: Seed of the initial weights, of the order of the rows and of all draws in `fit`.
        verbose: 0, or 1 for a progress bar, as for `fit` of Keras.

    Attributes:
        model_: The `tfvae.models.VAE`. Its x are the rows of `tfvae.tables.to_rows`.
        schema_: What the columns are. `print(schema_.describe())` shows why.
        history_: Metrics after each epoch, by name.
        n_features_in_: Number of columns in `fit`.
        feature_names_in_: Names of the columns, if they are text.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(100, 3))
        >>> codes = VAETransformer(latent_size=2, epochs=1, random_state=0).fit_transform(x)
        >>> codes.shape
        (100, 2)
    """

    def __init__(
        self,
        latent_size: int = 16,
        *,
        hidden: Sequence[int] = (64,),
        activation: str = "relu",
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: Any = 2e-3,
        beta: Any = 1.0,
        network: Any = "mlp",
        prior: Any = "standard_normal",
        estimator: Any = "sgvb",
        columns: "Mapping[str, Kind | Sequence[str]] | Kind | None" = None,
        handle_unknown: Literal["error", "missing"] = "error",
        validation_fraction: float = 0.1,
        num_importance_samples: int = 100,
        random_state: "int | np.random.RandomState | None" = None,
        verbose: int = 0,
    ):
        self.latent_size = latent_size
        self.hidden = hidden
        self.activation = activation
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.beta = beta
        self.network = network
        self.prior = prior
        self.estimator = estimator
        self.columns = columns
        self.handle_unknown = handle_unknown
        self.validation_fraction = validation_fraction
        self.num_importance_samples = num_importance_samples
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Trains the model.

        Args:
            X: Array or data frame `[N, D]`. NaN is a missing value.
            y: Ignored.
            sample_weight: Weights of the rows `[N]`, not below zero. Rows of weight zero are left out.

        Returns:
            The transformer.

        Raises:
            ValueError: If a parameter is out of range, or values do not fit the kinds of their columns.
        """
        X = self._checked(X, is_fit=True)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        model, training = settings(self, seed)
        weights = checked_weights(sample_weight, X)
        form = (ArrayForm if isinstance(X, np.ndarray) else FrameForm).of(X, self.columns)
        rows, observed = form.rows(X)
        if weights is not None:
            kept = weights > 0
            rows, observed, weights = rows[kept], observed[kept], weights[kept]
        self.model_, self.history_ = trained(
            rows,
            observed,
            form.schema,
            model=model,
            training=training,
            sample_weight=weights,
            validation_fraction=self.validation_fraction,
            verbose=self.verbose,
        )
        self._form = form
        return self

    @property
    def schema_(self) -> Schema:
        """What the columns are."""
        check_is_fitted(self)
        return self._form.schema

    def transform(self, X: Any) -> np.ndarray:
        """Returns the codes of rows: the means of q(z|x) `[N, latent_size]`, float32."""
        check_is_fitted(self)
        return _answers.codes(self.model_, self._rows(self._checked(X)))

    def inverse_transform(self, X: Any) -> "np.ndarray | pd.DataFrame":
        """Returns rows in the form of the data in `fit`, for codes `[N, latent_size]`.

        Numbers are the means of p(x|z), and categories the most probable ones. A data frame lacks the columns that the
        model ignores, and an array has NaN there.
        """
        check_is_fitted(self)
        z = check_array(X, dtype=np.float32, input_name="X", estimator=self)
        if z.shape[1] != self._n_features_out:
            raise ValueError(
                f"Codes must have {self._n_features_out} columns, as `transform` returns them. Received: X of shape "
                f"{z.shape}"
            )
        return self._form.restored(_answers.decoded(self.model_, z, self.schema_), like=X)

    def score_samples(self, X: Any) -> np.ndarray:
        """Returns log p(x) of each row `[N]` in nats, of its observed values if some are missing.

        It is estimated with `num_importance_samples` draws of z. The seed of the draws is the same for every row and
        call, so that the score of a row does not depend on other rows. `tfvae.evaluation.log_marginal` has standard
        errors and diagnostics.
        """
        check_is_fitted(self)
        return _answers.log_marginals(self.model_, self._rows(self._checked(X)), self.num_importance_samples)

    def score(self, X: Any, y: Any = None) -> float:
        """Returns the mean of log p(x) over the rows. Higher is better."""
        return float(self.score_samples(X).mean())

    def sample(
        self, n_samples: int = 1, random_state: "int | np.random.RandomState | None" = None
    ) -> "np.ndarray | pd.DataFrame":
        """Draws rows z ~ p(z), x ~ p(x|z), in the form of the data in `fit`.

        Args:
            n_samples: Number of rows.
            random_state: Seed of the draws. None draws other rows in each call.
        """
        check_is_fitted(self)
        num_samples = whole_number(n_samples, "n_samples")
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return self._form.restored(_answers.samples(self.model_, num_samples, seed))

    def impute(self, X: Any) -> "np.ndarray | pd.DataFrame":
        """Returns a copy of X with its missing values filled. Observed values are unchanged.

        Numbers are conditional means given the observed values of the row, and categories the most frequent of several
        draws. `tfvae.evaluation.impute` returns multiple imputations.
        """
        check_is_fitted(self)
        X = self._checked(X)
        found = impute(
            self.model_,
            self._rows(X),
            num_samples=NUM_DRAWS if any(column.categories for column in self.schema_.used) else 0,
            num_importance_samples=self.num_importance_samples,
        )
        return self._form.filled(X, with_frequent_categories(found.mean, found.samples, self.schema_))

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.latent_shape[0])

    def _rows(self, X: Any) -> np.ndarray:
        return with_nan(*self._form.rows(X, misfits=self.handle_unknown))

    def _checked(self, X: Any, *, is_fit: bool = False) -> Any:
        """Returns X as an array of floating-point numbers, or a data frame unchanged if the model is one of such."""
        import pandas as pd

        is_frame = isinstance(X, pd.DataFrame)
        if is_frame and (is_fit or isinstance(self._form, FrameForm)) and X.shape[0] and X.shape[1]:
            return validate_data(self, X, reset=is_fit, skip_check_array=True)
        dtype = None if not is_fit and isinstance(self._form, FrameForm) else [np.float64, np.float32]
        return validate_data(self, X, reset=is_fit, dtype=dtype, ensure_all_finite="allow-nan")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []  # codes are float32
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {**state, "model_": to_bytes(state["model_"])} if "model_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        model = {"model_": from_bytes(state["model_"])} if "model_" in state else {}
        super().__setstate__({**state, **model})
