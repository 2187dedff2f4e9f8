"""What a second run does with rows known from an earlier one, and with duplicate rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rdimport import api
from rdimport.api.results import RunResult
from rdimport.core.errors import MappingError
from rdimport.core.row import State
from rdimport.destination.rdstation.endpoint import RDStation
from rdimport.mapping import Mapping
from rdimport.sandbox import Faults, SandboxOptions, running
from rdimport.sandbox.embedded import RunningSandbox

MAPPING = """
version: 1
conversion_identifier: Feira
fields: {{email: email, name: name, city: city, tags: {{column: tags, split: ";"}}}}
on_duplicate: {duplicate}
on_change: {change}
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running(SandboxOptions(port=0, plan="none")) as box:
        yield box


class Importer:
    """Imports lists repeatedly from one state directory."""

    def __init__(self, box: RunningSandbox, folder: Path) -> None:
        self.box = box
        self.folder = folder
        self.before = len(box.conversions())

    def run(
        self,
        *rows: str,
        duplicate: str = "last",
        change: str = "skip",
        file: str = "list.csv",
        **options: Any,
    ) -> RunResult:
        """Import a list of these rows; without any, an existing file."""
        path = self.folder / file
        if rows:
            path.write_text("\n".join(["email,name,city,tags", *rows]) + "\n", encoding="utf-8")
        return api.run(
            [str(path)],
            Mapping.parse(MAPPING.format(duplicate=duplicate, change=change)),
            to=RDStation(self.box.api_key, base_url=self.box.base_url, account=str(self.folder)),
            state_dir=self.folder / "state",
            report_dir=self.folder / "reports",
            quota=None,
            **options,
        )

    def arrived(self) -> list[dict[str, Any]]:
        """What has arrived since the last call."""
        new = self.box.conversions()[self.before :]
        self.before += len(new)
        return new


@pytest.fixture
def importer(sandbox: RunningSandbox, tmp_path: Path) -> Importer:
    return Importer(sandbox, tmp_path)


def counts(done: RunResult) -> dict[str, int]:
    return {str(state): rows for state, rows in done.counts.items() if rows}


def test_the_last_of_several_rows_is_sent_unless_the_mapping_says_first(importer: Importer) -> None:
    rows = ("a@exemplo.com.br,Ana,Rio,", "b@exemplo.com.br,Bia,,", " A@Exemplo.com.br ,Ana B,,")
    done = importer.run(*rows)
    assert counts(done) == {"accepted": 2, "duplicate": 1}
    assert {p["name"] for p in importer.arrived()} == {"Bia", "Ana B"}


def test_the_first_of_several_rows_is_sent_where_the_mapping_says_so(importer: Importer) -> None:
    done = importer.run("a@exemplo.com.br,Ana,,", "a@exemplo.com.br,Bia,,", duplicate="first")
    assert counts(done) == {"accepted": 1, "duplicate": 1}
    assert [p["name"] for p in importer.arrived()] == ["Ana"]


def test_rows_of_one_conversion_are_merged_and_known_as_such_the_next_time(
    importer: Importer,
) -> None:
    rows = ("a@exemplo.com.br,Ana,Rio,x;y", "b@exemplo.com.br,Bia,,", "a@exemplo.com.br,Ana B,,z")
    done = importer.run(*rows, duplicate="merge", change="send")
    assert counts(done) == {"accepted": 2, "duplicate": 1}
    ana = next(p for p in importer.arrived() if p["email"] == "a@exemplo.com.br")
    assert (ana["name"], ana["city"], ana["tags"]) == ("Ana B", "Rio", ["x", "y", "z"])
    again = importer.run(*rows, duplicate="merge", change="send")
    assert counts(again) == {"already_imported": 2, "duplicate": 1}
    assert importer.arrived() == []
    changed = importer.run(*rows, "a@exemplo.com.br,,Niterói,", duplicate="merge", change="send")
    assert counts(changed) == {"accepted": 1, "already_imported": 1, "duplicate": 2}
    assert [(p["name"], p["city"]) for p in importer.arrived()] == [("Ana B", "Niterói")]


def test_a_changed_row_is_sent_again_only_where_the_mapping_says_so(importer: Importer) -> None:
    importer.run("a@exemplo.com.br,Ana,,")
    assert counts(importer.run("a@exemplo.com.br,Ana B,,")) == {"already_imported": 1}
    assert counts(importer.run("a@exemplo.com.br,Ana B,,", change="send")) == {"accepted": 1}
    assert counts(importer.run("a@exemplo.com.br,Ana B,,", change="send")) == {
        "already_imported": 1
    }
    assert [p["name"] for p in importer.arrived()] == ["Ana", "Ana B"]


