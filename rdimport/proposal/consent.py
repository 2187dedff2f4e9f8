"""Columns about consent or refusal. A refusal is never read as consent (LGPD).

In a column whose heading negates or revokes, a yes means no. If the words leave any doubt, nothing
is guessed, and the proposal says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from rdimport.core.names import without_accents
from rdimport.mapping import Clean
from rdimport.proposal.phones import sql_name
from rdimport.proposal.vocabulary import camel_apart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import polars as pl

    from rdimport.proposal.evidence import ColumnEvidence


class Says(StrEnum):
    """What a yes in the column means, according to its heading."""

    CONSENT = "consent"
    REFUSAL = "refusal"
    UNCLEAR = "unclear"
    """Either is possible."""
    ABOUT = "about"
    """It is about consent, but not to e-mail: terms, a date, another channel."""


_REFUSALS: Final = re.compile(
    r"\b(?:opt(?:ed|s|ou|ar)? ?outs?|optado ?out|un ?subscri\w+|unsub|des?cadastr\w+|des+inscri\w+|"
    r"desuscri\w+|desistencia d\w+ e ?mail\w*|"
    r"cancel\w+ (?:a |o |da |do |de |su |la )?(?:inscri\w+|assinatura|newsletter|cadastro|"
    r"suscrip\w+|recebimento|subscription|envio)|"
    r"(?:inscricao|assinatura|cadastro|subscription) cancel\w+|"
    r"bloquea\w+|bloqueio|blocked|block ?list(?:ed)?|black ?list(?:ed)?|deny ?list|lista negra|"
    r"lista de (?:bloqueio|supressao|exclusao)|suprimid\w|supressao|sup+res+\w*|bounce[sd]?|"
    r"hard ?bounce\w*|soft ?bounce\w*|revog\w+|revoc\w+|revok\w+|recus\w+|refus\w+|rechaz\w+|"
    r"rejeit\w+|rejected|declin\w+|withdr\w+|"
    r"retir\w+ (?:o |a |seu |sua |el |su )?(?:consent\w+|autoriza\w+|permiss\w+)|"
    r"(?:consent\w*|autoriza\w+|permiss\w+|aceite|opt ?in|inscricao|assinatura|lgpd) (?:retirad\w|"
    r"negad\w|removid\w|expirad\w|expirou|vencid\w|venceu|caducad\w|caducou|suspens\w|"
    r"invalid\w+|pendente|expired|lapsed|pending|denied|removed)|"
    r"(?:expired|lapsed|pending|missing|expirou|venceu|caducou) (?:o |a )?(?:consent\w*|opt ?in)|"
    r"discord\w+|"
    r"(?:dispens\w+|proib\w+|proh?ibid\w|prohibited|veda\w+|inativ\w+|inactive|desativ\w+|"
    r"desabilit\w+|disabled|removid\w|excluid\w|suspens\w+|impedid\w) "
    r"(?:de |do |da |o |a |para |no |na |for |from )?(?:contat\w+|contact\w*|e ?mails?|mailing|"
    r"envi\w+|receb\w+|newsletter|marketing|comunica\w+|ligac\w+|lista)|"
    r"(?:remov\w+|exclu\w+|sair|saiu|retirad\w) d[ao] (?:lista|newsletter|mailing|base)|"
    r"(?:pediu|solicitou|pede|solicita) (?:a |o |para )?(?:exclusao|remocao|sair|saida)|"
    r"(?:exclusao|remocao) solicitada|opposed|objected|dad[oa] de baja|"
    r"(?:parar|deixar|dejar) de (?:receb\w+|recib\w+)|parou de receber|stop(?:ped)? receiving|"
    r"marcou (?:como )?spam|spam complain\w*|oposicao|optout\w*|"
    r"naoperturb\w+|noperturbar|donot(?:contact|e?mail|call|disturb)|nao(?:aceita|quer|deseja)\w*)\b"
    r"|^(?:data d[ae] )?(?:fecha de )?baja$|^retirou$|^(?:spam|complain(?:t|ts|ed)|reclamou)$"
)
_NEGATIONS: Final = re.compile(
    r"\b(?:nao|not|never|nunca|jamais|sem|sin|without|dont)\b|"
    r"\b(?:cancel\w+|desfez|desfeit\w|revert\w+|undo\w*)(?= (?:o |a |the |el |la )?refusal\b)|"
    r"(?:^no\b|\bno(?= (?:acep|dese|quier|autori|contact|molest|perturb|e ?mail|mail|market|"
    r"consent|opt|recib|env|suscri)))"
)
_WANTED: Final = re.compile(
    r"\b(?:opt(?:ed)? ?in|optin|consen\w+|consient\w+|lgpd|gdpr|subscri\w+|newsletter|acei\w+|"
    r"acep\w+|accept\w*|autori[sz]\w+|authori[sz]\w+|permi\w+|concord\w+|agree\w*|quer\w*|quier\w+|"
    r"dese\w+|gostaria|receb\w+|recib\w+|receiv\w+|marketing|perturb\w+|molestar|disturb|"
    r"contat(?:ar|e|o)|contact(?:ar|e|o)?|lig(?:ar|ue|uem)|call|envi(?:ar|e|em)|mand(?:ar|e|em)|"
    r"escrev(?:er|a|am)|incomod\w+|mail|e ?mails?|inscrit\w|"
    r"suscrit\w|assinante|mailing)\b"
)
_CONSENTS: Final = re.compile(
    r"\b(?:opt(?:ed)? ?in|optin|acei\w+ (?:de )?(?:receber|marketing|e ?mails?|contato|comunica\w+|"
    r"novidades|ofertas)|"
    r"autori[sz]\w+ (?:.*)(?:receb\w+|contat\w+|e ?mails?|comunica\w+|marketing|envio\w*|"
    r"novidades)|"
    r"(?:quer\w*|dese\w+|gostaria de|concord\w+|aceit\w+|permi\w+|recebe|receber) .*"
    r"(?:e ?mails?|newsletters?|programacao|novidades|comunica\w+|informacoes|ofertas|lgpd|"
    r"promoco\w+|contat\w+)|"
    r"(?:acepta\w*|autoriza\w*|quier\w+|dese\w+|permi\w+) .*"
    r"(?:novedades|correos?|comunicaciones|marketing|ofertas|recibir)|"
    r"(?:inscrit|suscrit)[oa]s? (?:na|no|em|a|al|en) .*(?:newsletter|boletin|mailing)|"
    r"accepts? (?:e ?mail )?(?:e ?mail|marketing|newsletter)\w*|acceptance|consent\w*|lgpd|gdpr|"
    r"subscribed|(?:agree|want|wish|like)\w* to (?:receive|be contacted)\b.*)\b|"
    r"^(?:newsletter|aceite|autoriza(?:cao)?|concordo|concorda|permissao|consiente)$"
)
_OTHERWISE: Final = re.compile(
    r"\b(?:sms|whats ?app|ligac\w+|telefone|data|date|fecha|hora|time|timestamp|when|quando|ip|"
    r"origem|source|fonte|versao|version|imagem|foto|cookies?)\b"
)
_TERMS: Final = re.compile(r"\b(?:termos?|terminos|terms|politica|policy|regulamento)\b")
_ABOUT_MAIL: Final = re.compile(
    r"\b(?:receb\w+|recib\w+|receiv\w+|e ?mails?|newsletter|marketing|comunica\w+|lgpd)\b"
)
_AGREES: Final = re.compile(r"\b(?:opt ?in|aceit\w+|concord\w+|autoriza\w+|accept\w*|agree\w*)\b")
_NO_MATTER: Final = re.compile(
    r"\b(?:propostas?|pedidos?|pagamentos?|cart\w+|compras?|negocios?|deals?|orders?|payments?|"
    r"credito|vagas?|matricula|cheque|boleto|nf|entrega|fatura|orcamento)\b"
)
_EITHER: Final = re.compile(r" / | ou | or | e | and ")

_NO: Final = tuple("|-|0|0.0|0,0|0.00|n|no|nao|não|f|false|falso|off|nunca|never|☐".split("|"))
_STILL_IN: Final = ("subscribed", "opt-in", "optin", "opted in", "opted-in")
"""Values of a refusal column for people who did not refuse; any other value excludes the person."""

_GONE: Final = re.compile(
    r"(?:un-?subscribed?|(?:non|not|never)[ -]?subscribed|cleaned|opt(?:ed)?[ -]?out|"
    r"des?cadastrad[oa]|descadastrou|desinscrit[oa]|desuscrit[oa]|suprimid[oa]|suppressed|"
    r"(?:hard |soft )?bounced?|blacklisted|"
    r"revogad[oa]|revogou|revoked|dad[oa] de baja|spam|complained|nao perturbe|do not (?:contact|"
    r"e?-?mail)|(?:inscricao|assinatura|cadastro) cancelad[oa]|cancelou (?:a )?inscricao|"
    r"nao (?:aceita|autoriza|quer|deseja) (?:receber )?(?:e-?mails?|contato|newsletter)?)"
)
_PERHAPS_GONE: Final = re.compile(
    r"(?:cancelad[oa]|cancell?ed|bloquead[oa]|blocked|recusad[oa]|recusou|declined|"
    r"removid[oa]|removed|excluid[oa]|rejeitad[oa]|rejected|saiu)"
)
_STATUS: Final = re.compile(
    r"\b(?:status|situacao|estado|inscri\w+|subscri\w+|assinatura|newsletter|e ?mail|mailing|optin|"
    r"opt in|consent\w*|lgpd|marketing|contato|contact)\b"
)
_ANY_STATUS: Final = re.compile(
    r"(?:(?:status|situacao|estado)(?: atual| da venda| da transacao)?|stage|state|"
    r"transaction (?:status|state))"
)
_OF_SALES: Final = re.compile(
    r"(?:pag[oa]|paid|nao pag[oa]|aprovad[oa]|approved|complet[oa]|completed?|concluid[oa]|"
    r"finalizad[oa]|finished|faturad[oa]|entregue|delivered|shipped|processando|processing|"
    r"reembolsad[oa]|refunded|estornad[oa]|chargeback|on[- ]hold|vendid[oa]|sold|ganh[oa]|won|"
    r"perdid[oa]|lost|em negociacao|agendad[oa]|realizad[oa]|"
    r"(?:aguardando|waiting|pending|pendente)(?: de)?[ -](?:pagamento|payment))"
)
"""States of orders, deals and appointments: cancelling one of those is no refusal of e-mails."""
_ENDED: Final = re.compile(
    r"(?:cancelad[oa]|cancell?ed|recusad[oa]|declined|rejeitad[oa]|rejected)"
)
"""Those of them that a person on a mailing list may have too."""
_ON_LIST: Final = re.compile(
    r"(?:(?:re)?inscrit[oa]|suscrit[oa]|cadastrad[oa]|subscribed|subscriber|assinante|(?:in)?ativ[oa]|"
    r"(?:in)?active|(?:in)?activ[oa]|opt(?:ed)?[ -]?in)"
)
"""Values of a column that is, also or only, about a mailing list."""
_FEW: Final = 30
"""Maximum number of distinct values in a status column."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A column about consent or refusal. `keeps`: the condition for people who did not refuse."""

    column: str
    says: Says
    keeps: str = ""


