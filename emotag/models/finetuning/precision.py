"""Whether 16 bits pay in training, and what to say where memory does not suffice."""

import torch

from emotag.errors import ModelError

__all__ = ["choose_autocast", "out_of_memory"]


def choose_autocast(mixed_precision: bool | str, device: str) -> bool:
    """Return whether layers compute in bfloat16 while training.

    Parameters
    ----------
    mixed_precision : bool or 'auto'
        ``'auto'`` is yes where the device computes in bfloat16 itself.
    device : str
        As torch names it.
    """
    if mixed_precision != "auto":
        return bool(mixed_precision)
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public name for it
    knows = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return torch.device(device).type == "cpu" and knows is not None and bool(knows())


def out_of_memory(batch_size: int, device: str) -> ModelError:
    """Return the error to raise where a batch does not fit into a device's memory."""
    wanted = f"The memory of {device} does not suffice for batch_size={batch_size}; "
    if batch_size > 1:
        return ModelError(f"{wanted}try batch_size={batch_size // 2}.")
    return ModelError(f"{wanted}try a smaller backbone, or device='cpu'.")
