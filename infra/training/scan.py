"""Lines of a training file, checked: quickly where an example is plain chat, thoroughly everywhere else.

The quick look proves that nothing is wrong: its types let nothing else through. What they refuse is looked at by
`examine`, which says what is wrong, or that nothing is. A test holds the two together.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from itertools import compress
from typing import Annotated, Any, Literal

import msgspec
import xxhash

from infra.training import examine, pieces, tokens
from infra.training.rules import Finding
from infra.training.shapes import Shape

BOM = b"\xef\xbb\xbf"
ROLES = {"system", "developer", "user", "assistant", "tool", "function", "prompt", "completion", "tools", "functions"}
"""Whose texts are counted apart; all others together, for there may be as many as lines."""
_REPEATED = {"system", "developer", "tools", "functions"}
"""Whose texts one example has from another."""
_MALFORMED = (msgspec.MsgspecError, ValueError, RecursionError)


class How(msgspec.Struct, frozen=True):
    """What is asked of every line."""

    shape: Shape
    encoding: str | None
    """Count tokens by this encoding; None: count characters."""
    keep: int
    """Findings told in full, a rule; the others are counted."""
    longest: int
    """A line of more bytes is not looked into."""


class Part(msgspec.Struct):
    """What was found in some lines. Lines are counted from 0 here."""

    lines: int = 0
    length: int = 0
    """Bytes."""
    at: bytes = b""
    """The line of every example, 4 bytes each; empty where every line holds one."""
    digests: bytes = b""
    """8 bytes an example: the same for two that say the same, however they are written."""
    broken: dict[str, int] = {}
    """Rule → how often."""
    findings: list[Finding] = []
    sizes: dict[int, int] = {}
    """Tokens (or characters) of an example → how many examples have as many."""
    roles: dict[str, tuple[int, int]] = {}
    """Role → texts, and their tokens (or characters)."""
    pictured: int = 0
    """Examples with images."""


# --- the quick look ------------------------------------------------------------------------------------------------

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _System(msgspec.Struct, tag_field="role", tag="system", forbid_unknown_fields=True, gc=False):
    content: _Text


class _Developer(msgspec.Struct, tag_field="role", tag="developer", forbid_unknown_fields=True, gc=False):
    content: _Text


class _User(msgspec.Struct, tag_field="role", tag="user", forbid_unknown_fields=True, gc=False):
    content: _Text


class _Assistant(msgspec.Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True, gc=False):
    content: _Text
    weight: Literal[1] = 1


class _Chat(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    messages: Annotated[list[_System | _Developer | _User | _Assistant], msgspec.Meta(min_length=1)]


_PLAIN: dict[type, str] = {_System: "system", _Developer: "developer", _User: "user", _Assistant: "assistant"}
_decode = msgspec.json.Decoder(_Chat).decode
_pack = msgspec.msgpack.Encoder()


def work(piece: pieces.Piece, how: How) -> Part:
    """Check the lines of a piece. Raises OSError where the file is gone."""
    scanner = Scanner(how)
    for block in pieces.read_in_steps(piece, how.longest):
        if isinstance(block, int):
            scanner.too_long(block)
        else:
            scanner.take(block, ends_file=piece.last)
    return scanner.part()


class Scanner:
    """Takes blocks of whole lines, and tells of all of them together."""

    def __init__(self, how: How) -> None:
        """Nothing seen yet."""
        self._how = how
        self._quick = how.shape == "chat"
        self._measure: Callable[[str], int] = (tokens.counter(how.encoding) if how.encoding else None) or len
        self._around = (tokens.MESSAGE, tokens.EXAMPLE) if how.encoding else (0, 0)
        self._lines = self._length = self._pictured = 0
        self._skipped = array("I")
        self._digests = array("Q")
        self._sizes: list[int] = []
        self._plain: dict[type, list[int]] = {kind: [] for kind in _PLAIN}
        self._repeated: dict[str, int] = {}
        self._others: dict[str, list[int]] = {}
        self._broken: Counter[str] = Counter()
        self._findings: list[Finding] = []

    def take(self, block: bytes, *, ends_file: bool) -> None:
        """Check the lines of a block."""
        self._repeated.clear()  # so it holds no more than a block does
        self._length += len(block)
        lines = block.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
            ends_file = False
        if b"\r" in block:
            self._line_ends(lines)
        self._check(lines, unfinished=ends_file)
        self._lines += len(lines)

    def too_long(self, length: int) -> None:
        """A line that is not looked into."""
        self._say(self._lines, "line-too-long", f"{length:,} bytes, more than {self._how.longest:,}")
        self._skipped.append(self._lines)
        self._lines += 1
        self._length += length

    def part(self) -> Part:
        """All that was found."""
        roles = {_PLAIN[kind]: (len(sizes), sum(sizes)) for kind, sizes in self._plain.items() if sizes}
        for role, sizes in self._others.items():
            texts, size = roles.get(role, (0, 0))
            roles[role] = texts + len(sizes), size + sum(sizes)
        return Part(
            lines=self._lines,
            length=self._length,
            at=self._at().tobytes() if self._skipped else b"",
            digests=self._digests.tobytes(),
            broken=dict(+self._broken),
            findings=self._findings,
            sizes=dict(Counter(self._sizes)),
            roles=roles,
            pictured=self._pictured,
        )

    def _at(self) -> array[int]:
        """The lines that hold an example."""
        holds = bytearray(b"\1") * self._lines
        for line in self._skipped:
            holds[line] = 0
        return array("I", compress(range(self._lines), holds))

    def _check(self, lines: list[bytes], *, unfinished: bool) -> None:
        """The loop that everything waits for: names are local, and nothing is done twice."""
        measure, quick, decode, assistant = self._measure, self._quick, _decode, _Assistant
        digest, tell, size_of = xxhash.xxh3_64_intdigest, self._digests.append, self._sizes.append
        pack, packed = _pack.encode_into, bytearray()
        per_message, per_example = self._around
        add = {kind: sizes.append for kind, sizes in self._plain.items()}
        once, blank = self._once, list[int]()
        for number, line in enumerate(lines):
            if not line:
                blank.append(self._lines + number)
                continue
            if quick:
                try:
                    messages = decode(line).messages
                except _MALFORMED:
                    self._thorough(line, number, unfinished=unfinished and number == len(lines) - 1)
                    continue
                if messages[-1].__class__ is assistant:
                    pack(messages, packed)
                    tell(digest(packed))
                    opening = messages.pop(0)
                    size = once(opening.content)
                    add[opening.__class__](size)
                    total = per_example + per_message + size
                    for message in messages:
                        size = measure(message.content)
                        add[message.__class__](size)
                        total += size + per_message
                    size_of(total)
                    continue
            self._thorough(line, number, unfinished=unfinished and number == len(lines) - 1)
        for at in blank[: self._how.keep]:
            self._say(at, "blank-line", "is empty")
        self._broken["blank-line"] += len(blank[self._how.keep :])
        self._skipped.extend(blank)

    def _once(self, text: str) -> int:
        """The size of a text that examples of a block may share; texts that are not shared cost a little more so."""
        size = self._repeated.get(text)
        if size is None:
            size = self._repeated[text] = self._measure(text)
        return size

    # --- the thorough look -----------------------------------------------------------------------------------------

    def _thorough(self, line: bytes, number: int, *, unfinished: bool) -> None:
        at, digest = self._lines + number, None
        while line.startswith(BOM):
            self._say(at, "stray-bom", "a byte-order mark")
            line = line[3:]
            digest = _digest(line) if self._quick else None  # it may say what a line without a mark says
        example = self._object(line, at, unfinished=unfinished)
        if example is None:
            self._skipped.append(at)
            return
        try:
            self._look(example, at, digest)
        except RecursionError:
            self._say(at, "too-deep", "objects within objects, too many to follow")
            self._skipped.append(at)

    def _look(self, example: dict[str, Any], at: int, digest: int | None) -> None:
        if digest is None:
            digest = xxhash.xxh3_64_intdigest(msgspec.json.encode(example, order="sorted"))
        broken, texts = list(examine.broken(example, self._how.shape)), list(examine.texts(example))
        for rule, text in broken:
            self._say(at, rule, text)
        self._digests.append(digest)
        self._pictured += examine.images(example) > 0
        per_message, size = self._around
        for role, text in texts:
            found = self._once(text) if role in _REPEATED else self._measure(text)
            self._others.setdefault(role if role in ROLES else "?", []).append(found)
            size += found + per_message
        self._sizes.append(size)

    def _object(self, line: bytes, at: int, *, unfinished: bool) -> dict[str, Any] | None:
        """The object that a line holds; None, and said why, where it holds none."""
        if not line or line.isspace():  # empty: it was nothing but a mark
            self._say(at, "blank-line", "nothing but white space" if line else "is empty")
            return None
        try:
            found = msgspec.json.decode(line)
        except RecursionError:
            self._say(at, "too-deep", "objects within objects, too many to follow")
            return None
        except (msgspec.MsgspecError, ValueError) as error:
            self._say(at, *_malformed(line, error, unfinished=unfinished))
            return None
        if not isinstance(found, dict):
            self._say(at, "object", f"is {examine.kind_of(found)}")
            return None
        return found

    def _line_ends(self, lines: list[bytes]) -> None:
        for number, line in enumerate(lines):
            if line.endswith(b"\r"):
                self._say(self._lines + number, "line-ends", "ends with carriage return and line feed")

    def _say(self, at: int, rule: str, text: str) -> None:
        self._broken[rule] += 1
        if self._broken[rule] <= self._how.keep:
            self._findings.append(Finding(at, rule, text))


def _digest(line: bytes) -> int | None:
    """The digest that the quick look gives a line; None for a line that it lets not through."""
    try:
        messages = _decode(line).messages
    except _MALFORMED:
        return None
    return xxhash.xxh3_64_intdigest(_pack.encode(messages)) if messages[-1].__class__ is _Assistant else None


def _malformed(line: bytes, error: Exception, *, unfinished: bool) -> tuple[str, str]:
    """Which rule a line breaks that is no JSON, and how."""
    if unfinished:
        return "truncated", f"the file ends in the middle of an example, {len(line):,} bytes into the line"
    if b"\0" in line:
        return "nul", f"a NUL at byte {line.index(0) + 1:,}; {line.count(0):,} in all"
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        return "utf-8", f"byte {wrong.start + 1:,} is 0x{line[wrong.start]:02x}: {wrong.reason}"
    return "json", f"is no JSON: {str(error).removeprefix('JSON is malformed: ')}"
