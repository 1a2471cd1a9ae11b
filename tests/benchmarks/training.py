"""Fine-tuning beside a plain skorch net on a folder of photos: photos a second, epoch by epoch.

Both train the same network on the same photos with the same batch and the same
optimizer. The plain way is skorch's `NeuralNetClassifier` on a torchvision
`ImageFolder`, whose transforms resize, crop and mirror each photo as it is
read, with two workers beside the process that trains.

    python -m tests.benchmarks.training

Target: from the second epoch on, at least 1.5 times as many photos a second.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from skorch import NeuralNetClassifier
from torch import nn
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from emotag import FineTunedCNN
from emotag.backbones.registry import find_backbone, load_backbone
from tests.benchmarks.measuring import THUMBNAILS, describe_machine
from tests.benchmarks.photos import camera_photos, thumbnails

BACKBONE = "lite0"
BATCH = 32
WORKERS = 2


def main() -> None:
    """Train both ways on large photos and on thumbnails, and print their speeds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--camera", type=int, default=96, help="large photos")
    parser.add_argument("--photos", type=int, default=320, help="thumbnails")
    parser.add_argument("--epochs", type=int, default=3, help="epochs; the first is not counted")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="their folder")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{describe_machine()}, on {device}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EMOTAG_CACHE"] = os.path.join(folder, "cache")
        os.makedirs(f"{folder}/camera")
        large = camera_photos(f"{folder}/camera", options.camera)
        compare("photos of 12 megapixels", large, f"{folder}/large", options.epochs, device)
        small = thumbnails(options.thumbnails, options.photos)
        compare("thumbnails", small, f"{folder}/small", options.epochs, device)


def compare(what: str, paths: Sequence[str], folder: str, epochs: int, device: str) -> None:
    """Print the speeds of both on some photos, which lie in two folders of labels."""
    labels = ["fear", "love"]
    for index, path in enumerate(paths):
        target = Path(folder, labels[index % 2])
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / f"{index}.jpg")
    ours, plain = train_ours(folder, epochs, device), train_plain(folder, epochs, device)
    print(f"\n{len(paths)} {what}, batch {BATCH}, {BACKBONE}")
    print(f"  FineTunedCNN   {shown(ours)}")
    print(f"  plain skorch   {shown(plain)}")
    ratio = statistics.median(ours[1:]) / statistics.median(plain[1:])
    print(f"  ratio          {ratio:.2f} from the second epoch on, wanted 1.5")


def shown(speeds: Sequence[float]) -> str:
    return " ".join(f"{speed:7.1f}" for speed in speeds) + "  photos/s, epoch by epoch"


def train_ours(folder: str, epochs: int, device: str) -> list[float]:
    """Return the photos a second of each epoch."""
    speeds: list[float] = []
    model = FineTunedCNN(
        BACKBONE,
        batch_size=BATCH,
        max_epochs=epochs,
        validation_fraction=None,
        schedule=None,
        device=device,
        random_state=0,
        progress=lambda epoch: speeds.append(epoch.photos_per_second),
    )
    paths = sorted(map(str, Path(folder).rglob("*.jpg")))
    model.fit(paths, [os.path.basename(os.path.dirname(path)) for path in paths])
    return speeds


class Plain(nn.Module):
    """The network with a new head, as one would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = load_backbone(BACKBONE).requires_grad_(True)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(1280, 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.dropout(self.trunk(pixels)))
        return logits


def train_plain(folder: str, epochs: int, device: str) -> list[float]:
    """Return the photos a second of each epoch."""
    preprocess = find_backbone(BACKBONE).preprocess
    transform = v2.Compose(
        [
            v2.Resize(preprocess.resize, interpolation=v2.InterpolationMode.BICUBIC),
            v2.RandomCrop(preprocess.size),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    data = ImageFolder(folder, transform)
    net = NeuralNetClassifier(
        Plain,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        lr=1e-4,
        max_epochs=epochs,
        batch_size=BATCH,
        train_split=None,
        iterator_train__shuffle=True,
        iterator_train__num_workers=WORKERS,
        device=device,
        verbose=0,
    )
    net.fit(data, torch.tensor(data.targets))
    return [len(data) / row["dur"] for row in net.history]


if __name__ == "__main__":
    main()
