"""Photos found under what someone types: folders, files, patterns, and what is left out."""

import glob
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emotag.errors import PhotosNotFoundError
from emotag.photos.finding import Findings, find_photos, natural_key
from emotag.photos.formats import ENDINGS, RAW_ENDINGS
from tests.conftest import as_ordinary_user

JPEG = b"\xff\xd8\xff\xe0" + bytes(60)


def touch(folder: Path, *names: str, content: bytes = JPEG) -> None:
    """Make files, with their folders."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, so that what is typed may be short."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


Nested = Callable[[str, int, str], None]


@pytest.fixture
def nested(here: Path) -> Iterator[Nested]:
    """Make a folder in a folder in a folder, with a photo at the bottom, and remove them after.

    Neither Python's way of removing a tree nor pytest's reaches so deep.
    """
    made = []

    def make(name: str, depth: int, photo: str) -> None:
        made.append(name)
        for _ in range(depth):
            os.mkdir(name)
            os.chdir(name)
        touch(Path(), photo)
        os.chdir(here)

    yield make
    for name in made:
        subprocess.run(["rm", "-rf", name], check=True)


@pytest.fixture
def usual_depth() -> Iterator[int]:
    """How deep Python may call: other tests' libraries leave the limit higher."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield 1000
    sys.setrecursionlimit(before)


