"""Order: a spelling of numbers in digits and letters that sorts, byte by byte, as the numbers do.

A sign (`0` negative, `1` zero, `2` positive), the size of the exponent in three digits, the significant digits. Those
of negative numbers count down, and end with a letter above all digits.
"""

from __future__ import annotations

from decimal import Decimal

_ZERO = "1"
_MIDDLE = 500
_DOWN = str.maketrans("0123456789", "9876543210")


def ordered_number(text: str) -> str:
    """Spell a number, given as its JSON text, in the order of numbers; equal numbers have one spelling.

    Raises:
        ArithmeticError: The text is not a number's.
        ValueError: It is infinite, or not a number by name.
    """
    whole, point, fraction = text.partition(".")
    if whole.isdecimal() and whole[0] != "0" and (fraction.isdecimal() or not point):
        # Most numbers; the general way below takes ten times as long.
        return f"2{_MIDDLE + len(whole):03}{(whole + fraction).rstrip('0')}"
    sign, digits, exponent = Decimal(text).as_tuple()
    if not isinstance(exponent, int):
        msg = f"{text} is no number"
        raise ValueError(msg)  # noqa: TRY004 - the type is right, the value is not
    significant = "".join(map(str, digits)).lstrip("0")
    if not significant:
        return _ZERO
    size = len(significant) + exponent
    significant = significant.rstrip("0")
    if sign:
        return f"0{_MIDDLE - size:03}{significant.translate(_DOWN)}z"
    return f"2{_MIDDLE + size:03}{significant}"


def read_ordered(spelled: str) -> Decimal:
    """Give the number back, with every digit."""
    if spelled == _ZERO:
        return Decimal(0)
    negative = spelled[0] == "0"
    size, digits = int(spelled[1:4]) - _MIDDLE, spelled[4:]
    if negative:
        size, digits = -size, digits[:-1].translate(_DOWN)
    return Decimal((int(negative), tuple(map(int, digits)), size - len(digits)))
