"""Training: what is learnt when, when it stops, and what it says where memory ends."""

import dataclasses
import os
import pickle
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from emotag.backbones.backbone import Backbone
from emotag.errors import ModelError
from emotag.models.finetuning.callbacks import Epoch
from emotag.models.finetuning.estimator import FineTunedCNN
from emotag.models.finetuning.precision import choose_autocast, out_of_memory
from tests.models.conftest import Photos
from tests.models.finetuning.conftest import QUICK, Quick
from tests.networks import TinyNetwork, registered, tiny_backbone


class Watch(Callback):
    """Keep what a network was after each epoch."""

    def __init__(self) -> None:
        self.trunks: list[torch.Tensor] = []
        self.rates: list[list[float]] = []
        self.states: list[dict[str, torch.Tensor]] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        state = net.network.state_dict()
        self.states.append({key: value.clone() for key, value in state.items()})
        self.trunks.append(self.states[-1]["trunk.convolution.weight"])

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.rates.append([group["lr"] for group in net.optimizer_.param_groups])


def watched(quick: Quick, photos: Photos, **parameters: Any) -> tuple[FineTunedCNN, Watch]:
    watch = Watch()
    model = quick(**parameters, net_params={"callbacks": [watch]})
    return model.fit(photos.X, photos.y), watch


class TestWhatIsLearnt:
    def test_the_head_alone_at_first(self, quick: Quick, photos: Photos) -> None:
        _, watch = watched(quick, photos, frozen_epochs=2, max_epochs=4)
        trunks = watch.trunks
        assert torch.equal(trunks[0], trunks[1])
        assert not torch.equal(trunks[1], trunks[2])
        heads = [state["head.weight"] for state in watch.states]
        assert not torch.equal(heads[0], heads[1])

    def test_nothing_of_the_trunk_without_a_rate(
        self, quick: Quick, photos: Photos, tiny: Backbone
    ) -> None:
        model, _ = watched(quick, photos, lr=0, max_epochs=3)
        pretrained = torch.load(tiny.weights.fetch(), weights_only=True)
        for name, value in model.module_.trunk.state_dict().items():
            assert torch.equal(value, pretrained[name])

    def test_rates_by_part(self, quick: Quick, photos: Photos) -> None:
        _, watch = watched(quick, photos, lr=0.01, head_lr=0.1, schedule=None, max_epochs=3)
        assert watch.rates == [[0.01, 0.01, 0.1, 0.1]] * 3

    def test_rates_fall_along_a_cosine(self, quick: Quick, photos: Photos) -> None:
        _, watch = watched(quick, photos, lr=0.01, head_lr=0.1, max_epochs=4)
        expected = (1 + np.cos(np.pi * np.arange(4) / 4)) / 2
        np.testing.assert_allclose([rates[0] for rates in watch.rates], 0.01 * expected)
        np.testing.assert_allclose([rates[-1] for rates in watch.rates], 0.1 * expected)

    def test_rates_fall_where_the_loss_stands_still(self, quick: Quick, photos: Photos) -> None:
        settings = {"schedule": "plateau", "patience": None, "max_epochs": 10}
        _, watch = watched(quick, photos, lr=1e-6, head_lr=1e-6, **settings)
        heads = [rates[-1] for rates in watch.rates]
        assert heads[0] == 1e-6
        assert heads[-1] < 1e-6

    def test_without_held_out_photos_by_the_training_loss(
        self, quick: Quick, photos: Photos
    ) -> None:
        quick(schedule="plateau", validation_fraction=None, max_epochs=2).fit(photos.X, photos.y)

    def test_another_optimizer(self, quick: Quick, photos: Photos) -> None:
        net_params = {"optimizer": torch.optim.AdamW, "optimizer__betas": (0.8, 0.9)}
        model = quick(lr=1e-3, head_lr=0.05, max_epochs=30, net_params=net_params)
        assert model.fit(photos.X, photos.y).score(photos.X, photos.y) > 0.7

    def test_groups_of_the_user(self, quick: Quick, photos: Photos) -> None:
        watch = Watch()
        groups = [("trunk.*", {"lr": 0.5})]
        net_params = {"callbacks": [watch], "optimizer__param_groups": groups}
        quick(lr=0.25, max_epochs=1, net_params=net_params).fit(photos.X, photos.y)
        assert watch.rates == [[0.5, 0.25]]

    @pytest.mark.slow
    @pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with g++")
    def test_compiled(self, quick: Quick, photos: Photos) -> None:
        plain = quick(max_epochs=2).fit(photos.X, photos.y)
        with warnings.catch_warnings():
            # of torch's compiler itself
            warnings.simplefilter("ignore")
            compiled = quick(max_epochs=2, compile=True).fit(photos.X, photos.y)
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
        compiled = pickle.loads(pickle.dumps(compiled))
        np.testing.assert_allclose(
            compiled.predict_proba(photos.X), plain.predict_proba(photos.X), atol=1e-5
        )


