"""State dicts in files: what is read, and what is refused before it is computed with."""

from pathlib import Path
from typing import Any

import pytest
import torch

from emotag.backbones.states import read_state, refuse_other_tensors
from emotag.errors import WeightsError

SOUND = torch.ones(2, 3)


def saved(tmp_path: Path, content: Any) -> str:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    return str(path)


@pytest.mark.parametrize(
    "content",
    [
        {"fc": SOUND},
        {"module.fc": SOUND},
        {"state_dict": {"fc": SOUND}, "epoch": 3},
        {"model": {"module.fc": SOUND}},
    ],
)
def test_read(tmp_path: Path, content: Any) -> None:
    state = read_state(saved(tmp_path, content))
    assert list(state) == ["fc"]
    torch.testing.assert_close(state["fc"], SOUND)


@pytest.mark.parametrize("content", [{}, [SOUND], {1: SOUND}, {"fc": 3}, {"fc": SOUND, 5: SOUND}])
def test_no_state_dict(tmp_path: Path, content: Any) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(WeightsError) as caught:
        read_state(path)
    assert str(caught.value) == f"{path} holds no state dict: tensors by name."


@pytest.mark.filterwarnings("ignore:Validating sparse")
@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.tensor([1.0, float("nan")]), "is damaged: fc holds what is no number."),
        (torch.tensor([float("inf")]), "is damaged: fc holds what is no number."),
        (torch.ones(2, 2).to_sparse(), "cannot be used: fc is sparse, complex or quantized."),
        (torch.ones(2, dtype=torch.cfloat), "cannot be used: fc is sparse, complex or quantized."),
    ],
    ids=["nan", "inf", "sparse", "complex"],
)
def test_numbers_that_no_network_computes_with(
    tmp_path: Path, tensor: torch.Tensor, message: str
) -> None:
    path = saved(tmp_path, {"bias": SOUND, "fc": tensor})
    with pytest.raises(WeightsError) as caught:
        read_state(path)
    assert str(caught.value) == f"{path} {message}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "it lacks fc"),
        ({"fc": torch.ones(3, 2)}, "it has fc (3, 2) instead of (2, 3)"),
        ({"fc": SOUND.long()}, "it has fc of torch.int64 instead of torch.float32"),
        ({"fc": SOUND, "head": SOUND}, "it also has head"),
    ],
)
def test_tensors_of_another_network(given: dict[str, torch.Tensor], said: str) -> None:
    with pytest.raises(WeightsError) as caught:
        refuse_other_tensors("file.pth", given, {"fc": SOUND}, "Net")
    assert str(caught.value) == (f"file.pth holds the weights of another network than Net: {said}.")


def test_half_precision_is_welcome() -> None:
    refuse_other_tensors("file.pth", {"fc": SOUND.half()}, {"fc": SOUND}, "Net")