SAVED_ANEW = [
    (("01/02/2026", "02/02/2026"), ("2026-02-01", "2026-02-02")),
    (("007", "0012"), ("7", "12")),
    (("1.234,50", "2.000,00"), ("1234.5", "2000")),
    (("01/02/2026 09:30", "02/02/2026 10:00"), ("2026-02-01 09:30:00", "2026-02-02 10:00:00")),
]


@pytest.mark.parametrize("duplicate", ["last", "merge"])
@pytest.mark.parametrize(("one", "other"), [*SAVED_ANEW, *(pair[::-1] for pair in SAVED_ANEW)])
def test_a_list_that_another_program_saved_has_not_changed(
    importer: Importer, one: tuple[str, ...], other: tuple[str, ...], duplicate: str
) -> None:
    def rows(cells: tuple[str, ...], name: str = "Ana") -> list[str]:
        return [f'{n}@exemplo.com.br,{name},"{cell}",x' for n, cell in enumerate(cells)]

    send = {"change": "send", "duplicate": duplicate}
    assert counts(importer.run(*rows(one), **send)) == {"accepted": 2}
    for cells in (other, one):
        assert counts(importer.run(*rows(cells), **send)) == {"already_imported": 2}
    changed = importer.run(rows(one)[0], *rows(one, "Bia")[1:], **send)
    assert counts(changed) == {"already_imported": 1, "accepted": 1}
    assert len(importer.arrived()) == 3


def test_only_fields_that_programs_rewrite_in_their_way_are_compared_so(
    importer: Importer,
) -> None:
    """Among rows that have really changed, and with a date and a code in one row."""
    before = [f"{n}@exemplo.com.br,0{n},0{n}/02/2026,x" for n in range(1, 9)]
    after = [f"{n}@exemplo.com.br,{n},2026-02-0{n},x" for n in range(1, 9)]
    assert counts(importer.run(*before, change="send")) == {"accepted": 8}
    changed = [row.replace("2026", "2027") for row in after[:3]]
    done = importer.run(*changed, *after[3:], change="send")
    assert counts(done) == {"accepted": 3, "already_imported": 5}


TYPED_FIELDS = """
version: 1
conversion_identifier: Compras
on_change: send
fields: {email: email, name: name, cf_d: d, cf_e: e, cf_v: v, cf_w: w, cf_c: c}
"""


def purchases(*, typed: bool, changed: range = range(0)) -> str:
    """Rows with two dates, two amounts and a code, of which a program changes the look."""
    lines = ["email;name;d;e;v;w;c"]
    for n in range(40):
        days = [date(2025, 1, 1) + timedelta(days=days) for days in (n * 9, n * 5)]
        name = f"Bia {n}" if n in changed else f"Ana {n}"
        if typed:
            cells = [*(f"{day:%Y-%m-%d}" for day in days), f"{1000 + n}.5", f"{n}", f"{n}"]
        else:
            cells = [*(f"{day:%d/%m/%Y}" for day in days), f"1.{n:03},50", f"{n},00"]
            cells.append(f"{n:05}")
        lines.append(";".join([f"p{n}@exemplo.com.br", name, *cells]))
    return "\n".join(lines)


@pytest.mark.parametrize("typed", [False, True])
def test_a_saved_list_with_dates_amounts_and_codes_sends_only_what_has_changed(
    importer: Importer, typed: bool
) -> None:
    """Also if those that have changed come first."""
    changed = range(12)
    options: dict[str, Any] = {
        "to": RDStation(importer.box.api_key, base_url=importer.box.base_url),
        "state_dir": importer.folder / "state",
        "report_dir": importer.folder / "reports",
        "quota": None,
    }
    path = importer.folder / "compras.csv"
    path.write_text(purchases(typed=typed), encoding="utf-8")
    mapping = Mapping.parse(TYPED_FIELDS)
    assert counts(api.run(path, mapping, **options)) == {"accepted": 40}
    importer.arrived()
    path.write_text(purchases(typed=not typed, changed=changed), encoding="utf-8")
    done = api.run(path, mapping, **options)
    assert done.counts[State.ALREADY_IMPORTED] == 40 - len(changed)
    assert sorted(p["name"] for p in importer.arrived()) == sorted(f"Bia {n}" for n in changed)


def test_what_was_accepted_is_sent_again_when_asked_for(importer: Importer) -> None:
    importer.run("a@exemplo.com.br,Ana,,")
    done = importer.run("a@exemplo.com.br,Ana,,", resend=frozenset({State.ACCEPTED}))
    assert counts(done) == {"accepted": 1}
    assert len(importer.arrived()) == 2


def test_a_growing_list_sends_only_what_is_new(importer: Importer) -> None:
    rows = [f"p{i}@exemplo.com.br,P,," for i in range(30)]
    assert counts(importer.run(*rows[:20])) == {"accepted": 20}
    assert counts(importer.run(*rows)) == {"accepted": 10, "already_imported": 20}
    assert len({p["email"] for p in importer.arrived()}) == 30


