"""Every recurrent cell, by class and by name."""

import ast
import importlib
import inspect
import os
import sys
from typing import Any

from rnn_jax.cells.base import Cell, Composite, GatedCell, HiddenCell, count_parameters, dense, describe
from rnn_jax.cells.continuous.cfc import CfC
from rnn_jax.cells.continuous.gru_d import GRUD, GRUDCarry
from rnn_jax.cells.continuous.ltc import LTC
from rnn_jax.cells.continuous.phased_lstm import PhasedLSTM, PhasedLSTMCarry
from rnn_jax.cells.convolutional.conv import ConvGRU, ConvLSTM
from rnn_jax.cells.gated.brc import BRC, NBRC
from rnn_jax.cells.gated.cfn import CFN
from rnn_jax.cells.gated.fastgrnn import FastGRNN, FastRNN
from rnn_jax.cells.gated.full_gate_lstm import FullGateCarry, FullGateLSTM
from rnn_jax.cells.gated.gru import GRU, GRUResetBefore
from rnn_jax.cells.gated.gru_variants import GRU1, GRU2, GRU3
from rnn_jax.cells.gated.indylstm import IndyLSTM
from rnn_jax.cells.gated.janet import JANET
from rnn_jax.cells.gated.ligru import LiGRU
from rnn_jax.cells.gated.lrcssm import LrcSSM
from rnn_jax.cells.gated.lstm import LSTM, LSTMP, CoupledLSTM, LayerNormLSTM, LSTMCarry, PeepholeLSTM
from rnn_jax.cells.gated.m2rnn import M2RNN
from rnn_jax.cells.gated.mc_lstm import MCLSTM
from rnn_jax.cells.gated.mgu import MGU
from rnn_jax.cells.gated.minimal_rnn import MinimalRNN
from rnn_jax.cells.gated.multiplicative_lstm import MultiplicativeLSTM
from rnn_jax.cells.gated.nas import NASCell
from rnn_jax.cells.gated.qrnn import QRNN, QRNNCarry
from rnn_jax.cells.gated.ran import RAN
from rnn_jax.cells.gated.rhn import RHN
from rnn_jax.cells.gated.slstm import SLSTM, SLSTMCarry
from rnn_jax.cells.gated.sru import SRU
from rnn_jax.cells.gated.star import STAR
from rnn_jax.cells.gated.twin_gated import ATR, LRN
from rnn_jax.cells.gated.ugrnn import UGRNN
from rnn_jax.cells.linear.base import Affine, ComplexDiagonalCell, DiagonalCell, LinearCell
from rnn_jax.cells.linear.block_lru import BlockLRU
from rnn_jax.cells.linear.comba import Comba
from rnn_jax.cells.linear.delta_product import DeltaProduct, GatedDeltaProduct
from rnn_jax.cells.linear.deltanet import DeltaNet, GatedDeltaNet
from rnn_jax.cells.linear.hgrn import HGRN
from rnn_jax.cells.linear.hgrn2 import HGRN2
from rnn_jax.cells.linear.kda import KDA
from rnn_jax.cells.linear.linear_attention import GLA, RetNet
from rnn_jax.cells.linear.linoss import LinOSS
from rnn_jax.cells.linear.lru import LRU, RGLRU
from rnn_jax.cells.linear.mamba2 import Mamba2
from rnn_jax.cells.linear.mamba3 import Mamba3, Mamba3Carry
from rnn_jax.cells.linear.mingru import MinGRU, MinLSTM
from rnn_jax.cells.linear.mlstm import MLSTM, MLSTMCarry
from rnn_jax.cells.linear.rwkv6 import RWKV6
from rnn_jax.cells.linear.rwkv7 import RWKV7
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
from rnn_jax.cells.simple.scrn import SCRN, SCRNCarry
from rnn_jax.cells.simple.unicornn import UnICORNN, UnICORNNCarry
from rnn_jax.cells.timed import Timed, apart, duration, together
from rnn_jax.checks import check_trusted, nearest

