"""The pixel cache: what is decoded once comes out again, in bounded space."""

import dataclasses
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotag.errors import StorageError, UnreadablePhoto
from emotag.features.cache import cache_state, clear_cache
from emotag.features.pixels import (
    DEFAULT_LIMIT,
    PixelCache,
    ResizedPhoto,
    decode_pixels,
    describe_pixels,
)
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess
from tests.conftest import draw_photo

PREPROCESS = Preprocess(48, 64, mean=(127.5,) * 3, std=(127.5,) * 3)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def noise(seed: int, height: int = 64, width: int = 85) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


class TestPutAndGet:
    def test_what_is_put_comes_out(self, cache: Path) -> None:
        photos = {b"wide": noise(1), b"high": noise(2, 100, 64), b"crop": noise(3, 48, 48)}
        with PixelCache() as opened:
            opened.put(photos)
        assert (cache / "pixels.sqlite").is_file()
        with PixelCache() as opened:
            found = opened.get([*photos, b"other"])
            assert opened.known([*photos, b"other"]) == set(photos)
        assert found.keys() == photos.keys()
        for key, expected in photos.items():
            np.testing.assert_array_equal(found[key], expected)
            assert found[key].dtype == np.uint8

    def test_the_least_used_go_first(self, tmp_path: Path) -> None:
        with PixelCache(str(tmp_path / "pixels.sqlite"), limit=2**20) as opened:
            for seed in range(100):
                opened.put({bytes([seed]): noise(seed)})
            assert opened.size() <= 2**20
            left = opened.known([bytes([seed]) for seed in range(100)])
        assert 20 < len(left) < 80
        assert left == {bytes([seed]) for seed in range(100 - len(left), 100)}

    def test_limit_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert PixelCache.default_limit() == DEFAULT_LIMIT
        monkeypatch.setenv("EMOTAG_PIXEL_LIMIT", "3")
        with PixelCache() as opened:
            assert opened.limit == 3 * 2**20
        monkeypatch.setenv("EMOTAG_PIXEL_LIMIT", "all")
        with pytest.raises(StorageError) as caught:
            PixelCache()
        assert str(caught.value) == "EMOTAG_PIXEL_LIMIT='all' is not a whole number of MiB."

    def test_state_and_clear(self) -> None:
        with PixelCache() as opened:
            opened.put({bytes([seed]): noise(seed) for seed in range(50)})
        state = cache_state()
        assert (state.photos, state.entries, state.pixel_limit) == (50, 0, DEFAULT_LIMIT)
        assert 50 * noise(0).nbytes < state.pixels < 3 * 50 * noise(0).nbytes
        clear_cache()
        assert cache_state().photos == 0

    def test_a_damaged_file_can_be_cleared(self, cache: Path) -> None:
        cache.mkdir()
        (cache / "pixels.sqlite").write_bytes(b"no data base at all" * 1000)
        with pytest.raises(StorageError, match=r"pixels\.sqlite cannot be used: file is not a"):
            PixelCache()
        clear_cache()
        assert cache_state().photos == 0

    def test_a_full_disk(self, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EMOTAG_CACHE", str(small_disk))
        with PixelCache() as opened, pytest.raises(StorageError) as caught:
            opened.put({bytes([seed]): noise(seed) for seed in range(200)})
        assert str(caught.value).startswith(
            f"The disk is full: the pixel cache {small_disk}/pixels.sqlite cannot be written. Make "
        )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "emotag-test", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("cannot mount a small file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class TestResizing:
    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((640, 480), (64, 85)),
            ((480, 640), (85, 64)),
            ((100, 100), (64, 64)),
            # longer than twice its width: cut
            ((900, 100), (64, 128)),
            ((100, 900), (128, 64)),
            # enlarged
            ((40, 33), (64, 78)),
        ],
    )
    def test_the_shorter_side_fits(
        self, tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
    ) -> None:
        path = draw_photo(tmp_path / "photo.jpg", 1, size)
        assert decode_pixels(path, ResizedPhoto.of(PREPROCESS)).shape == (*expected, 3)

    def test_squashed_where_the_aspect_is_not_kept(self, tmp_path: Path) -> None:
        squashing = dataclasses.replace(PREPROCESS, keep_aspect=False)
        path = draw_photo(tmp_path / "photo.jpg", 1, (640, 200))
        assert decode_pixels(path, ResizedPhoto.of(squashing)).shape == (64, 64, 3)

    def test_turned_upright(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(noise(1, 100, 200)).save(tmp_path / "turned.jpg", exif=exif)
        assert decode_pixels(str(tmp_path / "turned.jpg"), ResizedPhoto.of(PREPROCESS)).shape == (
            128,
            64,
            3,
        )

    def test_its_centre_is_nearly_what_a_crop_gives(self, sample_photos: list[str]) -> None:
        for path in sample_photos:
            whole = decode_pixels(path, ResizedPhoto.of(PREPROCESS)).astype(int)
            top, left = (whole.shape[0] - 48) // 2, (whole.shape[1] - 48) // 2
            centre = whole[top : top + 48, left : left + 48]
            crop = decode_photo(path, PREPROCESS).pixels.astype(int)
            # half a pixel aside, no more
            assert np.abs(centre - crop).mean() < 8

    def test_only_the_centre_of_a_long_photo_is_kept(self, tmp_path: Path) -> None:
        pixels = np.full((100, 1000, 3), 255, np.uint8)
        pixels[:, 400:600] = 0
        Image.fromarray(pixels).save(tmp_path / "long.png")
        assert decode_pixels(str(tmp_path / "long.png"), ResizedPhoto.of(PREPROCESS)).mean() < 1

    def test_what_cannot_be_decoded(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        draw_photo(path, 1)
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(UnreadablePhoto):
            decode_pixels(str(path), ResizedPhoto.of(PREPROCESS))
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)


def test_keys_tell_geometries_apart() -> None:
    geometries = [
        PREPROCESS,
        dataclasses.replace(PREPROCESS, size=32),
        dataclasses.replace(PREPROCESS, resize=96),
        dataclasses.replace(PREPROCESS, interpolation="bilinear"),
        dataclasses.replace(PREPROCESS, keep_aspect=False),
    ]
    described = {describe_pixels(geometry) for geometry in geometries}
    resized = {describe_pixels(ResizedPhoto.of(geometry)) for geometry in geometries}
    assert len(described) == 5
    # a random crop of another size comes from the same pixels
    assert len(resized) == 4
    assert not described & resized
    # normalisation is done later
    other = dataclasses.replace(PREPROCESS, mean=(0.0,) * 3, channels="BGR")
    assert describe_pixels(other) == describe_pixels(PREPROCESS)
