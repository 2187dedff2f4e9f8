"""Generate the reference page of the mapping language from the model, the cleaners and the codes.

    python docs/mapping_reference.py

rewrites `docs/mapping.md`, `docs/pt/mapeamento.md` and `mappings/mapping.schema.json`; a test fails
if they differ from what this module would write.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Final

import reference_words as texts
from reference_words import WORDS, translated
from ruamel.yaml import YAML

from rdimport.core.messages import Language, language, speaking
from rdimport.core.messages.codes import Code
from rdimport.core.messages.reasons import reason
from rdimport.destination.rdstation.fields import FIELDS
from rdimport.mapping import Clean, Mapping, Type
from rdimport.mapping.sql import functions
from rdimport.mapping.vocabulary import default_cleaners, type_of
from rdimport.prepare.clean import CLEANERS

_ROOT: Final = Path(__file__).parent.parent
SCHEMA_FILE: Final = _ROOT / "mappings" / "mapping.schema.json"
PAGE_FILES: Final[dict[Language, Path]] = {
    "en": _ROOT / "docs" / "mapping.md",
    "pt-BR": _ROOT / "docs" / "pt" / "mapeamento.md",
}


def page(lang: Language = "en") -> str:
    """The whole page as Markdown."""
    schema = Mapping.schema()
    with speaking(lang):
        parts = [texts.INTRO[lang]]
        for name, title, sentence in texts.PARTS[lang]:
            parts.append(f"## {title}\n\n{sentence}\n\n{_keys(_properties(schema, name), schema)}")
        parts += [_fields(), _cleaners(), _expressions(), _codes()]
        return "\n".join(parts)


def schema_text() -> str:
    """The JSON schema as in its file."""
    return json.dumps(Mapping.schema(), indent=2, ensure_ascii=False) + "\n"


def _properties(schema: dict[str, Any], name: str) -> dict[str, Any]:
    part = schema["$defs"][name] if name else schema
    if "anyOf" in part:
        part = part["anyOf"][0]
    properties: dict[str, Any] = part["properties"]
    return properties


def _keys(properties: dict[str, Any], schema: dict[str, Any]) -> str:
    words = WORDS[language()]
    lines = [words["keys"], "|---|---|---|---|"]
    for key, described in properties.items():
        example = _yaml({key: described["examples"][0]})
        sentence = translated(described["description"])
        values = _values(described, schema)
        default = described.get("default")
        if isinstance(default, str | int | float) and default is not False:
            default = "true" if default is True else default
            values += f"; {words['default']} `{default}`"
        lines.append(f"| `{key}` | {_cell(sentence)} | {_cell(values)} | `{_cell(example)}` |")
    return "\n".join(lines) + "\n"


def _values(described: dict[str, Any], schema: dict[str, Any]) -> str:
    """The values a key takes, in words."""
    if "$ref" in described:
        name = described["$ref"].rsplit("/", 1)[-1]
        part = schema["$defs"][name]
        return _values(part, schema) if "enum" in part else translated(texts.KINDS["object"])
    if "enum" in described or "const" in described:
        return ", ".join(f"`{word}`" for word in described.get("enum", [described.get("const")]))
    if "anyOf" in described:
        forms = dict.fromkeys(_values(form, schema) for form in described["anyOf"])
        return f" {WORDS[language()]['or']} ".join(forms)
    kind = described.get("type")
    return translated(texts.KINDS.get("string" if isinstance(kind, list) else str(kind), "text"))


def _fields() -> str:
    words = WORDS[language()]
    lines = [texts.FIELDS[language()]]
    for name, field in FIELDS.items():
        if name in {"conversion_identifier", "legal_bases"}:
            continue
        form = type_of(name, None)
        cleaner = ", ".join(f"`{clean}`" for clean in default_cleaners(name, form))
        required = f", {words['required']}" if field.required else ""
        lines.append(f"| `{name}` | {form}{required} | {cleaner} |")
    types = ", ".join(Type)
    lines.append(f"| `cf_…` | {words['by_type']}: {types} | {words['by_its_type']} |")
    return "\n".join(lines) + "\n"


def _cleaners() -> str:
    words = WORDS[language()]
    lines = [words["cleaners"], "", words["cleaner"], "|---|---|---|"]
    for name in Clean:
        cleaner = CLEANERS[name]
        shown = "; ".join(f"`{_visible(a)}` → `{_visible(b)}`" for a, b in cleaner.examples)
        lines.append(f"| `{name}` | {_cell(translated(cleaner.sentence))} | {_cell(shown)} |")
    return "\n".join(lines) + "\n"


def _expressions() -> str:
    words = WORDS[language()]
    row = ", ".join(f"{name}: {cell or words['empty']}" for name, cell in functions.SAMPLE.items())
    lines = [f"{texts.EXPRESSIONS[language()]}\n`{row}`\n"]
    for title, known in (
        (words["operator"], functions.OPERATORS),
        (words["function"], tuple(dict.fromkeys(functions.FUNCTIONS.values()))),
    ):
        lines += [f"| {title} | {words['gives']}", "|---|---|---|"]
        for one in known:
            others = ", ".join(f"`{name}`" for name in getattr(one, "names", ())[1:])
            form = f"`{one.form}`" + (f"; {words['also']} {others}" if others else "")
            shown = f"`{_cell(one.example)}` → `{one.gives}`"
            lines.append(f"| {_cell(form)} | {_cell(translated(one.sentence))} | {shown} |")
        lines.append("")
    return "\n".join(lines)


def _codes() -> str:
    words = WORDS[language()]
    lines = [texts.CODES[language()], words["codes"], "|---|---|---|"]
    for code in Code:
        found = reason(code, language())
        if found is not None:
            places = {name: words[name] for name in ("field", "column", "value")} | {"detail": "…"}
            sentence = found.sentence.format(**places)
            lines.append(f"| `{code}` | {_cell(sentence)} | {_cell(found.remedy)} |")
    return "\n".join(lines) + "\n"


def _yaml(value: object) -> str:
    """A value as in a mapping file, on one line."""
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
    """Write the pages and the schema."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    for lang, path in PAGE_FILES.items():
        path.write_text(page(lang), encoding="utf-8")


if __name__ == "__main__":
    main()
