"""Every recurrent cell, by class and by name."""

import ast
import difflib
import importlib
import os
import sys
from typing import Any

from rnn_jax.cells.base import Cell, Composite, GatedCell, HiddenCell, count_parameters, dense, describe
from rnn_jax.cells.continuous.cfc import CfC
from rnn_jax.cells.continuous.gru_d import GRUD, GRUDCarry
from rnn_jax.cells.continuous.ltc import LTC
from rnn_jax.cells.continuous.phased_lstm import PhasedLSTM, PhasedLSTMCarry
from rnn_jax.cells.convolutional.conv import ConvGRU, ConvLSTM
from rnn_jax.cells.gated.cfn import CFN
from rnn_jax.cells.gated.fastgrnn import FastGRNN, FastRNN
from rnn_jax.cells.gated.full_gate_lstm import FullGateCarry, FullGateLSTM
from rnn_jax.cells.gated.gru import GRU, GRUResetBefore
from rnn_jax.cells.gated.gru_variants import GRU1, GRU2, GRU3
from rnn_jax.cells.gated.janet import JANET
from rnn_jax.cells.gated.ligru import LiGRU
from rnn_jax.cells.gated.lstm import LSTM, LSTMP, CoupledLSTM, LayerNormLSTM, LSTMCarry, PeepholeLSTM
from rnn_jax.cells.gated.mgu import MGU
from rnn_jax.cells.gated.multiplicative_lstm import MultiplicativeLSTM
from rnn_jax.cells.gated.qrnn import QRNN, QRNNCarry
from rnn_jax.cells.gated.ran import RAN
from rnn_jax.cells.gated.rhn import RHN
from rnn_jax.cells.gated.slstm import SLSTM, SLSTMCarry
from rnn_jax.cells.gated.sru import SRU
from rnn_jax.cells.gated.star import STAR
from rnn_jax.cells.gated.ugrnn import UGRNN
from rnn_jax.cells.linear.base import Affine, ComplexDiagonalCell, DiagonalCell, LinearCell
from rnn_jax.cells.linear.deltanet import DeltaNet, GatedDeltaNet
from rnn_jax.cells.linear.linear_attention import GLA, RetNet
from rnn_jax.cells.linear.lru import LRU, RGLRU
from rnn_jax.cells.linear.mingru import MinGRU, MinLSTM
from rnn_jax.cells.linear.mlstm import MLSTM, MLSTMCarry
from rnn_jax.cells.linear.s5 import S4D, S5
from rnn_jax.cells.linear.s6 import S6
from rnn_jax.cells.orthogonal.antisymmetric import AntisymmetricRNN, GatedAntisymmetricRNN
from rnn_jax.cells.orthogonal.cornn import CoRNN, CoRNNCarry
from rnn_jax.cells.orthogonal.lem import LEM, LEMCarry
from rnn_jax.cells.orthogonal.orthogonal import CayleyRNN, ExpRNN
from rnn_jax.cells.papers import Paper, citation
from rnn_jax.cells.simple.clockwork import Clockwork, ClockworkCarry
from rnn_jax.cells.simple.echo_state import EchoState
from rnn_jax.cells.simple.elman import IRNN, Elman
from rnn_jax.cells.simple.indrnn import IndRNN
from rnn_jax.cells.timed import Timed, apart, duration, together
from rnn_jax.checks import check_trusted

CELLS: dict[str, type[Any]] = {
    "elman": Elman,
    "irnn": IRNN,
    "lstm": LSTM,
    "peephole_lstm": PeepholeLSTM,
    "coupled_lstm": CoupledLSTM,
    "layer_norm_lstm": LayerNormLSTM,
    "full_gate_lstm": FullGateLSTM,
    "lstmp": LSTMP,
    "gru": GRU,
    "gru_reset_before": GRUResetBefore,
    "gru1": GRU1,
    "gru2": GRU2,
    "gru3": GRU3,
    "mgu": MGU,
    "ugrnn": UGRNN,
    "janet": JANET,
    "indrnn": IndRNN,
    "cfn": CFN,
    "rhn": RHN,
    "multiplicative_lstm": MultiplicativeLSTM,
    "fastrnn": FastRNN,
    "fastgrnn": FastGRNN,
    "ligru": LiGRU,
    "ran": RAN,
    "star": STAR,
    "antisymmetric": AntisymmetricRNN,
    "gated_antisymmetric": GatedAntisymmetricRNN,
    "exprnn": ExpRNN,
    "cayley": CayleyRNN,
    "conv_lstm": ConvLSTM,
    "conv_gru": ConvGRU,
    "sru": SRU,
    "qrnn": QRNN,
    "cornn": CoRNN,
    "lem": LEM,
    "cfc": CfC,
    "ltc": LTC,
    "gru_d": GRUD,
    "phased_lstm": PhasedLSTM,
    "clockwork": Clockwork,
    "slstm": SLSTM,
    "echo_state": EchoState,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "lru": LRU,
    "rg_lru": RGLRU,
    "s5": S5,
    "s4d": S4D,
    "s6": S6,
    "retnet": RetNet,
    "gla": GLA,
    "mlstm": MLSTM,
    "deltanet": DeltaNet,
    "gated_deltanet": GatedDeltaNet,
}
"""Names for configs, tests and benchmarks."""


