"""The document of the centre's interface, held against what both sides really send."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
import yaml
from support.centre import JIA, OLD, PASSWORD, asking, open_centre, request
from support.schema import faults

import cardd
from cardd.activation.authority import IdentityDocument, Visit
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.wire.authority import REFUSALS
from cardd.wire.centre import OPERATIONS
from cardsim.centre.openapi import openapi
from cardsim.centre.server import OPENAPI

DOCUMENT = Path(cardd.__file__).parents[1] / "docs" / "centre-openapi.yaml"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return read


def test_the_document_in_docs_is_that_of_the_messages() -> None:
    same = DOCUMENT.read_text(encoding="utf-8") == openapi()
    assert same, "write it anew: cardsim centre --print-openapi > docs/centre-openapi.yaml"


def test_every_operation_and_nothing_else_is_documented(document: Mapping[str, Any]) -> None:
    documented = {path: post["post"]["operationId"] for path, post in document["paths"].items()}
    assert documented == {row.path: row.name for row in OPERATIONS.values()}


def test_the_document_refers_to_nothing_that_it_lacks(document: Mapping[str, Any]) -> None:
    references = {line.split("'")[1] for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if "$ref" in line}
    defined = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references == defined


def test_only_a_centres_reasons_are_offered(document: Mapping[str, Any]) -> None:
    assert set(document["components"]["schemas"]["Reason"]["enum"]) == {str(reason) for reason in REFUSALS}
    assert Reason.BUSY not in REFUSALS


class Tap:
    """What went over the line."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any, Any]] = []

    async def hear(self, response: httpx.Response) -> None:
        """Take down an exchange; the body stays readable for whom it is meant."""
        await response.aread()
        self.heard.append(
            (response.request.url.path, json.loads(response.request.content), json.loads(response.content))
        )


@pytest_asyncio.fixture
async def heard(tmp_path: Path) -> AsyncIterator[list[tuple[str, Any, Any]]]:
    """Everything that a whole activation, and one that is refused, say to each other."""
    tap = Tap()
    document = IdentityDocument(type="identity_card", number=JIA.social_security_number, name=JIA.name)
    full = msgspec.structs.replace(
        request("full", old_card=OLD),
        document=document,
        visit=Visit(kind="outpatient", number="V1"),
        challenge="00" * 8,
        answer="11" * 8,
    )
    stranger = msgspec.structs.replace(JIA, name="测试乙")
    with open_centre(tmp_path) as centre:
        async with asking(centre.url) as authority:
            authority._client.event_hooks["response"].append(tap.hear)
            for number in (OLD, "10000003", "unknown"):
                await authority.look_up_old_card(number)
            for password in (b"000000", PASSWORD):
                await authority.verify_old_password("full", OLD, Secret(password))
            await authority.look_up_social_card(JIA, OLD, document)
            await authority.look_up_social_card(stranger, None, None)
            await authority.outcome("full")
            await authority.activate(full)
            await authority.activate(request("refused", card=stranger))
            await authority.outcome("full")
            await authority.report_update("full", written=True)
            yield tap.heard


@pytest.mark.asyncio
async def test_what_both_sides_send_follows_the_document(
    document: Mapping[str, Any], heard: list[tuple[str, Any, Any]]
) -> None:
    assert {path for path, _, _ in heard} == set(document["paths"])
    for path, question, answer in heard:
        post = document["paths"][path]["post"]
        asked = post["requestBody"]["content"]["application/json"]["schema"]
        answered = post["responses"]["200"]["content"]["application/json"]["schema"]
        assert [*faults(document, asked, question)] == []
        assert [*faults(document, answered, answer)] == []


@pytest.mark.asyncio
async def test_nothing_that_the_document_requires_can_be_left_out(
    document: Mapping[str, Any], heard: list[tuple[str, Any, Any]], tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    with open_centre(tmp_path / "second") as centre:
        async with httpx.AsyncClient(base_url=centre.url) as client:
            for path, question, _ in heard:
                name = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                for required in document["components"]["schemas"][name.rsplit("/", 1)[-1]]["required"]:
                    less = {member: value for member, value in question.items() if member != required}
                    answer = await client.post(path, content=json.dumps(less))
                    assert 400 <= answer.status_code < 500, (path, required)
                    assert [*faults(document, {"$ref": "#/components/schemas/Error"}, answer.json())] == []


def test_the_centre_hands_the_document_out(tmp_path: Path) -> None:
    with open_centre(tmp_path) as centre:
        assert httpx.get(centre.url + OPENAPI).text == DOCUMENT.read_text(encoding="utf-8")
