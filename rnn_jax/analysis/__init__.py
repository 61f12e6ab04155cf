"""Looking inside: what drives a model, how sure it may be, how its gradients travel, what its units know."""

from rnn_jax.analysis.automata import Automaton, extract_automaton
from rnn_jax.analysis.gates import gates_of, named_gates, saturated
from rnn_jax.analysis.gradient_flow import (
    draw_gradient_flow,
    gradient_norms,
    jacobian_products,
    jacobian_singular_values,
    layer_gradient_norms,
    lyapunov_exponents,
    mean_gradient_norms,
    step_jacobians,
)
from rnn_jax.analysis.occlusion import occlusion
from rnn_jax.analysis.reliability import draw_reliability
from rnn_jax.analysis.saliency import integrated_gradients, saliency
from rnn_jax.analysis.states import principal_components, state_vectors
from rnn_jax.analysis.tables import classification_table
from rnn_jax.analysis.text_patterns import pattern_units, text_patterns
from rnn_jax.analysis.tracing import NotApplicable, Trace, layer_inputs, trace, trace_layers

__all__ = [
    "Automaton",
    "NotApplicable",
    "Trace",
    "classification_table",
    "draw_gradient_flow",
    "draw_reliability",
    "extract_automaton",
    "gates_of",
    "gradient_norms",
    "integrated_gradients",
    "jacobian_products",
    "jacobian_singular_values",
    "layer_gradient_norms",
    "layer_inputs",
    "lyapunov_exponents",
    "mean_gradient_norms",
    "named_gates",
    "occlusion",
    "pattern_units",
    "principal_components",
    "saliency",
    "saturated",
    "state_vectors",
    "step_jacobians",
    "text_patterns",
    "trace",
    "trace_layers",
]