CELLS: dict[str, type[Any]] = {
    "elman": Elman,
    "irnn": IRNN,
    "lstm": LSTM,
    "peephole_lstm": PeepholeLSTM,
    "coupled_lstm": CoupledLSTM,
    "layer_norm_lstm": LayerNormLSTM,
    "full_gate_lstm": FullGateLSTM,
    "lstmp": LSTMP,
    "indylstm": IndyLSTM,
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
    "minimal_rnn": MinimalRNN,
    "atr": ATR,
    "lrn": LRN,
    "nas": NASCell,
    "brc": BRC,
    "nbrc": NBRC,
    "mc_lstm": MCLSTM,
    "antisymmetric": AntisymmetricRNN,
    "gated_antisymmetric": GatedAntisymmetricRNN,
    "exprnn": ExpRNN,
    "cayley": CayleyRNN,
    "conv_lstm": ConvLSTM,
    "conv_gru": ConvGRU,
    "sru": SRU,
    "qrnn": QRNN,
    "lrcssm": LrcSSM,
    "cornn": CoRNN,
    "unicornn": UnICORNN,
    "lem": LEM,
    "cfc": CfC,
    "ltc": LTC,
    "gru_d": GRUD,
    "phased_lstm": PhasedLSTM,
    "clockwork": Clockwork,
    "scrn": SCRN,
    "slstm": SLSTM,
    "m2rnn": M2RNN,
    "echo_state": EchoState,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "hgrn": HGRN,
    "lru": LRU,
    "rg_lru": RGLRU,
    "block_lru": BlockLRU,
    "s5": S5,
    "s4d": S4D,
    "linoss": LinOSS,
    "s6": S6,
    "mamba2": Mamba2,
    "mamba3": Mamba3,
    "retnet": RetNet,
    "gla": GLA,
    "hgrn2": HGRN2,
    "rwkv6": RWKV6,
    "mlstm": MLSTM,
    "deltanet": DeltaNet,
    "gated_deltanet": GatedDeltaNet,
    "delta_product": DeltaProduct,
    "gated_delta_product": GatedDeltaProduct,
    "kda": KDA,
    "rwkv7": RWKV7,
    "comba": Comba,
}
"""Names for configs, tests and benchmarks."""


def make_cell(name: str, input_size: int, hidden_size: int, **options: Any) -> Cell:
    """The cell called `name` in `CELLS`, or your own as "module:Class".

    A name may bring options of its own in brackets, as they would stand in Python: "deltanet(heads=2)".

    Raises:
        ValueError: there is no cell of that name (the message has the nearest one) or it has no such option.
    """
    if not isinstance(name, str):
        raise ValueError(f"cell={name!r}: expected a name, such as 'lstm', or your own as 'module:Class'")
    if name.endswith(")"):
        name, _, inside = name.partition("(")
        options = _read_options(name, inside.removesuffix(")")) | options
    cell = _imported(name) if ":" in name else CELLS.get(name)
    if cell is None:
        hint = nearest(name, CELLS, cutoff=0.5)
        raise ValueError(f"cell={name!r} is unknown: {hint}The cells are {', '.join(CELLS)}; your own is module:Class")
    known = inspect.signature(cell).parameters
    if unknown := [option for option in options if option not in known]:
        own = [option for option in known if option not in ("input_size", "hidden_size")]
        hint = nearest(unknown[0], own, cutoff=0.5)
        raise ValueError(f"cell={name!r} has no option {unknown[0]!r}: {hint}expected {', '.join(own) or 'none'}")
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
    "ATR",
    "BRC",
    "CELLS",
    "CFN",
    "GLA",
    "GRU",
    "GRU1",
    "GRU2",
    "GRU3",
    "GRUD",
    "HGRN",
    "HGRN2",
    "IRNN",
    "JANET",
    "KDA",
    "LEM",
    "LRN",
    "LRU",
    "LSTM",
    "LSTMP",
    "LTC",
    "M2RNN",
    "MCLSTM",
    "MGU",
    "MLSTM",
    "NBRC",
    "QRNN",
    "RAN",
    "RGLRU",
    "RHN",
    "RWKV6",
    "RWKV7",
    "S4D",
    "S5",
    "S6",
    "SCRN",
    "SLSTM",
    "SRU",
    "STAR",
    "UGRNN",
    "Affine",
    "AntisymmetricRNN",
    "BlockLRU",
    "CayleyRNN",
    "Cell",
    "CfC",
    "Clockwork",
    "ClockworkCarry",
    "CoRNN",
    "CoRNNCarry",
    "Comba",
    "ComplexDiagonalCell",
    "Composite",
    "ConvGRU",
    "ConvLSTM",
    "CoupledLSTM",
    "DeltaNet",
    "DeltaProduct",
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
    "GatedDeltaProduct",
    "HiddenCell",
    "IndRNN",
    "IndyLSTM",
    "LEMCarry",
    "LSTMCarry",
    "LayerNormLSTM",
    "LiGRU",
    "LinOSS",
    "LinearCell",
    "LrcSSM",
    "MLSTMCarry",
    "Mamba2",
    "Mamba3",
    "Mamba3Carry",
    "MinGRU",
    "MinLSTM",
    "MinimalRNN",
    "MultiplicativeLSTM",
    "NASCell",
    "Paper",
    "PeepholeLSTM",
    "PhasedLSTM",
    "PhasedLSTMCarry",
    "QRNNCarry",
    "RetNet",
    "SCRNCarry",
    "SLSTMCarry",
    "Timed",
    "UnICORNN",
    "UnICORNNCarry",
    "apart",
    "citation",
    "count_parameters",
    "dense",
    "describe",
    "duration",
    "make_cell",
    "together",
]