def test_a_row_that_was_left_uncertain_stays_unsent_until_it_is_asked_for(
    importer: Importer,
) -> None:
    row = "a@exemplo.com.br,Ana,,"
    importer.box.set_faults(Faults(reset_after=1.0))
    try:
        assert counts(importer.run(row)) == {"uncertain": 1}
    finally:
        importer.box.set_faults(Faults())
    importer.before = len(importer.box.conversions())
    again = importer.run(row)
    assert counts(again) == {"uncertain": 1}
    assert again.exit_code == 1
    assert importer.arrived() == []
    asked = importer.run(row, resend=frozenset({State.UNCERTAIN}))
    assert counts(asked) == {"accepted": 1}


def test_a_lead_that_had_its_share_is_set_aside_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    with running(SandboxOptions(port=0, plan="none", lead_limit=1)) as box:
        importer = Importer(box, tmp_path)
        importer.run("a@exemplo.com.br,Ana,,")
        rows = ("a@exemplo.com.br,Ana B,,", "b@exemplo.com.br,Bia,,")
        done = importer.run(*rows, change="send")
        assert counts(done) == {"accepted": 1, "pending": 1}
        assert (done.exit_code, done.summary.stopped_because) == (3, "lead_quota")
        start = datetime.fromisoformat(done.summary.finished_at)
        resume = datetime.fromisoformat(done.summary.resume_at)
        assert timedelta(hours=23) < resume - start <= timedelta(hours=24)


def test_sending_again_continues_where_it_stopped_and_sends_nobody_a_third_time(
    importer: Importer,
) -> None:
    rows = [f"p{i}@exemplo.com.br,P,," for i in range(5)]
    importer.run(*rows)
    importer.arrived()
    again = {"resend": frozenset({State.ACCEPTED})}
    for left in (3, 1, 0):
        done = importer.run(*rows, limit=2, **again)
        assert done.counts[State.PENDING] == left
    assert sorted(p["email"] for p in importer.arrived()) == [
        f"p{i}@exemplo.com.br" for i in range(5)
    ]
    assert counts(importer.run(*rows, **again)) == {"accepted": 5}, "asked for anew"


def test_runs_in_between_do_not_make_a_resend_request_a_new_one(importer: Importer) -> None:
    rows = [f"p{i}@exemplo.com.br,P,," for i in range(5)]
    importer.run(*rows)
    importer.arrived()
    again = {"resend": frozenset({State.ACCEPTED})}
    importer.run(*rows, limit=2, **again)
    assert counts(importer.run(*rows)) == {"already_imported": 5}, "the nightly job"
    (importer.folder / "list.csv").write_text("email\np1@exemplo.com.br\n", encoding="utf-8")
    with pytest.raises(MappingError):
        importer.run(**again)
    (importer.folder / "other.csv").write_text("email,name,city,tags\nq@exemplo.com.br,Q,,\n")
    assert counts(importer.run(file="other.csv", **again)) == {"accepted": 1}
    assert counts(importer.run(*rows, **again)) == {"accepted": 3, "already_imported": 2}
    assert len(importer.arrived()) == 6


def test_a_resend_request_that_was_completed_does_not_hold_back_people_of_another_list(
    importer: Importer,
) -> None:
    rows = [f"p{i}@exemplo.com.br,P,," for i in range(3)]
    importer.run(*rows)
    importer.arrived()
    again = {"resend": frozenset({State.ACCEPTED})}
    assert importer.run(*rows, limit=2, **again).counts[State.PENDING] == 1
    assert counts(importer.run(*rows, **again)) == {"accepted": 1, "already_imported": 2}
    (importer.folder / "other.csv").write_text(f"email,name,city,tags\n{rows[0]}\n")
    assert counts(importer.run(file="other.csv", **again)) == {"accepted": 1}


def test_another_list_of_the_same_name_does_not_complete_a_resend_request(
    importer: Importer,
) -> None:
    """As from standard input, or under the same path on another machine."""
    mine = [f"p{i}@exemplo.com.br,P,," for i in range(6)]
    theirs = [*mine[:1], *(f"q{i}@exemplo.com.br,Q,," for i in range(5))]
    importer.run(*mine)
    importer.run(*theirs)
    importer.arrived()
    again = {"resend": frozenset({State.ACCEPTED})}
    assert importer.run(*mine, limit=4, **again).counts[State.PENDING] == 2
    assert counts(importer.run(*theirs, **again)) == {"accepted": 5, "already_imported": 1}
    assert counts(importer.run(*mine, **again)) == {"accepted": 2, "already_imported": 4}
    assert set(Counter(one["email"] for one in importer.arrived()).values()) == {1}
    assert counts(importer.run(*mine, **again)) == {"accepted": 6}, "asked for anew"