class TestFolders:
    def test_a_folder_is_searched_through_in_natural_order(self, here: Path) -> None:
        touch(here, "trip/img10.jpg", "trip/img2.JPG", "trip/img1/b.png", "trip/img3/a.webp")
        assert find_photos(["trip"]).photos == [
            "trip/img1/b.png",
            "trip/img2.JPG",
            "trip/img3/a.webp",
            "trip/img10.jpg",
        ]

    def test_paths_are_as_typed_and_joined(self, here: Path) -> None:
        touch(here, "trip/a.jpg")
        for typed in ("trip", "trip/", "./trip", "../" + here.name + "/trip", str(here / "trip")):
            assert find_photos([typed]).photos == [os.path.join(typed, "a.jpg")]
        assert find_photos(["."]).photos == ["./trip/a.jpg"]
        assert find_photos([Path("trip")]).photos == ["trip/a.jpg"]

    def test_every_ending_of_a_photo_is_taken(self, here: Path) -> None:
        touch(here, *[f"trip/a{ending}" for ending in ENDINGS], content=b"")
        assert len(find_photos(["trip"]).photos) == len(ENDINGS)

    def test_a_photo_under_another_ending_or_none_is_taken_by_its_content(self, here: Path) -> None:
        touch(here, "trip/a", "trip/b.dat", "trip/c.txt")
        touch(here, "trip/d", "trip/e.dat", "trip/f.txt", "trip/g.txt", content=b"Dear diary,")
        found = find_photos(["trip"])
        assert found.photos == ["trip/a", "trip/b.dat", "trip/c.txt"]
        assert found.others == {"": 1, ".dat": 1, ".txt": 2}

    def test_cameras_raw_files_are_counted_and_not_taken(self, here: Path) -> None:
        touch(here, *[f"trip/a{ending}" for ending in RAW_ENDINGS], content=b"II*\0" + bytes(60))
        found = find_photos(["trip"])
        assert found.photos == []
        assert found.others == dict.fromkeys(RAW_ENDINGS, 1)

    def test_backups_of_exiftool_are_counted_and_not_taken(self, here: Path) -> None:
        touch(here, "trip/a.jpg", "trip/a.jpg_original", "trip/gone.PNG_original")
        touch(here, "trip/b", "trip/b_original", "trip/an_original", "trip/c.dat_original")
        found = find_photos(["trip"])
        assert found.photos == ["trip/a.jpg", "trip/an_original", "trip/b", "trip/c.dat_original"]
        assert found.others == {".jpg_original": 1, ".png_original": 1, "_original": 1}
        assert find_photos(["trip/a.jpg_original"]).photos == ["trip/a.jpg_original"]

    def test_hidden_files_and_folders_are_left_out_and_counted(self, here: Path) -> None:
        touch(here, "trip/a.jpg", "trip/._a.jpg", "trip/.cache/b.jpg", "trip/.git/x/c.jpg")
        found = find_photos(["trip"])
        assert found.photos == ["trip/a.jpg"]
        assert found.hidden == 3
        assert find_photos(["trip/.cache", "trip/._a.jpg"]).photos == [
            "trip/.cache/b.jpg",
            "trip/._a.jpg",
        ]

    def test_an_empty_folder_holds_nothing(self, here: Path) -> None:
        assert find_photos(["."]) == Findings()
        assert find_photos([]) == Findings()

    def test_each_file_counts_once_however_often_it_is_typed(self, here: Path) -> None:
        touch(here, "trip/a.jpg", "trip/sub/b.jpg", "trip/.hidden.jpg")
        touch(here, "trip/notes.txt", "trip/sub/notes.txt", content=b"notes")
        typed = ["trip/sub/b.jpg", "trip", "trip/sub", "./trip", "trip/**", "trip/a.jpg"]
        found = find_photos(typed)
        assert found.photos == ["trip/sub/b.jpg", "trip/a.jpg"]
        assert found.others == {".txt": 2}
        assert found.hidden == 1

    def test_a_folder_named_like_a_photo_is_searched(self, here: Path) -> None:
        touch(here, "trip/x.jpg/a.jpg")
        assert find_photos(["trip"]).photos == ["trip/x.jpg/a.jpg"]

    @pytest.mark.parametrize(
        "name",
        [
            "a, b.jpg",
            'say "hi".jpg',
            "it's.jpg",
            "two\nlines.jpg",
            "tab\there.jpg",
            "🎉 party.jpg",
            "-rf.jpg",
            " .jpg",
            "[1].jpg",
            "wow?*.jpg",
            "caf\udce9.jpg",
        ],
    )
    def test_every_name_that_a_file_can_have(self, here: Path, name: str) -> None:
        (here / "trip").mkdir()
        with open(os.path.join("trip", name), "wb") as file:
            file.write(JPEG)
        path = f"trip/{name}"
        assert find_photos(["trip"]).photos == [path]
        assert find_photos([path]).photos == [path]
        assert find_photos(["trip/*"]).photos == [path]
        assert find_photos(["**/*"]).photos == [path]

    def test_nesting_deeper_than_python_can_call(
        self, here: Path, nested: Nested, usual_depth: int
    ) -> None:
        depth = usual_depth + 200
        nested("d", depth, "deep.jpg")
        expected = ["d/" * depth + "deep.jpg"]
        assert find_photos(["d"]).photos == expected
        assert find_photos(["*"]).photos == expected
        assert find_photos(["**/*.jpg"]).photos == expected

    def test_nesting_deeper_than_a_path_can_be_long_is_told(
        self, here: Path, nested: Nested
    ) -> None:
        touch(here, "top.jpg")
        nested("d" * 200, 25, "deep.jpg")
        found = find_photos(["."])
        assert found.photos == ["./top.jpg"]
        assert [why for _, why in found.unlisted] == ["File name too long"]

    def test_a_folder_that_may_not_be_listed_is_told_and_the_rest_is_found(
        self, open_folder: Path
    ) -> None:
        touch(open_folder, "a.jpg", "closed/b.jpg", "open/c.jpg")
        (open_folder / "closed").chmod(0)
        with as_ordinary_user():
            found = find_photos([open_folder])
            by_pattern = find_photos([f"{open_folder}/**/*.jpg"])
        photos = [f"{open_folder}/a.jpg", f"{open_folder}/open/c.jpg"]
        assert found.photos == by_pattern.photos == photos
        assert found.unlisted == [(f"{open_folder}/closed", "Permission denied")]
        assert by_pattern.unlisted == found.unlisted

    def test_a_file_without_an_ending_that_may_not_be_read_is_no_photo(
        self, open_folder: Path
    ) -> None:
        touch(open_folder, "a", "b.jpg")
        (open_folder / "a").chmod(0)
        (open_folder / "b.jpg").chmod(0)
        with as_ordinary_user():
            found = find_photos([open_folder])
        assert found.photos == [f"{open_folder}/b.jpg"]
        assert found.others == {"": 1}


