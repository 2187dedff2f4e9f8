"""Every sentence of the page, in English and in Portuguese; the English one is its name."""

from __future__ import annotations

from typing import Final

from rdimport.core.messages.written import whole

LANGUAGES: Final = {"en": "English", "pt-BR": "Português"}

NO_KEYS: Final = (
    "RD does not show this screen to the profile Usuário. Ask for a key somebody who has the "
    "profile Dono or Gestor in this account."
)
WHOM_TO_ASK: Final = (
    "Only the profiles Dono and Gestor see API keys: ask one of them, and keep the key in a file "
    "that only you can read."
)

_PT: Final = {
    # Frame
    "Overview": "Visão geral",
    "Contacts": "Contatos",
    "Refused": "Recusadas",
    "Simulate failures": "Simular falhas",
    "A local RD Station Marketing. Nothing here reaches a real person.": (
        "Um RD Station Marketing local. Nada daqui chega a uma pessoa de verdade."
    ),
    "Skip to content": "Ir para o conteúdo",
    "Sections": "Seções",
    "Language": "Idioma",
    "Account": "Conta",
    "Name of the new account": "Nome da nova conta",
    "Create": "Criar",
    "Receiving": "Recebendo",
    "Disconnected": "Sem conexão",
    "{n} contacts, {m} refused requests": "{n} contatos, {m} requisições recusadas",
    # Overview
    "Address": "Endereço",
    "Copy": "Copiar",
    "Copied": "Copiado",
    "Copy the address": "Copiar o endereço",
    "Copy the command": "Copiar o comando",
    "Copy the key {name}": "Copiar a chave {name}",
    "Contacts received": "Contatos recebidos",
    "Conversions": "Conversões",
    "Requests refused": "Requisições recusadas",
    "Requests in this minute": "Requisições neste minuto",
    "Requests in this window": "Requisições nesta janela",
    "of {limit}": "de {limit}",
    "no quota": "sem limite",
    "Window resets in {n} s": "A janela recomeça em {n} s",
    "Requests a minute": "Requisições por minuto",
    "Last 30 minutes": "Últimos 30 minutos",
    "30 min ago": "há 30 min",
    "now": "agora",
    "quota {limit}": "limite {limit}",
    "accepted": "aceitas",
    "refused": "recusadas",
    "throttled (429)": "limitadas (429)",
    "Requests a minute over the last 30 minutes. This minute: {now}; the busiest: {most}.": (
        "Requisições por minuto nos últimos 30 minutos. Neste minuto: {now}; no maior: {most}."
    ),
    "Latest contacts": "Últimos contatos",
    "Latest refused requests": "Últimas requisições recusadas",
    "See all": "Ver tudo",
    "Three steps to the first contact": "Três passos até o primeiro contato",
    "Create an API key": "Crie uma chave de API",
    "Give it the name of the integration that will use it.": (
        "Dê a ela o nome da integração que vai usá-la."
    ),
    "Send a spreadsheet here": "Envie uma planilha para cá",
    "Watch the contacts arrive": "Veja os contatos chegarem",
    "This page follows by itself.": "Esta página se atualiza sozinha.",
    "done": "feito",
    "No contact yet. Send something to the sandbox and it appears here by itself.": (
        "Nenhum contato ainda. Envie algo para o sandbox e ele aparece aqui sozinho."
    ),
    "Nothing was refused.": "Nada foi recusado.",
    # Dropped fields
    "Fields dropped in silence": "Campos descartados em silêncio",
    (
        "RD answers 200 and keeps nothing of a field that the account does not have. "
        "Check the spelling, or create the field first."
    ): (
        "O RD responde 200 e não guarda nada de um campo que a conta não tem. "
        "Confira a grafia ou crie o campo antes."
    ),
    "{n} times": "{n} vezes",
    "dropped": "descartado",
    # Keys
    "API keys": "Chaves de API",
    "{n} of {max}": "{n} de {max}",
    "Name of the new key": "Nome da nova chave",
    "e.g. spreadsheets": "ex.: planilhas",
    "Create key": "Criar chave",
    "Key {name} created. Copy it now and keep it like a password.": (
        "Chave {name} criada. Copie agora e guarde como uma senha."
    ),
    "active": "ativa",
    "inactive": "inativa",
    "Switch {name} off": "Desativar {name}",
    "Switch {name} on": "Ativar {name}",
    "No key yet. Without one, every request is refused with 401.": (
        "Nenhuma chave ainda. Sem ela, toda requisição é recusada com 401."
    ),
    "An account has at most 5 keys. None can be deleted: switch one off instead.": (
        "Uma conta tem no máximo 5 chaves. Nenhuma pode ser excluída: desative uma."
    ),
    "A key needs a name.": "A chave precisa de um nome.",
    "This name is already taken.": "Este nome já existe.",
    NO_KEYS: (
        "O RD não mostra esta tela ao perfil Usuário. Peça uma chave a quem tem o perfil Dono ou "
        "Gestor nesta conta."
    ),
    WHOM_TO_ASK: (
        "Só os perfis Dono e Gestor veem chaves de API: peça a um deles e guarde a chave em um "
        "arquivo que só você possa ler."
    ),
    "Ask for an API key": "Peça uma chave de API",
    "Look as": "Ver como",
    # Contacts
    "Search by name or e-mail": "Buscar por nome ou e-mail",
    "Search": "Buscar",
    "No contact matches “{search}”.": "Nenhum contato corresponde a “{search}”.",
    "Show all": "Mostrar todos",
    "Name": "Nome",
    "Last conversion": "Última conversão",
    "When": "Quando",
    "Newer": "Mais recentes",
    "Older": "Mais antigos",
    "Pages": "Páginas",
    "Back to contacts": "Voltar aos contatos",
    "Fields": "Campos",
    "This contact has nothing but its e-mail.": "Este contato só tem o e-mail.",
    "First seen": "Primeira vez",
    "Last change": "Última mudança",
    "Timeline": "Linha do tempo",
    "Request": "Requisição",
    "Answer": "Resposta",
    "as sent": "como enviado",
    "The conversions of this contact are no longer kept.": (
        "As conversões deste contato não são mais guardadas."
    ),
    "yes": "sim",
    "no": "não",
    "There is no such page.": "Esta página não existe.",
    "Go to the overview": "Ir para a visão geral",
    # Refused
    (
        "Every request that was not accepted, with the reason that RD tells and the one that it "
        "does not."
    ): "Toda requisição não aceita, com o motivo que o RD diz e o que ele não diz.",
    "No request was refused. Wrong keys, fields and quotas show up here.": (
        "Nenhuma requisição foi recusada. Chaves, campos e limites errados aparecem aqui."
    ),
    "no answer": "sem resposta",
    # Faults
    (
        "Make something go wrong, and see whether your integration notices. Shares are drawn for "
        "each request; together they are 100% at most."
    ): (
        "Faça algo dar errado e veja se a sua integração percebe. As parcelas são sorteadas a "
        "cada requisição; juntas, somam no máximo 100%."
    ),
    "Start with": "Começar com",
    "429 storm": "Tempestade de 429",
    "Flaky network": "Rede instável",
    "Server in trouble": "Servidor com problemas",
    "Share of the requests": "Parcela das requisições",
    "Times": "Tempos",
    "Details of the faults": "Detalhes das falhas",
    "Apply": "Aplicar",
    "All off": "Desligar todas",
    "Faults are on": "Há falhas ligadas",
    "The shares add up to more than 100%, or a value cannot be read. Nothing was changed.": (
        "As parcelas somam mais de 100%, ou um valor não pôde ser lido. Nada mudou."
    ),
    "Change": "Mudar",
    # Reasons
    "Give it a name": "Dê um nome a ela",
    "No api_key in the URL.": "Sem api_key na URL.",
    "No account has this key.": "Nenhuma conta tem esta chave.",
    "The key {detail} is inactive.": "A chave {detail} está inativa.",
    "An API key is for conversions only; {detail} needs OAuth.": (
        "Uma chave de API só serve para conversões; {detail} exige OAuth."
    ),
    "RD has no such path.": "O RD não tem este caminho.",
    "{detail} instead of POST.": "{detail} em vez de POST.",
    "The URL is longer than 8 kB.": "A URL passa de 8 kB.",
    "The Content-Type is not application/json.": "O Content-Type não é application/json.",
    "The Accept header does not allow JSON.": "O cabeçalho Accept não permite JSON.",
    "The body is larger than {detail} bytes.": "O corpo passa de {detail} bytes.",
    "The body is not JSON: {detail}.": "O corpo não é JSON: {detail}.",
    "The account's quota of {detail} is used up.": "O limite da conta, {detail}, se esgotou.",
    "More than {detail} requests for this e-mail in 24 hours.": (
        "Mais de {detail} requisições para este e-mail em 24 horas."
    ),
    "A fault that was asked for: {detail}.": "Uma falha pedida: {detail}.",
}

