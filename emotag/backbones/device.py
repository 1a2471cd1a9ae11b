"""How networks are run on a GPU: in one thread, and in whole float32."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import torch

__all__ = ["exact_float32", "run_on_device"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_THREAD = ThreadPoolExecutor(1, thread_name_prefix="emotag-device")
_EXACT = threading.RLock()


def run_on_device(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Return what a function returns that runs a network, called in the one thread for that.

    cuDNN chooses how to run each layer anew for each thread that asks, which takes longer
    than thousands of photos.
    """
    return _THREAD.submit(function, *args, **kwargs).result()


@contextmanager
def exact_float32() -> Iterator[None]:
    """Have convolutions compute in float32, not in TF32, whose 10 bits torch takes by default."""
    with _EXACT:
        allowed = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = False
        try:
            yield
        finally:
            torch.backends.cudnn.allow_tf32 = allowed