class TestWhatIsNoPlainFile:
    def test_links_to_photos_are_photos_and_links_to_folders_are_not_followed(
        self, here: Path
    ) -> None:
        touch(here, "real/a.jpg")
        (here / "trip").mkdir()
        (here / "trip" / "photo.jpg").symlink_to("../real/a.jpg")
        (here / "trip" / "nameless").symlink_to("../real/a.jpg")
        (here / "trip" / "folder").symlink_to("../real")
        (here / "trip" / "folder.jpg").symlink_to("../real")
        (here / "trip" / "gone.jpg").symlink_to("nowhere")
        (here / "trip" / "gone").symlink_to("nowhere")
        found = find_photos(["trip"])
        assert found.photos == ["trip/gone.jpg", "trip/nameless", "trip/photo.jpg"]
        assert found.others == {"": 1}
        assert find_photos(["trip/*"]).photos == found.photos
        assert find_photos(["**/a.jpg"]).photos == ["real/a.jpg"]

    def test_a_link_to_a_folder_that_is_typed_itself_is_followed(self, here: Path) -> None:
        touch(here, "real/a.jpg")
        (here / "link").symlink_to("real")
        assert find_photos(["link"]).photos == ["link/a.jpg"]
        assert find_photos(["link/*.jpg"]).photos == ["link/a.jpg"]

    def test_loops_of_links_come_to_an_end(self, here: Path) -> None:
        touch(here, "trip/a/b/x.jpg")
        for name in ("up", "up2", "up3"):
            (here / "trip" / "a" / name).symlink_to("..")
            (here / "trip" / "a" / "b" / name).symlink_to("../..")
        (here / "trip" / "self").symlink_to("self")
        (here / "trip" / "self.jpg").symlink_to("self.jpg")
        for typed in ("trip", "trip/**", "trip/**/*", "**/*.jpg"):
            assert find_photos([typed]).photos == ["trip/a/b/x.jpg", "trip/self.jpg"]

    def test_pipes_sockets_and_devices_are_not_opened(self, here: Path) -> None:
        # opening a pipe that no one writes to would wait for ever
        os.mkfifo("pipe")
        os.mkfifo("pipe.jpg")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
            found = find_photos(["."])
        assert found.photos == ["./pipe.jpg"]
        assert found.others == {"": 2}


class TestFiles:
    def test_a_file_that_is_typed_itself_is_taken_whatever_it_is(self, here: Path) -> None:
        touch(here, "notes.txt", "raw.nef", ".hidden", content=b"text")
        os.mkfifo("pipe")
        (here / "gone").symlink_to("nowhere")
        typed = ["notes.txt", "raw.nef", ".hidden", "pipe", "gone"]
        assert find_photos(typed).photos == typed

    def test_several_are_taken_in_the_order_they_are_typed(self, here: Path) -> None:
        touch(here, "b.jpg", "a.jpg", "trip/c.jpg")
        assert find_photos(["b.jpg", "trip", "a.jpg"]).photos == ["b.jpg", "trip/c.jpg", "a.jpg"]

    def test_what_does_not_exist_is_refused_with_the_nearest_name(self, here: Path) -> None:
        touch(here, "photos/rome.jpg")
        for typed, message in [
            ("fotos", "fotos does not exist. Did you mean photos?"),
            ("photos/rom.jpg", "photos/rom.jpg does not exist. Did you mean photos/rome.jpg?"),
            ("photos/zzz", "photos/zzz does not exist."),
            ("nowhere/at/all", "nowhere/at/all does not exist."),
            ("fotos/", "fotos/ does not exist. Did you mean photos?"),
            ("photos/*.png", "photos/*.png does not exist."),
            ("nowhere/*.png", "nowhere/*.png does not exist."),
            ("photos/rome.jpg/*", "photos/rome.jpg/* does not exist."),
        ]:
            with pytest.raises(PhotosNotFoundError) as caught:
                find_photos([typed])
            assert str(caught.value) == message

    @pytest.mark.parametrize("typed", ["", "a\0b", "x" * 300, "caf\udce9", "\ud800"])
    def test_nor_does_what_cannot_exist(self, here: Path, typed: str) -> None:
        with pytest.raises(PhotosNotFoundError, match="does not exist"):
            find_photos([typed])


