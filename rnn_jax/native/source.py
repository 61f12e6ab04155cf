"""The C++ of one cell's loop: the constants and the expressions that loop.cc leaves open."""

import importlib.resources
import math
from collections.abc import Callable, Sequence

import numpy as np

from rnn_jax.native.plan import Code, Plan
from rnn_jax.native.units import Graph

INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=", "and": "&", "or": "|", "xor": "^",
}  # fmt: skip
CALLED = {
    "tanh", "exp", "log", "log1p", "expm1", "logistic", "sqrt", "sin", "cos", "floor", "max", "min", "abs", "sign",
}  # fmt: skip
MASKS = {"eq", "ne", "lt", "le", "gt", "ge", "is_finite"}


def source(plan: Plan) -> str:
    """The text of a shared library with `Forward` and `Backward` for a plan."""
    template = importlib.resources.files("rnn_jax.native").joinpath("loop.cc").read_text()
    head, tail = template.split("struct Row {")
    define = "#define RNN_DOUBLE\n" if plan.dtype == np.float64 else ""
    row, tail = tail.split("@GENERATED@")
    return f"{define}{head}{_constants(plan)}\nstruct Row {{{row}{_functions(plan.code)}{tail}"


def z_alone(plan: Plan) -> list[int]:
    """The parts of z that the gates see apart from r."""
    together = {q for q, _ in plan.code.sums.values()}
    return [part for part in range(plan.z_size // plan.units) if part not in together]


def _constants(plan: Plan) -> str:
    code, units = plan.code, plan.units
    sums = sorted(code.sums.values())
    z_parts, r_parts = plan.z_size // units, plan.r_size // units
    alone_z, alone_r = z_alone(plan), [p for p in range(r_parts) if p not in {r for _, r in sums}]
    numbers = {
        "LEAVES": len(plan.leaves),
        "Z_PARTS": z_parts,
        "R_PARTS": r_parts,
        "X_PARTS": plan.x_size // units,
        "Y_PARTS": plan.y_size // units,
        "VECTOR_PARTS": plan.vectors_size // units,
        "SAVED_PARTS": len(code.saved),
        "SUMS": len(sums),
        "Z_ALONE": len(alone_z),
        "R_ALONE": len(alone_r),
        "X_LEAF": -1 if code.before_leaf is None else code.before_leaf,
        "SUMS_IN_ORDER": int([z for z, _ in sums] == list(range(len(sums)))),
        "SAME_BARS": int(code.same_bars),
    }
    tables = {
        "LEAF_PARTS": plan.leaves,
        "SUM_Z": [z for z, _ in sums],
        "SUM_R": [r for _, r in sums],
        "ALONE_Z": alone_z,
        "ALONE_R": alone_r,
        "Z_IS_ALONE": [int(part in alone_z) for part in range(z_parts)],
    }
    lines = [f"constexpr int {name} = {value};" for name, value in numbers.items()]
    lines += [
        f"constexpr int {name}[] = {{{', '.join(map(str, [*values] or [0]))}}};" for name, values in tables.items()
    ]
    return "\n".join(lines)


def _functions(code: Code) -> str:
    graph, sums = code.graph, {number: i for i, number in enumerate(sorted(code.sums, key=code.sums.__getitem__))}
    r_alone = sorted(set(_parts(graph, "r")) - {r for _, r in code.sums.values()})
    saved = {number: f"load<FULL>(r.saved + {i} * H + j, n)" for i, number in enumerate(code.saved)}

    def leaf(number: int) -> str:
        if number in sums:
            return f"load<FULL>(r.scratch + {sums[number]} * H + j, n)"
        kind, which = graph.nodes[number].op, graph.nodes[number].attr
        place = {
            "carry": lambda: f"r.carry[{which[0]}] + {which[1]} * H",
            "vector": lambda: f"r.vectors + {which[0] + which[1]} * H",
            "z": lambda: f"r.z + r.z_at[{which[1]}]",
            "r": lambda: f"r.scratch + r_at + {r_alone.index(which[1])} * H",
            "carry_bar": lambda: f"r.carry[{which[0]}] + {which[1]} * H",
            "y_bar": lambda: f"r.y_bar + {which[1]} * H",
            "x_bar": lambda: f"r.x_bar + {which[1]} * H",
        }[kind]()
        return f"load<FULL>({place} + j, n)"

    def back_leaf(number: int) -> str:
        if graph.nodes[number].op == "carry":
            leaf_number, part = graph.nodes[number].attr
            return f"load<FULL>(r.before[{leaf_number}] + {part} * H + j, n)"
        return saved.get(number) or leaf(number)

    forward = [
        (f"r.carry[{i}] + {part} * H", node) for i, parts in enumerate(code.carry) for part, node in enumerate(parts)
    ] + [(f"r.y + {part} * H", node) for part, node in enumerate(code.y)]
    keep = [(f"r.saved + {i} * H", number) for i, number in enumerate(code.saved)]
    old = [
        (f"r.before[{i}] + {part} * H", graph.leaf("carry", i, part))
        for i, parts in enumerate(code.carry)
        for part in range(len(parts))
    ]
    stops = frozenset(sums)
    gradients = [
        (f"r.carry[{i}] + {part} * H", node)
        for i, parts in enumerate(code.carry_bar)
        for part, node in enumerate(parts)
    ]
    gradients += [(f"r.r_bar + {part} * H", node) for part, node in enumerate(code.r_bar)]
    if not code.same_bars:
        gradients += [(f"r.z_bar + {part} * H", node) for part, node in enumerate(code.z_bar)]
    vectors = [(f"r.vector_bar + {part} * H", node) for part, node in enumerate(code.vector_bar)]
    more = [
        (f"r.carry[{i}] + {part} * H", node)
        for i, parts in enumerate(code.x_carry_bar)
        for part, node in enumerate(parts)
    ]
    more += [(f"r.vector_bar + {part} * H", node) for part, node in enumerate(code.x_vector_bar)]
    return "\n".join(
        [
            _function(
                "make_x", "bool FULL", "", graph, leaf, stops, [(f"r.x + {i} * H", x) for i, x in enumerate(code.x)]
            ),
            _function(
                "step", "bool FULL, bool SAVE", ", int64_t r_at", graph, leaf, stops, forward, kept=[*old, *keep]
            ),
            _function("step_back", "bool FULL", "", graph, back_leaf, stops | set(saved), gradients, vectors),
            _function("x_back", "bool FULL", "", graph, back_leaf, frozenset(), [], more),
        ]
    )


def _function(
    name: str,
    template: str,
    more: str,
    graph: Graph,
    leaf: Callable[[int], str],
    stops: frozenset[int],
    stored: Sequence[tuple[str, int]],
    added: Sequence[tuple[str, int]] = (),
    kept: Sequence[tuple[str, int]] = (),
) -> str:
    """One function over the units from j on: everything is read before anything is written."""
    added = [(place, node) for place, node in added if graph.value(node) != 0.0]
    lines = [f"template <{template}> INLINE void {name}(const Row& r, int j, int n, int64_t H{more}) {{"]
    for number in graph.reached([node for _, node in (*stored, *added, *kept)], stops):
        node = graph.nodes[number]
        if number in stops or graph.is_leaf(number):
            text = leaf(number)
        elif node.op == "constant":
            text = _constant(node.attr)
        else:
            text = _expression(node.op, [f"v{arg}" for arg in node.args])
        lines.append(f"  const {'M' if _is_mask(graph, number) else 'V'} v{number} = {text};")
    if kept:
        lines.append("  if (SAVE) {")
        lines += [f"    store<FULL>({place} + j, v{node}, n);" for place, node in kept]
        lines.append("  }")
    lines += [f"  store<FULL>({place} + j, v{node}, n);" for place, node in stored]
    for place, node in added:
        lines.append(f"  store<FULL>({place} + j, load<FULL>({place} + j, n) + v{node}, n);")
    return "\n".join([*lines, "}"])


def _expression(op: str, args: list[str]) -> str:
    if op in INFIX:
        return f"{args[0]} {INFIX[op]} {args[1]}"
    if op in CALLED:
        return f"{op}_({', '.join(args)})"
    return {
        "neg": "-{0}",
        "not": "~{0}",
        "square": "{0} * {0}",
        "rsqrt": "broadcast(1) / sqrt_({0})",
        "is_finite": "finite_({0})",
        "select_n": "{0} ? {2} : {1}",
        "clamp": "min_(max_({0}, {1}), {2})",
    }[op].format(*args, *[""] * 3)


def _is_mask(graph: Graph, number: int) -> bool:
    node = graph.nodes[number]
    if node.op == "constant":
        return node.attr[0] == "bool"
    if node.op in ("and", "or", "xor", "not"):
        return _is_mask(graph, node.args[0])
    return node.op in MASKS or (node.op == "select_n" and _is_mask(graph, node.args[1]))


def _constant(value: tuple[str, str]) -> str:
    kind, text = value
    if kind == "bool":
        return "M{} - 1" if text == "True" else "M{}"
    number = float(text)
    if math.isnan(number):
        return "broadcast(std::numeric_limits<R>::quiet_NaN())"
    if math.isinf(number):
        return f"broadcast({'-' if number < 0 else ''}std::numeric_limits<R>::infinity())"
    return f"broadcast(R({number!r}))"


def _parts(graph: Graph, kind: str) -> list[int]:
    return [node.attr[1] for node in graph.nodes if node.op == kind]
