"""Names below an archive or a bucket, sorted out as those of a folder are."""

from hypothesis import given
from hypothesis import strategies as st

from emotag.photos.finding import natural_key
from emotag.photos.listings import Listing, path_key

NAMES = st.text("aAbBzß_-é0129", min_size=1, max_size=8)


def everything(_: str) -> bool:
    return True


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), max_size=20))
def test_paths_are_sorted_as_a_walk_through_folders_sorts(paths: list[list[str]]) -> None:
    as_walked = sorted(paths, key=lambda names: [natural_key(name) for name in names])
    assert sorted(map("/".join, paths), key=path_key) == ["/".join(names) for names in as_walked]


def test_a_number_of_any_length_is_sorted() -> None:
    names = ["1" + "0" * 50_000, "9" * 50_000, "2", f"{'0' * 5000}1"]
    assert sorted(names, key=path_key) == [names[index] for index in (3, 2, 1, 0)]


def test_hidden_files_and_folders_are_counted_once() -> None:
    listing = Listing("a.zip", [])
    names = [".a.jpg", ".b/1.jpg", ".b/2.jpg", "c/.d/e/1.jpg", "__MACOSX/c/._1.jpg", "c/1.jpg"]
    listing.add(f"a.zip/{name}" for name in names)
    assert listing.in_order(everything) == ["a.zip/c/1.jpg"]
    assert listing.hidden == {".a.jpg", ".b", "c/.d", "__MACOSX"}


def test_what_leads_out_is_not_hidden() -> None:
    listing = Listing("a.zip", [])
    listing.add(["a.zip/../b.jpg", "a.zip//etc/c.jpg"])
    assert listing.in_order(everything) == ["a.zip//etc/c.jpg", "a.zip/../b.jpg"]
    assert not listing.hidden


def test_what_is_excluded_is_left_out() -> None:
    listing = Listing("a.zip", ["raw", "c/*2.jpg"])
    listing.add(f"a.zip/{name}" for name in ("raw/1.jpg", "b/raw/2.jpg", "c/1.jpg", "c/2.jpg"))
    assert listing.in_order(everything) == ["a.zip/c/1.jpg"]
