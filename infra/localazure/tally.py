"""How much of each quota is in use in each region, counted along: asking costs nothing, however many deployments."""

from __future__ import annotations

from collections import Counter


class Tally:
    """What every deployment takes of which quotas at which place, and the sums."""

    def __init__(self) -> None:
        """Start with nothing in use."""
        self._held: dict[str, tuple[str, dict[str, int]]] = {}
        self._sums: dict[str, Counter[str]] = {}

    def note(self, key: str, place: str, amounts: dict[str, int]) -> None:
        """From now on this one takes these amounts there, and nothing of what it took before."""
        self.forget(key)
        self._held[key] = place, amounts
        self._sums.setdefault(place, Counter()).update(amounts)

    def forget(self, key: str) -> None:
        """This one takes nothing any more."""
        place, amounts = self._held.pop(key, ("", {}))
        if amounts:
            self._sums[place].subtract(amounts)

    def at(self, place: str) -> dict[str, int]:
        """Quota → what is in use of it at a place."""
        return {name: count for name, count in self._sums.get(place, {}).items() if count}
