"""The one thread for a device, and whole float32 in it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from emotag.backbones.device import exact_float32, run_on_device


def test_all_callers_share_one_thread() -> None:
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: run_on_device(threading.get_ident), range(40)))
    assert len(set(names)) == 1
    assert names[0] != threading.get_ident()


def test_what_is_raised_there_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        run_on_device(divmod, 1, 0)


@pytest.mark.parametrize("allowed", [True, False])
def test_what_torch_was_told_before_holds_again_afterwards(
    monkeypatch: pytest.MonkeyPatch, allowed: bool
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
    seen = []

    def fail() -> None:
        with exact_float32():
            seen.append(torch.backends.cudnn.allow_tf32)
            raise OSError("in the middle")

    with pytest.raises(OSError, match="in the middle"):
        fail()
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 is allowed


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_convolutions_are_whole_float32_on_a_gpu() -> None:
    torch.manual_seed(0)
    layer, pixels = torch.nn.Conv2d(64, 64, 3), torch.randn(2, 64, 32, 32)
    with torch.inference_mode(), exact_float32():
        found = layer.cuda()(pixels.cuda()).cpu()
        wanted = layer.cpu().double()(pixels.double())
    assert (found - wanted).abs().max() < 1e-5
