"""A fit that is killed goes on where it was, to the same weights bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from emotag.errors import StorageError
from emotag.features.cache import remove_checkpoints
from emotag.models.finetuning.callbacks import Epoch
from emotag.models.finetuning.checkpoint import CheckpointFile
from emotag.models.finetuning.estimator import FineTunedCNN
from tests.models.conftest import Photos
from tests.models.finetuning.conftest import Quick

EPOCHS = 8


class Killed(Exception):
    """Stands for whatever ends a process."""


def die_after(number: int) -> Any:
    def progress(epoch: Epoch) -> None:
        if epoch.number == number:
            raise Killed

    return progress


class DyingIn(Callback):
    """Die in the middle of an epoch."""

    def __init__(self, number: int) -> None:
        self.number = number

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training and len(net.history) == self.number and len(net.history[-1, "batches"]) == 2:
            raise Killed


def assert_same(one: FineTunedCNN, other: FineTunedCNN) -> None:
    ours, theirs = one.module_.state_dict(), other.module_.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value.numpy(), theirs[name].numpy(), err_msg=name)
    assert one.temperature_ == other.temperature_
    assert one.n_iter_ == other.n_iter_


def checkpoints(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


SETTINGS = [
    {},
    {"schedule": "plateau", "momentum": 0.5},
    {"schedule": None, "frozen_epochs": 4},
    {"validation_fraction": None},
    {"patience": 1, "lr": 0.2, "head_lr": 2.0},
    {"mixed_precision": True, "layer_decay": 0.5},
    {"class_weight": "balanced", "label_smoothing": 0.1, "crop": False},
]


class TestGoingOn:
    @pytest.mark.parametrize("settings", SETTINGS)
    @pytest.mark.parametrize("epoch", [1, 3])
    def test_after_an_epoch(
        self, quick: Quick, photos: Photos, tmp_path: Path, settings: dict[str, Any], epoch: int
    ) -> None:
        settings = {"max_epochs": EPOCHS, "dropout": 0.5, **settings}
        undisturbed = quick(**settings).fit(photos.X, photos.y)
        settings["checkpoint"] = tmp_path / "state"
        if epoch < undisturbed.n_iter_:
            with pytest.raises(Killed):
                quick(**settings, progress=die_after(epoch)).fit(photos.X, photos.y)
            assert len(checkpoints(tmp_path / "state")) == 1
        epochs: list[Epoch] = []
        resumed = quick(**settings, progress=epochs.append).fit(photos.X, photos.y)
        if epoch < undisturbed.n_iter_:
            assert epochs[0].number == epoch + 1
        assert_same(resumed, undisturbed)
        losses = [row["train_loss"] for row in undisturbed.net_.history]
        assert [row["train_loss"] for row in resumed.net_.history] == losses
        assert checkpoints(tmp_path / "state") == []

    def test_of_another_fit_nothing_is_taken(
        self, quick: Quick, photos: Photos, tmp_path: Path
    ) -> None:
        with pytest.raises(Killed):
            quick(checkpoint=tmp_path, progress=die_after(3)).fit(photos.X, photos.y)
        y = photos.y.copy()
        y[0] = "love"
        others: list[tuple[dict[str, Any], Any, Any]] = [
            ({"momentum": 0.8}, photos.X, photos.y),
            ({"random_state": 1}, photos.X, photos.y),
            ({}, photos.X[::-1], photos.y[::-1]),
            ({}, photos.X, y),
        ]
        for parameters, X, labels in others:
            epochs: list[Epoch] = []
            quick(checkpoint=tmp_path, progress=epochs.append, **parameters).fit(X, labels)
            assert epochs[0].number == 1
            # what the first one left is still there
            assert len(checkpoints(tmp_path)) == 1

    def test_elsewhere_and_with_other_threads(
        self, quick: Quick, photos: Photos, tmp_path: Path
    ) -> None:
        with pytest.raises(Killed):
            quick(checkpoint=tmp_path, progress=die_after(3)).fit(photos.X, photos.y)
        epochs: list[Epoch] = []
        quick(checkpoint=str(tmp_path), n_jobs=1, device="cpu", progress=epochs.append).fit(
            photos.X, photos.y
        )
        assert epochs[0].number == 4

    def test_without_a_random_state(self, quick: Quick, photos: Photos, tmp_path: Path) -> None:
        settings = {"checkpoint": tmp_path, "random_state": None, "max_epochs": 4}
        with pytest.raises(Killed):
            quick(**settings, progress=die_after(2)).fit(photos.X, photos.y)
        state = torch.load(tmp_path / checkpoints(tmp_path)[0], weights_only=True)
        resumed = quick(**settings).fit(photos.X, photos.y)
        del settings["checkpoint"]
        repeated = quick(**{**settings, "random_state": state["seed"]})
        assert_same(resumed, repeated.fit(photos.X, photos.y))

    def test_an_interrupt_is_passed_on(self, quick: Quick, photos: Photos, tmp_path: Path) -> None:
        def interrupt(_: Epoch) -> None:
            raise KeyboardInterrupt

        model = quick(checkpoint=tmp_path, progress=interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.fit(photos.X, photos.y)
        assert not hasattr(model, "net_")
        assert len(checkpoints(tmp_path)) == 1


class TestFile:
    def test_a_damaged_one(self, quick: Quick, photos: Photos, tmp_path: Path) -> None:
        with pytest.raises(Killed):
            quick(checkpoint=tmp_path, progress=die_after(1)).fit(photos.X, photos.y)
        path = tmp_path / checkpoints(tmp_path)[0]
        for content in (b"", b"not what it was", path.read_bytes()[:5000]):
            path.write_bytes(content)
            with pytest.raises(StorageError) as caught:
                quick(checkpoint=tmp_path).fit(photos.X, photos.y)
            assert str(caught.value) == (
                f"The checkpoint {path} cannot be read; delete it to begin anew."
            )

    @pytest.mark.parametrize("content", [[1], {"seed": 0}])
    def test_of_something_else(self, tmp_path: Path, content: Any) -> None:
        file = CheckpointFile(str(tmp_path), "a" * 64)
        torch.save(content, file.path)
        with pytest.raises(StorageError) as caught:
            file.read()
        assert str(caught.value) == (
            f"{file.path} is no checkpoint of emotag; delete it to begin anew."
        )

    def test_runs_no_code(self, tmp_path: Path) -> None:
        file = CheckpointFile(str(tmp_path), "a" * 64)
        torch.save({"seed": Killed}, file.path)
        with pytest.raises(StorageError, match="cannot be read"):
            file.read()

    def test_a_place_that_cannot_be_written(
        self, quick: Quick, photos: Photos, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("a file")
        with pytest.raises(StorageError) as caught:
            quick(checkpoint=tmp_path / "file").fit(photos.X, photos.y)
        assert str(caught.value) == (
            f"{tmp_path}/file is no folder, so no checkpoint can be kept in it."
        )


WORKER = """
import os, sys, torch
from pathlib import Path
from tests.models.finetuning.conftest import QUICK
from tests.networks import registered, tiny_backbone
from emotag.models.finetuning.estimator import FineTunedCNN

