"""The one exception that crosses floors."""

from collections.abc import Mapping
from typing import Self

from cardd.base.reasons import REASONS, Reason
from cardd.base.texts import render

Fact = str | int | bool | None


class CarddError(Exception):
    """Something did not happen, for a Reason that every client can act on.

    `detail` is one English phrase for logs and operators; `facts` are further JSON scalars for the client (a file, a
    status word, tries left). Neither may hold personal data, a PIN or a key.
    """

    def __init__(self, reason: Reason, detail: str = "", *, retry_after_ms: int | None = None, **facts: Fact) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
        self.retry_after_ms = retry_after_ms
        self.text_code = ""
        self.facts: Mapping[str, Fact] = facts

    def in_words(self, text_code: str) -> Self:
        """Have people told by this sentence, which says more than the reason's own; return the error itself."""
        self.text_code = text_code
        return self

    @property
    def text(self) -> dict[str, str]:
        """Return the sentence for people: `{"en": …, "zh-CN": …}`."""
        return render(self.text_code or self.reason)

    def data(self) -> dict[str, object]:
        """Return the `data` member of a JSON-RPC error."""
        out: dict[str, object] = {"reason": str(self.reason), "retry": str(REASONS[self.reason].retry)}
        if self.retry_after_ms is not None:
            out["retry_after_ms"] = self.retry_after_ms
        out["text"] = self.text
        if self.detail:
            out["detail"] = self.detail
        out.update(self.facts)
        return out
