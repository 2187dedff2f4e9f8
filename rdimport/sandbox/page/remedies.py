"""What to do about a request that was refused."""

from __future__ import annotations

from typing import Final

REMEDIES: Final = {
    "key_missing": (
        "Put the key into the URL: ?api_key=… (rdimport does it by itself).",
        "Ponha a chave na URL: ?api_key=… (o rdimport faz isso sozinho).",
    ),
    "key_unknown": (
        (
            "Copy the key again, whole, from this account's keys; only the profiles Dono and "
            "Gestor see them."
        ),
        (
            "Copie de novo a chave inteira, das chaves desta conta; só os perfis Dono e Gestor as "
            "veem."
        ),
    ),
    "key_inactive": (
        "Switch the key on, or use another; only the profiles Dono and Gestor can.",
        "Ative a chave ou use outra; só os perfis Dono e Gestor podem.",
    ),
    "oauth_only": (
        "Send conversions to /platform/conversions, or get a token by OAuth.",
        "Envie conversões para /platform/conversions ou obtenha um token por OAuth.",
    ),
    "not_found": (
        "Send to /platform/conversions; see what --base-url says.",
        "Envie para /platform/conversions; veja o que --base-url diz.",
    ),
    "method": ("Send it by POST.", "Envie por POST."),
    "url_too_long": (
        "Put nothing but the key into the URL; the fields belong into the body.",
        "Ponha só a chave na URL; os campos vão no corpo.",
    ),
    "media_type": (
        "Send the header Content-Type: application/json.",
        "Envie o cabeçalho Content-Type: application/json.",
    ),
    "not_acceptable": (
        "Send the header Accept: application/json, or none.",
        "Envie o cabeçalho Accept: application/json ou nenhum.",
    ),
    "too_large": (
        "Shorten the longest fields, or leave them out.",
        "Encurte os campos mais longos ou deixe-os de fora.",
    ),
    "not_json": (
        "Have the body written by a JSON library, as UTF-8.",
        "Gere o corpo com uma biblioteca de JSON, em UTF-8.",
    ),
    "quota": (
        "Wait for Retry-After, then send it again; send more slowly (--quota, --reserve).",
        "Espere o Retry-After e envie de novo; envie mais devagar (--quota, --reserve).",
    ),
    "lead": (
        "Send this person again tomorrow, and go on with the others.",
        "Envie esta pessoa de novo amanhã e siga com as outras.",
    ),
    "fault": (
        (
            "Nothing is wrong with it: switch the fault off under “Simulate failures”, or see what "
            "your integration makes of it."
        ),
        (
            "Não há nada de errado: desligue a falha em “Simular falhas” ou veja como a sua "
            "integração se sai."
        ),
    ),
    "fields": (
        (
            "Correct these cells in the list, or leave the field out of the mapping; then send the "
            "row again."
        ),
        (
            "Corrija essas células na lista ou tire o campo do mapeamento; depois envie a linha de "
            "novo."
        ),
    ),
}
"""What to do about each `replies.Reason`, in English and in Portuguese."""


def remedy(language: str, code: str) -> str:
    """What to do about a request that was refused; empty for a reason of an older sandbox."""
    return REMEDIES.get(code, ("", ""))[language == "pt-BR"]
