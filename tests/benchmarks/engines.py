"""Photos a second of `emotag tag` by each engine: onnxruntime, and torch on a GPU if it sees one.

Two networks, the default model and a ResNet-50 with weights drawn at random,
which cost as much as trained ones; two kinds of photos, thumbnails and large
ones, all hard links of a few. For each:

- `emotag tag FOLDER --engine E` as a whole process, start-up included; the
  fastest of the runs;
- how far the probabilities of the two engines are apart;
- decoding alone, on all cores: whatever runs the network, tagging cannot be
  faster than that.

    python -m tests.benchmarks.engines
    python -m tests.benchmarks.engines --small 20000 --large 4000

Target, on a GPU: torch at 0.8 of what decoding alone allows.
"""

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Sequence

import torch
from torchvision.models import resnet50

from emotag import FineTunedCNN, save_model
from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle
from emotag.parallel.threads import map_chunks
from emotag.photos.decoding import decode_photo
from emotag.photos.samples import sample_folder
from tests.benchmarks.measuring import EMOTAG, THUMBNAILS, describe_machine, run_seconds
from tests.benchmarks.photos import camera_photos, thumbnails

ENGINES = ("onnx", "torch")

LARGE = "resnet50"
"""A network that is work for a GPU."""


def main() -> None:
    """Measure both engines on both networks and both kinds of photos."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", type=int, default=2000, help="thumbnails")
    parser.add_argument("--large", type=int, default=480, help="photos of 12 megapixels")
    parser.add_argument("--repeats", type=int, default=2, help="runs; the fastest counts")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="their folder")
    options = parser.parse_args()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{describe_machine()}, torch {torch.__version__}, {gpu}")
    with tempfile.TemporaryDirectory() as folder:
        models = {"lite0 (the default model)": default_bundle(), LARGE: _random_bundle(folder)}
        for name in ("small", "large"):
            os.mkdir(f"{folder}/{name}")
        small = _link(thumbnails(options.thumbnails), f"{folder}/small", options.small)
        large = camera_photos(f"{folder}/large", options.large)
        for what, paths in (("thumbnails", small), ("photos of 12 megapixels", large)):
            for model, bundle in models.items():
                print(f"\n{len(paths)} {what}, {model}")
                _compare(paths, str(bundle), options.repeats)


def _random_bundle(folder: str) -> str:
    """Return the folder of a fine-tuned network whose weights were random."""
    torch.manual_seed(0)
    torch.save(resnet50(weights=None).state_dict(), f"{folder}/weights.pth")
    paths = thumbnails(sample_folder())
    model = FineTunedCNN(
        LARGE,
        weights=f"{folder}/weights.pth",
        max_epochs=1,
        validation_fraction=None,
        random_state=0,
    )
    model.fit(paths, ["love", "fear"] * (len(paths) // 2))
    save_model(model, f"{folder}/{LARGE}", photos=paths)
    return f"{folder}/{LARGE}"


def _link(paths: Sequence[str], folder: str, count: int) -> list[str]:
    """Return as many links as are wanted, in turn to each of the photos."""
    links = [os.path.join(folder, f"{index:06}.jpg") for index in range(count)]
    for index, link in enumerate(links):
        os.symlink(os.path.abspath(paths[index % len(paths)]), link)
    return links


def _compare(paths: Sequence[str], bundle: str, repeats: int) -> None:
    allowed = _decoding(paths, bundle)
    tagged = {}
    for engine in ENGINES:
        with tempfile.TemporaryDirectory() as outside:
            tags = os.path.join(outside, "tags.csv")
            command = [EMOTAG, "tag", os.path.dirname(paths[0]), "--fresh", "-q", "-o", tags]
            command += ["--model", bundle, "--engine", engine]
            speed = len(paths) / min(run_seconds(command) for _ in range(repeats))
            tagged[engine] = _probabilities(tags)
        print(f"  --engine {engine:10}{speed:8.1f} photos/s   {speed / allowed:.2f} of decoding")
    print(f"  decoding alone     {allowed:8.1f} photos/s")
    apart = max(
        abs(one - other)
        for row, twin in zip(*tagged.values(), strict=True)
        for one, other in zip(row, twin, strict=True)
    )
    print(f"  the engines' probabilities are at most {apart:.1e} apart")


def _probabilities(tags: str) -> list[list[float]]:
    with open(tags, newline="") as file:
        return [
            [float(value) for name, value in row.items() if name.startswith("p_")]
            for row in csv.DictReader(file)
        ]


def _decoding(paths: Sequence[str], bundle: str) -> float:
    """Return the photos a second that all cores decode, with nothing else to do."""
    preprocess = open_bundle(bundle).config.preprocess
    started = time.perf_counter()
    for _ in map_chunks(
        lambda chunk: [decode_photo(path, preprocess).note for path in chunk], paths, size=8
    ):
        pass
    return len(paths) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