class TestWhenItStops:
    def test_the_best_weights_are_taken(self, quick: Quick, photos: Photos) -> None:
        model, watch = watched(quick, photos, lr=0.2, head_lr=3.0, schedule=None, patience=None)
        losses = model.net_.history[:, "valid_loss"]
        best = int(np.argmin(losses))
        assert best < len(losses) - 1
        for key, value in model.module_.state_dict().items():
            assert torch.equal(value, watch.states[best][key])

    @pytest.mark.parametrize("patience", [1, 3])
    def test_patience(self, quick: Quick, photos: Photos, patience: int) -> None:
        model = quick(lr=0.2, head_lr=3.0, patience=patience, max_epochs=60)
        losses = model.fit(photos.X, photos.y).net_.history[:, "valid_loss"]
        assert model.n_iter_ == len(losses) < 60
        assert len(losses) - 1 - int(np.argmin(losses)) == patience

    def test_without_patience(self, quick: Quick, photos: Photos) -> None:
        model = quick(lr=0.2, head_lr=3.0, patience=None, max_epochs=20).fit(photos.X, photos.y)
        assert model.n_iter_ == 20


class Hungry(TinyNetwork):
    """A network for which more than a few photos are too many."""

    at_most = 4

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > self.at_most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().forward(pixels)


@pytest.fixture
def hungry(tmp_path: Path) -> Iterator[Backbone]:
    def build(path: str | None, layer: str) -> nn.Module:
        network = Hungry()
        if path is not None:
            network.load_state_dict(torch.load(path, weights_only=True))
        return network

    backbone = dataclasses.replace(tiny_backbone(tmp_path, "hungry"), build=build)
    with registered(backbone):
        yield backbone


class TestMemory:
    def test_in_training(self, hungry: Backbone, photos: Photos) -> None:
        model = FineTunedCNN(**{**QUICK, "backbone": "hungry", "batch_size": 16})
        with pytest.raises(ModelError) as caught:
            model.fit(photos.X, photos.y)
        assert str(caught.value) == (
            "The memory of cpu does not suffice for batch_size=16; try batch_size=8."
        )
        model.set_params(batch_size=4, max_epochs=1).fit(photos.X, photos.y)
        with pytest.raises(ModelError, match="for batch_size=8; try batch_size=4"):
            model.set_params(batch_size=8).predict(photos.X)

    def test_of_a_single_photo(self) -> None:
        assert str(out_of_memory(1, "cuda:0")) == (
            "The memory of cuda:0 does not suffice for batch_size=1; try a smaller backbone, "
            "or device='cpu'."
        )


def test_precision_as_asked_for() -> None:
    assert choose_autocast(True, "cpu") is True
    assert choose_autocast(False, "cuda") is False
    assert choose_autocast("auto", "meta") is False
    flags = Path("/proc/cpuinfo")
    if flags.exists():
        assert choose_autocast("auto", "cpu") == ("avx512_bf16" in flags.read_text())


@pytest.mark.slow
def test_real_photos(shared_data: Path) -> None:
    """Happy and sad people: a small real network tells them apart after a few epochs."""
    paths = sorted(str(path) for path in (shared_data / "happysad").glob("*/*.jpg"))
    rng = np.random.default_rng(0)
    X = np.array(paths)[rng.permutation(len(paths))[:160]]
    y = np.array([os.path.basename(os.path.dirname(path)) for path in X])
    epochs: list[Epoch] = []
    model = FineTunedCNN(
        "lite0", lr=5e-3, head_lr=5e-2, max_epochs=3, random_state=0, progress=epochs.append
    )
    model.fit(X[:110], y[:110])
    assert model.module_.head.in_features == 1280
    assert model.score(X[110:], y[110:]) > 0.7
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