class TestPatterns:
    def test_a_pattern_finds_what_a_shell_would(self, here: Path) -> None:
        touch(here, "a/1.jpg", "a/2.png", "b/1.jpg", "b/c/1.jpg", "top.jpg", "a/.hidden.jpg")
        assert find_photos(["*/*.jpg"]).photos == ["a/1.jpg", "b/1.jpg"]
        assert find_photos(["a/?.*"]).photos == ["a/1.jpg", "a/2.png"]
        assert find_photos(["[ab]/[!2].jpg"]).photos == ["a/1.jpg", "b/1.jpg"]
        assert find_photos(["*.jpg"]).photos == ["top.jpg"]
        assert find_photos([f"{here}/a/*.png"]).photos == [f"{here}/a/2.png"]
        assert find_photos(["a/.*.jpg"]).photos == ["a/.hidden.jpg"]

    def test_two_stars_stand_for_any_folders(self, here: Path) -> None:
        touch(here, "a/1.jpg", "a/b/2.jpg", "a/b/c/3.jpg", "d/4.jpg", "a/.git/5.jpg", "6.jpg")
        in_a = ["a/1.jpg", "a/b/2.jpg", "a/b/c/3.jpg"]
        assert find_photos(["a/**/*.jpg"]).photos == in_a
        assert find_photos(["a/**"]).photos == in_a
        assert find_photos(["**/b/**/*.jpg"]).photos == ["a/b/2.jpg", "a/b/c/3.jpg"]
        assert find_photos(["**"]).photos == ["6.jpg", *in_a, "d/4.jpg"]

    def test_a_folder_that_fits_is_searched_through(self, here: Path) -> None:
        touch(here, "trip1/x/a.jpg", "trip2/b.jpg", "other/c.jpg")
        assert find_photos(["trip*"]).photos == ["trip1/x/a.jpg", "trip2/b.jpg"]

    def test_what_fits_a_pattern_need_not_be_a_photo(self, here: Path) -> None:
        touch(here, "a.jpg")
        touch(here, "a.xmp", "notes.txt", content=b"text")
        found = find_photos(["*"])
        assert found.photos == ["a.jpg"]
        assert found.others == {".xmp": 1, ".txt": 1}

    def test_a_name_that_looks_like_a_pattern_and_exists_is_taken_as_it_is(
        self, here: Path
    ) -> None:
        touch(here, "Rome [1].jpg", "Rome 1.jpg", "Oslo [2024]/a.jpg", "Oslo 2/b.jpg", "*.jpg")
        assert find_photos(["Rome [1].jpg"]).photos == ["Rome [1].jpg"]
        assert find_photos(["Oslo [2024]"]).photos == ["Oslo [2024]/a.jpg"]
        assert find_photos(["Oslo [2024]/*.jpg"]).photos == ["Oslo [2024]/a.jpg"]
        assert find_photos(["*.jpg"]).photos == ["*.jpg"]

    def test_a_folder_that_may_not_be_listed_is_not_said_to_be_missing(
        self, open_folder: Path
    ) -> None:
        touch(open_folder, "closed/a.jpg")
        (open_folder / "closed").chmod(0)
        with as_ordinary_user():
            found = find_photos([f"{open_folder}/closed/*.jpg"])
        assert found.unlisted == [(f"{open_folder}/closed/", "Permission denied")]

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.lists(
            st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map("/".join),
            min_size=1,
            max_size=8,
        ),
        st.lists(
            st.sampled_from(["a", "*", "**", "a*", "?", "[ab]", "*b"]), min_size=1, max_size=4
        ),
    )
    def test_patterns_mean_what_the_standard_library_says(
        self, tmp_path_factory: pytest.TempPathFactory, folders: list[str], parts: list[str]
    ) -> None:
        base = tmp_path_factory.mktemp("tree")
        touch(base, *[f"{folder}/{name}" for folder in folders for name in ("x.jpg", "a.jpg")])
        pattern = f"{base}/{'/'.join(parts)}/*.jpg"
        expected = {os.path.normpath(path) for path in glob.glob(pattern, recursive=True)}
        try:
            found = set(find_photos([pattern]).photos)
        except PhotosNotFoundError:
            found = set()
        assert found == expected


