"""State dicts read from files, and refused where they are another network's."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emotag.errors import WeightsError

if TYPE_CHECKING:
    import torch

__all__ = ["read_state", "refuse_other_tensors"]

_NAMED = 3
# Under these keys, training scripts keep the state dict inside a checkpoint.
_NESTED = ("state_dict", "model")


def read_state(path: str) -> "dict[str, torch.Tensor]":
    """Return the tensors of a file by name; nothing in it is run.

    Parameters
    ----------
    path : str
        A file of safetensors, or one that torch saved.

    Raises
    ------
    WeightsError
        It cannot be read, or holds anything else than tensors.
    """
    import pickle

    import safetensors
    import safetensors.torch
    import torch

    try:
        if path.endswith(".safetensors"):
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(
            f"The weights {path} cannot be read: {error.strerror or error}."
        ) from error
    except (
        safetensors.SafetensorError,
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
    ) as error:
        raise WeightsError(
            f"{path} holds no weights that can be read: it is damaged, or no state dict of torch."
        ) from error
    for key in _NESTED:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    tensors = isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    )
    if not tensors or not content:
        raise WeightsError(f"{path} holds no state dict: tensors by name.")
    for name, value in content.items():
        _refuse_strange(path, name, value)
    return {name.removeprefix("module."): value for name, value in content.items()}


def _refuse_strange(path: str, name: str, tensor: "torch.Tensor") -> None:
    """Raise a WeightsError if a tensor's numbers are none that a network computes with."""
    import torch

    if tensor.layout is not torch.strided or tensor.is_complex() or tensor.is_quantized:
        raise WeightsError(f"{path} cannot be used: {name} is sparse, complex or quantized.")
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        raise WeightsError(f"{path} is damaged: {name} holds what is no number.")


def refuse_other_tensors(
    path: str,
    given: "Mapping[str, torch.Tensor]",
    wanted: "Mapping[str, torch.Tensor]",
    network: str,
) -> None:
    """Raise a WeightsError that names what differs, if tensors are not those of a network.

    Parameters
    ----------
    path : str
        Where they were read.
    given, wanted : mapping of str to tensor
        By name.
    network : str
        What it is called.
    """
    missing = [name for name in wanted if name not in given]
    strange = [name for name in given if name not in wanted]
    other = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ] or [
        f"{name} of {given[name].dtype} instead of {tensor.dtype}"
        for name, tensor in wanted.items()
        if name in given and tensor.is_floating_point() and not given[name].is_floating_point()
    ]
    said = [
        f"{what} {', '.join(names[:_NAMED])}{' …' if len(names) > _NAMED else ''}"
        for what, names in (("lacks", missing), ("has", other), ("also has", strange))
        if names
    ]
    if said:
        raise WeightsError(
            f"{path} holds the weights of another network than {network}: it {'; it '.join(said)}."
        )
