"""Where weights come from: packages, addresses, archives and files, each checked."""

import dataclasses
import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import pytest
import torch

from emotag.backbones.weights import LocalWeights, UrlWeights, hub_folder
from emotag.errors import WeightsError
from tests.servers import Answer, serve

BODY = b"the weights of a network" * 100


@pytest.fixture(autouse=True)
def _own_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def weights_at(url: str, body: bytes = BODY) -> UrlWeights:
    return UrlWeights(
        source="the tests",
        licence="MIT",
        size=len(body),
        name="small",
        url=f"{url}small.pth",
        digest=f"sha256:{hashlib.sha256(body).hexdigest()}",
    )


@pytest.mark.parametrize(
    "variables", [{"TORCH_HOME": "/t"}, {"XDG_CACHE_HOME": "/x"}, {}, {"TORCH_HOME": "~/t"}]
)
def test_the_folder_is_torchs(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_folder() == f"{torch.hub.get_dir()}/checkpoints"


def test_fetched_once() -> None:
    seen: list[tuple[int, int | None]] = []
    with serve(Answer(BODY)) as server:
        weights = weights_at(server.url)
        assert not weights.at_hand
        path = weights.fetch(lambda done, total: seen.append((done, total)))
        assert weights.at_hand
        assert weights.fetch() == path
        assert len(server.requests) == 1
    assert Path(path).read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert weights.identity() == hashlib.sha256(BODY).hexdigest()


def test_a_file_that_was_put_there_is_checked() -> None:
    weights = weights_at("http://127.0.0.1:9/")
    Path(weights.path).parent.mkdir(parents=True)
    Path(weights.path).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="is damaged, or not the file that was meant"):
        weights.fetch()


def archive_of(body: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo("places/net.caffemodel")
        entry.size = len(body)
        tar.addfile(entry, io.BytesIO(body))
    return file.getvalue()


@pytest.mark.parametrize("of_archive", [True, False])
def test_an_archive_is_unpacked(of_archive: bool) -> None:
    archive = archive_of(BODY)
    digest = hashlib.sha1(archive if of_archive else BODY).hexdigest()
    with serve(Answer(archive)) as server:
        weights = dataclasses.replace(
            weights_at(server.url),
            size=None,
            digest=f"sha1:{digest}",
            file="net.caffemodel",
            unpack=shutil_unpack,
        )
        path = weights.fetch()
    assert Path(path).read_bytes() == BODY
    assert [entry.name for entry in Path(path).parent.iterdir() if entry.suffix != ".lock"] == [
        "net.caffemodel"
    ]


def test_an_archive_of_something_else() -> None:
    with serve(Answer(archive_of(BODY))) as server:
        weights = dataclasses.replace(
            weights_at(server.url),
            size=None,
            digest=f"sha1:{'0' * 40}",
            file="net.caffemodel",
            unpack=shutil_unpack,
        )
        with pytest.raises(WeightsError, match="not the file that was meant"):
            weights.fetch()
    assert not weights.at_hand


def shutil_unpack(archive: str, path: str) -> None:
    from emotag.backbones.caffe import extract_caffemodel

    assert extract_caffemodel(archive, path) == path


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    path.write_bytes(BODY)
    weights = LocalWeights(str(path))
    assert (weights.at_hand, weights.size, weights.source) == (True, len(BODY), str(path))
    assert weights.identity() == hashlib.sha256(BODY).hexdigest()
    shutil.rmtree(tmp_path)
    assert weights.size is None
    with pytest.raises(WeightsError) as caught:
        weights.fetch()
    assert str(caught.value) == f"The weights {path} cannot be read: it does not exist."
