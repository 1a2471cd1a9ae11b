"""Which files are photos: by their ending, and by their first bytes."""

import os

__all__ = ["BACKUP", "ENDINGS", "HEADER_BYTES", "RAW_ENDINGS", "ending_of", "sniff"]

ENDINGS: dict[str, str] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    ".png": "PNG",
    ".webp": "WEBP",
    ".gif": "GIF",
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".avif": "AVIF",
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIF"),
}

# Cameras' own formats. Most begin as a TIFF does, but hold no finished picture.
# fmt: off
RAW_ENDINGS = {
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef",
    ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2",
    ".srf", ".srw", ".x3f",
}
# fmt: on

BACKUP = "_original"
"""What exiftool adds to the name of a photo as it was before."""

HEADER_BYTES = 64

_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def ending_of(path: str) -> str:
    """Return a path's ending in lower case, with its dot, or ``''``; of a web page, without query.

    Examples
    --------
    >>> ending_of("a/b.JPG"), ending_of("https://host/a.jpg?size=2.5")
    ('.jpg', '.jpg')
    """
    if path.startswith(("http://", "https://")):
        path = path.partition("?")[0]
    return os.path.splitext(path)[1].lower()


def sniff(header: bytes) -> str | None:
    r"""Return the format that a file's first bytes announce, or None.

    Parameters
    ----------
    header : bytes
        The first `HEADER_BYTES` bytes of a file, or all of a shorter one.

    Returns
    -------
    str or None
        ``'JPEG'``, ``'PNG'``, ``'WEBP'``, ``'GIF'``, ``'BMP'``, ``'TIFF'``,
        ``'AVIF'``, ``'HEIF'``, or None if it is none of them.

    Examples
    --------
    >>> sniff(b"GIF89a\x01\x00\x01\x00")
    'GIF'
    >>> sniff(b"Dear diary,") is None
    True
    """
    if header.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if header.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if header.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if header.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if header[:4] == b"RIFF" and header[8:12] == b"WEBP":
        return "WEBP"
    if header[4:8] == b"ftyp":
        return _brand(header)
    if header[:2] == b"BM" and int.from_bytes(header[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return None


def _brand(header: bytes) -> str | None:
    """Tell AVIF from HEIF: both are ISO media files, named by their brands."""
    size = int.from_bytes(header[:4], "big")
    brands = header[8 : min(size, len(header))]
    if any(brand in brands for brand in _AVIF_BRANDS):
        return "AVIF"
    return "HEIF" if header[8:12] in _HEIF_BRANDS else None
