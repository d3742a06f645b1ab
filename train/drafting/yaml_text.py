"""The text of a draft: YAML that every parser reads as what it was made of, with comments, on lines of bounded width.

Owns quoting and layout. Leaves what is said to `train.drafting.describe` and `train.drafting.heading`.
"""

import re
import textwrap

WIDTH = 120  # characters per line, at which a long vocabulary is wrapped
COMMENT_COLUMN = 44  # character at which comments start, if there is room
YAML_WORDS = re.compile(r"null|true|false|yes|no|on|off|y|n", re.IGNORECASE)
NOT_A_NUMBER = re.compile(r"^[^\W\d_]|[g-np-wyz]", re.IGNORECASE)  # 0_to_200, but not 1_000, 1e3, 0x1f or 0o7


def quoted(text: str) -> str:
    r"""Text as one line of YAML that every parser reads as this text; quoted where necessary.

    >>> quoted("own flat"), quoted("no"), quoted("1e3"), quoted("a: b"), quoted(" "), quoted("x\ny")
    ('own flat', '"no"', '"1e3"', '"a: b"', '" "', '"x\\ny"')
    """
    harmless = re.fullmatch(r"[\w/](?:[\w ./()%+-]*[\w)%+])?", text) and text.isprintable()
    if harmless and not YAML_WORDS.fullmatch(text) and NOT_A_NUMBER.search(text):
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\U{ord(character):08x}")


def line_of(text: str, comment: str) -> str:
    """A line with a comment behind it, if there is one."""
    return f"{text.ljust(COMMENT_COLUMN)} # {comment}" if comment else text


def list_of(key: str, texts: list[str], note: str) -> list[str]:
    """A key and its list on one line, or wrapped over several; the note goes before or behind it."""
    indent = " " * (len(key) - len(key.lstrip()))
    one = f"{key} [{', '.join(texts)}]"
    fits = len(note) <= WIDTH - COMMENT_COLUMN - 3
    above = [f"{indent}# {line}" for line in textwrap.wrap(note, WIDTH - len(indent) - 2)]
    if len(one) <= WIDTH:
        return [*above, one]
    lines = [line_of(f"{key} [", note)] if fits else [*above, f"{key} ["]
    current = f"{indent} "
    for text in texts:
        if len(current) + len(text) + 2 > WIDTH and current.strip():
            lines.append(current)
            current = f"{indent} "
        current += f" {text},"
    return [*lines, current, f"{indent}]"]
