"""What the name of a column gives away: a protected characteristic, an identifier, the target itself.

Owns the words, in English. Names only hint, so all that follows from them is a proposal for a person to review.
"""

import re

# Grounds of the Equal Credit Opportunity Act (15 U.S.C. 1691, Regulation B) and of Article 21 of the EU's Charter
# of Fundamental Rights. A word stands for itself, a beginning for every word that starts with it.
PROTECTED_WORDS = {
    "age", "born", "caste", "colour", "color", "dob", "faith", "genes", "language", "national", "nationality", "race",
    "sex", "skin", "spouse", "tribe", "welfare",
}  # fmt: skip
PROTECTED_BEGINNINGS = (
    "birth", "citizen", "disab", "divorc", "ethnic", "foreign", "gender", "genetic", "handicap", "immigra", "indigen",
    "marital", "marri", "maternit", "migra", "minorit", "politic", "pregnan", "racial", "relig", "sexual",
)  # fmt: skip
PROTECTED_PHRASES = ("civil status", "family status", "mother tongue", "public assistance", "trade union")
# The age or colour of a thing is no characteristic of a person.
THINGS = {
    "account", "building", "business", "car", "company", "credit", "debt", "file", "firm", "history", "house", "loan",
    "vehicle",
}  # fmt: skip
OF_PERSONS_AND_THINGS = {"age", "color", "colour"}
IDENTIFYING = {
    "email", "guid", "iban", "id", "ids", "idx", "index", "key", "nr", "no", "num", "number", "phone", "ref",
    "reference", "row", "ssn", "uid", "uuid",
}  # fmt: skip


def words(name: str) -> list[str]:
    """The words of a column's name, in small letters.

    >>> words("applicantAge"), words("Date of_birth (ISO)")
    (['applicant', 'age'], ['date', 'of', 'birth', 'iso'])
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+", parted.casefold())


def protected(name: str) -> str | None:
    """The part of the name that sounds like a protected characteristic, or None.

    >>> protected("Marital status"), protected("mileage"), protected("account_age")
    ('marital', None, None)
    """
    found = words(name)
    of_a_thing = not THINGS.isdisjoint(found)
    for word in found:
        if word in PROTECTED_WORDS and not (of_a_thing and word in OF_PERSONS_AND_THINGS):
            return word
        if word.startswith(PROTECTED_BEGINNINGS):
            return word
    return next((phrase for phrase in PROTECTED_PHRASES if f" {phrase} " in f" {' '.join(found)} "), None)


def identifies(name: str) -> bool:
    """Whether the name ends like that of an identifier.

    >>> identifies("loan_id"), identifies("number_of_loans")
    (True, False)
    """
    return bool(words(name)) and words(name)[-1] in IDENTIFYING


def resembles(name: str, target: str) -> bool:
    """Whether the name holds the words of the target's, side by side.

    >>> resembles("Default (date)", "default"), resembles("loan_history", "loan_risk")
    (True, False)
    """
    sought = words(target)
    return bool(sought) and f" {' '.join(sought)} " in f" {' '.join(words(name))} "
