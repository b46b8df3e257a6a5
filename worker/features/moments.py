"""Times in text, a column at a time: the usual forms of RFC 3339, exactly as reading them one by one gives; pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

_SECOND = 1_000_000
#: Where the fraction's digits end, by the length of the text; and whether it ends in an offset such as +02:00.
_FORMS = {20: (0, False), 24: (3, False), 27: (6, False), 25: (0, True), 29: (3, True), 32: (6, True)}
_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
_MARKS = ((4, "-"), (7, "-"), (10, "T "), (13, ":"), (16, ":"))
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def moments(cells: Sequence[str]) -> tuple[Ints, Bools]:
    """Return microseconds since 1970 of each text, and which were read; the others are for the parser of one."""
    times, read = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.bool_)
    joined = "".join(cells)
    if not joined.isascii():
        return times, read
    content = np.frombuffer(joined.encode("ascii"), np.uint8)
    lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    offsets = np.cumsum(lengths) - lengths
    for length, (fraction, offset) in _FORMS.items():
        rows = np.flatnonzero(lengths == length)
        if len(rows):
            whole = len(rows) == len(cells)
            text = content if whole else content[offsets[rows, None] + np.arange(length)]
            times[rows], read[rows] = _read(text.reshape(-1, length), fraction, offset=offset)
    return times, read


def _read(text: Bytes, fraction: int, *, offset: bool) -> tuple[Ints, Bools]:
    digits = (text - np.uint8(48)).T  # what is no digit is above 9
    places = [*_DIGITS, *range(20, 20 + fraction)]
    zone = 19 + (fraction + 1 if fraction else 0)
    marks = [*_MARKS, *([(19, ".")] if fraction else [])]
    if offset:
        places += [zone + 1, zone + 2, zone + 4, zone + 5]
        marks += [(zone, "+-"), (zone + 3, ":")]
    else:
        marks += [(zone, "Z")]
    good = np.ones(len(text), np.bool_)
    for place in places:
        good &= digits[place] <= 9
    for place, allowed in marks:
        good &= np.isin(text[:, place], np.frombuffer(allowed.encode(), np.uint8))
    year, month, day = (_number(digits, *span) for span in ((0, 4), (5, 7), (8, 10)))
    hour, minute, second = (_number(digits, *span) for span in ((11, 13), (14, 16), (17, 19)))
    good &= (year >= 2) & (year <= 9998) & (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59) & (second <= 59)
    leap = (month == 2) & (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    good &= (day >= 1) & (day <= _DAYS[np.minimum(month, 12)] + leap)
    times = _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    if offset:
        ahead_h, ahead_m = _number(digits, zone + 1, zone + 3), _number(digits, zone + 4, zone + 6)
        good &= (ahead_h <= 23) & (ahead_m <= 59)
        ahead = ahead_h * 3600 + ahead_m * 60
        times -= np.where(text[:, zone] == ord("-"), -ahead, ahead)
    times *= _SECOND
    if fraction:
        times += _number(digits, 20, 20 + fraction) * 10 ** (6 - fraction)
    return times, good


def _number(digits: Bytes, first: int, last: int) -> Ints:
    number: Ints = digits[first].astype(np.int64)
    for place in range(first + 1, last):
        number = number * 10 + digits[place]
    return number


def _days(year: Ints, month: Ints, day: Ints) -> Ints:
    """Return days since 1970: the civil calendar counted in eras of 400 years that begin in March."""
    year = year - (month <= 2)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days: Ints = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    return days
