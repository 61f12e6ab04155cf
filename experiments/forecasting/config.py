"""What is forecast from what, by which model: what the configs of all tasks have in common; see tasks.py."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.common.table_cells import TOLD, TableConfig, split_names
from experiments.forecasting.ancestral import AncestralForecaster
from experiments.forecasting.data import stocks, weather
from experiments.forecasting.hourly import beijing, transformer
from experiments.forecasting.intervals import CONFORMAL
from experiments.forecasting.measures import ERRORS
from experiments.forecasting.model import Forecaster, embedding_size
from experiments.forecasting.outputs import OUTPUTS
from experiments.forecasting.panel import Panel
from experiments.forecasting.scaling import Scaling
from experiments.forecasting.segments import SegmentReader, check_segment
from experiments.forecasting.windows import Layout, WindowConfig, Windows
from rnn_jax.checks import check_choice, check_number, check_rate, check_size
from rnn_jax.models import SequenceConfig, build_matched
from rnn_jax.models.classifier import POOLINGS
from rnn_jax.nnx import Recurrent
from rnn_jax.train import HoldOutConfig

SERIES: dict[str, Callable[[], Panel]] = {
    "weather": weather,
    "stocks": lambda: stocks("variance"),
    "returns": lambda: stocks("return"),
    "beijing": beijing,
    "dust": lambda: beijing("pm2.5"),
    "etth1": lambda: transformer("ETTh1"),
    "etth2": lambda: transformer("ETTh2"),
}
HOURLY = ("weather", "beijing", "dust", "etth1", "etth2")
DAY = 24


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForecasterConfig(SequenceConfig):
    """The model that reads a window.

    Raises:
        ValueError: a value is out of range, or values do not fit together.
    """

    output: str = "quantile"
    """What a forecast of each step is: point, quantile, gaussian, student_t, negative_binomial (of counts), mixture (of
    three normal distributions) or variance."""
    decoding: str = "direct"
    """direct: all steps at once; recursive: one, which is then read as the next step of the window; ancestral: one, of
    which a value is drawn and read, so that there are paths (DeepAR)."""
    means: str = "1,2,3,4,6,9,12,16,20,24"
    """With commas: of how many last steps a linear map reads the mean, past the layers; empty for no such map."""
    segment: int = 0
    """Read a window, and answer, in segments of so many steps (SegRNN, Lin et al. 2023); 0: step by step."""
    penalty: float = 30.0
    """Of the ridge regression at which that map begins."""
    pooling: str = "last"
    """What is taken of the layers: last, max, mean or attention over the steps."""
    input_dropout: float = 0.0
    """Rate on the features of a window."""
    bidirectional: bool = False
    """Read windows in both directions, with hidden_size features each."""
    hidden_size: int = 64
    dropout: float = 0.5
    recurrent_dropout: float = 0.3

    def __post_init__(self):
        check_choice("output", self.output, tuple(OUTPUTS))
        check_choice("decoding", self.decoding, ("direct", "recursive", "ancestral"))
        check_choice("pooling", self.pooling, POOLINGS)
        check_rate("input_dropout", self.input_dropout)
        check_number("penalty", self.penalty, least=0)
        if self.output == "variance" and self.decoding != "direct":
            raise ValueError("output='variance' forecasts the next steps directly, with season=0")
        if self.segment:
            check_size("segment", self.segment)
            if (self.model, self.decoding, self.pooling) != ("recurrent", "direct", "last") or (
                self.bidirectional or self.blocks or self.input_dropout
            ):
                raise ValueError(
                    f"segment={self.segment}: expected model='recurrent', decoding='direct', pooling='last', neither "
                    f"bidirectional nor blocks, and input_dropout=0, not model={self.model!r}, "
                    f"decoding={self.decoding!r}, pooling={self.pooling!r}, bidirectional={self.bidirectional}, "
                    f"blocks={self.blocks}, input_dropout={self.input_dropout}; or segment=0"
                )
        if self.ancestral:
            if not OUTPUTS[self.output].sampled:
                outputs = ", ".join(name for name, output in OUTPUTS.items() if output.sampled)
                raise ValueError(f"output={self.output!r}: decoding='ancestral' draws of a distribution: {outputs}")
            if self.model != "recurrent" or self.bidirectional or self.pooling != "last":
                raise ValueError(
                    f"model={self.model!r}, bidirectional={self.bidirectional}, pooling={self.pooling!r}: "
                    "decoding='ancestral' needs a recurrent model that reads in one direction, with pooling='last'"
                )
        super().__post_init__()

    @property
    def summary(self) -> str:
        """The model in a few words."""
        reading = f", segments of {self.segment}" if self.segment else ""
        return f"{super().summary}{reading}, {self.decoding}"

    @property
    def recursive(self) -> bool:
        """Whether one step is forecast at a time."""
        return self.decoding != "direct"

    @property
    def ancestral(self) -> bool:
        """Whether what is forecast is drawn."""
        return self.decoding == "ancestral"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForecastConfig:
    """What the tasks have in common.

    Raises:
        ValueError: a value is out of range, or values do not fit together.
    """

    task: str
    """weather, beijing, dust (there too), stocks (their variances), returns (of the same stocks), etth1, etth2, or own,
    a table of your own."""
    batch_size: int = 64
    """Windows in an update."""
    error: str = "last"
    """What a forecast is measured and chosen by: last, the absolute error of its last step; all, that of all its steps;
    squared, the squared error of all its steps."""
    conformal: str = "none"
    """Bands of 80 and 90 % that keep what they promise, by the errors on the validation part: none, split (the same
    margin throughout) or adaptive (it follows the series)."""
    boosting: int = 0
    """Trees, at most, of gradient boosting, one more method to compare with, which takes minutes; 0: none."""
    windows: WindowConfig = WindowConfig()
    model: ForecasterConfig = ForecasterConfig()
    fit: HoldOutConfig = HoldOutConfig(
        averaging=0.98, steps=200, evaluate_every=50, learning_rate=3e-3, warmup_steps=50, weight_decay=0.1
    )

    def __post_init__(self):
        check_size("batch_size", self.batch_size)
        window, means = self.windows.window, self.model.means
        if not all(name.isdigit() and 1 <= int(name) <= window for name in split_names(means)):
            raise ValueError(f"means={means!r}: expected numbers from 1 to window={window}, with commas")
        check_choice("conformal", self.conformal, CONFORMAL)
        check_choice("error", self.error, tuple(ERRORS))
        if self.boosting < 0 or (self.boosting and self.task in ("stocks", "returns")):
            raise ValueError(
                f"boosting={self.boosting}, task={self.task!r}: expected a number of trees for a task that forecasts a "
                "level, or boosting=0"
            )
        if self.model.segment:
            check_segment(self.model.segment, window, self.windows.horizon)
        if self.windows.embed_series and self.many:
            raise ValueError(
                "embed_series=True: a model of a table with --by forecasts other series, too, which have no embedding: "
                "name what tells them apart with --static, or use embed_series=False"
            )
        if self.conformal != "none" and not self.fit.hold_out:
            raise ValueError(
                f"conformal={self.conformal!r} goes by errors on a validation part that is not trained on: use hold_out"
            )
        if self.task != "own" and (self.task == "stocks") != (self.model.output == "variance"):
            raise ValueError(
                f"task={self.task!r}, output={self.model.output!r}: stocks go with variance, and only they do"
            )
        if self.model.output == "variance" and self.windows.season:
            raise ValueError("output='variance' forecasts the next steps directly, with season=0")

    @property
    def title(self) -> str:
        """The task and the model in a few words."""
        return f"{self.task}, {self.model.summary}"

    @property
    def many(self) -> bool:
        """Whether the model is of many series, so that it forecasts others, too."""
        return False

    @property
    def positive(self) -> bool:
        """Whether what is forecast is a positive number, such as a variance."""
        return self.model.output == "variance"

    @property
    def monitor(self) -> str:
        """What the best update is chosen by on validation data: what the test is measured by, see `error`."""
        return "validation_error" if self.model.output in ("point", "quantile") else "validation_loss"

    def panel(
        self, csv: str = "", words: Sequence[str] = (), columns: Sequence[str] = (), table: TableConfig = TOLD
    ) -> Panel:
        """The series of the task, or of another table with the same columns, of which some are known to hold words.

        Args:
            csv: the other table.
            words: the columns that hold words.
            columns: those that the model has learned, for another table.
            table: how the other table is written, where it is not as that of training.

        Raises:
            ValueError: the task reads no tables.
        """
        if csv:
            raise ValueError(f"csv={csv!r}: a model of the task {self.task} reads no table; train one with --csv")
        return SERIES[self.task]()

    @property
    def season(self) -> int:
        """The steps of a season, by which simpler methods go: of hourly tasks a day, though the model may not."""
        return max(self.windows.season, DAY) if self.task in HOURLY else self.windows.season

    def cut(self, panel: Panel, scaling: Scaling) -> Windows:
        """The windows of a panel, as the model reads them."""
        return self.windows.cut(panel, scaling, ahead=self.model.recursive, forced=self.model.ancestral)

    def scale(self, panel: Panel, end: int) -> Scaling:
        """The scaling of a panel by the steps before `end`."""
        return Scaling.fit(panel, end, **self.kind)

    @property
    def kind(self) -> dict[str, bool]:
        """Of which kind the target is, for `Scaling`."""
        return {"positive": self.positive, "counts": OUTPUTS[self.model.output].counts}

    def forecaster(self, layout: Layout | int, key: jax.Array) -> Forecaster:
        """The model for windows of some layout, or of so many features, its initial values drawn with a typed key."""
        layout = Layout(layout) if isinstance(layout, int) else layout
        sizes = [embedding_size(size) for size in layout.vocabularies]
        begin = layout.features - layout.places
        size = layout.features + sum(sizes)
        ahead = [*range(begin - layout.ahead, begin)]
        ahead += range(size - sum(sizes[len(sizes) - layout.words_ahead :]), size)

        def build(model: ForecasterConfig) -> Forecaster:
            rngs = nnx.Rngs(params=key)
            options = {
                "season": self.windows.season,
                "means": [int(steps) for steps in split_names(model.means)],
                "dropout_rate": model.dropout,
                "input_dropout": model.input_dropout,
                "vocabularies": layout.vocabularies,
                "dtype": jnp.dtype(model.dtype),
                "rngs": rngs,
            }
            steps, output = (self.windows.window, self.windows.horizon), OUTPUTS[model.output]
            if model.segment:
                reader = SegmentReader(
                    Recurrent(model.stack(model.hidden_size), rngs=rngs), size, words=sum(sizes), segment=model.segment,
                    window=self.windows.window, horizon=self.windows.horizon, size=output.size,
                    centred=self.windows.season > 0, dropout_rate=model.dropout, dtype=options["dtype"], rngs=rngs,
                )  # fmt: skip
                return Forecaster(reader, output, *steps, **options)
            layer = model.layer(size, rngs)
            if model.ancestral:
                return AncestralForecaster(layer, output, *steps, **options)
            return Forecaster(
                layer, output, *steps, recursive=model.recursive, pooling=model.pooling, ahead=ahead, **options
            )

        return build_matched(self.model, build)
