"""The identities under which conversions were sent, and whether a run would recognise them.

A conversion is known by a hash of its conversion_identifier and the mapping's `identity` fields.
Changing these fields, or the spelling of the identifier, would make every person new.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, Final, LiteralString, NamedTuple

from rdimport.core.errors import UsageError
from rdimport.core.messages import _, ngettext
from rdimport.core.names import fold
from rdimport.ledger.hashes import digests_of, folded_of
from rdimport.ledger.records import MappingRecord
from rdimport.ledger.sql import Asked

_USUAL: Final = ("email",)
_NOT_KNOWN: Final = ""

# CROSS JOIN fixes the order: SQLite does not know the sizes of the tables.
ALIKE: Final = """
WITH RECURSIVE place(at) AS (
    SELECT 1 UNION ALL SELECT at + 16 FROM place WHERE at + 16 <= length(%(folded)s)
), alike(folded) AS (SELECT substr(%(folded)s, at, 16) FROM place)
"""
"""The folded hashes of identifiers, which are given one after the other in a single value."""

_NAMED: Final = (
    ALIKE
    + """
SELECT n.folded, n.run, n.exact, n.fields, n.text, n.new, n.known,
    coalesce((r.facts::json ->> 'new_identity')::boolean, false)::int
FROM alike CROSS JOIN rdimport.named n CROSS JOIN rdimport.run r
WHERE n.folded = alike.folded AND r.id = n.run AND r.destination = %(destination)s
    AND n.run < coalesce(%(before)s, n.run + 1)
