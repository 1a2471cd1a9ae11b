"""Names that belong together, directly or through others."""

__all__ = ["DisjointSets"]


class DisjointSets:
    """Union-find over names, with the alphabetically first as representative.

    Examples
    --------
    >>> sets = DisjointSets()
    >>> sets.union("b", "a")
    >>> sets.find("b"), sets.find("c")
    ('a', 'c')
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def find(self, name: str) -> str:
        """Return the representative of a name's set."""
        while (parent := self._parents.get(name, name)) != name:
            self._parents[name] = self._parents.get(parent, parent)
            name = parent
        return name

    def union(self, one: str, other: str) -> None:
        """Put the sets of two names together."""
        first, second = sorted((self.find(one), self.find(other)))
        self._parents[second] = first
