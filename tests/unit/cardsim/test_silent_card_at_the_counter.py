"""A card that falls silent at the same command each time, and lies in the reader of a station that nobody attends."""

from pathlib import Path

from support.scenarios import told

TIMELINE = """
- activate: {route: hospital, visit: {kind: outpatient, number: "1"}}
- insert: patient.social
  faults: [{do: mute, at: EXTERNAL AUTHENTICATION}]
- pass: 600
"""


def test_it_is_authenticated_to_once_and_has_to_be_put_in_anew(tmp_path: Path) -> None:
    with told(tmp_path, TIMELINE, 'people: {patient: {generate: {count: 1, profiles: ["3.0"]}}}') as story:
        assert story.failures == []
        kinds = [one.kind for one in story.feed.told]
    # it is lost with that one command, recognised once more, and not shown the key again: nobody has touched it
    assert kinds.count("card.identified") == 2
    assert kinds[-1] == "activation.expired"
