"""Identifiers with valid check digits, made from a serial number: the same serial gives the same identifier.

Rules: the VAT number syntax of the EU's VIES, HMRC's modulus 97, ISO 17442 (LEI), the national registers' pages.
"""

from collections.abc import Callable, Iterable
from datetime import date

SPREAD = 982_451_653  # prime, so different serials below a span stay different
EIN_PREFIXES = (1, 4, 11, 16, 20, 26, 27, 30, 33, 36, 39, 41, 45, 46, 47, 52, 54, 58, 61, 65, 71, 75, 81, 84, 86, 91)
DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def scatter(serial: int, low: int, high: int) -> int:
    """A number in [low, high) that looks random; different for different serials below ``high - low``."""
    return low + (serial * SPREAD + 3_141_593) % (high - low)


def weighted(digits: str, weights: Iterable[int]) -> int:
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False))


def luhn(digits: str) -> str:
    """The Luhn check digit to be put behind ``digits``."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - position % 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def with_check(body: int, width: int, check: Callable[[str], int]) -> str:
    """``body`` and its check digit; bodies whose check would be 10 are not issued, so the next one is taken."""
    while True:
        digits = f"{body:0{width}d}"
        digit = check(digits)
        if digit < 10:
            return f"{digits}{digit}"
        body = (body + 1) % 10**width


def siren(serial: int) -> str:
    digits = str(scatter(serial, 30_000_000, 90_000_000))
    return digits + luhn(digits)


def bsn(serial: int) -> str:
    """Dutch nine digits that pass the eleven test."""
    return with_check(scatter(serial, 10_000_000, 90_000_000), 8, lambda d: weighted(d, range(9, 1, -1)) % 11)


def orgnr(serial: int) -> str:
    digits = str(scatter(serial, 556_000_000, 560_000_000))
    return digits + luhn(digits)


def regon(serial: int) -> str:
    digits = f"{scatter(serial, 1_000_000, 99_000_000):08d}"
    return f"{digits}{weighted(digits, (8, 9, 2, 3, 4, 5, 6, 7)) % 11 % 10}"


def _de(serial: int) -> str:
    digits = str(scatter(serial, 10_000_000, 100_000_000))
    product = 10
    for digit in digits:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return f"DE{digits}{(11 - product) % 10}"


def _fr(serial: int) -> str:
    number = siren(serial)
    return f"FR{int(number + '12') % 97:02d}{number}"


def _gb(serial: int) -> str:
    digits = str(scatter(serial, 1_000_000, 10_000_000))
    return f"GB{digits}{97 - weighted(digits, range(8, 1, -1)) % 97:02d}"


def _es(serial: int) -> str:
    digits = f"{scatter(serial, 0, 10_000_000):07d}"
    return f"ES{'AB'[serial % 2]}{digits}{luhn(digits)}"


def _it(serial: int) -> str:
    digits = f"{scatter(serial, 1, 10_000_000):07d}{1 + serial % 99:03d}"
    return f"IT{digits}{luhn(digits)}"


def _pl(serial: int) -> str:
    body = scatter(serial, 100_000_000, 999_000_000)
    return "PL" + with_check(body, 9, lambda d: weighted(d, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11)


def _nl(serial: int) -> str:
    return f"NL{bsn(serial)}B{1 + serial % 3:02d}"


def _se(serial: int) -> str:
    return f"SE{orgnr(serial)}01"


def _us(serial: int) -> str:
    return f"{EIN_PREFIXES[serial % len(EIN_PREFIXES)]:02d}-{scatter(serial, 0, 10_000_000):07d}"


def _gr(serial: int) -> str:
    digits = f"{scatter(serial, 0, 100_000_000):08d}"
    return f"EL{digits}{weighted(digits, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10}"


def _bg(serial: int) -> str:
    digits = str(scatter(serial, 10_000_000, 100_000_000))
    check = weighted(digits, range(1, 9)) % 11
    if check == 10:
        check = weighted(digits, range(3, 11)) % 11
    return f"BG{digits}{check % 10}"


def _jp(serial: int) -> str:
    digits = f"{scatter(serial, 10_000_000_000, 100_000_000_000):012d}"
    return f"{9 - weighted(digits[::-1], (1, 2) * 6) % 9}{digits}"


def _eg(serial: int) -> str:
    return str(scatter(serial, 100_000_000, 1_000_000_000))  # nine digits, no check digit is published


TAX_ID: dict[str, Callable[[int], str]] = {
    "US": _us, "GB": _gb, "DE": _de, "FR": _fr, "ES": _es, "IT": _it, "PL": _pl, "NL": _nl, "SE": _se,
    "GR": _gr, "BG": _bg, "JP": _jp, "EG": _eg,
}  # fmt: skip


def _pesel(serial: int, birth: date, odd: int) -> str:
    month = birth.month + (20 if birth.year >= 2000 else 0)
    sex = 2 * (serial % 5) + odd
    digits = f"{birth.year % 100:02d}{month:02d}{birth.day:02d}{scatter(serial, 0, 1000):03d}{sex}"
    return f"{digits}{-weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10}"


def _personnummer(serial: int, birth: date, odd: int) -> str:
    number = 2 * scatter(serial, 0, 499) + odd
    digits = f"{birth:%Y%m%d}{number:03d}"
    return f"{digits[:8]}-{digits[8:]}{luhn(digits[2:])}"


def _nir(serial: int, birth: date, odd: int) -> str:
    commune, order = scatter(serial, 1, 990), scatter(serial, 1, 999)
    digits = f"{2 - odd}{birth.year % 100:02d}{birth.month:02d}{21 + serial % 70}{commune:03d}{order:03d}"
    return f"{digits}{97 - int(digits) % 97:02d}"


def _dni(serial: int, _birth: date, _odd: int) -> str:
    number = scatter(serial, 10_000_000, 80_000_000)
    return f"{number}{DNI_LETTERS[number % 23]}"


def _bsn(serial: int, _birth: date, _odd: int) -> str:
    return bsn(serial)


# Arguments: serial, birth date, 1 for a man and 0 for a woman (most schemes code it as an odd or even digit).
NATIONAL_ID: dict[str, Callable[[int, date, int], str]] = {
    "PL": _pesel, "SE": _personnummer, "FR": _nir, "ES": _dni, "NL": _bsn,
}  # fmt: skip

REGISTRATION: dict[str, Callable[[int], str]] = {
    "GB": lambda serial: f"{scatter(serial, 1_000_000, 16_000_000):08d}",
    "DE": lambda serial: f"HRB {scatter(serial, 10_000, 9_999_999)}",
    "FR": siren,
    "NL": lambda serial: str(scatter(serial, 10_000_000, 99_000_000)),
    "SE": lambda serial: f"{orgnr(serial)[:6]}-{orgnr(serial)[6:]}",
    "PL": regon,
    "JP": _jp,
}


def lei(serial: int) -> str:
    """A Legal Entity Identifier of an issuer that does not exist (prefix 9999)."""
    body = f"999900{scatter(serial, 0, 10**12):012d}"
    return f"{body}{98 - int(body + '00') % 97:02d}"


def duns(serial: int) -> str:
    return str(scatter(serial + 17_171_717, 100_000_000, 999_000_000))
