"""The words of the generated reference pages, in both languages.

The Portuguese of a sentence in the code is in the catalogue (`msgctxt "reference"`), under the
English sentence; the text around the tables is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rdimport.core.messages import language
from rdimport.core.messages.catalogue import catalogue
from rdimport.mapping import Clean, Mapping
from rdimport.mapping.sql import functions
from rdimport.prepare.clean import CLEANERS

KINDS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "keys with values",
}
"""The values a key takes, by its type in the schema."""


def translated(sentence: str) -> str:
    """Translate a sentence of the code to the current language, on one line."""
    text = " ".join(sentence.split())
    return text if language() == "en" else catalogue(language()).pgettext("reference", text)


def of_the_mapping() -> Iterator[str]:
    """Every sentence that the mapping page takes from the code."""
    schema: dict[str, Any] = Mapping.schema()
    for part in (schema, *schema["$defs"].values()):
        for form in part.get("anyOf", [part]):
            for described in form.get("properties", {}).values():
                yield described["description"]
    yield from (CLEANERS[name].sentence for name in Clean)
    yield from (one.sentence for one in (*functions.OPERATORS, *functions.FUNCTIONS.values()))
    yield from KINDS.values()


INTRO: Final = {
    "en": """\
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
- Whatever stands in the file counts as text, as it is written: `NO`, `00123`, `2026-01-01` need
  no quotes. Quotes are needed around text with `: `, ` #`, or a special character at its start.
- E-mail, phones, state, tags and booleans are cleaned without being told. A cell that a cleaner
  does not understand makes its row invalid, and the failure report shows the cell as it was.
- The first line makes editors with a YAML language server complete keys and mark errors. The file
  that it names comes from `rdimport schema > mapping.schema.json`.
""",
    "pt-BR": """\
# O arquivo de mapeamento

Ele diz que coluna da planilha preenche que campo do RD Station Marketing. `rdimport init` escreve
um a partir do cabeçalho e dos valores do arquivo; quase sempre basta mudar algumas linhas.

```yaml
# yaml-language-server: $schema=./mapping.schema.json
version: 1
conversion_identifier: Feira ABF 2026      # o evento na linha do tempo do contato
fields:                                    # campo do RD: coluna
  email: E-mail
  name: {expr: "concat_ws(' ', Nome, Sobrenome)"}
  mobile_phone: [Celular, WhatsApp]        # a primeira que não estiver vazia
  tags: {column: Interesses, split: ";", add: [feira-2026]}
  cf_aceite: {column: Aceite, type: boolean}
legal_bases: [{type: consent, status: {column: Opt-in}}]
```

- Maiúsculas, acentos e espaços repetidos não fazem diferença nos nomes das colunas.
- Se há colunas com o mesmo título, a primeira fica com ele, a segunda se chama `Nome (2)`, a
  terceira `Nome (3)`; `check` e `run` dizem qual é qual.
- Tudo o que está no arquivo vale como texto, como está escrito: `NO`, `00123`, `2026-01-01` não
  precisam de aspas. Elas são necessárias em textos com `: `, ` #` ou um caractere especial no
  começo.
- E-mail, telefones, estado, tags e booleanos são limpos sem que você peça. Uma célula que a
  limpeza não entende torna a linha inválida, e o relatório de falhas mostra a célula como estava.
- Com a primeira linha, um editor com servidor de linguagem YAML completa as chaves e marca os
  erros. O arquivo que ela indica vem de `rdimport schema > mapping.schema.json`.
""",
}

EXPRESSIONS: Final = {
    "en": """\
## Expressions

`expr` and `where` hold SQL over the cells of one row: the operators and functions below and
nothing else, so that a mapping reads no files, calls nobody and looks at no other row. Cells are
text: write `CAST(column AS INT)` to count with them. An empty cell is NULL. Texts stand in `''`;
columns with other than letters, digits and `_` in their names stand in `""`. What an expression
makes of a row has at most 32,767 characters. The examples are about this row:
""",
    "pt-BR": """\
## Expressões

