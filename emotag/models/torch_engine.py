"""A bundle's network run by torch, on a GPU where there is one."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emotag.backbones.device import exact_float32, run_on_device
from emotag.bundle.engine import SEEN, Probabilities
from emotag.bundle.folder import Bundle
from emotag.models.loading import load_network

__all__ = ["TorchEngine", "open_torch"]

# Photos a run. On a GPU those that are missing are blank: cuDNN chooses how to run each
# layer anew for each number of photos.
_BATCH = 32


class TorchEngine:
    """Runs a bundle's network with torch: pixels in, calibrated probabilities out.

    Parameters
    ----------
    bundle : Bundle
        Opened.
    device : str, optional
        As torch names it; by default the GPU if torch sees one, else the CPU.
    n_seen : int, default=0
        How many classes of the backbone's own it shall say the probabilities of.

    Raises
    ------
    BundleError
        The network cannot be rebuilt from the bundle.
    """

    def __init__(self, bundle: Bundle, device: str | None = None, *, n_seen: int = 0) -> None:
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._network = load_network(bundle).eval().to(self._device)
        self._labels = bundle.config.label_set
        self._sees = n_seen > 0

    def __call__(self, pixels: NDArray[np.uint8]) -> Probabilities:
        """Return the probabilities of some photos.

        Parameters
        ----------
        pixels : ndarray of shape (n_photos, size, size, 3), uint8
            In the order R, G, B.

        Returns
        -------
        Probabilities
            A row a photo.
        """
        batches = [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]
        runs = [run_on_device(self._run, batch) for batch in batches]
        outputs = (np.concatenate(parts) for parts in zip(*runs, strict=True))
        found = dict(zip(self._network.outputs, outputs, strict=True))
        emotion, seen = found["emotion"], found.get(SEEN) if self._sees else None
        if "sentiment" in found:
            return Probabilities(emotion, found["sentiment"][:, 1], seen)
        positive = self._labels.fold(emotion) if self._labels.folds else None
        return Probabilities(emotion, positive, seen)

    def _run(self, pixels: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Return each output for at most a batch of photos."""
        batch = pixels
        if self._device.type != "cpu" and len(pixels) < _BATCH:
            batch = np.zeros((_BATCH, *pixels.shape[1:]), dtype=np.uint8)
            batch[: len(pixels)] = pixels
        # as bytes to the device, where they are a quarter of their size as floats
        planes = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2).float()
        with torch.inference_mode(), exact_float32():
            return [output[: len(pixels)].cpu().numpy() for output in self._network(planes)]


def open_torch(bundle: Bundle, threads: int, n_seen: int) -> TorchEngine:  # noqa: ARG001
    """Return the engine that runs a bundle with torch; torch chooses its threads itself."""
    return TorchEngine(bundle, n_seen=n_seen)
