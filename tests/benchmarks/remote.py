"""Photos of a bucket whose server takes its time, tagged as emotag does and one after the other.

The server is a real one of the S3 protocol on loopback, behind a proxy that waits
before each answer. Beside both: the same photos from this disk.

    python -m tests.benchmarks.remote

Target: at least four times as many photos a second as one after the other.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.measuring import EMOTAG, THUMBNAILS, describe_machine
from tests.benchmarks.memory import peak_mebibytes
from tests.s3 import KEYS, serve_s3

ONE_BY_ONE = """
import sys
from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle
from emotag.photos.decoding import decode_photo
from emotag.remote.reading import list_objects
bundle = open_bundle(default_bundle())
engine = bundle.engine(threads=1)
for found in list_objects(sys.argv[1]):
    engine(decode_photo(found.url, bundle.config.preprocess).pixels[None])
"""


def main() -> None:
    """Fill a bucket, and print photos a second."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=400, help="how many")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds before each answer")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="the folder of photos to take")
    options = parser.parse_args()
    sources = sorted(Path(options.thumbnails).rglob("*.jpg"))
    if not sources:
        raise SystemExit(f"There is no .jpg under {options.thumbnails}.")
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder, serve_s3() as s3:
        url = f"s3://{s3.new_bucket()}/photos"
        for index in range(options.photos):
            content = sources[index % len(sources)].read_bytes()
            s3.put(url.split("/")[2], f"photos/{index:05}.jpg", content)
            Path(folder, f"{index:05}.jpg").write_bytes(content)
        os.environ.update(KEYS, AWS_ENDPOINT_URL=s3.url)
        s3.delay = options.delay
        tags = ["-q", "-o", os.devnull]
        for name, command, wanted in (
            ("from this disk", [EMOTAG, "tag", folder, *tags], ""),
            ("one by one", [sys.executable, "-c", ONE_BY_ONE, url], ""),
            ("emotag", [EMOTAG, "tag", url, *tags], "wanted four times as many as one by one"),
        ):
            started = time.perf_counter()
            peak = peak_mebibytes(command)
            rate = options.photos / (time.perf_counter() - started)
            print(f"{name:16}{rate:8.1f}/s {peak:6.0f} MiB   {wanted}")


if __name__ == "__main__":
    main()
