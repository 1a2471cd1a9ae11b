"""Places that are not on this disk, read and written through fsspec."""
