"""A fit that is killed in either stage goes on where it was, to the same weights bit for bit."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from emotag.features.cache import remove_checkpoints
from emotag.models.finetuning.callbacks import Epoch
from tests.models.conftest import Photos
from tests.models.progressive.conftest import Quick
from tests.models.progressive.test_estimator import assert_same


class Killed(Exception):
    """Stands for whatever ends a process."""


def die_after(number: int) -> Any:
    def progress(epoch: Epoch) -> None:
        if epoch.number == number:
            raise Killed

    return progress


def checkpoints(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


SETTINGS = [
    {},
    {"schedule": "plateau", "dropout": 0.0},
    {"validation_fraction": None},
    {"patience": 1, "lr": 0.5, "schedule": None},
]


# the first stage has 6 epochs, the second 4
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("epoch", [1, 5, 6, 7, 9])
def test_after_an_epoch(
    quick: Quick, photos: Photos, tmp_path: Path, settings: dict[str, Any], epoch: int
) -> None:
    settings = {"dropout": 0.3, **settings}
    undisturbed = quick(**settings).fit(photos.X, photos.y)
    settings["checkpoint"] = tmp_path / "state"
    is_killed = epoch < undisturbed.n_iter_
    if is_killed:
        with pytest.raises(Killed):
            quick(**settings, progress=die_after(epoch)).fit(photos.X, photos.y)
        is_later = epoch > undisturbed.n_iter_by_stage_[0]
        assert len(checkpoints(tmp_path / "state")) == 1 + is_later
    epochs: list[Epoch] = []
    resumed = quick(**settings, progress=epochs.append).fit(photos.X, photos.y)
    assert epochs[0].number == (epoch + 1 if is_killed else 1)
    assert_same(resumed, undisturbed)
    losses = [row["train_loss"] for row in undisturbed.net_.history]
    assert [row["train_loss"] for row in resumed.net_.history] == losses
    assert checkpoints(tmp_path / "state") == []


def test_twice(quick: Quick, photos: Photos, tmp_path: Path) -> None:
    undisturbed = quick().fit(photos.X, photos.y)
    for epoch in (3, 8):
        with pytest.raises(Killed):
            quick(checkpoint=tmp_path, progress=die_after(epoch)).fit(photos.X, photos.y)
    assert_same(quick(checkpoint=tmp_path).fit(photos.X, photos.y), undisturbed)


def test_without_a_random_state(quick: Quick, photos: Photos, tmp_path: Path) -> None:
    settings = {"checkpoint": tmp_path, "random_state": None}
    with pytest.raises(Killed):
        quick(**settings, progress=die_after(8)).fit(photos.X, photos.y)
    [first] = [name for name in checkpoints(tmp_path) if "-2" not in name]
    seed = torch.load(tmp_path / first, weights_only=True)["seed"]
    epochs: list[Epoch] = []
    resumed = quick(**settings, progress=epochs.append).fit(photos.X, photos.y)
    assert epochs[0].number == 9
    assert_same(resumed, quick(random_state=seed).fit(photos.X, photos.y))


@pytest.mark.parametrize(
    "parameters",
    [{"random_state": 1}, {"architecture": "3conv-2fc", "max_epochs": 1}, {"momentum": 0.8}],
)
def test_of_another_fit_nothing_is_taken(
    quick: Quick, photos: Photos, tmp_path: Path, parameters: dict[str, Any]
) -> None:
    with pytest.raises(Killed):
        quick(checkpoint=tmp_path, progress=die_after(8)).fit(photos.X, photos.y)
    left = checkpoints(tmp_path)
    epochs: list[Epoch] = []
    settings = {"progressive_epochs": 1, **parameters}
    quick(checkpoint=tmp_path, progress=epochs.append, **settings).fit(photos.X, photos.y)
    assert epochs[0].number == 1
    assert checkpoints(tmp_path) == left
    assert len(left) == 2


def test_kept_until_it_is_removed(quick: Quick, photos: Photos, tmp_path: Path) -> None:
    first = quick(checkpoint=tmp_path, keep_checkpoint=True).fit(photos.X, photos.y)
    assert len(checkpoints(tmp_path)) == 2
    epochs: list[Epoch] = []
    again = quick(checkpoint=tmp_path, keep_checkpoint=True, progress=epochs.append)
    assert_same(again.fit(photos.X, photos.y), first)
    assert epochs == []
    remove_checkpoints(str(tmp_path))
    assert not tmp_path.exists()