def test_a_row_refused_when_resent_is_not_tried_again_for_the_same_request(
    importer: Importer,
) -> None:
    rows = [f"p{i}@exemplo.com.br,P,," for i in range(3)]
    importer.run(*rows)
    again = {"resend": frozenset({State.ACCEPTED})}
    importer.box.set_faults(Faults(odd=1.0, odd_status=400))
    try:
        done = importer.run(*rows, limit=1, **again)
    finally:
        importer.box.set_faults(Faults())
    assert counts(done) == {"refused": 1, "pending": 2}
    assert counts(importer.run(*rows, **again)) == {"accepted": 2, "already_imported": 1}


def test_a_change_that_was_refused_does_not_make_the_accepted_row_new(importer: Importer) -> None:
    row, changed = "a@exemplo.com.br,Ana,,", "a@exemplo.com.br,Ana B,,"
    importer.run(row, change="send")
    importer.box.set_faults(Faults(odd=1.0, odd_status=400))
    try:
        assert counts(importer.run(changed, change="send")) == {"refused": 1}
    finally:
        importer.box.set_faults(Faults())
    assert counts(importer.run(changed, change="send")) == {"refused": 1}
    assert counts(importer.run(row, change="send")) == {"already_imported": 1}
    assert counts(importer.run(changed)) == {"already_imported": 1}
    assert [p["name"] for p in importer.arrived()] == ["Ana"]


@pytest.mark.parametrize(
    ("duplicate", "later"),
    [
        ("last", {"accepted": 1, "refused": 1}),
        ("first", {"refused": 1, "accepted": 1}),
        ("merge", {"duplicate": 1, "refused": 1}),
    ],
)
def test_the_double_of_a_refused_row_is_sent_by_the_next_run_unless_both_were_one(
    tmp_path: Path, duplicate: str, later: dict[str, int]
) -> None:
    long, short = f"a@exemplo.com.br,{'A' * 40},,", "a@exemplo.com.br,Ana,,"
    rows = (long, short) if duplicate == "first" else (short, long)
    with running(SandboxOptions(port=0, plan="none", max_length=20)) as box:
        importer = Importer(box, tmp_path)
        assert counts(importer.run(*rows, duplicate=duplicate)) == {"duplicate": 1, "refused": 1}
        assert importer.arrived() == []
        assert counts(importer.run(*rows, duplicate=duplicate)) == later
        assert [p["name"] for p in importer.arrived()] == ["Ana"] * later.get("accepted", 0)


@pytest.mark.parametrize("change", ["skip", "send"])
def test_a_check_that_keeps_no_payloads_knows_what_a_run_would_do(
    tmp_path: Path, change: str
) -> None:
    people = ["a@exemplo.com.br,Ana,,", "b@exemplo.com.br,Bia,,", f"c@exemplo.com.br,{'C' * 40},,"]
    with running(SandboxOptions(port=0, plan="none", max_length=20)) as box:
        importer = Importer(box, tmp_path)
        assert counts(importer.run(*people, change=change)) == {"accepted": 2, "refused": 1}
        changed = [people[0], "b@exemplo.com.br,Bea,,", *people[2:]]
        for rows in (people, changed, [*people[:2], "c@exemplo.com.br,Caio,,"]):
            (tmp_path / "list.csv").write_text("\n".join(["email,name,city,tags", *rows]) + "\n")
            checked = [
                api.check(
                    [str(tmp_path / "list.csv")],
                    Mapping.parse(MAPPING.format(duplicate="last", change=change)),
                    to=RDStation(box.api_key, base_url=box.base_url, account=str(tmp_path)),
                    state_dir=tmp_path / "state",
                    keep=keep,
                )
                for keep in (False, True)
            ]
            quick, whole = ((done.counts, done.to_send) for done in checked)
            assert quick == whole
            done = counts(importer.run(*rows, change=change))
            assert whole[0][State.REFUSED] == (rows[2] == people[2])
            assert whole[1] == done.get("accepted", 0)


def test_one_endpoint_is_one_however_its_address_is_spelt() -> None:
    spellings = (
        "https://API.rd.services",
        "https://api.rd.services:443/",
        "https://api.rd.services.",
    )
    assert len({RDStation(base_url=base_url).identity for base_url in spellings}) == 1


def test_a_limit_counts_rows_and_not_attempts(tmp_path: Path, box: RunningSandbox) -> None:
    box.set_faults(Faults(throttle=1, at_most=2))
    rows = [f"p{i}@exemplo.com.br,P,," for i in range(8)]
    done = Importer(box, tmp_path).run(*rows, limit=5)
    assert counts(done) == {"accepted": 5, "pending": 3}
    assert done.summary.throttled == 2
    assert done.summary.stopped_because == "limit"
