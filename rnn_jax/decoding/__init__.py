"""From scores to sequences: sampling."""

from rnn_jax.decoding.sampling import check_sampling, sample_token, stream_tokens

__all__ = ["check_sampling", "sample_token", "stream_tokens"]
