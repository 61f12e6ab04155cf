"""Linear attention with decays: what its forms have in common, and what sets each apart."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rnn_jax
from rnn_jax.cells.linear import chunks
from rnn_jax.cells.linear.base import Complex
from rnn_jax.testing import Example, assert_cell_contract, check_reference, quick_jit
from tests.cells.references import linear_attention as references
from tests.cells.references.numerics import logistic

close = functools.partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-10)
HEADS = {"heads": 2, "key_size": 3}
METHODS = pytest.mark.parametrize("method", ["sequential", "associative"])


def run(cell, params, xs, carry=None, method="sequential"):
    return quick_jit(functools.partial(rnn_jax.unroll, cell, method=method))(params, xs, carry)


def drawn(cell, seed=0):
    ours = Example.draw(cell, jax.random.key(seed))
    return jax.tree.map(np.array, (ours.params, ours.carry, ours.xs))


@pytest.mark.exhaustive(but=1)
@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        (rnn_jax.Mamba2(3, 4, **HEADS), references.mamba2),
        (
            rnn_jax.Mamba2(3, 4, **HEADS, negative_eigenvalues=True),
            functools.partial(references.mamba2, decay=lambda s: 2 * np.exp(s) - 1),
        ),
        (rnn_jax.RWKV6(3, 4, **HEADS, rank=2), references.rwkv6),
        (rnn_jax.HGRN2(3, 4, **HEADS, lower_bound=0.3), references.hgrn2),
        (rnn_jax.HGRN(3, 4, lower_bound=0.3), references.hgrn),
    ],
)
def test_options(x64, cell, reference):
    check_reference(Example.draw(cell, jax.random.key(5)), reference)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "cell",
    [
        rnn_jax.Mamba2(3, 4, **HEADS, negative_eigenvalues=True),
        rnn_jax.RWKV6(3, 4, **HEADS, rank=2),
        rnn_jax.HGRN2(3, 4, **HEADS, lower_bound=0.3),
        rnn_jax.HGRN(3, 4, lower_bound=0.3),
        rnn_jax.Stack([rnn_jax.HGRN(3, 2), rnn_jax.HGRN2(4, 2, lower_bound=0.5)]),
    ],
    ids=str,
)
def test_contract_of_options(cell):
    assert_cell_contract(cell)


@pytest.mark.parametrize("shared", [True, False])
def test_a_chunk_is_a_loop_over_its_steps_whatever_the_signs_of_its_decays(x64, shared):
    """Decays of zero and of both signs, too: products of them, never quotients."""
    length, keys, values = 11, 3, 2
    rng = np.random.default_rng(0)
    query, key, value = (rng.normal(size=(2, length, size)) for size in (keys, keys, values))
    decay = rng.uniform(-1, 1, size=(2, length, 1 if shared else keys))
    decay[:, 4] = 0.0
    memory = rng.normal(size=(2, keys, values))
    ys, last = quick_jit(chunks.linear_attention)(*map(jnp.asarray, (query, key, value, decay, memory)))
    for t in range(length):
        memory = decay[:, t, :, None] * memory + key[:, t, :, None] * value[:, t, None, :]
        close(ys[:, t], np.einsum("nkv,nk->nv", memory, query[:, t]))
    close(last, memory)


@METHODS
@pytest.mark.parametrize("negative_eigenvalues", [False, True])
def test_mamba2_with_one_channel_a_head_is_s6_with_one_rate_a_channel(x64, method, negative_eigenvalues):
    size, states = 4, 3
    options = {"negative_eigenvalues": negative_eigenvalues}
    mamba2 = rnn_jax.Mamba2(size, size, heads=size, key_size=states, **options)
    s6 = rnn_jax.S6(size, size, state_size=states, rank=size, **options)
    params, carry, xs = drawn(mamba2)
    c, b, _, step = np.split(params["input"]["kernel"], [states, 2 * states, 2 * states + size], axis=1)
    params["input"]["kernel"] = np.concatenate([c, b, np.eye(size), step], axis=1)
    same = {
        "input": {"kernel": np.eye(size)},
        "selection": {"kernel": np.concatenate([step, b, c], axis=1)},
        "step": {"kernel": np.eye(size), "bias": params["step"]["bias"]},
        "recurrent": {"log_rate": np.broadcast_to(params["recurrent"]["log_rate"][:, None], (size, states))},
        "skip": params["skip"],
    }
    found, wanted = run(mamba2, params, xs, carry, method), run(s6, same, xs, carry[..., 0])
    close(found.ys, wanted.ys)
    close(found.carry[..., 0], wanted.carry)


@METHODS
def test_rwkv6_weighs_what_it_has_seen_as_the_paper_sums_it_up(x64, method):
    """wkvₜ = diag(u) kₜ vₜᵀ + Σ_{s < t} diag(Π_{s < j < t} wⱼ) kₛ vₛᵀ: no decay at t itself, nor at t − 1 of k vᵀ."""
    cell = rnn_jax.RWKV6(3, 4, rank=2)
    params, _, xs = drawn(cell)
    found = run(cell, params, xs, method=method)
    query, key, value, decay = (np.asarray(part[:, 0, 0]) for part in cell.project(params, xs))
    for t in range(len(xs)):
        wkv = np.outer(params["bonus"]["scale"][0] * key[t], value[t])
        for s in range(t):
            wkv += np.outer(decay[s + 1 : t].prod(axis=0) * key[s], value[s])
        close(found.ys[t, 0], query[t] @ wkv)


@METHODS
def test_hgrn_forgets_no_faster_than_its_bound_and_turns_by_its_phase(x64, method):
    """With gates that are shut for good, what was there is left times (γ e^(iθ))^T: no input can do worse."""
    length, cell = 20, rnn_jax.HGRN(3, 4, lower_bound=0.9)
    params, carry, _ = drawn(cell)
    params["recurrent"]["bound"] = cell.init(jax.random.key(0), jnp.float64)["recurrent"]["bound"]
    params["input"]["bias"][8:] = -1e3
    xs = np.random.default_rng(1).normal(size=(length, 3, 3))
    with_it, without = (run(cell, params, xs, start, method) for start in (carry, None))
    left = [np.asarray(a - b) for a, b in zip(with_it.carry, without.carry, strict=True)]
    wanted = (carry.real + 1j * carry.imaginary) * (0.9 * np.exp(1j * params["recurrent"]["phase"])) ** length
    np.testing.assert_allclose(left[0] + 1j * left[1], wanted, rtol=1e-6)
    params["input"]["bias"][8:] = 0
    largest = np.abs(jax.nn.silu(cell.project(params, xs))[..., :8]).max()
    real, imaginary = np.split(np.asarray(run(cell, params, xs, method=method).ys), 2, axis=-1)
    assert np.hypot(real, imaginary).max() <= np.sqrt(2) * largest


@METHODS
@pytest.mark.parametrize("lower_bound", [0.0, 0.4])
def test_hgrn2_with_one_number_a_head_is_the_real_hgrn_and_its_output_gate(x64, method, lower_bound):
    size = 4
    hgrn2 = rnn_jax.HGRN2(3, size, heads=size, lower_bound=lower_bound)
    hgrn = rnn_jax.HGRN(3, size, lower_bound=lower_bound)
    params, carry, xs = drawn(hgrn2)
    w_o, w_f, w_i = np.split(params["input"]["kernel"], 3, axis=-1)
    b_o, b_f, b_i = np.split(params["input"]["bias"], 3)
    real = {
        "input": {
            "kernel": np.concatenate([w_i, 0 * w_i, w_f], axis=-1),
            "bias": np.concatenate([b_i, 0 * b_i, b_f]),
        },
        "recurrent": {"phase": np.zeros(size)} | params.get("recurrent", {}),
    }
    start = carry[..., 0, 0]
    units = np.asarray(run(hgrn, real, xs, Complex(start, 0 * start)).ys)
    assert not units[..., size:].any()
    close(run(hgrn2, params, xs, carry, method).ys, logistic(xs @ w_o + b_o) * units[..., :size])


@pytest.mark.exhaustive
def test_initial_values_are_those_of_the_authors():
    params = rnn_jax.Mamba2(1, 200, heads=200).init(jax.random.key(0))
    step, rate = np.logaddexp(0, params["step"]["bias"]), np.exp(params["recurrent"]["log_rate"])
    assert 0.00099 < step.min() < 0.0014 and 0.07 < step.max() < 0.101 and 0.005 < np.median(step) < 0.02
    assert 1 <= rate.min() < 1.5 and 15.5 < rate.max() <= 16
    params = rnn_jax.RWKV6(2, 8, heads=2).init(jax.random.key(0))
    speed = params["decay"]["bias"]
    assert speed[0] == -6 and speed[-1] == -1 and (np.diff(speed) > 0).all()
    np.testing.assert_allclose(params["bonus"]["scale"].ravel()[:4], [0, 0.1, -0.1, 0])
    for bound, name in ((0.25, "hgrn"), (0.8, "hgrn2")):
        init = rnn_jax.make_cell(name, 2, 3, lower_bound=bound).init(jax.random.key(0))
        np.testing.assert_allclose(jax.nn.sigmoid(init["recurrent"]["bound"]), bound, rtol=1e-5)
    phase = rnn_jax.HGRN(1, 4).init(jax.random.key(0))["recurrent"]["phase"]
    np.testing.assert_allclose(phase, [1, 1e-2, 1e-4, 1e-6], rtol=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: rnn_jax.Mamba2(3, 4, heads=3), "heads=3: expected a divisor of hidden_size=4"),
        (lambda: rnn_jax.Mamba2(3, 4, dt_max=1e-5), "dt_max=1e-05: .* at least 0.001"),
        (lambda: rnn_jax.RWKV6(3, 4, rank=0), "rank=0"),
        (lambda: rnn_jax.HGRN(3, 4, lower_bound=1.0), "lower_bound=1.0: .*0 <= lower_bound < 1"),
        (lambda: rnn_jax.HGRN2(3, 4, lower_bound=-0.1), "lower_bound=-0.1: .*0 <= lower_bound < 1"),
    ],
)
def test_bad_options_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