"""
)
"""A folded hash and the fields of a `Line` with it."""

_HAS_SENT: Final = "SELECT 1 FROM rdimport.minute WHERE run = %(run)s AND accepted > 0 LIMIT 1"

WRITTEN: Final = ""
"""In the place of a rule: the same one has read values that were written in another way."""

_RULES: Final = """
SELECT id, facts::json -> 'mapping_used' ->> 'identity' FROM rdimport.run
WHERE destination = %(destination)s
"""

_DIFFERENT_RULES: Final = """
SELECT DISTINCT facts::json -> 'mapping_used' ->> 'identity' FROM rdimport.run
WHERE destination = %(destination)s
"""

_Columns = Mapping[str, tuple[str, ...]]
"""The columns from which fields are read."""

_AT_ONCE: Final = 500
"""Identifiers about which the ledger is asked at once: it has a line for each run that had one."""


class Names(NamedTuple):
    """How a run identifies conversions: the identity fields, the conversion_identifier if it is a
    constant, and the new and known rows by identifier.

    `columns` are those of the identity fields besides the e-mail, as far as columns fill them;
    `rule` is how the identity fields are read (`mapping.identity_rule`), and `not_tried` are rules
    of earlier runs that could not be applied to the list. `otherwise` counts conversions that were
    sent under another identity: by the identifier then and now, and by the rule then or `WRITTEN`.
    """

    fields: tuple[str, ...]
    text: str
    new: Mapping[str, int]
    known: Mapping[str, int]
    columns: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    rule: str = ""
    not_tried: frozenset[str] = frozenset()
    otherwise: Mapping[tuple[str, str, str], int] = MappingProxyType({})


class Unrecognised(NamedTuple):
    """Conversions that a run would not recognise: their identifier and identity fields (empty:
    unknown), their number, and the identifier and fields under which the run would send them. A
    field that is read in another way now has that in brackets.
    """

    text: str
    fields: tuple[str, ...]
    conversions: int
    now: str
    now_fields: tuple[str, ...]

    def sentence(self) -> str:
        """A sentence for the user."""
        known = ngettext(
            "The ledger has {number} conversion of {name} ({identity})",
            "The ledger has {number} conversions of {name} ({identity})",
            self.conversions,
            name=f"“{self.text}”",
            identity=_identity(self.fields),
        )
        return _(
            "{known}; as {name} ({identity}) they are not recognised, and those people "
            "would be sent again.",
            known=known,
            name=f"“{self.now}”",
            identity=_identity(self.now_fields),
        )


def _identity(fields: tuple[str, ...]) -> str:
    if not fields:
        return _("another identity")
    return _("identity [{fields}]", fields=", ".join(fields))


def refuse_unrecognised(found: Sequence[Unrecognised]) -> None:
    """Raise UsageError if there are any."""
    if not found:
        return
    raise UsageError(
        " ".join(one.sentence() for one in found[:3]),
        _(
            "Nothing was sent. Restore the mapping's `identity`, its fields and "
            "`conversion_identifier`, or the list's earlier format. If these are new conversions, "
            "type the same command with --new-identity (--yes is not enough)."
        ),
    )


class Line(NamedTuple):
    """How one run identified conversions: hash and text of the identifier, the identity fields, the
    number of new and known rows, and whether --new-identity was given.
    """

    run: int
    exact: bytes
    fields: str
    text: str
    new: int
    known: int
    agreed: int


def lines_of(
    ledger: Asked, destination: int, texts: Iterable[str], before: int | None = None
) -> Iterator[tuple[str, list[Line]]]:
    """How runs, all or those `before` that one, identified the conversions with an identifier like
    each of these, from the earliest run to the latest.
    """
    values = {"destination": destination, "before": before}
    for text, lines in of_alike(ledger, _NAMED, texts, values, _AT_ONCE):
        yield text, sorted(map(Line._make, lines))


def of_alike(
    ledger: Asked,
    sql: LiteralString,
    texts: Iterable[str],
    values: Mapping[str, object],
    at_once: int,
) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """For each identifier, the results of a query that begins with `ALIKE` and whose first column
    is the folded hash, without that. The ledger is asked about many at once: it may be far away.
    """
    left = iter(texts)
    while some := list(islice(left, at_once)):
        alike = {text: folded_of(ledger.key, text) for text in some}
        folded = b"".join(dict.fromkeys(chain.from_iterable(alike.values())))
        found: dict[bytes, list[tuple[Any, ...]]] = {}
        for one, *result in ledger.ask(sql, {**values, "folded": folded}):
            found.setdefault(one, []).append(tuple(result))
        for text, hashes in alike.items():
            yield text, [result for one in hashes for result in found.get(one, ())]


def noted(key: bytes, names: Names) -> list[dict[str, object]]:
    """The stored form, one line for each identifier."""
    lines: list[dict[str, object]] = []
    for text in {*names.new, *names.known}:
        exact, folded = digests_of(key, text)
        line = {"folded": folded, "exact": exact, "fields": json.dumps(names.fields)}
        counted = {"new": names.new.get(text, 0), "known": names.known.get(text, 0)}
        lines.append({**line, "text": names.text, **counted})
    return lines


def identity_texts(named: Iterable[tuple[str, str]], emails: Collection[str]) -> list[str]:
    """The texts hashed as identities of people's conversions, for each `named` identifier (with its
    identity fields) that identifies people by e-mail.
    """
    return [
        json.dumps(
            {"conversion_identifier": text, "email": email},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for text, fields in named
        if fields in ("", '["email"]')
        for email in emails
    ]


@dataclass(slots=True)
class _Naming:
    """One naming of conversions (identifier and identity fields), and the runs that used it."""

    exact: bytes
    fields: str
    text: str
    conversions: int = 0
    first: int | None = None
    agreed: int = 0
    """Its latest run with --new-identity, otherwise its first."""
    runs: list[int] = field(default_factory=list)


def unrecognised(
    ledger: Asked,
    destination: int,
    names: Names,
    before: int | None,
    fingerprints: Callable[[], Sequence[str]],
) -> list[Unrecognised]:
    """The conversions of runs `before` this one that its new rows may be, but would not match.

    `fingerprints` are those of the run's files.
    """
    counts: dict[int, int] | None = None
    columns_of = cache(partial(_columns_of, ledger, names))
    found = []
    new = (text for text, rows in names.new.items() if rows)
    for text, lines in lines_of(ledger, destination, new, before):
        exact, _folded = digests_of(ledger.key, text)
        current = (exact, json.dumps(names.fields))
        known = bool(names.known.get(text))
        if all((line.exact, line.fields) == current for line in lines) and (
            known or _reads_as_before(ledger, names, lines, columns_of)
        ):
            continue
        if counts is None:
            counts = dict(ledger.ask(ledger.conversions, {"destination": destination}))
        namings = _grouped(lines, counts)
        trusted = known or (
            names.fields == _USUAL and not _same_file(ledger, namings, exact, fingerprints)
        )
        other = _missed(namings, current, trusted=trusted)
        if other is not None:
            fields = tuple(json.loads(other.fields)) if other.fields else ()
            was = other.text or text
            found.append(Unrecognised(was, fields, other.conversions, text, names.fields))
        elif names.columns and not known:
            own = [one for one in namings if (one.exact, one.fields) == current]
            found += [
                one for naming in own for one in _from_elsewhere(names, text, naming, columns_of)
            ]
    said = {one.now for one in found}
    return [*found, *_sent_otherwise(ledger, destination, names, before, said)]


def _sent_otherwise(
    ledger: Asked, destination: int, names: Names, before: int | None, said: Collection[str]
) -> Iterator[Unrecognised]:
    """The conversions of `names.otherwise`, but for identifiers about which something is `said`,
    and those that a run with --new-identity may have left.
    """
    of_runs = rules_of(ledger, destination) if names.otherwise else {}

    def runs(lines: Iterable[Line], text: str, rule: str) -> list[Line]:
        exact, _folded = digests_of(ledger.key, text)
        return [one for one in lines if one.exact == exact and of_runs.get(one.run, rule) == rule]

    left = iter((pair, rows) for pair, rows in names.otherwise.items() if pair[1] not in said)
    while some := list(islice(left, _AT_ONCE)):
        texts = {text for (was, now, _rule), _rows in some for text in (was, now)}
        lines = dict(lines_of(ledger, destination, texts, before))
        for (was, now, rule), rows in some:
            then = runs(lines[was], was, rule or names.rule)
            agreed = (one.run for one in runs(lines[now], now, names.rule) if one.agreed)
            if max(agreed, default=0) <= min((one.run for one in then), default=0):
                fields, now_fields = _compared(names, rule)
                yield Unrecognised(was, fields, rows, now, now_fields)


def _compared(names: Names, rule: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The identity fields then and now, with what has changed in brackets."""
    if rule == WRITTEN:
        others = (f"{name} ({_('written in another way')})" for name in names.fields)
        return names.fields, tuple(
            name if name == "email" else other
            for name, other in zip(names.fields, others, strict=True)
        )
    then, now = map(json.loads, (rule, names.rule))
    return _with_changes(names.fields, then, now), _with_changes(names.fields, now, then)


