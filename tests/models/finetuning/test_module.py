"""The network, its stages, and its loss."""

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn import functional

from emotag.models.finetuning.module import (
    FineTunedNetwork,
    Rates,
    WeightedCrossEntropy,
    group_parameters,
    split_stages,
)
from tests.networks import TINY_FEATURES, TinyNetwork


def stages_of(trunk: nn.Module) -> list[set[str]]:
    """Return the beginnings of the names of the parameters in each stage."""
    names = {id(value): name for name, value in trunk.named_parameters()}
    return [
        {".".join(names[id(value)].split(".")[:2]) for _, value in stage}
        for stage in split_stages(trunk)
    ]


class TestStages:
    def test_of_vgg(self) -> None:
        trunk = torchvision.models.vgg16()
        stages = stages_of(trunk)
        assert len(stages) == 13 + 3
        assert stages[0] == {"features.0"}
        assert stages[-1] == {"classifier.6"}

    def test_of_resnet(self) -> None:
        trunk = torchvision.models.resnet50()
        trunk.fc = nn.Identity()  # type: ignore[assignment]
        stages = stages_of(trunk)
        # the first convolution with its normalisation, then the blocks
        assert stages[0] == {"conv1.weight", "bn1.weight", "bn1.bias"}
        assert stages[1:] == [
            {f"layer{layer}.{block}"}
            for layer, blocks in ((1, 3), (2, 4), (3, 6), (4, 3))
            for block in range(blocks)
        ]

    def test_of_efficientnet(self) -> None:
        trunk = timm.create_model("tf_efficientnet_lite0", num_classes=0)
        assert stages_of(trunk) == [
            {"conv_stem.weight", "bn1.weight", "bn1.bias"},
            *({f"blocks.{block}"} for block in range(7)),
            {"conv_head.weight", "bn2.weight", "bn2.bias"},
        ]

    def test_wrappers_are_looked_through(self) -> None:
        inner = torchvision.models.resnet18()
        wrapped = nn.Sequential(nn.Sequential(inner), nn.Flatten())
        assert len(split_stages(wrapped)) == len(split_stages(inner))

    def test_of_one_layer(self) -> None:
        assert len(split_stages(TinyNetwork())) == 1

    @pytest.mark.parametrize("name", ["vgg11_bn", "mobilenet_v3_small", "vit_b_16", "densenet121"])
    def test_each_parameter_once(self, name: str) -> None:
        trunk = torchvision.models.get_model(name)
        found = [id(value) for stage in split_stages(trunk) for _, value in stage]
        assert sorted(found) == sorted(id(value) for value in trunk.parameters())


class TestGroups:
    def test_rates_fall_from_the_head_down(self) -> None:
        trunk = torchvision.models.vgg16().features
        network = FineTunedNetwork(trunk, 512, 5, 0.5)
        groups = group_parameters(network, Rates(0.1, 1.0, 0.5, 0.01))
        rates = [group["lr"] for group in groups if group["weight_decay"]]
        np.testing.assert_allclose(rates, [*(0.1 * 0.5 ** np.arange(12, -1, -1)), 1.0])
        given = [id(value) for group in groups for value in group["params"]]
        assert sorted(given) == sorted(id(value) for value in network.parameters())

    def test_biases_and_normalisation_do_not_decay(self) -> None:
        network = FineTunedNetwork(torchvision.models.resnet18(), 1000, 5, 0.5)
        for group in group_parameters(network, Rates(0.1, 1.0, 1.0, 0.01)):
            is_plain = {value.ndim <= 1 for value in group["params"]}
            assert is_plain == {group["weight_decay"] == 0.0}


class TestNetwork:
    def test_a_frozen_trunk_learns_nothing(self) -> None:
        trunk = nn.Sequential(TinyNetwork(), nn.BatchNorm1d(TINY_FEATURES))
        network = FineTunedNetwork(trunk, TINY_FEATURES, 3, 0.0)
        before = {key: value.clone() for key, value in trunk.state_dict().items()}
        network.trunk_is_frozen = True
        network.train()
        network(torch.randn(4, 3, 32, 32)).sum().backward()
        assert all(value.grad is None for value in trunk.parameters())
        assert network.head.weight.grad is not None
        for key, value in trunk.state_dict().items():
            assert torch.equal(value, before[key])
        network.trunk_is_frozen = False
        network.train()
        network(torch.randn(4, 3, 32, 32)).sum().backward()
        assert all(value.grad is not None for value in trunk.parameters())
        assert not torch.equal(trunk.state_dict()["1.running_mean"], before["1.running_mean"])


class TestLoss:
    def test_weights_are_counts(self) -> None:
        logits, classes = torch.randn(3, 4), torch.tensor([0, 3, 1])
        loss = WeightedCrossEntropy()
        weighted = loss(logits, (classes, torch.tensor([2.0, 1.0, 0.0])))
        repeated = logits[[0, 0, 1]], classes[[0, 0, 1]]
        torch.testing.assert_close(weighted, functional.cross_entropy(*repeated))

    def test_smoothed_in_training_only(self) -> None:
        logits, classes, ones = torch.randn(3, 4), torch.tensor([0, 3, 1]), torch.ones(3)
        loss = WeightedCrossEntropy(label_smoothing=0.2)
        smoothed = functional.cross_entropy(logits, classes, label_smoothing=0.2)
        torch.testing.assert_close(loss.train()(logits, (classes, ones)), smoothed)
        plain = functional.cross_entropy(logits, classes)
        torch.testing.assert_close(loss.eval()(logits, (classes, ones)), plain)
