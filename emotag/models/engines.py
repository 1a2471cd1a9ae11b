"""Which program runs a bundle's network: onnxruntime, or torch on a GPU."""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from emotag.bundle.folder import open_onnx
from emotag.errors import ModelError, require_training, unknown_name

__all__ = ["ENGINES", "choose_engine", "engine_opener"]

ENGINES = ("auto", "onnx", "torch")

# Below this, tagging is over before torch is loaded: some 15 s with a GPU, in which onnxruntime
# on 16 cores tags 3,000 photos by a ResNet-50 (`python -m tests.benchmarks.engines`).
_WORTH_A_GPU = 5000


def choose_engine(name: str, n_photos: int) -> str:
    """Return the engine to run: what was asked for, or for ``auto`` what suits this machine.

    Parameters
    ----------
    name : {'auto', 'onnx', 'torch'}
        ``auto`` is torch where it is installed and sees a GPU, and where photos
        are so many that it pays to load it; else onnxruntime.
    n_photos : int
        How many there are.

    Returns
    -------
    {'onnx', 'torch'}

    Raises
    ------
    ModelError
        There is no such engine.
    MissingExtraError
        torch was asked for and is not installed.

    Examples
    --------
    >>> choose_engine("auto", 10)
    'onnx'
    """
    if name not in ENGINES:
        raise ModelError(unknown_name("engine", name, ENGINES))
    if name == "torch":
        require_training("--engine torch")
    if name != "auto":
        return name
    worth = n_photos >= _WORTH_A_GPU and _may_have_gpu() and find_spec("torch") is not None
    return "torch" if worth and _torch_sees_gpu() else "onnx"


def engine_opener(name: str) -> Callable[..., Any]:
    """Return what opens an engine of a bundle, by the engine's name."""
    if name == "onnx":
        return open_onnx
    # imported here: it takes seconds
    from emotag.models.torch_engine import open_torch

    return open_torch


def _may_have_gpu() -> bool:
    """Return whether to ask torch at all, which takes seconds."""
    return os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi") is not None


def _torch_sees_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