def make_cell(name: str, input_size: int, hidden_size: int, **options: Any) -> Cell:
    """The cell called `name` in `CELLS`, or your own as "module:Class".

    A name may bring options of its own in brackets, as they would stand in Python: "deltanet(heads=2)".

    Raises:
        ValueError: there is no cell of that name (the message has the nearest one) or it has no such option.
    """
    if name.endswith(")"):
        name, _, inside = name.partition("(")
        options = _read_options(name, inside.removesuffix(")")) | options
    cell = _imported(name) if ":" in name else CELLS.get(name)
    if cell is None:
        near = difflib.get_close_matches(name.lower(), CELLS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"cell={name!r} is unknown: {hint}The cells are {', '.join(CELLS)}; your own is module:Class")
    try:
        return cell(input_size, hidden_size, **options)
    except TypeError as error:
        raise ValueError(f"cell={name!r}: {error}") from None


def _read_options(name: str, text: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"cell({text})", mode="eval").body
        assert isinstance(call, ast.Call) and not call.args
        return {str(option.arg): ast.literal_eval(option.value) for option in call.keywords}
    except (SyntaxError, ValueError, AssertionError):
        raise ValueError(f"cell='{name}({text})': expected options such as (heads=2, forget_gate='sigmoid')") from None


def _imported(name: str) -> type[Any]:
    module, _, attribute = name.partition(":")
    check_trusted("cell", name, module)
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a console script does not look where it is called, `python -m` does
    try:
        cell = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"cell={name!r}: {error}; expected module:Class, importable from {os.getcwd()}") from error
    if not (isinstance(cell, type) and issubclass(cell, Cell)):
        raise ValueError(f"cell={name!r} is {cell!r}: expected a subclass of rnn_jax.Cell")
    return cell


__all__ = [
    "CELLS",
    "CFN",
    "GLA",
    "GRU",
    "GRU1",
    "GRU2",
    "GRU3",
    "GRUD",
    "IRNN",
    "JANET",
    "LEM",
    "LRU",
    "LSTM",
    "LSTMP",
    "LTC",
    "MGU",
    "MLSTM",
    "QRNN",
    "RAN",
    "RGLRU",
    "RHN",
    "S4D",
    "S5",
    "S6",
    "SLSTM",
    "SRU",
    "STAR",
    "UGRNN",
    "Affine",
    "AntisymmetricRNN",
    "CayleyRNN",
    "Cell",
    "CfC",
    "Clockwork",
    "ClockworkCarry",
    "CoRNN",
    "CoRNNCarry",
    "ComplexDiagonalCell",
    "Composite",
    "ConvGRU",
    "ConvLSTM",
    "CoupledLSTM",
    "DeltaNet",
    "DiagonalCell",
    "EchoState",
    "Elman",
    "ExpRNN",
    "FastGRNN",
    "FastRNN",
    "FullGateCarry",
    "FullGateLSTM",
    "GRUDCarry",
    "GRUResetBefore",
    "GatedAntisymmetricRNN",
    "GatedCell",
    "GatedDeltaNet",
    "HiddenCell",
    "IndRNN",
    "LEMCarry",
    "LSTMCarry",
    "LayerNormLSTM",
    "LiGRU",
    "LinearCell",
    "MLSTMCarry",
    "MinGRU",
    "MinLSTM",
    "MultiplicativeLSTM",
    "Paper",
    "PeepholeLSTM",
    "PhasedLSTM",
    "PhasedLSTMCarry",
    "QRNNCarry",
    "RetNet",
    "SLSTMCarry",
    "Timed",
    "apart",
    "citation",
    "count_parameters",
    "dense",
    "describe",
    "duration",
    "make_cell",
    "together",
]
