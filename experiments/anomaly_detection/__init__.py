"""How well does a recurrent network notice that something is wrong, from one measured quantity as it comes?

    python -m experiments.anomaly_detection                          58 series of the Numenta Anomaly Benchmark
    python -m experiments.anomaly_detection --csv FILE --column C    your own: a column of times, columns of numbers
    python -m experiments.anomaly_detection --csv FILE --by C        a network for each series that a column tells apart
    python -m experiments.anomaly_detection predict RUN [FILE]       what is said of each row of a table, as it comes
    python -m experiments.anomaly_detection detect RUN [FILE]        the alarms alone, in words
    python -m experiments.anomaly_detection evaluate RUN --data FILE --labels FILE    F1 of alarms and the NAB score
    python -m experiments.anomaly_detection rehearse RUN             the score on anomalies that are put in at random
    python -m experiments.anomaly_detection export RUN               a program that runs without this code
    python -m experiments.anomaly_detection resume RUN               go on after an interruption

Lavin & Ahmad 2015, arXiv:1510.03336. As the benchmark demands, nothing looks ahead and each series is alone: a network
of its own is trained on its first 15 % (750 rows at most), then a detector scores the rest row by row. It predicts each
row from those 20 and more rows before it and the clock. The anomaly score is how far the value, or the mean of the last
1, 10 or 100 errors, is outside of the range of all before (`anomaly_score.py`). Missing values are skipped; a series
that is constant at first has the unit 1.

Options are the same for all series. Those of the network were chosen by the last fifth of the training rows, the number
of updates too, for all networks at once. Those of the anomaly score, and where an alarm begins, were chosen without the
benchmark's labels, by anomalies of our own put into its series at random (`rehearse`). With the labels six variants of
the score were looked at, on one seed: five of records had 60.7 to 63.7, the one taken 63.5; Numenta's likelihood of
errors 48.5. The detection threshold is the best for all labels, as the benchmark has it; the score with one that the
other half of the series has chosen, and with none but that of an alarm, stands beside.
"""

from experiments.anomaly_detection.commands import detect, evaluate, prepare, rehearse, restore
from experiments.anomaly_detection.config import Config, upgrade
from experiments.anomaly_detection.predictor import AnomalyDetectionPredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    Config,
    prepare,
    restore,
    commands=(evaluate, detect, rehearse),
    upgrade=upgrade,
    predictor=AnomalyDetectionPredictor, own_data="--csv FILE --column COLUMN",
)  # fmt: skip
