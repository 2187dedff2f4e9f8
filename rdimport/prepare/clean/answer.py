"""Yes or no in the words of forms: Portuguese, English and Spanish.

A cell is understood completely or not at all. A negation wins over the word it negates, and an
unknown word leaves the cell unchanged, because "Aceito apenas SMS" does not mean yes.
"""

from __future__ import annotations

import re
from typing import Final

from rdimport.core.names import without_accents

_PLAIN_YES: Final = frozenset(
    "1 s si sim y yes t true v verdadeiro verdadera x ok on claro ✓ ✔ ☑ ✅ 🗹".split()
)
_PLAIN_NO: Final = frozenset("0 f false falso falsa off ☐ ✗ ✘ ❌ ⬜".split())
_NEGATION: Final = frozenset(
    "n nao no not nunca never jamais sem sin without non dont nem ni".split()
)
_ACCEPTED: Final = frozenset(
    "aceito aceita aceitou aceitei aceitar aceite concordo concorda concordou concordei autorizo "
    "autoriza autorizou autorizei autorizado autorizada quero quer desejo deseja gostaria permito "
    "permite permitiu permitido consinto consente consentiu consentido concedo concedido concedida "
    "concedeu acordo optin subscribed subscribe granted accept accepts accepted agree agrees "
    "agreed allow allows allowed authorize authorized want wish consented acepto acepta aceptado "
    "quiero deseo acuerdo".split()
)
_REFUSED: Final = frozenset(
    "recuso recusa recusou recusei recusado recusada discordo discorda discordou declined decline "
    "declines refuse refuses refused disagree disagrees disagreed desacordo desacuerdo optout "
    "unsubscribed unsubscribe nonsubscribed descadastrado descadastrada descadastrou desinscrito "
    "desinscrita revogado revogada revogou revoked withdrawn rejeito rejeitado rejeitou rejected "
    "rechazo rechazado rechaza denied proibo nego negado negou".split()
)
_FILLING: Final = frozenset(
    "eu i a o e os as que de do da dos das em na por para com meu minha meus minhas estou estoy "
    "you li me la los las y en el to the of in my have has am receber recebo recibir receive "
    "receiving ser mail mails email emails correo correos novidades novedades ofertas newsletter "
    "newsletters comunicacao comunicacoes comunicados informacoes noticias news marketing "
    "promocoes promociones contato contatos consentimento consentimiento consent autorizacao "
    "permissao obrigado obrigada thanks thank gracias termos terminos terms politica privacidade "
    "privacy policy lgpd dados uso tratamento totalmente plenamente double single total".split()
)

_NUMBER: Final = re.compile(r"([01])[.,]0+")
_OPT: Final = re.compile(r"\bopt(?:ed)?[\s_-]*(in|out)\b")


def answer(cell: str) -> str:
    """`Sim, concordo` -> `true`, `Não autorizo` -> `false`; anything else unchanged."""
    meaning = _understood(cell)
    return cell if meaning is None else "true" if meaning else "false"


def _understood(cell: str) -> bool | None:
    words = _words(cell)
    known = _PLAIN_YES | _PLAIN_NO | _NEGATION | _ACCEPTED | _REFUSED | _FILLING
    if not words or any(word not in known for word in words):
        return None
    yes, no, negated, accepted, refused = (
        any(word in kind for word in words)
        for kind in (_PLAIN_YES, _PLAIN_NO, _NEGATION, _ACCEPTED, _REFUSED)
    )
    against = no or negated
    if refused:
        return None if yes or against or accepted else False
    if against:
        return None if yes else False
    return True if yes or accepted else None


def _words(cell: str) -> list[str]:
    plain = without_accents(cell.replace("\ufe0f", "").replace("’", "'")).casefold()
    number = _NUMBER.fullmatch(plain.strip())
    words = number[1] if number else plain.replace("don't", "dont")
    return re.findall(r"\w+|[^\w\s,.;:!/()'\"_-]", _OPT.sub(r"opt\1", words))
