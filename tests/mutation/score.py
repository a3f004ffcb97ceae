"""What a run over mutants comes to: what was killed, what survived, and what was not found out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

#: A room has to have so many percent killed, and of no more than so many percent it may be open.
BAR = 85
OPEN = 10


@dataclasses.dataclass
class Score:
    """The figures of a room."""

    killed: int = 0
    #: No test failed, and somebody could tell it from the code.
    survived: int = 0
    #: Nobody could tell it from the code: in no figure.
    equal: int = 0
    #: The time on the clock ran out: neither killed nor survived.
    open: int = 0

    @property
    def percent(self) -> float:
        """How many were killed of those of which it is known."""
        return 100 * self.killed / max(1, self.killed + self.survived)

    @property
    def below(self) -> bool:
        """Whether the room is below the bar, or so much of it is open that nothing is shown."""
        every = self.killed + self.survived + self.open
        return self.percent < BAR or 100 * self.open > OPEN * every


def score_of(results: Iterable[tuple[str, bool, str]]) -> Score:
    """Of what killed each mutant, whether it is open, and why it is left: the figures."""
    found = Score()
    for killed_by, is_open, why in results:
        if killed_by:
            found.killed += 1
        elif why.startswith("equal"):
            found.equal += 1
        elif is_open:
            found.open += 1
        else:
            found.survived += 1
    return found
