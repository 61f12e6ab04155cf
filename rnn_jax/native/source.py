"""The C++ of one cell's loop: the constants and the expressions that gated.cc and pointwise.cc leave open."""

import importlib.resources
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rnn_jax.native.graph import Code, Graph
from rnn_jax.native.order import Order
from rnn_jax.native.plan import Plan

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
    template = "pointwise.cc" if plan.tile else "gated.cc"
    folder = importlib.resources.files("rnn_jax.native")
    common, loops = (folder.joinpath(name).read_text() for name in ("common.cc", template))
    constants, functions = _of_pointwise(plan) if plan.tile else _of_gated(plan)
    define = "#define RNN_DOUBLE\n" if plan.dtype == np.float64 else ""
    return define + common + loops.replace("@CONSTANTS@", constants).replace("@GENERATED@", functions)


def z_alone(plan: Plan) -> list[int]:
    """The parts of z that the gates see apart from r."""
    together = {q for q, _ in plan.code.sums.values()}
    return [part for part in range(plan.z_size // plan.units) if part not in together]


def _of_gated(plan: Plan) -> tuple[str, str]:
    """The constants and the functions of gated.cc."""
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
    tables: dict[str, Sequence[int]] = {
        "LEAF_PARTS": plan.leaves,
        "SUM_Z": [z for z, _ in sums],
        "SUM_R": [r for _, r in sums],
        "ALONE_Z": alone_z,
        "ALONE_R": alone_r,
        "Z_IS_ALONE": [int(part in alone_z) for part in range(z_parts)],
    }
    return _constants(numbers, tables), _gated_functions(code)


def _constants(numbers: dict[str, int], tables: dict[str, Sequence[int]]) -> str:
    lines = [f"constexpr int {name} = {value};" for name, value in numbers.items()]
    lines += [
        f"constexpr int {name}[] = {{{', '.join(map(str, [*values] or [0]))}}};" for name, values in tables.items()
    ]
    return "\n".join(lines)


def _gated_functions(code: Code) -> str:
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
    signature = "template <{}> INLINE void {}(const Row& r, int j, int n, int64_t H{}) {{".format
    x = [(f"r.x + {i} * H", x) for i, x in enumerate(code.x)]
    make_x, step, step_back, x_back = (
        signature("bool FULL", "make_x", ""),
        signature("bool FULL, bool SAVE", "step", ", int64_t r_at"),
        signature("bool FULL", "step_back", ""),
        signature("bool FULL", "x_back", ""),
    )
    return "\n".join(
        [
            _function(make_x, graph, leaf, stops, IN_ROWS, x),
            _function(step, graph, leaf, stops, IN_ROWS, forward, kept=[*old, *keep]),
            _function(step_back, graph, back_leaf, stops | set(saved), IN_ROWS, gradients, vectors),
            _function(x_back, graph, back_leaf, frozenset(), IN_ROWS, [], more),
        ]
    )


def _of_pointwise(plan: Plan) -> tuple[str, str]:
    """The constants and the functions of pointwise.cc."""
    code, units = plan.code, plan.units
    numbers = {
        "LEAVES": len(plan.leaves),
        "CARRY_PARTS": sum(plan.leaves),
        "Z_PARTS": (plan.z_size - plan.shared) // units,
        "SCALARS": plan.shared,
        "Y_PARTS": plan.y_size // units,
        "VECTOR_PARTS": plan.vectors_size // units,
        "SAVED_PARTS": len(code.saved),
        "TILE": plan.tile,
    }
    graph, starts = code.graph, np.cumsum([0, *plan.leaves])
    saved = {number: f"r.saved[{i}]" for i, number in enumerate(code.saved)}

    def leaf(number: int) -> str:
        kind, which = graph.nodes[number].op, graph.nodes[number].attr
        return {
            "carry": lambda: f"c[{starts[which[0]] + which[1]}]",
            "carry_bar": lambda: f"c[{starts[which[0]] + which[1]}]",
            "vector": lambda: f"v[{sum(which)}]",
            "z": lambda: f"whole(r.z + {which[1]} * r.stride)",
            "shared": lambda: f"broadcast(r.scalars[{which[1]}])",
            "y_bar": lambda: f"whole(r.y_bar + {which[1]} * r.stride)",
        }[kind]()

    def back_leaf(number: int) -> str:
        if graph.nodes[number].op == "carry":
            which = graph.nodes[number].attr
            return f"r.before[{starts[which[0]] + which[1]}]"
        return saved.get(number) or leaf(number)

    def flat(parts: Sequence[Sequence[int]], place: str) -> list[tuple[str, int]]:
        return [(place.format(i), node) for i, node in enumerate(node for part in parts for node in part)]

    olds = [[graph.leaf("carry", leaf, part) for part in range(count)] for leaf, count in enumerate(plan.leaves)]
    carry, y = flat(code.carry, "c[{}]"), flat([code.y], "r.y + {} * r.stride")
    keep = [*flat(olds, "r.before[{}]"), *flat([code.saved], "r.saved[{}]")]
    bars = [*flat(code.carry_bar, "c[{}]"), *flat([code.z_bar], "r.z_bar + {} * r.stride")]
    added = [*flat([code.vector_bar], "v_bar[{}]"), *flat([code.shared_bar], "r.totals[{}]")]
    step = "template <bool SAVE> INLINE void step(const Row& r, V* c, const V* v) {"
    back = "INLINE void step_back(const Row& r, V* c, const V* v, V* v_bar) {"
    functions = [
        _function(step, graph, leaf, frozenset(), IN_VECTORS, carry, kept=keep, unkept=y),
        _function(back, graph, back_leaf, frozenset(saved), IN_VECTORS, bars, added),
    ]
    return _constants(numbers, {"LEAF_PARTS": plan.leaves}), "\n".join(functions)


class Access(NamedTuple):
    """How a vector of units is written to a place, and added to it."""

    store: Callable[[str, str], str]
    add: Callable[[str, str], str]


IN_ROWS = Access("store<FULL>({0} + j, {1}, n)".format, "store<FULL>({0} + j, load<FULL>({0} + j, n) + {1}, n)".format)


def _store(place: str, value: str) -> str:
    return f"{place} = {value}" if place.endswith("]") else f"store<true>({place}, {value}, VW)"


def _add(place: str, value: str) -> str:
    return f"{place} += r.there ? {value} : V{{}}" if place.startswith("r.totals") else f"{place} += {value}"


IN_VECTORS = Access(_store, _add)


def _function(
    signature: str,
    graph: Graph,
    leaf: Callable[[int], str],
    stops: frozenset[int],
    access: Access,
    stored: Sequence[tuple[str, int]],
    added: Sequence[tuple[str, int]] = (),
    kept: Sequence[tuple[str, int]] = (),
    unkept: Sequence[tuple[str, int]] = (),
) -> str:
    """One function over a vector of units: everything is read before anything is written.

    Args:
        signature: its first line.
        graph: of the nodes.
        leaf: how an input is read.
        stops: nodes that are read, too.
        access: how is written.
        stored: places and nodes.
        added: those that are added to what is there.
        kept: those that are stored with SAVE alone.
        unkept: those that are stored without it alone.
    """
    added = [(place, node) for place, node in added if graph.value(node) != 0.0]
    writes = [(place, node, access.store, "if (SAVE) ") for place, node in kept]
    writes += [(place, node, access.store, "if (!SAVE) ") for place, node in unkept]
    writes += [(place, node, access.store, "") for place, node in stored]
    writes += [(place, node, access.add, "") for place, node in added]
    roots = [node for _, node, _, _ in writes]
    read = {n: leaf(n) for n in graph.reached(roots, stops) if n in stops or graph.is_leaf(n)}
    # A place is read before it is written, whatever the order.
    before = {i: [n for n, text in read.items() if place in text] for i, (place, *_) in enumerate(writes)}
    lines = [signature]
    for is_write, number in Order(graph, roots, stops, before).steps:
        if is_write:
            place, node, write, condition = writes[number]
            lines.append(f"  {condition}{write(place, f'v{node}')};")
            continue
        node = graph.nodes[number]
        if number in read:
            text = read[number]
        elif node.op == "constant":
            text = _constant(node.attr)
        else:
            text = _expression(node.op, [f"v{arg}" for arg in node.args])
        lines.append(f"  const {'M' if _is_mask(graph, number) else 'V'} v{number} = {text};")
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
