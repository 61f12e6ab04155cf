"""The papers behind the LSTM and its options."""

from rnn_jax.cells.papers import Paper

HOCHREITER_1997 = Paper(
    key="hochreiter1997long",
    authors="Hochreiter, Sepp and Schmidhuber, Jürgen",
    title="Long short-term memory",
    year=1997,
    journal="Neural Computation 9(8)",
)
GERS_2000 = Paper(
    key="gers2000learning",
    authors="Gers, Felix A. and Schmidhuber, Jürgen and Cummins, Fred",
    title="Learning to forget: continual prediction with LSTM",
    year=2000,
    journal="Neural Computation 12(10)",
)
GERS_2002 = Paper(
    key="gers2002learning",
    authors="Gers, Felix A. and Schraudolph, Nicol N. and Schmidhuber, Jürgen",
    title="Learning precise timing with LSTM recurrent networks",
    year=2002,
    journal="Journal of Machine Learning Research 3",
)
SAK_2014 = Paper(
    key="sak2014long",
    authors="Sak, Haşim and Senior, Andrew and Beaufays, Françoise",
    title="Long short-term memory based recurrent neural network architectures for large vocabulary speech recognition",
    year=2014,
    arxiv="1402.1128",
)
BA_2016 = Paper(
    key="ba2016layer",
    authors="Ba, Jimmy Lei and Kiros, Jamie Ryan and Hinton, Geoffrey E.",
    title="Layer normalization",
    year=2016,
    arxiv="1607.06450",
)
GREFF_2017 = Paper(
    key="greff2017lstm",
    authors="Greff, Klaus and Srivastava, Rupesh K. and Koutník, Jan and Steunebrink, Bas R. and Schmidhuber, Jürgen",
    title="LSTM: a search space odyssey",
    year=2017,
    journal="IEEE Transactions on Neural Networks and Learning Systems 28(10)",
    arxiv="1503.04069",
)
