import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.interop.torch import from_torch, params_from_state_dict, state_dict_from_params, to_torch
from tests.interop import parity, peer_torch

needs_torch = pytest.mark.skipif(not parity.installed("torch"), reason="PyTorch is not installed")
CELL = rnn_jax.GRU(2, 3)


def zero_what_is_only_a_sum(module):
    """Leave one of PyTorch's two biases where only their sum can be told, so that it comes back as it was."""
    for name, bias in module.named_parameters():
        if "bias_hh" in name:
            bias.data[: 2 * len(bias) // 3 if "GRU" in type(module).__name__ else None] = 0


@pytest.mark.exhaustive(but=4)
@needs_torch
@pytest.mark.parametrize("case", peer_torch.CASES, ids=str)
def test_a_module_becomes_the_expected_cell_and_takes_its_state_dict(case):
    import torch

    module = peer_torch.make_module(case)
    zero_what_is_only_a_sum(module)
    before = {name: weight.clone() for name, weight in module.state_dict().items()}
    cell, params = from_torch(module)
    assert cell == peer_torch.expected_cell(case)
    for weight in module.parameters():
        weight.data.zero_()
    module.load_state_dict(to_torch(cell, params))
    assert list(to_torch(cell, params)) == list(before)
    for name, weight in module.state_dict().items():
        assert torch.equal(weight, before[name]), name


@needs_torch
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_the_dtype_is_kept(dtype, x64):
    import torch

    module = torch.nn.GRU(2, 3).to(getattr(torch, dtype))
    zero_what_is_only_a_sum(module)
    cell, params = from_torch(module)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(params)} == {dtype}
    for name, tensor in to_torch(cell, params).items():
        assert torch.equal(tensor, module.state_dict()[name]) and tensor.dtype == getattr(torch, dtype)


@needs_torch
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_a_one_step_cell_gives_the_same_step(kind):
    import torch

    module = getattr(torch.nn, kind)(2, 3)
    cell, params = from_torch(module)
    _, y = cell(params, cell.initial_carry((4,)), jnp.ones((4, 2)))
    module.load_state_dict(to_torch(cell, params, single_step=True))
    theirs = module(torch.ones(4, 2))
    np.testing.assert_allclose(y, (theirs[0] if kind == "LSTMCell" else theirs).detach().numpy(), atol=1e-6)


@needs_torch
def test_other_modules_are_refused_by_name():
    import torch

    class Twisted(torch.nn.LSTM):
        pass

    normed = torch.nn.utils.parametrizations.weight_norm(torch.nn.GRU(2, 3), "weight_hh_l0")
    for module in (Twisted(2, 3), torch.nn.Linear(2, 3), normed):
        with pytest.raises(ValueError, match=rf"module has type .*{type(module).__name__}: expected exactly one of"):
            from_torch(module)


def damaged(**changes):
    entries = state_dict_from_params(CELL, parity.random_params(CELL)) | changes
    return {name: array for name, array in entries.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bias_hh_l0": None, "weight_ih_l0": None}, r"bias_hh_l0 \[9\] is missing; weight_ih_l0 \[9, 2\] is missing"),
        ({"weight_ih_l1": jnp.ones((9, 3))}, "weight_ih_l1 is not part of it"),
        ({"weight_ih_l0_reverse": jnp.ones((9, 3))}, "weight_ih_l0_reverse is not part of it"),
        ({"weight_hh_l0": jnp.ones((3, 9))}, r"weight_hh_l0 has shape \[3, 9\], expected \[9, 3\]"),
        ({"bias_ih_l0": np.zeros(9)}, "bias_ih_l0 is float64, which JAX would cut to float32: convert it"),
        ({"bias_ih_l0": np.zeros(9, np.int8)}, "bias_ih_l0 has dtype int8: expected floating point"),
    ],
)
def test_damaged_state_dicts_are_refused_by_name(changes, message):
    with pytest.raises(ValueError, match="state_dict.*" + message):
        params_from_state_dict(CELL, damaged(**changes))


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (rnn_jax.GRUResetBefore(2, 3), {}, "GRUResetBefore.*PyTorch has no layer .* Elman, IRNN, LSTM, LSTMP, GRU"),
        (rnn_jax.LSTM(2, 3, without=("input_activation",)), {}, r"PyTorch has no layer with without=\('input_act"),
        (rnn_jax.Stack([rnn_jax.Stack([CELL])]), {}, "Stack.*PyTorch has no layer"),
        (rnn_jax.Bidirectional(CELL, rnn_jax.GRU(2, 4)), {}, "the same cell in all layers and directions"),
        (rnn_jax.Stack([CELL, rnn_jax.Bidirectional(rnn_jax.GRU(3, 3))]), {}, "the same cell in all layers"),
        (rnn_jax.Stack([rnn_jax.LSTM(2, 3), rnn_jax.LSTM(3, 3, bias=False)]), {}, "the same cell in all layers"),
        (rnn_jax.Bidirectional(CELL), {"single_step": True}, "one layer and one direction"),
    ],
)
def test_cells_that_pytorch_has_not_are_refused(cell, options, message):
    with pytest.raises(ValueError, match=message):
        state_dict_from_params(cell, parity.random_params(cell), **options)


def test_params_of_another_cell_are_refused():
    with pytest.raises(ValueError, match=r"params of GRU.*input.kernel has shape \[2, 12\], expected \[2, 9\]"):
        state_dict_from_params(CELL, parity.random_params(rnn_jax.LSTM(2, 3)))
