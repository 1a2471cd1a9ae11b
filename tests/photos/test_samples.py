"""The sample photos that come with scikit-learn."""

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from emotag.errors import PhotosNotFoundError
from emotag.photos.finding import find_photos
from emotag.photos.samples import sample_folder


def test_the_samples_are_photos() -> None:
    photos = find_photos([sample_folder()]).photos
    assert [os.path.basename(photo) for photo in photos] == ["china.jpg", "flower.jpg"]
    for photo in photos:
        with Image.open(photo) as image:
            assert image.size == (640, 427)


def test_where_they_were_left_out_one_is_told_to_use_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    with pytest.raises(PhotosNotFoundError, match="try emotag tag on photos of your own"):
        sample_folder()


def test_without_scikit_learn_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    with pytest.raises(PhotosNotFoundError, match="sample photos are not there"):
        sample_folder()
