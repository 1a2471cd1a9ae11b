"""An ONNX network as a torch module, for inference on a CPU alone."""

import numpy as np
import torch
from torch import nn

from emotag.sessions import open_session

__all__ = ["OnnxModule"]


class OnnxModule(nn.Module):
    """Runs one output of an ONNX network.

    Parameters
    ----------
    model : bytes
        The content of the file.
    input_name, output_name : str
        As the network names them.
    """

    def __init__(self, model: bytes, input_name: str, output_name: str) -> None:
        super().__init__()
        self.model = model
        self.input_name = input_name
        self.output_name = output_name
        self._session = open_session(model, name="the backbone")

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the output for normalised pixels, one photo a run.

        Parameters
        ----------
        pixels : tensor of shape (n_photos, 3, size, size), float32
        """
        runs = [
            self._session.run([self.output_name], {self.input_name: photo[np.newaxis]})[0]
            for photo in pixels.detach().numpy()
        ]
        return torch.from_numpy(np.concatenate(runs)).flatten(1)
