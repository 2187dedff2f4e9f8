"""O catálogo em português do Brasil: as mesmas chaves de `reasons.REASONS`, frase e conselho."""

from __future__ import annotations

from typing import Final

from rdimport.reasons_endpoint_pt import ENDPOINT_PT

REASONS_PT: Final[dict[str, tuple[str, str]]] = {
    "row.too_long": (
        "a linha tem mais células que o cabeçalho",
        "procure um separador dentro de uma célula sem aspas",
    ),
    "row.too_short": (
        "a linha tem menos células que o cabeçalho",
        "procure uma quebra de linha dentro de uma célula sem aspas",
    ),
    "row.stray_quote": (
        "há na linha uma aspa que nunca se fecha",
        "feche-a ou apague-a",
    ),
    "value.missing": (
        "“{field}” está vazio, e toda linha precisa dele",
        "preencha-o ou tire a linha do arquivo",
    ),
    "email.no_at": (
        "“{value}” não é um e-mail: falta o @",
        "corrija-o ou tire a linha do arquivo",
    ),
    "email.several": (
        "há vários e-mails em “{value}”",
        "deixe só um deles na célula",
    ),
    "email.syntax": (
        "“{value}” não é um e-mail válido",
        "procure uma parte que falta, uma vírgula ou um espaço",
    ),
    "email.too_long": (
        "o e-mail tem mais de 254 caracteres",
        "veja se duas células se juntaram em uma",
    ),
    "phone.no_digits": (
        "“{value}” não é um telefone: não tem dígitos",
        "corrija-o ou deixe a célula vazia",
    ),
    "phone.too_short": (
        "faltam dígitos ao telefone “{value}”",
        "complete-o ou deixe a célula vazia",
    ),
    "phone.no_area": (
        "o telefone “{value}” está sem DDD",
        "escreva o DDD antes do número",
    ),
    "phone.several": (
        "há vários telefones em “{value}”",
        "deixe só um deles na célula",
    ),
    "phone.syntax": (
        "“{value}” não é um telefone que exista no Brasil",
        "confira o DDD e o tamanho; números de outros países começam com +",
    ),
    "uf.unknown": (
        "“{value}” não é um estado do Brasil",
        "escreva a sigla; para outros países ponha `clean: text` no mapeamento",
    ),
    "boolean.unknown": (
        "“{value}” não é sim nem não",
        "escreva Sim ou Não, ou deixe a célula vazia",
    ),
    "integer.syntax": (
        "“{value}” não é um número inteiro",
        "escreva só dígitos, ou mude o tipo no mapeamento",
    ),
    "text.too_long": (
        "o texto tem mais de {detail} caracteres",
        "encurte-o",
    ),
    "tags.capitals": (
        "as tags “{value}” têm maiúsculas, que o RD recusa",
        "tire `clean` de `tags` no mapeamento: assim elas vão em minúsculas",
    ),
    "traffic.beside_cookie": (
        "“{field}” fica de fora, porque traffic_source traz o cookie da própria página do RD",
        "nada a fazer: o cookie traz os mesmos dados",
    ),
    **ENDPOINT_PT,
}
