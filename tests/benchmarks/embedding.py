"""Tags written into photos: by emotag, and by an exiftool that does nothing else.

Copies of the thumbnails are tagged, tagged with --embed, tagged so again when
nothing has changed, and untagged. Beside them, one exiftool writes the same
properties into other copies, by its own assignments, from one file of arguments.

    python -m tests.benchmarks.embedding

Target: what --embed adds to the tagging takes at most five times as long as
that exiftool, though each photo is read back and flushed to the disk.
"""

import argparse
import csv
import os
import shutil
import tempfile
import time
from collections.abc import Sequence

from tests.benchmarks.measuring import EMOTAG, THUMBNAILS, describe_machine, run_seconds
from tests.benchmarks.photos import thumbnails

CONFIG = """
%Image::ExifTool::UserDefined = ('Image::ExifTool::XMP::Main' => {
    emotag => { SubDirectory => { TagTable => 'Image::ExifTool::UserDefined::emotag' } } });
%Image::ExifTool::UserDefined::emotag = (
    GROUPS => { 0 => 'XMP', 1 => 'XMP-emotag', 2 => 'Other' },
    NAMESPACE => { 'emotag' => 'urn:emotag:xmp:1.0#' },
    WRITABLE => 'string',
    Emotion => {}, Sentiment => {}, Confidence => {}, Model => {}, Tagged => {});
1;
"""


def main() -> None:
    """Tag, embed, embed again, untag; then let exiftool write the same."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=1000, help="how many")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="the folder of photos to copy")
    options = parser.parse_args()
    sources = thumbnails(options.thumbnails, options.photos)
    print(describe_machine())
    with tempfile.TemporaryDirectory() as outside:
        os.environ["EMOTAG_CACHE"] = os.path.join(outside, "cache")
        ours, theirs = (_copy(sources, os.path.join(outside, name)) for name in ("ours", "theirs"))
        tags = os.path.join(outside, "tags.csv")
        tag = [EMOTAG, "tag", ours, "-q", "-o", tags]
        alone = _measure("emotag tag", tag, len(sources))
        embed = [*tag, "--embed", "--no-backup"]
        whole = _measure("emotag tag --embed", [*embed, "--fresh"], len(sources))
        _measure("  again, unchanged", embed, len(sources))
        _measure("emotag untag", [EMOTAG, "untag", ours, "-q"], len(sources))
        arguments = _arguments(tags, theirs, outside)
        config = os.path.join(outside, "config.pl")
        with open(config, "w") as file:
            file.write(CONFIG)
        plain = ["exiftool", "-config", config, "-q", "-@", arguments]
        plainly = _measure("exiftool alone", plain, len(sources))
    added = whole - alone
    print(
        f"--embed adds {added:.1f} s ({len(sources) / added:.0f} photos/s), "
        f"{added / plainly:.1f} times exiftool alone, wanted 5"
    )


def _copy(sources: Sequence[str], folder: str) -> str:
    os.mkdir(folder)
    for index, path in enumerate(sources):
        # the content alone: the photos themselves may be read-only
        shutil.copyfile(path, os.path.join(folder, f"{index:05}.jpg"))
    return folder


def _measure(name: str, command: Sequence[str], count: int) -> float:
    seconds = run_seconds(command)
    print(f"{name:22}{seconds:8.1f} s {count / seconds:9.0f}/s")
    return seconds


def _arguments(tags: str, folder: str, outside: str) -> str:
    """Write what exiftool is to do, a photo after the other, and return the file's path."""
    path = os.path.join(outside, "arguments.txt")
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    with open(tags, newline="") as rows, open(path, "w") as file:
        for row in csv.DictReader(rows):
            shown = row["emotion"].capitalize()
            lines = [
                f"-XMP-dc:Subject={shown}",
                f"-XMP-lr:HierarchicalSubject=Emotion|{shown}",
                f"-XMP-digiKam:TagsList=Emotion/{shown}",
                f"-XMP-emotag:Emotion={row['emotion']}",
                f"-XMP-emotag:Sentiment={row['sentiment']}",
                f"-XMP-emotag:Confidence={row['confidence']}",
                f"-XMP-emotag:Model={row['model']}",
                f"-XMP-emotag:Tagged={now}",
                "-overwrite_original",
                "-P",
                os.path.join(folder, os.path.basename(row["path"])),
                "-execute",
            ]
            file.write("\n".join(lines) + "\n")
    return path


if __name__ == "__main__":
    main()