`expr` e `where` contêm SQL sobre as células de uma linha: os operadores e as funções abaixo e
nada mais, para que um mapeamento não leia arquivos, não acesse a rede e não veja outras linhas.
As células são texto: escreva `CAST(coluna AS INT)` para fazer contas. Uma célula vazia é NULL.
Textos ficam entre `''`; colunas com algo além de letras, dígitos e `_` no nome, entre `""`.
O resultado de uma expressão tem no máximo 32.767 caracteres. Os exemplos são sobre esta linha:
""",
}

CODES: Final = {
    "en": """\
## What can be wrong with a row

Codes never change their meaning. `email.typo`, `email.accents`, `email.from_text`,
`email.sent_as`, `cell.dropped` and `traffic.beside_cookie` are warnings: the row is sent
all the same. `email.role` and `email.throwaway` come only where `checks` ask for them,
as `suspect` or as `invalid`.
""",
    "pt-BR": """\
## O que pode estar errado em uma linha

Os códigos nunca mudam de significado. `email.typo`, `email.accents`, `email.from_text`,
`email.sent_as`, `cell.dropped` e `traffic.beside_cookie` são avisos: a linha é enviada
mesmo assim. `email.role` e `email.throwaway` só aparecem se `checks` pede, como
`suspect` (suspeita) ou `invalid` (inválida).
""",
}

FIELDS: Final = {
    "en": """\
## RD's fields

Custom fields begin with `cf_` and must exist in the account: RD drops unknown ones in
silence. `conversion_identifier` and `legal_bases` are keys of their own.

| field | takes | cleaned by itself with |
|---|---|---|""",
    "pt-BR": """\
## Os campos do RD

Campos personalizados começam com `cf_` e precisam existir na conta: o RD descarta sem aviso os
que não conhece. `conversion_identifier` e `legal_bases` são chaves à parte.

| campo | aceita | limpeza que já tem |
|---|---|---|""",
}

PARTS: Final = {
    "en": (
        ("", "The file", "The keys of a mapping file."),
        ("SourceHints", "`source`", "All of it is found out when left out."),
        (
            "FieldSource",
            "`fields`: one field",
            "`email: E-mail` is short for `email: {column: E-mail}`.",
        ),
        ("LegalBasis", "`legal_bases`", "One entry for each basis."),
        ("Check", "`checks`: one field", "A row that fails one of them is invalid."),
    ),
    "pt-BR": (
        ("", "O arquivo", "As chaves de um arquivo de mapeamento."),
        ("SourceHints", "`source`", "O que for omitido é detectado."),
        (
            "FieldSource",
            "`fields`: um campo",
            "`email: E-mail` é a forma curta de `email: {column: E-mail}`.",
        ),
        ("LegalBasis", "`legal_bases`", "Uma entrada para cada base legal."),
        ("Check", "`checks`: um campo", "Uma linha que não passa em uma delas é inválida."),
    ),
}

WORDS: Final = {
    "en": {
        "keys": "| key | what it says | values | example |",
        "default": "without it",
        "or": "or",
        "by_type": "its `type`",
        "by_its_type": "by its type",
        "required": "in every row",
        "cleaners": "## Cleaners",
        "cleaner": "| cleaner | what it writes | for instance |",
        "empty": "empty",
        "operator": "operator",
        "function": "function",
        "gives": "what it gives | example |",
        "also": "also",
        "codes": "| code | what it means | what to do |",
        "field": "field",
        "column": "column",
        "value": "cell",
    },
    "pt-BR": {
        "keys": "| chave | o que diz | valores | exemplo |",
        "default": "sem ela,",
        "or": "ou",
        "by_type": "o que diz `type`",
        "by_its_type": "conforme o tipo",
        "required": "em todas as linhas",
        "cleaners": "## Limpezas",
        "cleaner": "| limpeza | o que escreve | por exemplo |",
        "empty": "vazia",
        "operator": "operador",
        "function": "função",
        "gives": "o que dá | exemplo |",
        "also": "também",
        "codes": "| código | o que significa | o que fazer |",
        "field": "campo",
        "column": "coluna",
        "value": "célula",
    },
}
