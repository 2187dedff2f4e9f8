"""The reference page of the mapping language, written from the model, the cleaners and the codes.

    python docs/mapping_reference.py

writes `docs/mapping.md` and `mappings/mapping.schema.json` again; a test fails while they
are not what this module would write.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from rdimport.core.messages.codes import Code
from rdimport.core.messages.reasons import reason
from rdimport.destination.rdstation.fields import FIELDS
from rdimport.mapping import Clean, Mapping, Type, sql
from rdimport.mapping.vocabulary import default_cleaners, type_of
from rdimport.prepare.clean import CLEANERS

_ROOT: Final = Path(__file__).parent.parent
SCHEMA_FILE: Final = _ROOT / "mappings" / "mapping.schema.json"
PAGE_FILE: Final = _ROOT / "docs" / "mapping.md"

_INTRO: Final = """\
# The mapping file

It says which column of a spreadsheet fills which field of RD Station Marketing. `rdimport init`
writes one from the file's own headers and values; most people only change a few lines of it.

```yaml
# yaml-language-server: $schema=./mapping.schema.json
version: 1
conversion_identifier: Feira ABF 2026      # the event on the contact's timeline
fields:                                    # RD field: column
  email: E-mail
  name: {expr: "concat_ws(' ', Nome, Sobrenome)"}
  mobile_phone: [Celular, WhatsApp]        # the first one that is not empty
  tags: {column: Interesses, split: ";", add: [feira-2026]}
  cf_aceite: {column: Aceite, type: boolean}
legal_bases: [{type: consent, status: {column: Opt-in}}]
```

- Columns match without regard to case, accents and doubled spaces.
- Of columns with the same heading the first keeps it, the second is called `Nome (2)`, the third
  `Nome (3)`; `check` and `run` say which column is which.
- Whatever stands in the file counts as text, as it is written: `NO`, `00123`, `2026-01-01` need no
  quotes. Quotes are needed around text with `: `, ` #`, or a special character at its start.
- E-mail, phones, state, tags and booleans are cleaned without being told. A cell that a cleaner
  does not understand makes its row invalid, and the failure report shows the cell as it was.
- The first line makes editors with a YAML language server complete keys and mark errors. The file
  that it names comes from `rdimport schema > mapping.schema.json`.
"""

_PARTS: Final = (
    ("", "The file", "The keys of a mapping file."),
    ("SourceHints", "`source`", "All of it is found out when left out."),
    (
        "FieldSource",
        "`fields`: one field",
        "`email: E-mail` is short for `email: {column: E-mail}`.",
    ),
    ("LegalBasis", "`legal_bases`", "One entry for each basis."),
    ("Check", "`checks`: one field", "A row that fails one of them is invalid."),
)


def page() -> str:
    """The whole page as Markdown."""
    schema = Mapping.schema()
    parts = [_INTRO]
    for name, title, sentence in _PARTS:
        parts.append(f"## {title}\n\n{sentence}\n\n{_keys(_properties(schema, name), schema)}")
    parts += [_fields(), _cleaners(), _expressions(), _codes()]
    return "\n".join(parts)


def schema_text() -> str:
    """The JSON schema as it stands in its file."""
    return json.dumps(Mapping.schema(), indent=2, ensure_ascii=False) + "\n"


def _properties(schema: dict[str, Any], name: str) -> dict[str, Any]:
    part = schema["$defs"][name] if name else schema
    if "anyOf" in part:
        part = part["anyOf"][0]
    properties: dict[str, Any] = part["properties"]
    return properties


def _keys(properties: dict[str, Any], schema: dict[str, Any]) -> str:
    lines = ["| key | what it says | values | example |", "|---|---|---|---|"]
    for key, described in properties.items():
        example = _yaml({key: described["examples"][0]})
        sentence = " ".join(described["description"].split())
        values = _values(described, schema)
        default = described.get("default")
        if isinstance(default, str | int | float) and default is not False:
            values += f"; without it `{default}`"
        lines.append(f"| `{key}` | {_cell(sentence)} | {_cell(values)} | `{_cell(example)}` |")
    return "\n".join(lines) + "\n"


def _values(described: dict[str, Any], schema: dict[str, Any]) -> str:
    """What a key takes, in words."""
    if "$ref" in described:
        name = described["$ref"].rsplit("/", 1)[-1]
        part = schema["$defs"][name]
        return _values(part, schema) if "enum" in part else "keys with values"
    if "enum" in described or "const" in described:
        return ", ".join(f"`{word}`" for word in described.get("enum", [described.get("const")]))
    if "anyOf" in described:
        return " or ".join(dict.fromkeys(_values(form, schema) for form in described["anyOf"]))
    kind = described.get("type")
    if isinstance(kind, list):
        return "text"
    words = {
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "`true` or `false`",
        "array": "a list",
        "object": "keys with values",
    }
    return words.get(str(kind), "text")


def _fields() -> str:
    lines = [
        "## RD's fields",
        "",
        "Custom fields begin with `cf_` and must exist in the account: RD drops unknown ones in",
        "silence. `conversion_identifier` and `legal_bases` are keys of their own.",
        "",
        "| field | takes | cleaned by itself with |",
        "|---|---|---|",
    ]
    for name, field in FIELDS.items():
        if name in {"conversion_identifier", "legal_bases"}:
            continue
        form = type_of(name, None)
        cleaner = ", ".join(f"`{clean}`" for clean in default_cleaners(name, form))
        required = ", in every row" if field.required else ""
        lines.append(f"| `{name}` | {form}{required} | {cleaner} |")
    lines.append(f"| `cf_…` | its `type`: {', '.join(Type)} | by its type |")
    return "\n".join(lines) + "\n"


def _cleaners() -> str:
    lines = ["## Cleaners", "", "| cleaner | what it writes | for instance |", "|---|---|---|"]
    for name in Clean:
        cleaner = CLEANERS[name]
        shown = "; ".join(f"`{_visible(a)}` → `{_visible(b)}`" for a, b in cleaner.examples)
        lines.append(f"| `{name}` | {_cell(cleaner.sentence)} | {_cell(shown)} |")
    return "\n".join(lines) + "\n"


_EXPRESSIONS: Final = """\
## Expressions