def _with_changes(
    fields: tuple[str, ...], rule: Mapping[str, Any], other: Mapping[str, Any]
) -> tuple[str, ...]:
    texts = []
    for name in fields:
        keys, others = ({**one["fields"][name], **one, "fields": None} for one in (rule, other))
        changed = [_shown(key, value) for key, value in keys.items() if others.get(key) != value]
        texts.append(f"{name} ({', '.join(changed)})" if changed else name)
    return tuple(texts)


def _shown(key: str, value: object) -> str:
    """A key of a mapping; the names of columns stand alone."""
    if isinstance(value, dict):
        return key
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if key == "column" else f"{key}: {text}"


def _grouped(lines: Sequence[Line], counts: Mapping[int, int]) -> list[_Naming]:
    namings: dict[tuple[bytes, str], _Naming] = {}
    recognised: dict[tuple[bytes, str], int] = {}
    for run, exact, fields, text, new, known, agreed in lines:
        naming = namings.setdefault((exact, fields), _Naming(exact, fields, text))
        sent = min(counts.get(run, 0), new)
        naming.conversions += sent
        recognised[exact, fields] = max(recognised.get((exact, fields), 0), known)
        if sent or known:
            naming.first = run if naming.first is None else naming.first
            naming.runs.append(run)
            naming.agreed = run if agreed or not naming.agreed else naming.agreed
    for at, naming in namings.items():
        naming.conversions = max(naming.conversions, recognised[at])
    return [naming for naming in namings.values() if naming.first is not None]


