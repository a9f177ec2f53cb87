"""Whether a chain is as it was recorded: every digest recomputed, every signature checked, heads kept elsewhere found.

What a chain can show by itself is damage. Somebody who can write all of it can also compute all of it anew, and sign
it, if the key lies beside it: against that there are only heads that were taken away earlier, which is why they are
asked for. An examiner keeps nothing but where it stands, however long the chain is.
"""

from collections.abc import Iterable

import msgspec

from cardd.base.signing import Verify
from cardd.journal import chain
from cardd.journal.heads import Head, Place


class Alteration(Exception):  # noqa: N818 - what was found, not a fault of this program
    """Something that is not as it was recorded: a code, a sentence, and the event where it shows."""

    def __init__(self, code: str, detail: str, sequence: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.sequence = sequence


class Problem(msgspec.Struct, frozen=True):
    """The first thing that is wrong."""

    code: str
    detail: str
    sequence: int | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an examination came to. `head` is the place up to which all is well.

    `agreed` are the heads kept elsewhere that were found, `unchecked` those that lie before what there is to examine.
    """

    whole: bool
    stream: str | None
    first: int | None
    last: int
    events: int
    heads: int
    signed: int
    keys: list[str]
    head: str | None
    agreed: list[str]
    unchecked: list[str]
    problem: Problem | None


class _Sequence(msgspec.Struct):
    sequence: int


_decode_sequence = msgspec.json.Decoder(_Sequence).decode


class _Known(msgspec.Struct):
    """Heads that were kept elsewhere, by sequence; those that agree are moved over."""

    waiting: dict[int, set[Place]] = msgspec.field(default_factory=dict)
    agreed: list[Place] = msgspec.field(default_factory=list)


class Examiner:
    """Takes a chain piece by piece. Every method that finds something wrong raises Alteration."""

    def __init__(self, verify: Verify, *, heads: Iterable[Place] = (), keys: Iterable[str] = ()) -> None:
        """Hold the chain against heads kept elsewhere; with `keys` (`ALGORITHM:HEX`) no other may have signed."""
        self._verify = verify
        self._known = _Known()
        for head in heads:
            self._known.waiting.setdefault(head.sequence, set()).add(head)
        self._allowed = frozenset(keys)
        self._stream: str | None = None
        self._first: int | None = None
        self._last = 0
        self._digest = b""
        self._events = 0
        self._heads = 0
        self._signed = 0
        self._keys: dict[str, None] = {}
        self._ended = False
        self._problem: Problem | None = None

    def begin(self, place: Place) -> None:
        """Begin, or go on after, a piece that was examined before."""
        if self._stream is None:
            if place.sequence == 0 and place.digest != chain.genesis(place.stream).hex():
                raise Alteration("digest", "this is not how a stream begins", 0)
            self._stream, self._first, self._last = place.stream, None, place.sequence
            self._digest = bytes.fromhex(place.digest)
            self._compare()
            return
        if (place.stream, place.sequence, place.digest) != (self._stream, self._last, self._digest.hex()):
            raise Alteration("gap", "a piece does not begin where the one before it ends", place.sequence)
        self._ended = False

    def event(self, public: bytes, sealed_digest: bytes, digest: bytes, *, intact: bool = True) -> None:
        """Take the next event; `intact` says that its sealed bytes, where they are at hand, fit their digest."""
        expected = self._last + 1
        if self._stream is None:
            raise Alteration("form", "events before it is said where they belong")
        if _sequence(public) != expected:
            raise Alteration("gap", f"event {expected} is missing or another one stands in its place", expected)
        if not intact:
            raise Alteration("sealed", f"the sealed part of event {expected} was changed", expected)
        if chain.link(self._digest, public, sealed_digest) != digest:
            raise Alteration("digest", f"event {expected} or its digest was changed", expected)
        self._last, self._digest = expected, digest
        self._first = expected if self._first is None else self._first
        self._events += 1
        self._compare()

    def head(self, head: Head) -> None:
        """Take a signed head of the place that was just reached."""
        if (head.stream, head.sequence, head.digest) != (self._stream, self._last, self._digest.hex()):
            raise Alteration("head", "a signed head is not of the chain that it stands in", head.sequence)
        if not head.vouched(self._verify):
            raise Alteration("signature", f"the signature of the head of event {head.sequence} is wrong", head.sequence)
        key = f"{head.algorithm}:{head.key}"
        if self._allowed and key not in self._allowed:
            raise Alteration("key", f"the head of event {head.sequence} is signed with another key", head.sequence)
        self._keys[key] = None
        self._heads += 1
        self._signed = head.sequence

    def end(self, place: Place) -> None:
        """Take the end that an export names."""
        if (place.stream, place.sequence, place.digest) != (self._stream, self._last, self._digest.hex()):
            raise Alteration("cut", "this does not end where its last line says", place.sequence)
        self._ended = True

    def finish(self) -> None:
        """Say that nothing follows."""
        if self._stream is None:
            raise Alteration("form", "there is nothing to examine")
        if not self._ended:
            raise Alteration("cut", "the last line is missing: this is not all of an export", self._last + 1)
        for place in self._outside():
            if place.stream != self._stream:
                raise Alteration("stream", f"the head {place} is of another stream", None)
            if place.sequence > self._last:
                raise Alteration(
                    "cut", f"this ends before event {place.sequence}, of which a head was kept", self._last
                )
        if self._outside() and not self._known.agreed:
            raise Alteration("unchecked", "none of the heads kept elsewhere lies in what there is to examine", None)
        if self._allowed and not self._heads:
            raise Alteration("unsigned", "nothing here is signed", None)

    def note(self, found: Alteration) -> None:
        """Keep what was found for the report."""
        self._problem = Problem(found.code, found.detail, found.sequence)

    def report(self) -> Report:
        """Return what came of it."""
        return Report(
            whole=self._problem is None,
            stream=self._stream,
            first=self._first,
            last=self._last,
            events=self._events,
            heads=self._heads,
            signed=self._signed,
            keys=list(self._keys),
            head=None if self._stream is None else f"{self._stream}:{self._last}:{self._digest.hex()}",
            agreed=[str(place) for place in self._known.agreed],
            unchecked=[str(place) for place in self._outside()],
            problem=self._problem,
        )

    def _compare(self) -> None:
        for place in self._known.waiting.pop(self._last, ()):
            if (place.stream, place.digest) != (self._stream, self._digest.hex()):
                raise Alteration(
                    "head", f"up to event {self._last} this is not what the head kept elsewhere says", self._last
                )
            self._known.agreed.append(place)

    def _outside(self) -> list[Place]:
        return [place for _, places in sorted(self._known.waiting.items()) for place in places]


def _sequence(public: bytes) -> int | None:
    try:
        return _decode_sequence(public).sequence
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
