"""Names and labels in any bytes, as text that can be written down."""

from __future__ import annotations

import codecs

AS_CP1252 = "shiftlens-cp1252"
"""Name of the way in which a text file's bytes that are not UTF-8 are read: as what Windows in the West wrote."""


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return decoded(error.object[error.start : error.end]), error.end


codecs.register_error(AS_CP1252, _as_cp1252)


def decoded(raw: bytes) -> str:
    """Bytes as text: UTF-8, or, where they are not, what Windows in the West wrote (cp1252, then Latin-1)."""
    for encoding in ("utf-8", "cp1252", "latin-1"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def readable(name: str) -> str:
    """A name without surrogates: those by which the file system tells bytes that are not UTF-8 become such text.

    Others, which stand for nothing, are written out, as ``\\ud800``, so that two names stay two.
    """
    try:
        name.encode("utf-8")
        return name
    except UnicodeEncodeError:
        pass
    try:
        return decoded(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return name.encode("utf-8", "backslashreplace").decode("utf-8")