def _missed(
    namings: Sequence[_Naming], current: tuple[bytes, str], *, trusted: bool
) -> _Naming | None:
    """The naming with the most conversions that this run does not recognise; None if there is none.

    What is unknown about an older release's runs is assumed to be the same as now if `trusted`.
    """
    own = [naming for naming in namings if (naming.exact, naming.fields) == current]
    unsaid = [
        naming for naming in namings if naming.exact == current[0] and naming.fields == _NOT_KNOWN
    ]
    own += unsaid if trusted else []
    others = [
        naming for naming in namings if naming not in own and (not own or naming not in unsaid)
    ]
    agreed = max((naming.agreed for naming in own), default=0)
    missed = [naming for naming in others if not own or (naming.first or 0) > agreed]
    return max(missed, key=lambda naming: (naming.conversions, naming.fields), default=None)


def rules(ledger: Asked, destination: int) -> list[str]:
    """The different ones of `rules_of`."""
    found = ledger.ask(_DIFFERENT_RULES, {"destination": destination})
    return sorted(rule for (rule,) in found if rule and isinstance(rule, str))


def rules_of(ledger: Asked, destination: int) -> dict[int, str]:
    """How runs read identity fields (`mapping.identity_rule`), as far as they have recorded it."""
    found = ledger.ask(_RULES, {"destination": destination})
    return {run: rule for run, rule in found if rule}


def _columns_of(ledger: Asked, names: Names, run: int) -> _Columns:
    """The columns from which a run read the fields of `names.columns`; none if they need not be
    known, as its rule was applied to the list.
    """
    ((facts,),) = ledger.ask("SELECT facts FROM rdimport.run WHERE id = %(run)s", {"run": run})
    used = MappingRecord.read(json.loads(facts).get("mapping_used") or {})
    if used.identity and used.identity not in names.not_tried:
        return {}
    return {one.field: one.columns for one in used.fields if one.field in names.columns}


def _reads_as_before(
    ledger: Asked, names: Names, lines: Sequence[Line], columns_of: Callable[[int], _Columns]
) -> bool:
    """Whether the latest of these runs that has sent or recognised rows read the same columns. This
    is nearly always so, and spares counting all conversions.
    """
    if not names.columns or not lines:
        return True
    sent = (
        line.run
        for line in reversed(lines)
        if line.known or ledger.ask(_HAS_SENT, {"run": line.run})
    )
    latest = next(sent, None)
    return latest is not None and _alike(columns_of(latest), names.columns)


def _from_elsewhere(
    names: Names, text: str, naming: _Naming, columns_of: Callable[[int], _Columns]
) -> Iterator[Unrecognised]:
    """The conversions of a naming, if all of its runs read an identity field from other columns
    that the list does not have.

    Called if no row is recognised: a heading that was renamed changes no value.
    """
    before: _Columns = {}
    for run in reversed(naming.runs):
        columns = columns_of(run)
        if _alike(columns, names.columns):
            return
        before = before or columns
    if before:
        was, now = (_with_columns(names, columns) for columns in (before, names.columns))
        yield Unrecognised(text, was, naming.conversions, text, now)


def _alike(before: _Columns, now: _Columns) -> bool:
    """Whether the same columns are named, as far as the earlier ones are known."""
    known = ((before[name], columns) for name, columns in now.items() if before.get(name))
    return all(list(map(fold, was)) == list(map(fold, columns)) for was, columns in known)


def _with_columns(names: Names, columns: _Columns) -> tuple[str, ...]:
    return tuple(
        f"{name} ({', '.join(columns[name])})" if columns.get(name) else name
        for name in names.fields
    )


def _same_file(
    ledger: Asked,
    namings: Sequence[_Naming],
    exact: bytes,
    fingerprints: Callable[[], Sequence[str]],
) -> bool:
    """Whether an earlier release sent this very file under this identifier. Then its rows are not
    new people, even if none of them is recognised.
    """
    runs = [
        run
        for naming in namings
        if naming.exact == exact and not naming.fields
        for run in naming.runs
    ]
    if not runs:
        return False
    files = [one for one in fingerprints() if one]
    sql = "SELECT fingerprint FROM rdimport.input WHERE run = %(run)s"
    return any(one in files for run in runs for (one,) in ledger.ask(sql, {"run": run}))
