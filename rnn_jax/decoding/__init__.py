"""From scores to sequences: sampling, CTC."""

from rnn_jax.decoding.ctc import ctc_beam, ctc_greedy
from rnn_jax.decoding.sampling import check_sampling, sample_token, stream_tokens

__all__ = ["check_sampling", "ctc_beam", "ctc_greedy", "sample_token", "stream_tokens"]
