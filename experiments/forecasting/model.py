"""What comes next in a series: layers read a window of it, and forecast each of the steps after it."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.forecasting.outputs import Forecast, Output
from experiments.forecasting.panel import season_before
from experiments.forecasting.paths import make_paths
from experiments.forecasting.segments import SegmentReader
from experiments.forecasting.windows import Windows
from rnn_jax.compose import dropout
from rnn_jax.models.blocks import Layers
from rnn_jax.models.classifier import Classifier
from rnn_jax.typing import Array, Params


class Forecaster(nnx.Module):
    """Numbers for the H steps after a window of L steps.

    Layers read the window, and what they have read is scored (`Classifier`). Beside them a linear map, as in LSTNet
    (Lai et al. 2018, arXiv:1703.07015), reads means of the last steps, short and long ones, as HAR regression does
    (Corsi 2009). Both are added to what the series had one season before. All begin at zero, so that a model begins as
    seasonal persistence.

    Args:
        layer: `Recurrent`, `RecurrentBlocks` or `Transformer`, or a `SegmentReader`, which
            has its own dropout and scores.
        output: what a forecast is made of, see `experiments.forecasting.outputs`.
        window: L.
        horizon: H.
        recursive: forecast one step at a time and read it as the next step of the window; else all at once.
        season: steps after which the series is much as it was, at most L; 1 for the last value, 0 for nothing. The
            first feature is then the target itself.
        means: of how many last steps the linear map reads the mean, such as (1, 6, 24), each at most L; () for no map.
        pooling: of the classifier.
        dropout_rate: on what the layers have read, in training.
        input_dropout: on the features of the window, in training.
        vocabularies: how many words each column of words has, which are embedded (Guo & Berkhahn 2016,
            arXiv:1604.06737) and follow the features.
        ahead: which of all these features are known ahead, of the next step. Forecast at once, each step reads its own:
            by a linear map, and by a layer that all steps share, together with what has been read of the window (the
            local layer of MQ-RNN, Wen et al. 2017, arXiv:1711.11053).
        dtype: of the computation; parameters are float32, and so are the forecasts.
        rngs: the stream `params` (or `default`) draws the parameters.
    """

    def __init__(
        self,
        layer: Layers | SegmentReader,
        output: Output,
        window: int,
        horizon: int,
        *,
        recursive: bool = False,
        season: int = 0,
        means: Sequence[int] = (),
        pooling: str = "last",
        dropout_rate: float = 0.0,
        input_dropout: float = 0.0,
        vocabularies: Sequence[int] = (),
        ahead: Sequence[int] = (),
        dtype: Any = jnp.float32,
        rngs: nnx.Rngs,
    ):
        outputs = (1 if recursive else horizon) * output.size
        if isinstance(layer, SegmentReader):
            self.head = layer
        else:
            self.head = Classifier(layer, outputs, pooling=pooling, dropout_rate=dropout_rate, dtype=dtype, rngs=rngs)
            self.head.score.kernel[...] = jnp.zeros_like(self.head.score.kernel[...])
        self.input_size = layer.input_size
        size, zeros = len(means) * layer.input_size, nnx.initializers.zeros
        self.linear = nnx.Linear(size, outputs, kernel_init=zeros, dtype=dtype, rngs=rngs) if means else None
        self.means = tuple(means)
        self.output, self.window, self.horizon = output, window, horizon
        self.recursive, self.season, self.input_dropout, self.dtype = recursive, season, input_dropout, dtype
        tables = [nnx.Embed(size, embedding_size(size), dtype=dtype, rngs=rngs) for size in vocabularies]
        self.tables = nnx.List(tables) if tables else None
        self.ahead = () if recursive else tuple(ahead)
        if self.ahead:
            read, size = layer.output_size, output.size
            self.local = nnx.Linear(read + len(self.ahead), read, dtype=dtype, rngs=rngs)
            self.local_score = nnx.Linear(read, size, kernel_init=zeros, dtype=dtype, rngs=rngs)
            self.own = nnx.Param(jnp.zeros((horizon, len(self.ahead), size)))

    def __call__(self, inputs: Array, codes: Array | None = None, *, key: jax.Array | None = None) -> jax.Array:
        """Forecast what comes after windows.

        Args:
            inputs: features `[L, B, F]`; recursively, or where any are known ahead, `[L + H - 1, B, F]`, those after
                the window with what is known of them before, see `experiments.forecasting.windows.Windows`.
            codes: int `[..., B, C]`, as many steps, the numbers of words: 0 where one is unknown.
            key: a typed key: training, with dropout.

        Returns:
            float32 `[B, H, K]`, for `output` to interpret.
        """
        inputs = self.embedded(inputs, codes)
        if not self.recursive:
            ahead = inputs[self.window - 1 :, :, np.array(self.ahead)] if self.ahead else None
            return self.predict(inputs[: self.window], key, ahead)

        def step(window: jax.Array, row: jax.Array) -> tuple[jax.Array, jax.Array]:
            raw = self.predict(window, key)[:, 0]
            row = row.at[:, 0].set(self.output.point(raw).astype(row.dtype))
            return jnp.concatenate([window[1:], row[None]]), raw

        ahead = jnp.concatenate([inputs[self.window :], inputs[-1:]])  # what follows the last one is never read
        return jnp.swapaxes(jax.lax.scan(step, inputs[: self.window], ahead)[1], 0, 1)

    def embedded(self, inputs: Array, codes: Array | None) -> jax.Array:
        """Features `[T, B, F]`, and after them those of words; an unknown word has the mean of all known ones."""
        parts = [jnp.asarray(inputs, self.dtype)]
        for i, table in enumerate(self.tables or ()):
            known = jnp.asarray(table.embedding[...], self.dtype)
            parts.append(jnp.concatenate([known.mean(axis=0, keepdims=True), known])[jnp.asarray(codes)[..., i]])
        return jnp.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def predict(self, window: jax.Array, key: jax.Array | None, ahead: jax.Array | None = None) -> jax.Array:
        """What is forecast at once after a window `[L, B, F]`: float32 `[B, H, K]`, or `[B, 1, K]` recursively.

        `ahead` `[H, B, A]` is what is known ahead, if anything is.
        """
        input_key, key = (None, None) if key is None else jax.random.split(key)
        window_in = dropout(input_key, window, self.input_dropout)
        read = self.head.read(window_in, jnp.full(window.shape[1:2], self.window), key=key)
        raw = self.head.score(read).astype(jnp.float32)
        raw = raw.reshape(raw.shape[0], -1)  # segments, one after the other
        if self.linear is not None:
            means = jnp.concatenate([window_in[-steps:].mean(axis=0) for steps in self.means], axis=-1)
            raw = raw + self.linear(means).astype(jnp.float32)
        raw = raw.reshape(raw.shape[0], -1, self.output.size)  # whose first size may be a name, which has no len
        if ahead is not None:
            raw = raw + jnp.einsum("hba,hak->bhk", ahead.astype(jnp.float32), self.own[...])
            beside = jnp.concatenate([jnp.broadcast_to(read, (len(ahead), *read.shape)), ahead], axis=-1)
            local = self.local_score(jax.nn.gelu(self.local(beside))).astype(jnp.float32)
            raw = raw + jnp.swapaxes(local, 0, 1)
        return raw.at[..., : self.output.moved].add(self.last_season(window)[..., None].astype(jnp.float32))

    def last_season(self, window: Array) -> Array:
        """What the target had one season before each step that is forecast at once: `[B, H]`, or `[B, 1]` recursively.

        Further ahead than a season the last one is repeated; zeros where there is no season.
        """
        steps = 1 if self.recursive else self.horizon
        if not self.season:
            return jnp.zeros((window.shape[1], steps), window.dtype)
        (before,) = season_before(np.array([self.window - 1]), steps, self.season)
        return self.output.link(window[before, :, 0].T)


def embedding_size(words: int) -> int:
    """How many features a word has, of a column with so many: about the square root of their number."""
    return min(16, 1 + round(words**0.5))


def make_raw(
    rebuild: Callable[[Params], Forecaster], windows: Windows, examples: np.ndarray, *, batch_size: int = 1024
) -> Callable[[Params], np.ndarray]:
    """A function from parameters to the outputs of a model after some windows, float32 `[N, H, K]`, compiled once.

    Args:
        rebuild: from `rnn_jax.nnx.functional` of a `Forecaster`.
        windows: of a panel.
        examples: int `[N, 2]`, which of them.
        batch_size: windows at once.
    """
    batch_size = min(batch_size, len(examples))
    predict = jax.jit(lambda params, read: rebuild(params)(**read))

    def raw(params: Params) -> np.ndarray:
        parts = []
        for first in range(0, len(examples), batch_size):
            rows = np.resize(examples[first : first + batch_size], (batch_size, 2))  # one shape for all
            parts.append(np.asarray(predict(params, windows.read(rows))))
        return np.concatenate(parts)[: len(examples)]

    return raw


def make_forecast(
    rebuild: Callable[[Params], Forecaster], windows: Windows, examples: np.ndarray
) -> Callable[[Params], Forecast]:
    """A function from parameters to the forecasts after some windows, in the unit of the panel; see `make_raw`.

    Of windows that are forced, for a model that draws paths, they are the median and the quantiles of paths.
    """
    if windows.forced:
        draw = make_paths(rebuild, windows, examples)
        return lambda params: draw(params).forecast
    raw = make_raw(rebuild, windows, examples)
    return lambda params: forecast_of(rebuild(params).output, raw(params), windows, examples)


def forecast_of(output: Output, raw: Array, windows: Windows, examples: np.ndarray) -> Forecast:
    """The forecasts that the outputs `[N, H, K]` of a model after some windows mean, in the unit of the panel."""
    outputs, series = jnp.asarray(raw), examples[:, 0]
    quantiles = output.quantiles(outputs, windows.scale(examples))
    scaled = Forecast(
        np.asarray(output.point(outputs), np.float64),
        None if quantiles is None else np.asarray(quantiles, np.float64),
    )
    return scaled.unscaled(windows.scaling.target_shift[series], windows.scaling.target_factor[series])
