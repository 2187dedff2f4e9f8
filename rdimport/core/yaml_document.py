"""Parses YAML into plain values with their line and column.

Scalars stay text: in a mapping, `NO`, `00123`, `1` and `2026-01-01` are column names and cell
contents, never booleans, numbers or dates. The model converts them where a key needs it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from rdimport.core.messages import _, untranslated

Path = tuple[str | int, ...]
Place = tuple[int, int]

MOST_NODES: Final = 20_000
"""A mapping has a few hundred values; aliases that expand to more are an attack."""

MOST_DEPTH: Final = 20

_NO_KEY: Final = "could not find expected ':'"
"""The parser's words about a line that it takes for a key; its mark is at the next line."""

_QUOTE: Final = untranslated("put text that starts with a special character into quotes")
_ESCAPE: Final = untranslated("what follows the \\ in a text is not known to YAML")
_NOT_READABLE: Final = untranslated("what stands here is not understood")
_DEEP: Final = untranslated("too many values, or nested too deeply, for a mapping")
_LONG_ESCAPE: Final = re.compile(r"\\U([0-9A-Fa-f]{8})")
_HINTS: Final = (
    ("'\\t'", untranslated("indent with spaces, not with tabs")),
    (
        "mapping values are not allowed",
        untranslated(
            "align the keys in one column, and put text that contains a colon into quotes"
        ),
    ),
    ("cannot start any token", _QUOTE),
    ("scanning an alias", _QUOTE),
    ("scanning an anchor", _QUOTE),
    ("scanning a block scalar", _QUOTE),
    ("tag", _QUOTE),
    ("entries are not allowed", _QUOTE),
    ("keys are not allowed", _QUOTE),
    ("escape", _ESCAPE),
    ("hexdecimal numbers", _ESCAPE),
    ("incompatible YAML", untranslated("remove the line that begins with %")),
    ("directive", untranslated("remove the line that begins with %")),
    ("<document start>", untranslated("a line is neither `key: value` nor indented below one")),
    ("quoted scalar", untranslated("a quotation mark is opened and never closed")),
    ("undefined alias", untranslated("put text that starts with * into quotes")),
    (
        "another document",
        untranslated("a mapping file holds one document: remove the line ---"),
    ),
    (
        "flow",
        untranslated("a bracket is never closed, a comma is missing, or text with # needs quotes"),
    ),
    (
        _NO_KEY,
        untranslated("a line is neither `key: value` nor indented below one"),
    ),
    ("block end", untranslated("the lines of one section must start in the same column")),
)


_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SPREADSHEETS: Final = (".csv", ".tsv", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


class DocumentError(Exception):
    """The text is not YAML, or uses a feature that a mapping may not use."""

    def __init__(self, message: str, place: Place = (1, 1)) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


@dataclass(slots=True)
class Document:
    """A parsed file: `data` of dict, list, str and None; lines and columns count from 1."""

    data: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    doubled: list[tuple[Path, Place]] = field(default_factory=list)
    nodes: int = 0

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """The position of a value, or of the nearest enclosing value that was written.

        A value that begins below its key is located at the key.
        """
        for length in range(len(path), -1, -1):
            key, value = self.keys.get(path[:length]), self.values.get(path[:length])
            if key and (of_key or value is None or value[0] > key[0]):
                return key
            if value:
                return value
        return (1, 1)


def is_spreadsheet(name: str, data: bytes) -> bool:
    """Whether a spreadsheet was given in place of a mapping."""
    return name.lower().endswith(_SPREADSHEETS) or data.startswith(_WORKBOOKS)


def parse(text: str) -> Document:
    """Parse one YAML document. Raises DocumentError."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(_("a character that YAML does not allow"), (line, 1)) from None
    except MarkedYAMLError as error:
        raise _not_yaml(error) from None
    except RecursionError:
        raise DocumentError(_(_DEEP)) from None
    except (ValueError, OverflowError):  # an escape beyond the last character
        raise DocumentError(_not_yaml_at_all(_(_ESCAPE)), _place_of_escape(text)) from None
    except YAMLError:
        raise DocumentError(_not_yaml_at_all(_(_NOT_READABLE))) from None
    document = Document()
    if node is not None:
        document.values[()] = _start(node)
        document.data = _read(document, node, ())
    return document


def _place_of_escape(text: str) -> Place:
    """Where an escape beyond the last character is: the parser does not say."""
    found = next((m for m in _LONG_ESCAPE.finditer(text) if int(m[1], 16) > sys.maxunicode), None)
    if found is None:
        return (1, 1)
    return text.count("\n", 0, found.start()) + 1, found.start() - text.rfind(
        "\n", 0, found.start()
    )


def _not_yaml(error: MarkedYAMLError) -> DocumentError:
    """A sentence and a hint for the parser's error."""
    mark = error.problem_mark or error.context_mark
    if error.problem == _NO_KEY:
        mark = error.context_mark
    place = (mark.line + 1, mark.column + 1) if isinstance(mark, StreamMark) else (1, 1)
    reason = " ".join(str(part) for part in (error.problem, error.context) if part)
    hint = next((advice for sign, advice in _HINTS if sign in reason), _NOT_READABLE)
    return DocumentError(_not_yaml_at_all(_(hint)), place)


def _not_yaml_at_all(reason: str) -> str:
    return _("not YAML: {reason}", reason=reason)


def _start(node: Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _read(document: Document, node: Node, path: Path) -> Any:
    """The node's value; records the positions of the node and its descendants."""
    document.nodes += 1
    if document.nodes > MOST_NODES or len(path) > MOST_DEPTH:
        raise DocumentError(_(_DEEP), _start(node))
    document.values[path] = _start(node)
    if isinstance(node, MappingNode):
        return _read_mapping(document, node, path)
    if isinstance(node, SequenceNode):
        return [_read(document, item, (*path, i)) for i, item in enumerate(node.value)]
    if isinstance(node, ScalarNode):
        is_null = str(node.tag).endswith(":null") and node.style is None
        return None if is_null else _whole(str(node.value), node)
    raise DocumentError(_("not a value that a mapping may hold"), _start(node))


def _whole(text: str, node: Node) -> str:
    """The text with surrogate pairs joined, which JSON uses for characters beyond U+FFFF."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise DocumentError(_("half of a character, written as an escape"), _start(node)) from None


def _read_mapping(document: Document, node: MappingNode, path: Path) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, ScalarNode):
            raise DocumentError(_("a key must be plain text"), _start(key_node))
        key = _whole(str(key_node.value), key_node)
        if key in data:
            document.doubled.append(((*path, key), _start(key_node)))
            continue
        document.keys[*path, key] = _start(key_node)
        data[key] = _read(document, value_node, (*path, key))
        if data[key] is None:  # the parser locates an empty value at the next key
            document.values[*path, key] = _start(key_node)
    return data
