"""The members of an archive: where each stands, and which are not read, and why."""

import re
import stat
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["LARGEST", "Member", "Members", "kind_of", "safe_name"]

LARGEST = 2**30
"""Bytes above which no member and no remote object is read."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")

# Zip's flags and methods and the like need less than this.
_METHOD_BITS = 32

_KINDS = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Member(NamedTuple):
    """Where a member stands in its archive.

    Attributes
    ----------
    offset : int
        Of its header in a zip, of its content in a tar.
    packed, size : int
        Bytes in the archive, and unpacked.
    crc : int
        The checksum of its content, in a zip.
    method : int
        How it is packed, as zip numbers it.
    """

    offset: int
    packed: int
    size: int
    crc: int = 0
    method: int = 0


@dataclass(frozen=True, slots=True)
class _SafeName:
    name: str
    refusal: str = ""


class Members:
    """Members by name; 32 bytes each beside the name, for there may be millions.

    Examples
    --------
    >>> members = Members()
    >>> members.add("a.jpg", Member(0, 10, 10))
    >>> members.refuse("../b.jpg", "its name leads out of the archive")
    >>> list(members), members["a.jpg"].size, members.refusal("../b.jpg")
    (['a.jpg', '../b.jpg'], 10, 'its name leads out of the archive')
    """

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._table = array("Q")
        self._refusals: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        """Yield all names, also those that are refused."""
        return iter(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Member:
        place = self._places[name]
        offset, packed, size, marks = self._table[place : place + 4]
        return Member(offset, packed, size, marks >> _METHOD_BITS, marks & (2**_METHOD_BITS - 1))

    def add(self, name: str, member: Member) -> None:
        """Add a member; an earlier one of the name is forgotten."""
        self._places[name] = len(self._table)
        self._refusals.pop(name, None)
        marks = member.crc << _METHOD_BITS | member.method
        self._table.extend((member.offset, member.packed, member.size, marks))

    def refuse(self, name: str, reason: str) -> None:
        """Note why a name is not read; the first reason stays."""
        if name not in self._places:
            self.add(name, Member(0, 0, 0))
        self._refusals.setdefault(name, reason)

    def refusal(self, name: str) -> str:
        """Return why a member is not read, or nothing."""
        return self._refusals.get(name, "")


def safe_name(name: str) -> _SafeName:
    r"""Return a member's name as a path below its archive, and why it is refused, if it is.

    Nothing is ever written under such a name. But a path that leads elsewhere
    would be taken for that place by whoever reads the tags.

    Examples
    --------
    >>> safe_name("./holiday//a.jpg")
    _SafeName(name='holiday/a.jpg', refusal='')
    >>> safe_name("../a.jpg").refusal
    'its name leads out of the archive'
    >>> safe_name("a\nb.jpg").name
    'a%0Ab.jpg'
    """
    if _CONTROL.search(name):
        shown = _CONTROL.sub(lambda mark: f"%{ord(mark[0]):02X}", name)
        return _SafeName(shown, "its name holds a control character")
    if "\\" in name:
        return _SafeName(name, "its name holds a backslash")
    if name.startswith("/"):
        return _SafeName(name, "its name is an absolute path")
    if _DRIVE.match(name):
        return _SafeName(name, "its name begins with a drive letter")
    names = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in names:
        return _SafeName(name, "its name leads out of the archive")
    return _SafeName("/".join(names))


def kind_of(mode: int) -> str:
    """Return what kind of thing a mode of Unix says, or nothing for a plain file."""
    return _KINDS.get(stat.S_IFMT(mode), "")
