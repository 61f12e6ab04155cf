"""From scores to sequences: sampling, beam search, CTC."""

from rnn_jax.decoding.beam import Beams, beam_search, greedy_search, repeat_rows
from rnn_jax.decoding.ctc import ctc_beam, ctc_greedy
from rnn_jax.decoding.sampling import check_sampling, sample_token, stream_tokens

__all__ = [
    "Beams",
    "beam_search",
    "check_sampling",
    "ctc_beam",
    "ctc_greedy",
    "greedy_search",
    "repeat_rows",
    "sample_token",
    "stream_tokens",
]
