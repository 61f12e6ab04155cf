"""PyTorch: `nn.LSTM`, `nn.GRU` and `nn.RNN` with a loop of updates, on all cores or on one, whichever is faster.

On a GPU, where PyTorch has one and JAX computes there too, these modules are cuDNN's.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import rnn_jax
from benchmarks.peers.base import RATE, Peer, Unavailable, mapped
from benchmarks.peers.torch_threads import on_fastest_threads
from benchmarks.timing import Program
from rnn_jax.interop.torch import state_dict_from_params
from rnn_jax.typing import Params

KINDS: dict[type, Any] = {
    rnn_jax.LSTM: (torch.nn.LSTM, torch.nn.LSTMCell),
    rnn_jax.GRU: (torch.nn.GRU, torch.nn.GRUCell),
    rnn_jax.Elman: (torch.nn.RNN, torch.nn.RNNCell),
}


def build(cell: rnn_jax.Cell, params: Params) -> "TorchPeer":
    if type(cell) not in KINDS:
        raise Unavailable(f"PyTorch has no {type(cell).__name__}")
    device = "cpu"
    if jax.default_backend() == "gpu":
        if not torch.cuda.is_available():
            raise Unavailable("PyTorch is here without CUDA")
        torch.backends.cudnn.allow_tf32 = False  # float32 on both sides
        device = "cuda"
    return TorchPeer(cell=cell, params=params, device=device)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TorchPeer(Peer):
    """A PyTorch module; every program of it starts from the same weights."""

    device: str

    def results(self, xs: jax.Array, targets: jax.Array) -> dict[str, Any]:
        module, inputs, wanted = self.module(), self.tensor(xs), self.tensor(targets)
        ys, of_xs = self._backward(module, inputs, wanted)
        names, pull = mapped(lambda params: state_dict_from_params(self.cell, params), self.params)
        parameters = dict(module.named_parameters())
        gradients = {name: self.array(parameters[name].grad) for name in names}
        arrays = [self.array(tensor.detach()) for tensor in (ys, of_xs)]
        return {"ys": arrays[0], "params": pull(gradients), "xs": arrays[1]}

    def forward(self, xs: jax.Array) -> Program:
        module, inputs = self.module(), self.tensor(xs)

        def program() -> None:
            with torch.inference_mode():
                module(inputs)
            self._wait()

        return on_fastest_threads(program)

    def training(self, xs: jax.Array, targets: jax.Array, single: bool) -> Program:
        del single  # there is one way only
        module, inputs, wanted = self.module(), self.tensor(xs), self.tensor(targets)
        optimizer = torch.optim.SGD(module.parameters(), lr=RATE)

        def program() -> None:
            for batch in inputs:
                optimizer.zero_grad()
                self._backward(module, batch, wanted)
                optimizer.step()
            self._wait()

        return on_fastest_threads(program)

    def streaming(self, x: jax.Array) -> Program:
        _, kind = KINDS[type(self.cell)]
        module = kind(self.cell.input_size, self.cell.hidden_size).to(self.device, self.dtype)
        entries = state_dict_from_params(self.cell, self.params, single_step=True)
        module.load_state_dict({name: self.tensor(array) for name, array in entries.items()})
        inputs, carry = self.tensor(x), None

        def program() -> None:
            nonlocal carry
            with torch.inference_mode():
                carry = module(inputs, carry)
            self._wait()

        return on_fastest_threads(program)

    def compiled(self, xs: jax.Array, targets: jax.Array) -> None:
        return None

    def memory(self, xs: jax.Array, targets: jax.Array) -> int | None:
        if self.device == "cpu":
            return None  # its allocator keeps no count there
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        program = self.training(xs, targets, single=False)
        torch.cuda.reset_peak_memory_stats()
        program()
        return torch.cuda.max_memory_allocated() - before

    def module(self) -> Any:
        """A new module with the weights."""
        kind, _ = KINDS[type(self.cell)]
        module = kind(self.cell.input_size, self.cell.hidden_size).to(self.device, self.dtype)
        entries = state_dict_from_params(self.cell, self.params)
        module.load_state_dict({name: self.tensor(array) for name, array in entries.items()})
        return module

    def tensor(self, array: jax.Array) -> Any:
        return torch.tensor(np.asarray(array, np.float32), device=self.device, dtype=self.dtype)

    @property
    def dtype(self) -> Any:
        return getattr(torch, jax.tree.leaves(self.params)[0].dtype.name)

    def array(self, tensor: Any) -> jax.Array:
        return jnp.asarray(tensor.float().cpu().numpy(), jax.tree.leaves(self.params)[0].dtype)

    def _backward(self, module: Any, xs: Any, targets: Any) -> tuple[Any, Any]:
        """Outputs and the gradient of the inputs; those of the weights are left in the module."""
        xs = xs.detach().requires_grad_()
        ys, _ = module(xs)
        (ys - targets).square().sum(-1).mean().backward()
        return ys, xs.grad

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
