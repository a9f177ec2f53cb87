"""Events as they leave: CloudEvents 1.0, structured JSON, with sentences in both languages."""

from collections.abc import Mapping
from typing import Final

import msgspec

from cardd.base.errors import CarddError
from cardd.base.sealing import Sealer
from cardd.base.texts import render
from cardd.journal.encoding import decode_mapping
from cardd.journal.events import Json, Lost, StoredEvent, why_lost

_SEQUENCE_DIGITS: Final = 20

_encode = msgspec.json.encode


class _CloudEvent(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The envelope; names as CloudEvents has them, extensions in lower case without separators."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    datacontenttype: str
    data: msgspec.Raw
    sequence: str
    correlationid: str | None = None
    insertion: str | None = None
    personal: Lost | None = None


class Delivery:
    """Renders stored events for subscribers. Safe on any thread."""

    def __init__(self, sealer: Sealer, source: str) -> None:
        """`source` names this machine's daemon in every event (a URI reference, such as `/cardd/counter-7`)."""
        self._sealer = sealer
        self._source = source

    def event(self, stored: StoredEvent, *, personal: bool) -> bytes:
        """Return the event as one JSON object.

        With `personal` the whole values replace their masks; an event whose personal data were erased, or do not open
        with the key of today, stays masked and says so: `"personal": "erased"` or `"unreadable"`.
        """
        data = stored.data
        lost: Lost | None = None
        if personal and stored.sealed is not None:
            whole = self._open(stored, stored.sealed)
            if whole is None:
                lost = why_lost(stored.sealed)
            else:
                data = _encode(_merged(decode_mapping(data), whole))
        return self._envelope(stored, _with_sentences(data), lost)

    def _open(self, stored: StoredEvent, sealed: bytes) -> dict[str, Json] | None:
        try:
            return decode_mapping(self._sealer.open(sealed, stored.id.encode()))
        except CarddError:
            return None

    def _envelope(self, stored: StoredEvent, data: bytes, personal: Lost | None) -> bytes:
        return _encode(
            _CloudEvent(
                specversion="1.0",
                id=stored.id,
                source=self._source,
                type=f"org.cardd.{stored.type}.v1",
                time=stored.time,
                subject=stored.subject,
                datacontenttype="application/json",
                data=msgspec.Raw(data),
                sequence=f"{stored.sequence:0{_SEQUENCE_DIGITS}}",
                correlationid=stored.correlation,
                insertion=stored.insertion,
                personal=personal,
            )
        )


def _merged(masked: Mapping[str, Json], whole: Mapping[str, Json]) -> dict[str, Json]:
    """Lay the whole values over the masked ones, object by object; a list is replaced as one."""
    out = dict(masked)
    for key, value in whole.items():
        below = out.get(key)
        out[key] = _merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return out


def _with_sentences(data: bytes) -> bytes:
    # most events hold no sentence: they leave as they were stored
    return _encode(_rendered(decode_mapping(data))) if b'"text"' in data else data


def _rendered(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _sentence(item) if key == "text" else _rendered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rendered(item) for item in value]
    return value


def _sentence(value: Json) -> Json:
    """Turn `{"code": …, "args": {…}}` into `{"en": …, "zh-CN": …}`; leave any other text as it is."""
    if not isinstance(value, Mapping):
        return value
    code, args = value.get("code"), value.get("args")
    if not isinstance(code, str):
        return _rendered(value)
    return dict(render(code, args if isinstance(args, Mapping) else None))
