"""The cases for PyTorch, and PyTorch's side of them."""

import warnings
from typing import Any

import rnn_jax
from rnn_jax.interop.torch import params_from_state_dict, state_dict_from_params
from tests.interop.parity import Case, Draw, record

write, read = state_dict_from_params, params_from_state_dict

BOTH = {"bidirectional": True}
CASES = [
    Case(name, "torch", seed, {"module": module, **options}, lengths)
    for seed, (name, module, options, lengths) in enumerate(
        [
            ("rnn", "RNN", {}, False),
            ("rnn_relu_2_both_no_bias", "RNN", {"nonlinearity": "relu", "num_layers": 2, "bias": False, **BOTH}, False),
            ("lstm", "LSTM", {}, False),
            ("lstm_no_bias_both_lengths", "LSTM", {"bias": False, **BOTH}, True),
            ("lstm_3_dropout", "LSTM", {"num_layers": 3, "dropout": 0.5}, False),
            ("lstm_projection", "LSTM", {"proj_size": 1}, False),
            ("lstm_projection_2_both", "LSTM", {"proj_size": 1, "num_layers": 2, **BOTH}, False),
            ("gru", "GRU", {}, False),
            ("gru_no_bias", "GRU", {"bias": False}, False),
            ("gru_2_both_lengths", "GRU", {"num_layers": 2, **BOTH}, True),
        ]
    )
]


def expected_cell(case: Case) -> rnn_jax.Cell:
    options = {"num_layers": 1, "bidirectional": False, "dropout": 0.0, **case.options}
    kind = options["module"]
    keep: dict[str, Any] = {"bias": options.get("bias", True)}
    if kind == "RNN":
        keep["activation"] = options.get("nonlinearity", "tanh")
    if "proj_size" in options:
        kind, keep["projection_size"] = "LSTMP", options["proj_size"]
    make = {"RNN": rnn_jax.Elman, "LSTM": rnn_jax.LSTM, "LSTMP": rnn_jax.LSTMP, "GRU": rnn_jax.GRU}[kind]
    *_, inputs, hidden = case.sizes
    layers: list[rnn_jax.Cell] = []
    for _ in range(options["num_layers"]):
        layer = make(layers[-1].output_size if layers else inputs, hidden, **keep)
        layers.append(rnn_jax.Bidirectional(layer) if options["bidirectional"] else layer)
    return layers[0] if len(layers) == 1 else rnn_jax.Stack(layers, dropout=options["dropout"])


def make_module(case: Case) -> Any:
    import torch

    options = dict(case.options)
    *_, inputs, hidden = case.sizes
    return getattr(torch.nn, options.pop("module"))(inputs, hidden, **options).eval()


def run(case: Case, drawn: Draw) -> dict[str, Any]:
    import torch

    module = make_module(case).to(torch.tensor(drawn.xs).dtype)
    module.load_state_dict({name: torch.tensor(weight) for name, weight in drawn.weights.items()})
    xs = torch.tensor(drawn.xs, requires_grad=True)
    start = [torch.tensor(leaf, requires_grad=True) for leaf in drawn.carry]
    ys, after = _unroll(module, xs, start, drawn.lengths)
    loss = (ys * torch.tensor(drawn.ys_weight)).sum()
    for leaf, weight in zip(after, drawn.carry_weight, strict=True):
        loss = loss + (leaf * torch.tensor(weight)).sum()
    loss.backward()
    weights_gradient = {name: weight.grad.numpy() for name, weight in module.named_parameters()}
    after = [leaf.detach().numpy() for leaf in after]
    return record(ys.detach().numpy(), after, weights_gradient, xs.grad.numpy(), [leaf.grad.numpy() for leaf in start])


def _unroll(module, xs, start, lengths):
    """Outputs and final states; states as our leaves: hidden (and cell) of one layer and direction after another."""
    import torch

    parts = 2 if isinstance(module, torch.nn.LSTM) else 1
    states = tuple(torch.stack(start[part::parts]) for part in range(parts))
    packed = xs
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(xs, torch.tensor(lengths), enforce_sorted=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        ys, after = module(packed, states if parts == 2 else states[0])
    if lengths is not None:
        ys, _ = torch.nn.utils.rnn.pad_packed_sequence(ys, total_length=len(xs))
    after = after if parts == 2 else (after,)
    return ys, [after[part][i] for i in range(len(after[0])) for part in range(parts)]