folder, checkpoint, *photos = sys.argv[1:]
y = [os.path.basename(path)[:4] for path in photos]
with registered(tiny_backbone(Path(folder))):
    model = FineTunedCNN(**{**QUICK, "max_epochs": 40, "patience": None, "dropout": 0.5},
                         checkpoint=checkpoint or None)
    model.fit(photos, y)
torch.save([model.module_.state_dict(), model.temperature_], folder + "/result.pt")
"""


def start(folder: Path, checkpoint: str, photos: Photos) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", WORKER, str(folder), checkpoint, *photos.X]
    return subprocess.Popen(command)


@pytest.mark.slow
def test_killed_in_the_middle(photos: Photos, tmp_path: Path) -> None:
    state = tmp_path / "state"
    undisturbed = start(tmp_path / "undisturbed", "", photos)
    assert undisturbed.wait() == 0
    kills = 0
    for _ in range(2):
        killed = start(tmp_path / "resumed", str(state), photos)
        seen = checkpoints(state)
        before = [os.stat(state / name).st_mtime_ns for name in seen]
        while killed.poll() is None:
            names = [name for name in checkpoints(state) if name.endswith(".checkpoint")]
            if names and [os.stat(state / name).st_mtime_ns for name in names] != before:
                break
            time.sleep(0.002)
        killed.send_signal(signal.SIGKILL)
        kills += killed.wait() == -signal.SIGKILL
    assert kills == 2
    assert start(tmp_path / "resumed", str(state), photos).wait() == 0
    expected = torch.load(tmp_path / "undisturbed" / "result.pt", weights_only=True)
    found = torch.load(tmp_path / "resumed" / "result.pt", weights_only=True)
    assert found[1] == expected[1]
    for name, value in expected[0].items():
        np.testing.assert_array_equal(found[0][name].numpy(), value.numpy(), err_msg=name)
    left = [name for name in checkpoints(state) if name.endswith(".checkpoint")]
    assert left == []


def test_killed_in_the_middle_of_an_epoch(quick: Quick, photos: Photos, tmp_path: Path) -> None:
    undisturbed = quick(dropout=0.5).fit(photos.X, photos.y)
    model = quick(dropout=0.5, checkpoint=tmp_path)
    # with the callback it is another fit: its file is given the name of this one's
    with pytest.raises(Killed):
        model.set_params(net_params={"callbacks": [DyingIn(4)]}).fit(photos.X, photos.y)
    dying = checkpoints(tmp_path)[0]
    with pytest.raises(Killed):
        quick(dropout=0.5, checkpoint=tmp_path, progress=die_after(1)).fit(photos.X, photos.y)
    [name] = [name for name in checkpoints(tmp_path) if name != dying]
    os.replace(tmp_path / dying, tmp_path / name)
    epochs: list[Epoch] = []
    resumed = quick(dropout=0.5, checkpoint=tmp_path, progress=epochs.append)
    assert_same(resumed.fit(photos.X, photos.y), undisturbed)
    assert epochs[0].number == 4


def test_kept_until_it_is_removed(quick: Quick, photos: Photos, tmp_path: Path) -> None:
    first = quick(checkpoint=tmp_path, keep_checkpoint=True).fit(photos.X, photos.y)
    assert len(checkpoints(tmp_path)) == 1
    epochs: list[Epoch] = []
    again = quick(checkpoint=tmp_path, keep_checkpoint=True, progress=epochs.append)
    assert_same(again.fit(photos.X, photos.y), first)
    assert epochs == []
    assert again.n_iter_ == first.n_iter_
    remove_checkpoints(str(tmp_path))
    assert not tmp_path.exists()