`expr` and `where` hold SQL over the cells of one row: the operators and functions below and
nothing else, so that a mapping reads no files, calls nobody and looks at no other row. Cells are
text: write `CAST(column AS INT)` to count with them. An empty cell is NULL. Texts stand in `''`;
columns with other than letters, digits and `_` in their names stand in `""`. What an expression
makes of a row has at most 32,767 characters. The examples are about this row:
"""


def _expressions() -> str:
    row = ", ".join(f"{name}: {cell or 'empty'}" for name, cell in sql.SAMPLE.items())
    lines = [f"{_EXPRESSIONS}\n`{row}`\n"]
    for title, known in (
        ("operator", sql.OPERATORS),
        ("function", tuple(dict.fromkeys(sql.FUNCTIONS.values()))),
    ):
        lines += [f"| {title} | what it gives | example |", "|---|---|---|"]
        for one in known:
            others = ", ".join(f"`{name}`" for name in getattr(one, "names", ())[1:])
            form = f"`{one.form}`" + (f"; also {others}" if others else "")
            shown = f"`{_cell(one.example)}` → `{one.gives}`"
            lines.append(f"| {_cell(form)} | {_cell(one.sentence)} | {shown} |")
        lines.append("")
    return "\n".join(lines)


def _codes() -> str:
    lines = [
        "## What can be wrong with a row",
        "",
        "Codes never change their meaning. `email.typo`, `email.accents`, `email.from_text`,",
        "`email.sent_as`, `cell.dropped` and `traffic.beside_cookie` are warnings: the row is sent",
        "all the same. `email.role` and `email.throwaway` come only where `checks` ask for them,",
        "as `suspect` or as `invalid`.",
        "",
        "| code | what it means | what to do |",
        "|---|---|---|",
    ]
    for code in Code:
        found = reason(code)
        if found is not None:
            words = {"field": "field", "column": "column", "value": "cell", "detail": "…"}
            sentence = found.sentence.format(**words)
            lines.append(f"| `{code}` | {_cell(sentence)} | {_cell(found.remedy)} |")
    return "\n".join(lines) + "\n"


def _yaml(value: object) -> str:
    """A value as it stands in a mapping file, on one line."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = True
    writer.width = 1000
    text = io.StringIO()
    writer.dump(value, text)
    return text.getvalue().strip().removeprefix("{").removesuffix("}")


def _visible(cell: str) -> str:
    return cell.replace("\u00a0", "·").replace("\u200b", "·")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write both files."""
    for path, text in ((PAGE_FILE, page()), (SCHEMA_FILE, schema_text())):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
