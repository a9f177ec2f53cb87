import grp
import os
import pwd

import pytest

from cardd.api.peer import Peer
from cardd.api.rights import ALL_BUT_RAW, PRESETS, Right, Rights, RightsRow, expand
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

NOBODY = pwd.getpwnam("nobody")
DAEMON_GROUP = grp.getgrnam("daemon")


def peer(uid: int, *groups: int) -> Peer:
    return Peer(pid=1, uid=uid, groups=frozenset(groups), user=str(uid))


def test_without_rows_only_the_daemons_own_user_may_do_anything_and_not_raw_commands() -> None:
    rights = Rights.own_user()
    assert rights.granted(peer(os.geteuid())) == frozenset(Right) - {Right.RAW_APDU} == ALL_BUT_RAW
    assert rights.granted(peer(os.geteuid() + 1)) == frozenset()


def test_a_user_has_what_its_rows_and_those_of_all_its_groups_grant() -> None:
    rights = Rights.of(
        [
            RightsRow(grant=["watch"], user="nobody"),
            RightsRow(grant=["read_card"], user="nobody"),
            RightsRow(grant=["activate"], group="daemon"),
        ]
    )
    assert rights.granted(peer(NOBODY.pw_uid)) == {Right.OBSERVE, Right.READ_CARD}
    assert rights.granted(peer(NOBODY.pw_uid, 77, DAEMON_GROUP.gr_gid)) == {
        Right.OBSERVE,
        Right.READ_CARD,
        Right.ACTIVATE,
    }
    assert rights.granted(peer(12345, DAEMON_GROUP.gr_gid)) == {Right.ACTIVATE}


def test_with_rows_the_daemons_own_user_has_nothing_by_itself() -> None:
    rights = Rights.of([RightsRow(grant=["watch"], user="nobody")])
    assert rights.granted(peer(os.geteuid() or 4711)) == frozenset()


@pytest.mark.parametrize("right", Right)
def test_every_right_can_be_granted_by_its_name(right: Right) -> None:
    assert right in expand([right, "personal"])


@pytest.mark.parametrize(
    ("preset", "may", "may_not"),
    [
        ("watch", {"observe"}, set(Right) - {"observe"}),
        ("till", {"observe", "read_card", "activate", "pin"}, {"personal", "raw_apdu", "operate", "audit", "driver"}),
        ("desk", {"observe", "read_card", "activate", "pin", "personal"}, {"raw_apdu", "operate", "audit"}),
        ("operator", {"observe", "operate"}, {"read_card", "personal", "activate", "pin", "raw_apdu"}),
        ("auditor", {"observe", "audit"}, {"read_card", "personal", "activate", "pin", "operate"}),
    ],
)
def test_a_preset_grants_what_its_people_need_and_no_more(preset: str, may: set[str], may_not: set[str]) -> None:
    rights = expand([preset])
    assert may <= rights
    assert not may_not & rights


def test_no_preset_grants_raw_commands() -> None:
    assert all(Right.RAW_APDU not in rights for rights in PRESETS.values())


@pytest.mark.parametrize(
    "row",
    [
        RightsRow(grant=["tills"], user="nobody"),
        RightsRow(grant=["watch"], user="no-such-user-here"),
        RightsRow(grant=["watch"], group="no-such-group-here"),
        RightsRow(grant=["driver"], user="nobody"),
    ],
)
def test_a_row_that_cannot_work_is_refused_with_what_to_write_instead(row: RightsRow) -> None:
    with pytest.raises(CarddError) as refused:
        Rights.of([row])
    assert refused.value.reason is Reason.INVALID
    assert refused.value.detail