class TestExclude:
    @pytest.fixture(autouse=True)
    def _tree(self, here: Path) -> None:
        touch(here, "photos/p1.jpg", "photos/q1.jpg", "photos/raw/p2.jpg", "photos/raw/x/q2.png")

    @pytest.mark.parametrize(
        ("exclude", "left"),
        [
            ([], ["p1.jpg", "q1.jpg", "raw/p2.jpg", "raw/x/q2.png"]),
            (["p*"], ["q1.jpg", "raw/x/q2.png"]),
            (["*.jpg"], ["raw/x/q2.png"]),
            (["raw"], ["p1.jpg", "q1.jpg"]),
            (["raw/"], ["p1.jpg", "q1.jpg"]),
            (["r?w"], ["p1.jpg", "q1.jpg"]),
            (["raw/*"], ["p1.jpg", "q1.jpg"]),
            (["raw/*.jpg"], ["p1.jpg", "q1.jpg", "raw/x/q2.png"]),
            (["aw/*"], ["p1.jpg", "q1.jpg", "raw/p2.jpg", "raw/x/q2.png"]),
            (["P*"], ["p1.jpg", "q1.jpg", "raw/p2.jpg", "raw/x/q2.png"]),
            (["p1.jpg", "x"], ["q1.jpg", "raw/p2.jpg"]),
            (["*"], []),
        ],
    )
    def test_names_and_ends_of_paths_are_left_out(
        self, monkeypatch: pytest.MonkeyPatch, exclude: list[str], left: list[str]
    ) -> None:
        monkeypatch.chdir("photos")
        assert find_photos(["."], exclude).photos == [f"./{name}" for name in left]

    def test_the_whole_path_counts_where_a_pattern_has_a_slash(self) -> None:
        left = ["photos/p1.jpg", "photos/q1.jpg"]
        for pattern in ("photos/raw", "photos/raw/*", "*os/raw/*"):
            assert find_photos(["photos"], [pattern]).photos == left

    def test_a_name_is_not_mistaken_for_that_of_its_folder(self) -> None:
        assert find_photos(["photos"], ["ph*.jpg", "*raw*.jpg"]).photos == [
            "photos/p1.jpg",
            "photos/q1.jpg",
            "photos/raw/p2.jpg",
            "photos/raw/x/q2.png",
        ]

    def test_a_pattern_does_not_bring_back_what_is_left_out(self) -> None:
        for typed in ("photos/**/*.*", "photos/*", "photos/**", "**/*.*g", "photos/raw/*"):
            found = find_photos([typed], ["raw", "raw/*"])
            assert set(found.photos) <= {"photos/p1.jpg", "photos/q1.jpg"}

    def test_what_is_typed_itself_can_be_left_out_too(self) -> None:
        typed = ["photos/p1.jpg", "photos/q1.jpg", "photos/raw", "photos/raw/"]
        assert find_photos(typed, ["raw", "p*"]).photos == ["photos/q1.jpg"]

    def test_one_pattern_may_be_given_alone(self) -> None:
        assert find_photos(["photos"], "*.jpg").photos == find_photos(["photos"], ["*.jpg"]).photos

    def test_a_pattern_may_begin_in_the_current_folder(self, here: Path) -> None:
        touch(here, "trip/a.jpg", "trip/b.jpg")
        assert find_photos(["trip"], ["./trip/a.jpg"]).photos == ["trip/b.jpg"]

    def test_a_pattern_of_which_all_is_left_out_is_not_said_to_be_missing(self) -> None:
        assert find_photos(["photos/*.jpg"], ["*.jpg"]).photos == []


def test_what_may_not_be_looked_at_is_not_said_to_be_missing(open_folder: Path) -> None:
    touch(open_folder, "closed/a.jpg")
    (open_folder / "closed").chmod(0)
    with as_ordinary_user(), pytest.raises(PhotosNotFoundError) as caught:
        find_photos([open_folder / "closed/a.jpg"])
    path = open_folder / "closed/a.jpg"
    message = f"{path} cannot be looked at: no permission for a folder above it."
    assert str(caught.value) == message


class TestNaturalOrder:
    def test_numbers_count_as_numbers_and_case_does_not_matter(self) -> None:
        names = ["b1", "a10", "A2", "a2", "a02", "a", "10", "9", "a1b3", "a1b20", "Ä", "", "²"]
        assert sorted(names, key=natural_key) == [
            "", "9", "10", "a", "a1b3", "a1b20", "A2", "a02", "a2", "a10", "b1", "²", "Ä",
        ]  # fmt: skip

    @given(st.lists(st.text(max_size=12)))
    def test_any_names_have_one_order(self, names: list[str]) -> None:
        once = sorted(names, key=natural_key)
        other_way_round = list(reversed(names))
        assert sorted(other_way_round, key=natural_key) == once
        assert sorted(once) == sorted(names)

    @given(st.text(max_size=6), st.integers(0, 10**12), st.integers(0, 10**12), st.text(max_size=6))
    def test_a_series_is_in_the_order_of_its_numbers(
        self, before: str, first: int, second: int, after: str
    ) -> None:
        before, after = before.rstrip("0123456789"), after.lstrip("0123456789")
        in_order = natural_key(f"{before}{first}{after}") < natural_key(f"{before}{second}{after}")
        assert in_order == (first < second)

    @given(st.text(max_size=8), st.text(max_size=8))
    def test_only_the_same_name_has_the_same_place(self, one: str, other: str) -> None:
        assert (natural_key(one) == natural_key(other)) == (one == other)
        assert natural_key(one) != natural_key(one.swapcase()) or one == one.swapcase()