FAULTS_PT: Final = {
    "throttle": "429 da conta, como se outras integrações tivessem gasto o limite",
    "throttle_lead": "429 do lead",
    "unavailable": "503 com Retry-After; nada é guardado",
    "fail_before": "500, 501, 502 ou 504; nada é guardado",
    "fail_after": "500, 501, 502 ou 504 depois de guardar a conversão",
    "reset_before": "a conexão é derrubada antes de o corpo ser lido",
    "reset_after": "a conversão é guardada e a conexão, derrubada",
    "hang_before": "nenhuma resposta, nunca; nada é guardado",
    "hang_after": "nenhuma resposta, nunca, mas a conversão é guardada",
    "cut": "guardada, mas a resposta acaba no meio",
    "garbage": "guardada, mas a resposta é 200 com um corpo que não é do RD",
    "odd": "o status de odd_status; nada é guardado",
    "crm": "400 UNABLE_TO_LOAD_CDP_SCHEMA, como para uma chave do RD Station CRM",
    "odd_status": "o status que odd responde",
    "latency": "toda resposta demora tanto a mais",
    "jitter": "e até tanto a mais, por sorteio",
    "slow": "pausa entre dois bytes do corpo da resposta",
    "close_idle": "uma conexão ociosa é fechada depois deste tempo (0: 75 s)",
    "retry_after": "Retry-After de throttle e unavailable",
    "skip": "tantas requisições passam antes da primeira falha sorteada",
    "at_most": "tantas falhas sorteadas, depois nenhuma (0: sem fim)",
}

