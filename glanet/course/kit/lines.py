"""Printed lines that a notebook shows without scrolling sideways."""

from textwrap import wrap

WIDTH = 62  # characters


def short_lines(text, hang="") -> str:
    """``text``, or ``str(text)``, with its long lines cut at spaces to `WIDTH` characters.

    What continues a line is indented like it, and by ``hang`` more. A longer word stays whole.
    """
    short = []
    for line in str(text).splitlines():
        indent = line[: len(line) - len(line.lstrip())] + hang
        cut = wrap(
            line,
            WIDTH,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        short += cut if len(line) > WIDTH else [line]
    return "\n".join(short)
