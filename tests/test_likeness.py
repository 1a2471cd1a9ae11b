"""Hashes of what a photo looks like, and the groups they make."""

import subprocess
import sys
import time
from collections.abc import Sequence

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from emotag.likeness import FEATURELESS, near_duplicate_groups, perceptual_hash


def pixels_of(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("RGB"))


def bits_between(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def brute_force(hashes: Sequence[int], distance: int) -> list[int]:
    """Union-find over all pairs, one by one."""
    parents = list(range(len(hashes)))

    def root(place: int) -> int:
        while parents[place] != place:
            place = parents[place]
        return place

    for first, one in enumerate(hashes):
        for second in range(first):
            if one and hashes[second] and bits_between(one, hashes[second]) <= distance:
                parents[root(first)] = root(second)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(place), len(numbers)) for place in range(len(hashes))]


class TestHash:
    def test_it_is_what_imagehash_says(self, sample_photos: list[str]) -> None:
        for path in sample_photos:
            with Image.open(path) as photo:
                assert f"{perceptual_hash(pixels_of(photo)):016x}" == str(imagehash.phash(photo))

    def test_distances_are_those_of_imagehash(self, sample_photos: list[str]) -> None:
        images = [Image.open(path) for path in sample_photos]
        theirs = imagehash.phash(images[0]) - imagehash.phash(images[1])
        ours = bits_between(*(perceptual_hash(pixels_of(image)) for image in images))
        assert ours == theirs > 16
        for image in images:
            image.close()

    def test_size_quality_and_light_change_little(self, sample_photos: list[str]) -> None:
        for path in sample_photos:
            with Image.open(path) as photo:
                before = perceptual_hash(pixels_of(photo))
                others = [photo.resize((240, 160)), ImageEnhance.Brightness(photo).enhance(1.1)]
            assert all(
                bits_between(before, perceptual_hash(pixels_of(other))) <= 6 for other in others
            )

    @pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
    @pytest.mark.parametrize("size", [(1, 1), (32, 32), (500, 333)])
    def test_one_colour_has_no_feature(self, level: int, size: tuple[int, int]) -> None:
        assert perceptual_hash(np.full((*size, 3), level, np.uint8)) == FEATURELESS

    def test_noise_of_one_level_is_no_feature(self) -> None:
        noise = np.random.default_rng(0).integers(127, 129, (300, 400, 3), dtype=np.uint8)
        assert perceptual_hash(noise) == FEATURELESS

    def test_a_faint_shape_is_one(self) -> None:
        pixels = np.full((300, 400, 3), 120, np.uint8)
        pixels[40:170, 60:200] = 130
        assert perceptual_hash(pixels) != FEATURELESS

    def test_half_of_the_bits_are_set(self, sample_photos: list[str]) -> None:
        for path in sample_photos:
            with Image.open(path) as photo:
                assert perceptual_hash(pixels_of(photo)).bit_count() == 32


class TestGroups:
    def test_no_photo_has_no_group(self) -> None:
        assert near_duplicate_groups([]) == []

    def test_groups_are_numbered_as_they_appear(self) -> None:
        apart = [2**64 - 1, 0xFFFFFFFF, 0xFF]
        assert near_duplicate_groups([*apart, apart[1], apart[0]]) == [0, 1, 2, 1, 0]

    def test_the_distance_is_still_alike(self) -> None:
        pair = [0xFFFFFFFF, 0xFFFFFFFF ^ 0b111111]
        assert near_duplicate_groups(pair) == [0, 0]
        assert near_duplicate_groups(pair, distance=5) == [0, 1]

    def test_what_is_alike_over_a_third_is_one_group(self) -> None:
        chain = [0xFFFFFFFF, 0xFFFFFFFF ^ 0xFFF, 0xFFFFFFFF ^ 0x3F]
        assert bits_between(chain[0], chain[1]) > 6
        assert near_duplicate_groups(chain[:2]) == [0, 1]
        assert near_duplicate_groups(chain) == [0, 0, 0]

    def test_pictures_of_one_colour_are_alike_to_none(self) -> None:
        photo = 0xF0F0F0F00F0F0F0F
        hashes = [FEATURELESS, photo, FEATURELESS, photo, 0b1]
        assert near_duplicate_groups(hashes) == [0, 1, 2, 1, 3]

    @given(
        bases=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6),
        draws=st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 63), max_size=9))),
        distance=st.integers(0, 20),
    )
    @settings(deadline=None)
    def test_groups_are_those_of_all_pairs(
        self, bases: list[int], draws: list[tuple[int, set[int]]], distance: int
    ) -> None:
        hashes = [
            bases[base % len(bases)] ^ sum(1 << bit for bit in flipped) for base, flipped in draws
        ]
        assert near_duplicate_groups(hashes, distance=distance) == brute_force(hashes, distance)

    def test_more_than_a_block_is_as_all_pairs(self) -> None:
        rng = np.random.default_rng(3)
        bases = rng.integers(0, 2**64, 60, dtype=np.uint64)
        flips = np.uint64(1) << rng.integers(0, 64, (400, 5), dtype=np.uint64)
        hashes = (rng.choice(bases, 400) ^ np.bitwise_xor.reduce(flips, axis=1)).tolist()
        groups = near_duplicate_groups(hashes)
        assert groups == brute_force(hashes, 6)
        assert 10 < max(groups) < 399

    def test_twenty_thousand_take_seconds(self) -> None:
        rng = np.random.default_rng(0)
        hashes = rng.integers(0, 2**64, 20_000, dtype=np.uint64).tolist()
        hashes[1::4] = [value ^ 1 for value in hashes[::4]]
        began = time.monotonic()
        groups = near_duplicate_groups(hashes)
        assert time.monotonic() - began < 20
        assert max(groups) + 1 == 15_000

    def test_memory_stays_small_where_all_are_alike(self) -> None:
        code = (
            "import resource, numpy as np\n"
            "from emotag.likeness import near_duplicate_groups\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "low = np.arange(1, 4097, dtype=np.uint64) | np.uint64(0xFFFF << 40)\n"
            "assert max(near_duplicate_groups(low.tolist(), distance=12)) == 0\n"
            "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "print(after - before)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert int(done.stdout) < 300 * 1024
