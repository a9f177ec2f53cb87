"""One row a figure: its name, its labels, what it tells. docs/metrics.md is made of these."""

import itertools
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.journal.reserve import Space
from cardd.readers.facts import ReaderState
from cardd.wire.activation import Outcome, Route


class Kind(StrEnum):
    """How a figure moves: a counter only grows, a gauge is what is so now, a histogram counts times by length."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Row(Struct, frozen=True):
    """A figure. `known` are label values that are shown before anything was counted; `bounds` are seconds."""

    name: str
    kind: Kind
    tells: str
    labels: tuple[str, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def sample(self) -> str:
        """Return the name as it stands in the text."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


_ENDS: Final = (*Outcome, "refused", "cancelled", "expired")
_CARD_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DISK_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_CENTRE_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
_PERSON_S: Final = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)

_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM


def _each(*values: tuple[str, ...] | type[StrEnum]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(map(str, one)) for one in itertools.product(*values))


INFO: Final = Row("cardd_build_info", _GAUGE, "always 1; which cardd this is", ("version", "python"))
EVENTS: Final = Row("cardd_events", _COUNTER, "events recorded since the start", ("type",))
READERS: Final = Row("cardd_readers", _GAUGE, "readers that are there", ("station", "role", "state"))
PCSC_UP: Final = Row("cardd_pcsc_up", _GAUGE, "1 while the smart-card service serves, 0 while it is away or refuses")
PCSC_OUTAGES: Final = Row("cardd_pcsc_outages", _COUNTER, "how often the smart-card service went away", ("reason",))
PCSC_RESTARTS: Final = Row("cardd_pcsc_restarts", _COUNTER, "how often it came back")
INSERTED: Final = Row("cardd_cards_inserted", _COUNTER, "cards put in, security modules among them", ("role",))
IDENTIFIED: Final = Row(
    "cardd_cards_identified",
    _COUNTER,
    "cards of which it is known what they are; one that is judged again counts again",
    ("kind", "generation", "authentic"),
)
REJECTED: Final = Row("cardd_cards_rejected", _COUNTER, "cards that cannot be used", ("reason",))
REMOVED: Final = Row("cardd_cards_removed", _COUNTER, "insertions that are over, by their cause", ("cause",))
IDENTIFICATION_S: Final = Row(
    "cardd_identification_seconds",
    _HISTOGRAM,
    "from a card's insertion on record to what it is, or why it cannot be used",
    bounds=_CARD_S,
)
READS: Final = Row(
    "cardd_reads", _COUNTER, "cards that were read for clients: `read`, or why not", ("outcome",), (("read",),)
)
READ_S: Final = Row(
    "cardd_read_seconds",
    _HISTOGRAM,
    "reading a card for a client, from when it is there; those that succeeded",
    bounds=_CARD_S,
)
STARTED: Final = Row("cardd_activations_started", _COUNTER, "activations begun", ("route",), _each(Route))
ENDED: Final = Row(
    "cardd_activations_ended",
    _COUNTER,
    "activations that ended, and how",
    ("route", "outcome"),
    _each(Route, _ENDS),
)
REFUSED: Final = Row("cardd_activations_refused", _COUNTER, "refused activations by reason", ("route", "reason"))
IN_DOUBT: Final = Row("cardd_activations_in_doubt", _COUNTER, "how often the centre did not answer to an activation")
RESUMED: Final = Row("cardd_activations_resumed", _COUNTER, "activations that a start of the daemon went on with")
OPEN: Final = Row("cardd_activations_open", _GAUGE, "activations that have not ended")
ACTIVATION_S: Final = Row(
    "cardd_activation_seconds",
    _HISTOGRAM,
    "from an activation's start to its end, people included; not of those that a restart came into",
    ("route",),
    _each(Route),
    _PERSON_S,
)
AUTHORITY_S: Final = Row(
    "cardd_authority_seconds",
    _HISTOGRAM,
    "a question to the authority; outcome `answered`, or why it was not",
    ("question", "outcome"),
    bounds=_CENTRE_S,
)
AUTHORITY_UP: Final = Row(
    "cardd_authority_up", _GAUGE, "1 if the last question to the authority was answered; absent before the first"
)
MONEY: Final = Row("cardd_account_moves", _COUNTER, "debits and loads that ended, and how", ("type", "outcome"))
COMMIT_S: Final = Row(
    "cardd_journal_commit_seconds", _HISTOGRAM, "one commit of the journal, flush of the disk included", bounds=_DISK_S
)
SEQUENCE: Final = Row("cardd_journal_sequence", _GAUGE, "the newest event's sequence")
EVICTED: Final = Row("cardd_journal_evicted_sequence", _GAUGE, "the newest event's sequence that retention took away")
JOURNAL_BYTES: Final = Row("cardd_journal_bytes", _GAUGE, "the journal on the disk")
FREE_BYTES: Final = Row("cardd_journal_free_bytes", _GAUGE, "what is free on its disk")
SPACE: Final = Row(
    "cardd_journal_space",
    _GAUGE,
    "1 for how much room there is: ample; tight, and nothing new begins; closing, only what is open is recorded",
    ("space",),
    _each(Space),
)
STOPPED: Final = Row(
    "cardd_stopped_keys", _GAUGE, "keys that a card refused, used no more until an operator clears them", ("station",)
)
CLIENTS: Final = Row("cardd_clients", _GAUGE, "clients that are connected")
DENIED: Final = Row("cardd_denied", _COUNTER, "requests for want of a right; told once a minute", ("right",))
REFUSALS: Final = Row("cardd_refusals", _COUNTER, "requests on the socket that were refused", ("method", "reason"))
DISCLOSED: Final = Row("cardd_disclosures", _COUNTER, "answers and events with whole personal data", ("method",))
BEGAN: Final = Row("process_start_time_seconds", _GAUGE, "when the daemon began, in seconds since 1970")
CPU: Final = Row("process_cpu_seconds", _COUNTER, "processor time used")
MEMORY: Final = Row("process_resident_memory_bytes", _GAUGE, "resident memory")
FILES: Final = Row("process_open_fds", _GAUGE, "open files and connections")

_ROWS: Final = (
    INFO,
    EVENTS,
    READERS,
    PCSC_UP,
    PCSC_OUTAGES,
    PCSC_RESTARTS,
    INSERTED,
    IDENTIFIED,
    REJECTED,
    REMOVED,
    IDENTIFICATION_S,
    READS,
    READ_S,
    STARTED,
    ENDED,
    REFUSED,
    IN_DOUBT,
    RESUMED,
    OPEN,
    ACTIVATION_S,
    AUTHORITY_S,
    AUTHORITY_UP,
    MONEY,
    COMMIT_S,
    SEQUENCE,
    EVICTED,
    JOURNAL_BYTES,
    FREE_BYTES,
    SPACE,
    STOPPED,
    CLIENTS,
    DENIED,
    REFUSALS,
    DISCLOSED,
    BEGAN,
    CPU,
    MEMORY,
    FILES,
)

ROWS: Final = MappingProxyType({row.name: row for row in _ROWS})
"""Every figure there is, in the order of the text."""

READER_STATES: Final = tuple(map(str, ReaderState))