REASONS: Final = {
    "key_missing": "No api_key in the URL.",
    "key_unknown": "No account has this key.",
    "key_inactive": "The key {detail} is inactive.",
    "oauth_only": "An API key is for conversions only; {detail} needs OAuth.",
    "not_found": "RD has no such path.",
    "method": "{detail} instead of POST.",
    "url_too_long": "The URL is longer than 8 kB.",
    "media_type": "The Content-Type is not application/json.",
    "not_acceptable": "The Accept header does not allow JSON.",
    "too_large": "The body is larger than {detail} bytes.",
    "not_json": "The body is not JSON: {detail}.",
    "quota": "The account's quota of {detail} is used up.",
    "lead": "More than {detail} requests for this e-mail in 24 hours.",
    "fault": "A fault that was asked for: {detail}.",
}
"""The sentence of each `replies.Reason` but `fields`, whose detail speaks for itself."""


ERRORS: Final = {
    "CANNOT_BE_NULL": ("is missing", "está ausente"),
    "CANNOT_BE_BLANK": ("is empty", "está em branco"),
    "INVALID_EMAIL_FORMAT": ("is no e-mail address", "não é um e-mail"),
    "INVALID_FORMAT": ("has the wrong form", "tem a forma errada"),
    "INVALID": ("is no valid text", "não é um texto válido"),
    "INVALID_DATA_TYPE": ("has the wrong type", "tem o tipo errado"),
    "INVALID_OPTION": ("is not one of the options", "não é uma das opções"),
    "MUST_BE_BOOLEAN": ("must be true or false", "deve ser verdadeiro ou falso"),
    "TOO_LONG": ("is too long", "é longo demais"),
    "VALUES_MUST_BE_LOWERCASE": ("must be in lower case", "devem estar em minúsculas"),
    "VALUES_MUST_BE_UNIQUE": ("must not repeat", "não podem se repetir"),
    "CONFLICTING_FIELD": (
        "must be absent beside the __trf.src cookie",
        "deve ficar de fora junto do cookie __trf.src",
    ),
}
"""What each of RD's `error_type` says of a field, in English and in Portuguese."""


def say(language: str, sentence: str, **values: object) -> str:
    """The sentence in that language, its places filled."""
    text = _PT[sentence] if language == "pt-BR" else sentence
    return text.format(**values) if values else text


def reason(language: str, code: str, detail: str) -> str:
    """Why a request was refused, as a sentence."""
    if code not in REASONS:
        return detail.replace("$.payload.", "")
    return say(language, REASONS[code], detail=detail)


def number(language: str, value: int) -> str:
    """12345 as 12,345 or 12.345."""
    return whole(value, language)


def choose(cookie: str, accepted: str) -> str:
    """The language of a person: what was chosen before, else what the browser asks for first."""
    if cookie in LANGUAGES:
        return cookie
    for part in accepted.split(","):
        wanted = part.partition(";")[0].strip().lower()
        if wanted.startswith("pt"):
            return "pt-BR"
        if wanted.startswith("en"):
            return "en"
    return "en"


KEY_MISTAKES: Final = ("A key needs a name.", "This name is already taken.")
"""What can be wrong with the name of a new key."""
