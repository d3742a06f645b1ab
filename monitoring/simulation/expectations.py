"""What a scenario has to raise, what it may raise as well, and what it must not.

Owns: judging the findings of a simulation. Leaves to others: the findings, and what each scenario expects (scenarios).
"""

from collections.abc import Collection

from msgspec import Struct

DETECTORS = ("drift", "unknown_values", "missing_values", "performance", "concept")  # codes of findings about data
BLIND = "not_watched"  # the code of a part that could not look, which no scenario expects
SCORES = ("probability", "decision")  # may drift whenever a feature does

Fired = Collection[tuple[str, str]]  # code and subject


class Expectation(Struct, frozen=True):
    """What one scenario expects.

    Attributes:
        required: codes of which each must fire, for one of `columns` where it is about columns.
        allowed: codes that may fire besides.
        columns: that may drift beside the scores; None for any.
    """

    required: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = ()

    def missing(self, fired: Fired) -> list[str]:
        """The codes that should have fired and did not.

        >>> expected = Expectation(("drift",), columns=("age",))
        >>> expected.missing([("drift", "probability")]), expected.missing([("drift", "age")])
        (['drift'], [])
        """
        own = {code for code, subject in fired if self.columns is None or subject not in SCORES}
        return [code for code in self.required if code not in own]

    def unexpected(self, fired: Fired) -> list[str]:
        """The codes and subjects that fired and should not have.

        >>> expected = Expectation(("drift",), columns=("age",))
        >>> expected.unexpected([("drift", "age"), ("drift", "job"), ("concept", "m:1")])
        ['concept m:1', 'drift job']
        """
        return sorted({f"{code} {subject}" for code, subject in fired if not self._is_fine(code, subject)})

    def _is_fine(self, code: str, subject: str) -> bool:
        if code not in self.required + self.allowed:
            return False
        about_columns = code in ("drift", "unknown_values", "missing_values")
        return not about_columns or self.columns is None or subject in (*self.columns, *SCORES)
