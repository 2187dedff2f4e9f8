"""O catálogo em português do Brasil: as mesmas chaves de `reasons.REASONS`, frase e conselho."""

from __future__ import annotations

from typing import Final

from rdimport.core.messages.endpoint_pt import ENDPOINT_PT

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
    "email.words": (
        "“{value}” tem, além do e-mail, palavras que podem fazer parte dele",
        "deixe só o endereço na célula",
    ),
    "email.domain_accents": (
        "“{value}” tem depois do @ um acento ou letra estrangeira; sem ele, o endereço seria outro",
        "escreva o domínio sem acento, ou na forma xn--… se foi registrado com acento",
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
    "phone.digits_lost": (
        "uma planilha arredondou o telefone para “{value}”: há dígitos perdidos",
        "busque o número na origem da lista; formate a coluna como texto antes de colar",
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
        "“{value}” não é um número inteiro de até 18 dígitos",
        "escreva só dígitos, ou mude o tipo no mapeamento",
    ),
    "text.too_long": (
        "o texto tem mais de {detail} caracteres",
        "encurte-o, ou use `cut` no campo do mapeamento",
    ),
    "email.typo": (
        "“{value}” parece um engano: talvez {detail}",
        "corrija-o, ou ponha `correct_typos: true` no campo do mapeamento",
    ),
    "email.accents": (
        "“{value}” tem letras que nenhum e-mail tem; será enviado como {detail}",
        "confira se é esse o endereço certo",
    ),
    "email.from_text": (
        "“{value}” tem mais do que um e-mail; será enviado como {detail}",
        "confira se é esse o endereço certo",
    ),
    "email.sent_as": (
        "uma versão anterior enviou “{value}” como {detail}; a linha não será enviada de novo",
        "se aquele endereço era de outra pessoa, deixe só o certo na célula; a linha será nova",
    ),
    "email.role": (
        "“{value}” é o endereço de um setor, não de uma pessoa",
        "peça o e-mail da própria pessoa ou tire a linha do arquivo",
    ),
    "email.throwaway": (
        "“{value}” é uma caixa de e-mail descartável, que dura minutos",
        "tire a linha do arquivo",
    ),
    "number.syntax": (
        "“{value}” não é um número",
        "escreva dígitos e no máximo uma vírgula decimal",
    ),
    "number.ambiguous": (
        "“{value}” pode ser mil e tanto ou um e pouco",
        'diga qual no mapeamento: `decimal: ","` ou `decimal: "."`',
    ),
    "number.too_small": (
        "“{value}” é menor que {detail}",
        "corrija-o, ou corrija a verificação `min` no mapeamento",
    ),
    "number.too_large": (
        "“{value}” é maior que {detail}",
        "corrija-o, ou corrija a verificação `max` no mapeamento",
    ),
    "date.syntax": (
        "“{value}” não é uma data",
        "escreva-a como 31/12/2026 ou 2026-12-31",
    ),
    "cpf.syntax": (
        "“{value}” não é um CPF: o tamanho ou os dígitos verificadores não batem",
        "procure um dígito errado ou que falta",
    ),
    "cnpj.syntax": (
        "“{value}” não é um CNPJ: o tamanho ou os dígitos verificadores não batem",
        "procure um caractere errado ou que falta",
    ),
    "cep.syntax": (
        "“{value}” não é um CEP",
        "escreva os oito dígitos",
    ),
    "url.syntax": (
        "“{value}” não é o endereço de uma página",
        "escreva-o como no navegador, sem espaços",
    ),
    "value.not_listed": (
        "“{value}” não é nenhum dos valores que o mapeamento lista ({detail})",
        "corrija a célula, acrescente o valor ao mapeamento ou use `otherwise`",
    ),
    "option.unknown": (
        "“{value}” não é uma opção deste campo no RD ({detail})",
        "corrija a célula ou acrescente a opção ao campo no RD",
    ),
    "text.too_short": (
        "o texto tem menos de {detail} caracteres",
        "complete-o, ou corrija a verificação `min_length` no mapeamento",
    ),
    "text.pattern": (
        "“{value}” não tem a forma {detail}",
        "corrija a célula, ou a verificação `pattern` no mapeamento",
    ),
    "list.too_short": (
        "há menos de {detail} itens",
        "acrescente alguns, ou corrija a verificação `min_length` no mapeamento",
    ),
    "list.too_long": (
        "há mais de {detail} itens",
        "tire alguns, ou corrija a verificação `max_length` no mapeamento",
    ),
    "expr.failed": (
        "a expressão de “{field}” não pode ser calculada nesta linha: {detail}",
        "corrija a célula, ou use TRY_CAST na expressão",
    ),
    "expr.too_long": (
        "a expressão de “{field}” produz mais de {detail} caracteres nesta linha",
        "encurte as células, ou use só uma parte, com LEFT, na expressão",
    ),
    "client_tracking_id.syntax": (
        "“{value}” não é um valor do cookie _rdtrk",
        "use só o UUID: 8-4-4-4-12 letras de a até f e dígitos",
    ),
    "row.too_large": (
        "a linha passa dos {detail} bytes que o RD aceita",
        "encurte os textos",
    ),
    "tags.capitals": (
        "as tags “{value}” têm maiúsculas, que o RD recusa",
        "tire `clean` de `tags` no mapeamento: assim elas vão em minúsculas",
    ),
    "traffic.beside_cookie": (
        "“{field}” fica de fora, porque traffic_source traz o cookie da própria página do RD",
        "nada a fazer: o cookie traz os mesmos dados",
    ),
    "advice.no_legal_bases": (
        "falta legal_bases: o RD não registra consentimento (LGPD) para estes leads",
        "acrescente-o se a lista tem uma coluna de opt-in, ou se uma base legal vale para todos",
    ),
    "advice.custom_fields": (
        "o RD descarta em silêncio um campo personalizado que a conta não tem: {detail}",
        "veja se ela tem todos, ou indique a lista dos campos dela como `catalogue`",
    ),
    "advice.tags_whole": (
        "tags não tem `split`: cada célula vira uma única tag",
        "escreva nele o sinal que separa duas tags, se as células têm várias",
    ),
    **ENDPOINT_PT,
}
