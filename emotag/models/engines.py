"""What runs a bundle: onnxruntime, torch on a GPU, or scikit-learn."""

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from emotag.bundle.config import BundleConfig
from emotag.bundle.folder import open_onnx
from emotag.errors import ModelError, require_training, unknown_name

__all__ = ["ENGINES", "choose_engine", "engine_opener"]

ENGINES = ("auto", "onnx", "torch", "sklearn")

# Below this, tagging is over before torch is loaded: some 15 s with a GPU, in which onnxruntime
# on 16 cores tags 3,000 photos by a ResNet-50 (`python -m tests.benchmarks.engines`).
_WORTH_A_GPU = 5000


def choose_engine(name: str, n_photos: int, config: BundleConfig) -> str:
    """Return the engine to run: what was asked for, or for ``auto`` what suits this machine.

    Parameters
    ----------
    name : {'auto', 'onnx', 'torch', 'sklearn'}
        ``auto`` is torch where it is installed and sees a GPU, and where photos
        are so many that it pays to load it; else onnxruntime. A model without a
        network is run by scikit-learn.
    n_photos : int
        How many there are.
    config : BundleConfig
        The model's.

    Returns
    -------
    {'onnx', 'torch', 'sklearn'}

    Raises
    ------
    ModelError
        There is no such engine, or it cannot run the model.
    MissingExtraError
        Training's extra is needed and is not installed.

    Examples
    --------
    >>> from emotag.bundle.finding import default_bundle
    >>> from emotag.bundle.folder import open_bundle
    >>> choose_engine("auto", 10, open_bundle(default_bundle()).config)
    'onnx'
    """
    if name not in ENGINES:
        raise ModelError(unknown_name("engine", name, ENGINES))
    if not config.has_network:
        return _without_network(name, config)
    if name in ("torch", "sklearn"):
        require_training(f"--engine {name}")
    if name != "auto":
        return name
    worth = n_photos >= _WORTH_A_GPU and _may_have_gpu() and find_spec("torch") is not None
    return "torch" if worth and _torch_sees_gpu() else "onnx"


def _without_network(name: str, config: BundleConfig) -> str:
    if name not in ("auto", "sklearn"):
        raise ModelError(
            f"The model {config.name} has no network for --engine {name}, but features that "
            "scikit-learn classifies; --engine sklearn runs it."
        )
    require_training(f"The model {config.name}")
    return "sklearn"


def engine_opener(name: str) -> Callable[..., Any]:
    """Return what opens an engine of a bundle, by the engine's name."""
    if name == "onnx":
        return open_onnx
    # imported here: each takes seconds
    if name == "sklearn":
        from emotag.models.sklearn_engine import open_sklearn

        return open_sklearn
    from emotag.models.torch_engine import open_torch

    return open_torch


def _may_have_gpu() -> bool:
    """Return whether to ask torch at all, which takes seconds."""
    return os.path.exists("/dev/nvidiactl") or shutil.which("nvidia-smi") is not None


def _torch_sees_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