def words(heading: str) -> str:
    """The heading without case, accents and punctuation; text in brackets is included."""
    plain = camel_apart(heading.replace("’", "").replace("'", ""))
    plain = without_accents(plain).casefold()
    return " ".join(re.sub(r"[^a-z0-9/]+", " ", plain.replace("/", " / ")).split())


def says(heading: str) -> Says | None:
    """The meaning of a heading, or None if it is about something else."""
    plain = words(heading)
    if _NO_MATTER.search(plain):
        return None
    refusals = _REFUSALS.findall(plain)
    negated = len(_NEGATIONS.findall(_REFUSALS.sub("refusal", plain)))
    if refusals:
        alone = len(refusals) == 1 or _EITHER.search(plain)
        return Says.REFUSAL if alone and not negated else Says.UNCLEAR
    if negated:
        if not _WANTED.search(_NEGATIONS.sub(" ", plain)) or plain in {"sem e mail", "sem contato"}:
            return None
        return Says.REFUSAL if negated == 1 else Says.UNCLEAR
    if _CONSENTS.search(plain) or re.search(r"\bli\b.*\b(?:aceito|concordo)\b", plain):
        terms = _TERMS.search(plain) and not _ABOUT_MAIL.search(plain)
        return Says.ABOUT if terms or _OTHERWISE.search(plain) else Says.CONSENT
    about = _OTHERWISE.search(plain) or _TERMS.search(plain) or _ABOUT_MAIL.search(plain)
    return Says.ABOUT if about and _AGREES.search(plain) else None


