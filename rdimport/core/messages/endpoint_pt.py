"""O que o endpoint causa, em português do Brasil: as mesmas chaves de `reasons_endpoint`."""

from __future__ import annotations

from typing import Final

_LOOK: Final = (
    "procure a conversão no RD Station; onde ela faltar, envie a linha de failures.xlsx com"
    " --resend uncertain"
)
_AGAIN: Final = "rode o mesmo comando de novo: ele continua de onde parou"
_KEY: Final = "no RD Station Marketing (Integrações > Chave de API)"

ENDPOINT_PT: Final[dict[str, tuple[str, str]]] = {
    "uncertain.interrupted": (
        "a importação foi cortada com esta linha a caminho: não dá para saber se ela chegou",
        _LOOK,
    ),
    "uncertain.not_answered": (
        "a linha saiu e não veio resposta: não dá para saber se ela chegou: {detail}",
        _LOOK,
    ),
    "uncertain.server_failed": (
        "o servidor do RD falhou com a linha na mão: não dá para saber se a guardou: {detail}",
        _LOOK,
    ),
    "uncertain.redirected": (
        (
            "a resposta aponta para outro endereço, que nunca é seguido, e por isso não dá para"
            " saber se a linha chegou: {detail}"
        ),
        _LOOK,
    ),
    "uncertain.unknown_answer": (
        "a resposta não foi entendida: não dá para saber se a linha chegou: {detail}",
        _LOOK,
    ),
    "uncertain.success_not_understood": (
        "a resposta fala em sucesso, mas não traz o recibo da linha: {detail}",
        _LOOK,
    ),
    "rd.other": (
        "o RD recusou a linha: {detail}",
        "corrija o que a frase do RD aponta",
    ),
    "rd.no_reason": (
        "o RD recusou a linha e não disse por quê: {detail}",
        "compare a linha com uma aceita; se nada chamar a atenção, pergunte ao suporte do RD",
    ),
    "rd.unauthorized": (
        "o RD não aceita a chave de API: {detail}",
        f"veja {_KEY} se a chave está ativa e foi copiada inteira",
    ),
    "rd.access_denied": (
        "a chave de API não tem permissão para isto: {detail}",
        "use uma chave do RD Station Marketing que possa criar conversões",
    ),
    "rd.bad_request": (
        "o RD não conseguiu ler a requisição: {detail}",
        "procure na linha um valor diferente dos das outras linhas",
    ),
    "rd.unsupported_media_type": (
        "o RD não aceitou o formato da requisição: {detail}",
        "confira --base-url: algo entre esta máquina e o RD pode alterar as requisições",
    ),
    "rd.resource_not_found": (
        "o RD não conhece o endereço: {detail}",
        "confira --base-url: ele termina antes de /platform",
    ),
    "rd.rate_limit_excedded": (
        "requisições demais: {detail}",
        "rode o mesmo comando mais tarde",
    ),
    "rd.service_unavailable": (
        "o RD estava fora do ar: {detail}",
        "rode o mesmo comando mais tarde",
    ),
    "rd.unable_to_load_cdp_schema": (
        "a chave de API é do RD Station CRM, não do RD Station Marketing",
        f"crie uma chave {_KEY}",
    ),
    "rd.cannot_be_null": (
        "o RD exige um valor neste campo: {detail}",
        "preencha a célula",
    ),
    "rd.cannot_be_blank": (
        "o RD exige um valor neste campo: {detail}",
        "preencha a célula",
    ),
    "rd.invalid": (
        "o RD não aceita este valor: {detail}",
        "corrija a célula ou deixe-a vazia",
    ),
    "rd.invalid_option": (
        "o valor não é uma das opções do campo no RD: {detail}",
        "escreva uma das opções como está no RD, ou acrescente-a ao campo no RD",
    ),
    "rd.invalid_format": (
        "o valor não tem a forma que o RD exige: {detail}",
        "corrija a célula ou deixe-a vazia",
    ),
    "rd.invalid_data_type": (
        "o RD espera outro tipo de valor neste campo: {detail}",
        "ponha no mapeamento o mesmo `type` que o campo tem no RD",
    ),
    "rd.invalid_email_format": (
        "o RD não aceita este e-mail: {detail}",
        "corrija-o ou tire a linha do arquivo",
    ),
    "rd.invalid_fields": (
        "o RD não aceita um dos campos: {detail}",
        "veja se os campos personalizados (cf_…) do mapeamento existem na conta",
    ),
    "rd.invalid_value": (
        "o RD não aceita este valor: {detail}",
        "corrija a célula ou deixe-a vazia",
    ),
    "rd.taken": (
        "outro contato já tem este valor: {detail}",
        "procure o outro contato no RD Station e deixe o valor em um só dos dois",
    ),
    "rd.too_short": (
        "o texto é curto demais para o RD: {detail}",
        "complete-o ou deixe a célula vazia",
    ),
    "rd.too_long": (
        "o texto é longo demais para o RD: {detail}",
        "encurte-o",
    ),
    "rd.exclusion": (
        "o RD reserva este valor para si: {detail}",
        "escolha outro",
    ),
    "rd.inclusion": (
        "o valor não está entre os que o RD aceita: {detail}",
        "escreva um dos valores que o campo tem no RD",
    ),
    "rd.must_be_boolean": (
        "o RD espera sim ou não neste campo: {detail}",
        "ponha `type: boolean` no campo do mapeamento",
    ),
    "rd.must_be_string": (
        "o RD espera texto neste campo: {detail}",
        "ponha `type: text` no campo do mapeamento",
    ),
    "rd.must_be_valid_option": (
        "o valor não é uma das opções do campo no RD: {detail}",
        "escreva uma das opções como está no RD, ou acrescente-a ao campo no RD",
    ),
    "rd.must_be_string_array": (
        "o RD espera uma lista neste campo: {detail}",
        "ponha `type: list` e `split` no campo do mapeamento",
    ),
    "rd.values_must_be_lowercase": (
        "o RD só aceita letras minúsculas neste campo: {detail}",
        "ponha `clean: lower` no campo do mapeamento, ou tire `clean` de `tags`",
    ),
    "rd.values_must_be_unique": (
        "a lista tem um item repetido: {detail}",
        "tire um deles da célula",
    ),
    "rd.conflicting_field": (
        "dois campos da linha se contradizem: {detail}",
        "envie só um deles: tire o outro do mapeamento",
    ),
    "rd.missing": (
        "falta um campo para o RD: {detail}",
        "preencha a célula ou acrescente o campo ao mapeamento",
    ),
    "rd.at_least_one_required": (
        "o RD exige pelo menos um entre vários campos: {detail}",
        "preencha um deles",
    ),
    "stop.key_refused": (
        "o endpoint recusa a chave de API",
        (
            f"veja {_KEY} se esta chave está ativa e foi copiada inteira; depois rode o mesmo "
            "comando de novo"
        ),
    ),
    "stop.key_of_crm": (
        "a chave de API é do RD Station CRM",
        f"crie uma chave {_KEY} e rode de novo",
    ),
    "stop.wrong_endpoint": (
        "o endpoint não conhece o endereço ou a forma das nossas requisições",
        "confira --base-url: ele termina antes de /platform",
    ),
    "stop.certificate": (
        "o certificado de {detail} não é confiável",
        (
            "confira --base-url e a data deste computador; se o endpoint é seu, indique o arquivo"
            " da autoridade dele na variável de ambiente SSL_CERT_FILE. Depois " + _AGAIN
        ),
    ),
    "stop.endpoint_down": (
        "não foi possível chegar a {detail}",
        "confira a rede e --base-url, depois " + _AGAIN,
    ),
    "stop.endpoint_unclear": (
        "a maioria das linhas enviadas em sequência ficou em dúvida: sem resposta clara",
        (
            "espere o endpoint se recuperar e rode o mesmo comando: ele só envia as linhas "
            "ainda não tentadas"
        ),
    ),
    "stop.all_refused": (
        "o endpoint recusa todas as linhas pelo mesmo motivo",
        "corrija o mapeamento ou a conta como o motivo diz, e rode o mesmo comando de novo",
    ),
    "stop.account_quota": (
        "a cota da conta se esgotou repetidas vezes",
        "veja que outras integrações usam a conta, depois " + _AGAIN,
    ),
    "stop.lead_quota": (
        "alguns e-mails já tiveram hoje todas as conversões permitidas",
        "rode o mesmo comando amanhã: ele só envia o que falta",
    ),
    "stop.signal": ("pediram que parasse", _AGAIN),
    "stop.max_duration": ("o tempo dado acabou", _AGAIN),
    "stop.limit": (
        "enviou tantas linhas quanto --limit permite",
        "confira-as no RD Station Marketing; sem --limit o mesmo comando envia o resto",
    ),
    "stop.canary": (
        "enviou tantas linhas quanto --canary pede",
        "confira-as no RD Station Marketing; sem --canary o mesmo comando envia o resto",
    ),
    "stop.killed": ("foi cortada no meio", _AGAIN),
    "stop.error": ("um erro a encerrou: {detail}", "corrija o que ele aponta, depois " + _AGAIN),
}
