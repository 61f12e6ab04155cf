"""How well does a recurrent network predict the remaining useful life (RUL) of an engine?

    python -m experiments.predictive_maintenance                          FD001, about two minutes on one core
    python -m experiments.predictive_maintenance --data DIR --subset FD004      train_, test_ and RUL_FD004.txt in DIR
    python -m experiments.predictive_maintenance --model transformer      a transformer of as many parameters
    python -m experiments.predictive_maintenance --data units.csv --unit id --time day --sensors heat,speed   your own
    python -m experiments.predictive_maintenance predict RUN FILE         the RUL of each engine in a file
    python -m experiments.predictive_maintenance evaluate RUN --data FILE       the scores where it is known
    python -m experiments.predictive_maintenance export RUN               a program that runs without this code
    python -m experiments.predictive_maintenance resume RUN               go on after an interruption

C-MAPSS, NASA's simulation of turbofan engines that fail (Saxena et al. 2008): 21 sensors, a row for each flight.
Constant sensors are left out, the others standardised on training engines, within each operating condition where there
are several (altitude and throttle in whole units). The network reads whole histories and predicts after each flight the
mean and the standard deviation of the RUL, the flights that are left, 125 at most: before that an engine shows no wear.
The true RUL of the test engines is capped there, too, as is usual; a run says the RMSE with it as it is beside that.
Every fifth training engine is for validation, truncated anywhere from the 31st flight on among its last 150. It also
says how wide the intervals are to be; with `--no-hold-out` all engines are trained on, and intervals are as they come.

Your own: files as those, or tables with named columns, a row for each cycle of a unit, in which every unit runs to its
failure. `--settings` names columns that make operating conditions. For `evaluate --data` the RUL after the last row of
each is in RUL_NAME.txt beside test_NAME.txt, or test_NAME.csv, or in the column that `--rul` names.
"""

from experiments.common.upgrade import add_fields
from experiments.predictive_maintenance.commands import evaluate, prepare, restore
from experiments.predictive_maintenance.config import UNIT_FIELDS, Config
from experiments.predictive_maintenance.predictor import PredictiveMaintenancePredictor
from rnn_jax.train import Experiment

EXPERIMENT = Experiment(
    __name__,
    Config,
    prepare,
    restore,
    commands=(evaluate,),
    upgrade=add_fields(Config, *UNIT_FIELDS, "hold_out", "members"),
    predictor=PredictiveMaintenancePredictor,
    own_data="--data FILE --unit COLUMN --time COLUMN --sensors COLUMN,COLUMN",
)
