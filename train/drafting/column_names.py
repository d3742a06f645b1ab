"""What the name of a column suggests: a protected characteristic, an identifier, or the target itself.

Owns the word lists, in English. A name is only a hint, so everything derived from it is a proposal to review.
"""

import re

# Grounds of the Equal Credit Opportunity Act (15 U.S.C. 1691, Regulation B) and of Article 21 of the EU's Charter
# of Fundamental Rights. Words match whole words, prefixes match every word that starts with them.
PROTECTED_WORDS = {
    "age", "born", "caste", "colour", "color", "dob", "faith", "genes", "language", "national", "nationality", "race",
    "sex", "skin", "spouse", "tribe", "welfare",
}  # fmt: skip
PROTECTED_PREFIXES = (
    "birth", "citizen", "disab", "divorc", "ethnic", "foreign", "gender", "genetic", "handicap", "immigra", "indigen",
    "marital", "marri", "maternit", "migra", "minorit", "politic", "pregnan", "racial", "relig", "sexual",
)  # fmt: skip
PROTECTED_PHRASES = ("civil status", "family status", "mother tongue", "public assistance", "trade union")
# The age or colour of a thing is not a characteristic of a person.
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
    """The words of a column's name, in lower case.

    >>> words("applicantAge"), words("Date of_birth (ISO)")
    (['applicant', 'age'], ['date', 'of', 'birth', 'iso'])
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+", parted.casefold())


def protected(name: str) -> str | None:
    """The part of the name that suggests a protected characteristic, or None.

    >>> protected("Marital status"), protected("mileage"), protected("account_age")
    ('marital', None, None)
    """
    found = words(name)
    of_a_thing = not THINGS.isdisjoint(found)
    for word in found:
        if word in PROTECTED_WORDS and not (of_a_thing and word in OF_PERSONS_AND_THINGS):
            return word
        if word.startswith(PROTECTED_PREFIXES):
            return word
    return next((phrase for phrase in PROTECTED_PHRASES if f" {phrase} " in f" {' '.join(found)} "), None)


def identifies(name: str) -> bool:
    """Whether the last word of the name suggests an identifier.

    >>> identifies("loan_id"), identifies("number_of_loans")
    (True, False)
    """
    return bool(words(name)) and words(name)[-1] in IDENTIFYING


def resembles(name: str, target: str) -> bool:
    """Whether the name contains the words of the target's name, in sequence.

    >>> resembles("Default (date)", "default"), resembles("loan_history", "loan_risk")
    (True, False)
    """
    sought = words(target)
    return bool(sought) and f" {' '.join(sought)} " in f" {' '.join(words(name))} "