def find(
    columns: Sequence[str], rows: pl.DataFrame, evidence: Mapping[str, ColumnEvidence]
) -> tuple[Finding, ...]:
    """All columns about consent or refusal, by heading or by values."""
    return tuple(_find(columns, rows, evidence))


def _find(
    columns: Sequence[str], rows: pl.DataFrame, evidence: Mapping[str, ColumnEvidence]
) -> Iterator[Finding]:
    for column in columns:
        if evidence[column].share(Clean.EMAIL) >= 0.5:
            continue
        claim = says(column)
        gone = _refusing_values(column, rows)
        if claim is Says.REFUSAL:
            yield Finding(column, claim, _keeps_no(column))
        elif claim is Says.UNCLEAR:
            yield Finding(column, claim)
        elif gone:
            yield Finding(column, Says.REFUSAL, _keeps_others(column, gone))
        elif claim is Says.CONSENT and not _answers(evidence[column]):
            yield Finding(column, Says.UNCLEAR)
        elif claim is not None:
            yield Finding(column, claim)


def _answers(seen: ColumnEvidence) -> bool:
    return not seen.filled or seen.share(Clean.BOOLEAN) >= 0.5


def _refusing_values(column: str, rows: pl.DataFrame) -> list[str]:
    """Values of a status column that exclude a person: `Unsubscribed`, `Cancelado`."""
    cells = rows[column].alias("cells").drop_nulls()  # polars takes ^a$ for a pattern
    plain = words(column)
    found = cells.str.strip_chars().str.to_lowercase().unique(maintain_order=True).to_list()
    if len(found) > _FEW:
        return []
    folded = {cell: re.sub(r"[\s_]+", " ", without_accents(cell)) for cell in found}
    perhaps = _STATUS.search(plain) is not None and not _NO_MATTER.search(plain)
    sales = _ANY_STATUS.fullmatch(plain) is not None and _is_of_sales(folded.values())
    gone = [
        cell
        for cell, bare in folded.items()
        if _GONE.fullmatch(bare)
        or (perhaps and _PERHAPS_GONE.fullmatch(bare) and not (sales and _ENDED.fullmatch(bare)))
    ]
    if not gone or says(column) is not Says.CONSENT:
        return gone
    from rdimport.prepare.clean.answer import answer  # noqa: PLC0415  only a status needs it

    answers = {cell: answer(cell) for cell in found if cell and cell not in gone}
    if not any(_PERHAPS_GONE.match(folded[cell]) for cell in gone) and all(
        meaning in {"true", "false"} for meaning in answers.values()
    ):
        return []  # the boolean cleaner understands all values, so each row has its own status
    return [cell for cell in found if cell in gone or answers.get(cell) == "false"]


def _is_of_sales(values: Collection[str]) -> bool:
    """Whether these are states of orders, and of nothing else that is known: in doubt, who
    cancelled stays out.
    """
    return any(map(_OF_SALES.fullmatch, values)) and not any(
        _ON_LIST.fullmatch(value) or _GONE.fullmatch(value) for value in values
    )


def _keeps_no(column: str) -> str:
    return f"{_cell(column)} IN ({_texts((*_NO, *_STILL_IN))})"


def _keeps_others(column: str, gone: Sequence[str]) -> str:
    return f"{_cell(column)} NOT IN ({_texts(gone)})"


def _cell(column: str) -> str:
    return f"COALESCE(LOWER(TRIM({sql_name(column)})), '')"


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
