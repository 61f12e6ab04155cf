"""How well does a recurrent network notice that something is wrong, from one measured quantity as it comes?

    python -m experiments.anomaly_detection                          58 series of the Numenta Anomaly Benchmark
    python -m experiments.anomaly_detection --csv FILE --column C    your own: a column of times, columns of numbers
    python -m experiments.anomaly_detection --csv FILE --by C        a network for each series that a column tells apart
    python -m experiments.anomaly_detection predict RUN [FILE]       what is said of each row of a table, as it comes
    python -m experiments.anomaly_detection detect RUN [FILE]        the alarms alone, in words
    python -m experiments.anomaly_detection evaluate RUN --data FILE --labels FILE    F1 of alarms and the NAB score
    python -m experiments.anomaly_detection export RUN               a program that runs without this code
    python -m experiments.anomaly_detection resume RUN               go on after an interruption

Lavin & Ahmad 2015, arXiv:1510.03336. As the benchmark demands, nothing looks ahead and each series is alone: a network
of its own is trained on its first 15 % (750 rows at most), then a detector scores the rest row by row. It predicts each
row from those 20 and more rows before it and the clock. The anomaly score is high if the mean of the last errors is
unlikely under the normal distribution of all such means before (Ahmad et al. 2017), or if the value is outside of the
range of all before. Missing values are skipped; a series that is constant at first has the unit 1.

Options are the same for all series. Those of the network were chosen by the last fifth of the training rows, the number
of updates too, for all networks at once. There being no other labels, those of the anomaly score were chosen by the
benchmark's score of every second series ("chosen half" in the scores, beside the "other half", which was looked at on
the way, too); the detection threshold is the best for all labels, as the benchmark has it.
"""

from experiments.anomaly_detection.commands import detect, evaluate, prepare, restore
from experiments.anomaly_detection.config import Config
from experiments.anomaly_detection.predictor import AnomalyDetectionPredictor
from experiments.common.table_cells import TableConfig
from experiments.common.upgrade import add_fields
from rnn_jax.train import Experiment
from rnn_jax.train.fields import field_types

EXPERIMENT = Experiment(
    __name__,
    Config,
    prepare,
    restore,
    commands=(evaluate, detect),
    upgrade=add_fields(Config, *field_types(TableConfig), "by"),
    predictor=AnomalyDetectionPredictor, own_data="--csv FILE --column COLUMN",
)  # fmt: skip
