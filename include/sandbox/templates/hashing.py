"""The hashes of the template language: `uniqueString`, `guid`, and a template's `templateHash`.

They are the documented kinds (a 64-bit Murmur hash written in 13 base-32 digits; a name-based GUID in ARM's own namespace), so that the
same arguments always give the same name.
"""

from __future__ import annotations

from uuid import UUID, uuid5

import msgspec

from ..wire import Json

GUIDS = UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_ALL = 0xFFFFFFFF
_ONE, _TWO = 0x239B961B, 0xAB0E9789


def murmur(data: bytes) -> int:
    """Murmur3's mixing over two lanes of 32 bits."""
    first = second = 0
    whole = len(data) - len(data) % 8
    for at in range(0, whole, 8):
        first ^= _mix(int.from_bytes(data[at : at + 4], "little"), _ONE, _TWO, 15)
        first = ((_turn(first, 19) + second) * 5 + 0x561CCD1B) & _ALL
        second ^= _mix(int.from_bytes(data[at + 4 : at + 8], "little"), _TWO, _ONE, 17)
        second = ((_turn(second, 13) + first) * 5 + 0x0BCAA747) & _ALL
    tail = data[whole:]
    if tail:
        first ^= _mix(int.from_bytes(tail[:4], "little"), _ONE, _TWO, 15)
    if len(tail) > 4:
        second ^= _mix(int.from_bytes(tail[4:], "little"), _TWO, _ONE, 17)
    first ^= len(data)
    second ^= len(data)
    first = (first + second) & _ALL
    second = (second + first) & _ALL
    first, second = _spread(first), _spread(second)
    first = (first + second) & _ALL
    second = (second + first) & _ALL
    return second << 32 | first


def _turn(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & _ALL


def _mix(value: int, before: int, after: int, bits: int) -> int:
    return _turn(value * before & _ALL, bits) * after & _ALL


def _spread(value: int) -> int:
    value ^= value >> 16
    value = value * 0x85EBCA6B & _ALL
    value ^= value >> 13
    value = value * 0xC2B2AE35 & _ALL
    return value ^ value >> 16


def unique_string(*parts: str) -> str:
    """13 letters and digits that follow from `parts`."""
    value = murmur("-".join(parts).encode())
    return "".join(_DIGITS[value << 5 * place >> 59 & 31] for place in range(13))


def name_guid(*parts: str) -> str:
    return str(uuid5(GUIDS, "-".join(parts)))


def template_hash(template: Json) -> str:
    return str(murmur(msgspec.json.encode(template)))
