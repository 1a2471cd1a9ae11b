"""Photos to embed into: one of each format, with EXIF, IPTC and a packet of someone else's."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from emotag.tagging.exiftool import ExifTool
from emotag.tagging.rows import Row

needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool")

FORMATS = {
    "jpg": {"quality": 90},
    "png": {},
    "webp": {"quality": 80},
    "tif": {"compression": "tiff_lzw"},
    "gif": {},
    "avif": {"quality": 60},
    "heic": {"quality": 60},
}
KEPT_WHOLE = ("jpg", "png", "webp")
"""Formats in which taking the tags out again gives the very bytes that were there."""

WITHOUT_EXIF = ("gif",)


def save_photo(tool: ExifTool, path: Path, source: str, packet: bytes | None = None) -> Path:
    """Save a sample photo in the format that a path's ending names."""
    if path.suffix == ".heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if path.suffix == ".webp" and float(tool.ask("-ver")) <= 12.40:
        pytest.skip("needs an exiftool that writes WebP")
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "A camera", 6
    options: dict[str, Any] = FORMATS[path.suffix[1:]]
    if path.suffix[1:] not in WITHOUT_EXIF:
        options = options | {"exif": exif}
    with Image.open(source) as photo:
        photo.resize((320, 214)).save(path, **options)
    if path.suffix == ".jpg":
        iptc = ["-IPTC:Keywords=mine", "-IPTC:Caption-Abstract=of mine", "-Comment=mine"]
        tool.ask("-overwrite_original", *iptc, str(path))
    if packet is not None:
        put_packet(tool, path, packet)
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))
    return path


def put_packet(tool: ExifTool, path: Path, packet: bytes) -> None:
    """Put a packet into a photo, to the byte."""
    (Path(tool.folder) / "theirs.xmp").write_bytes(packet)
    tool.ask("-XMP<=theirs.xmp", "-overwrite_original", str(path))
    assert tool.ask("-XMP", "-b", str(path)).rstrip() == packet.rstrip()


def get_packet(path: Path) -> bytes:
    """Return a photo's packet, as exiftool finds it."""
    return exiftool("-a", "-b", "-XMP", os.fspath(path))


def exiftool(*arguments: str) -> bytes:
    done = subprocess.run(["exiftool", *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def all_but_xmp(tool: ExifTool, path: Path) -> dict[str, Any]:
    """Return all metadata of a photo but XMP, the file's own, and what tells of their sizes."""
    said = json.loads(tool.ask("-j", "-a", "-u", "-G1", "-b", str(path)))[0]
    left_out = ("XMP", "System:", "SourceFile", "ExifTool:", "Composite:")
    return {
        name: value
        for name, value in said.items()
        if not name.startswith(left_out)
        and not name.endswith(
            (
                "MediaData",
                "MediaDataSize",
                "MediaDataOffset",
                "StripOffsets",
                "GIFVersion",
                "WebP_Flags",
            )
        )
    }


def pixels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGBA"))


def frames(path: Path) -> list[NDArray[np.uint8]]:
    with Image.open(path) as photo:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(photo)]


def scan(path: Path) -> bytes:
    """Return a JPEG's bytes from its first scan on: no metadata is in there."""
    content = path.read_bytes()
    return content[content.index(b"\xff\xda", content.index(b"\xff\xdb")) :]


def row(path: Path | str, emotion: str = "fear", confidence: float = 0.8) -> Row:
    return Row(
        str(path),
        "tagged",
        emotion=emotion,
        confidence=confidence,
        sentiment="negative",
        model="small",
    )


def uncertain(path: Path | str) -> Row:
    return Row(str(path), "uncertain", confidence=0.2, model="small")


def fake_exiftool(folder: Path, script: str) -> None:
    """Put a program called exiftool into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "exiftool").write_text(script)
    (folder / "exiftool").chmod(0o755)
