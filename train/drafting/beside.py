"""Which columns say when somebody applied, who did, and what a row counts: proposals for `time`, `group` and `weight`.

Owns the heuristics: word lists in English, and what a column must hold so that the draft can be trained on as it is.
"""

from collections.abc import Sequence

from configs.dates import iso
from train.drafting.column_names import identifies, protected, words
from train.drafting.survey import MAX_CATEGORIES, Survey
from train.tables.beside import LEAST_TIMES

APPLIED = {
    "application", "applied", "apply", "booked", "booking", "decision", "issue", "issued", "opened", "origination",
    "request", "requested", "submission", "submitted", "vintage",
}  # fmt: skip
LATER = {
    "birth", "born", "charge", "charged", "close", "closed", "default", "dob", "due", "end", "ended", "expiry", "last",
    "maturity", "next", "observed", "outcome", "paid", "payment", "repaid", "settled",
}  # fmt: skip
DATES = {"at", "created", "credit", "date", "day", "loan", "month", "of", "on", "quarter", "time", "timestamp", "year"}
PERSONS = {
    "applicant", "borrower", "client", "consumer", "customer", "debtor", "household", "member", "obligor", "party",
    "person", "user",
}  # fmt: skip
SAMPLING = {"case", "design", "expansion", "inverse", "row", "sample", "sampling", "survey"}
WEIGHTS = {"weight", "weights", "wgt", "wt"}
LEAST_CUSTOMERS = 10  # with fewer, a column of that name holds kinds of customers


def beside_of(surveys: Sequence[Survey]) -> dict[str, tuple[str, str]]:
    """By key of the source the column that is proposed for it, and a note for its review."""
    found: dict[str, tuple[str, str]] = {}
    dates = [column for column in surveys if _is_time(column)]
    if dates:
        best = max(dates, key=lambda column: bool(APPLIED & {*words(column.name)}))  # the first of several
        found["time"] = (
            best.name,
            f"{iso(best.days[0])} to {iso(best.days[1])}: when they applied? the newest rows are tested on",
        )
    for column in surveys:
        if "group" not in found and _is_group(column):
            note = f"{column.distinct:,} customers in {column.rows:,} rows? nobody stands on two sides of a split"
            found["group"] = column.name, note
        if "weight" not in found and _is_weight(column):
            found["weight"] = column.name, f"{column.lowest:g} to {column.highest:g}: what a row counts?"
    return found


def may_be_time(name: str) -> bool:
    """Whether a column of this name, if it holds dates, may say when somebody applied.

    >>> may_be_time("issue_d"), may_be_time("Date"), may_be_time("date_of_birth"), may_be_time("last_payment_date")
    (True, True, False, False)
    """
    named = {*words(name)}
    return bool(named) and bool(named & APPLIED or named <= DATES) and not (named & LATER or protected(name))


def _is_time(column: Survey) -> bool:
    usable = column.kind == "date" and not column.empty and not column.leak and column.times >= LEAST_TIMES
    return usable and may_be_time(column.name)


def _is_group(column: Survey) -> bool:
    many = column.distinct > MAX_CATEGORIES
    named = bool(PERSONS & {*words(column.name)}) and (identifies(column.name) or many)
    repeats = LEAST_CUSTOMERS <= column.distinct < column.rows
    return named and repeats and not column.empty and not column.leak and column.kind != "date"


def _is_weight(column: Survey) -> bool:
    named = words(column.name)
    is_named = bool(named) and named[-1] in WEIGHTS and bool(SAMPLING & {*named})
    return is_named and column.kind == "numeric" and column.lowest > 0 and not column.empty and not column.leak
