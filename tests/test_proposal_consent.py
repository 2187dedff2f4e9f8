"""`init` and consent: a refusal is never read as consent, however it is worded."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import costly

from rdimport.core.row import FILE, ROW
from rdimport.core.schemas import ORIGIN
from rdimport.mapping import Mapping
from rdimport.prepare import bind, prepare
from rdimport.prepare.clean import text
from rdimport.prepare.clean.answer import answer
from rdimport.proposal import propose
from rdimport.proposal.consent import Says, says

REFUSALS = """\
Não deseja newsletter|Unsubscribed|Não quero receber novidades|Não aceita e-mail|OPT_OUT
Revogou consentimento|Consentimento LGPD revogado|Consentimento (revogado)|HasOptedOutOfEmail
Email Opt Out|unsubscribe|Descadastrado|Descadastrou|Cancelou inscrição|Bloqueado|Não perturbe
Do not contact|do_not_email|DoNotContact|Blacklist|Suprimido|Bounced|Revogado|Revogação
Retirou o consentimento|Recusou|Recusa|Sem consentimento|Não autorizo|nao_aceita_email
Data do descadastro|No desea recibir correos|Dado de baja|Não receber e-mails|Don't email
No suscrito al boletín|Cliente no suscrito al boletín|Não inscrito na newsletter
Marque aqui se você não deseja receber nossos e-mails|I do not wish to receive marketing
Dispensa contato|Proibido contatar|Inativo para mailing|Consentimento expirado|Opt-in expired
Aceite vencido|Consentimento pendente|Excluído da lista|Não me ligue|Não incomodar|SPAM
Deseja parar de receber?|Stopped receiving|Quer deixar de receber e-mails
NãO QUERO RECEBER E-MAILS|NãO AUTORIZO CONTATO|NãO ACEITO NEWSLETTER|naoQuerReceberEmail
Consent withdrawn|Não contatar|Assinatura cancelada|UNSUB_TIME|Solicitou exclusão|Suppressed"""
UNCLEAR = """\
Não recusou|Não descadastrado|Not unsubscribed|Sem opt-out|Revogou o opt-out
Não revogou consentimento|Cancelou o descadastro"""
CONSENTS = """\
Aceita receber e-mails?|Você concorda em receber nossas comunicações?|Opt-in|LGPD|Newsletter
Consentimento|Autoriza contato?|Subscribed|Accepts Email Marketing|Acepta recibir novedades
Suscrito al boletín|Inscrito na newsletter
Li e aceito receber e-mails|Você concorda com a LGPD?|Concorda com os termos da LGPD
Do you agree to receive emails?|Aceite|Autorizo o uso dos meus dados para contato"""
ABOUT = """\
Aceita receber SMS?|Data do opt-in|Li e aceito os termos de uso|Consent date
Li e concordo com a política de privacidade"""
OTHERS = """\
Inativo|Suspenso|Proibido|Contrato vencido|Pedido pendente
E-mail|Nome|Cargo|Status|No|Bloco|Retirada|Motivo da recusa da proposta|Não contatado
Aceita cartão|Cidade|Data de inscrição|No show|Contato|Observações|Tags|Cancelado"""


def each(lines: str) -> list[str]:
    return lines.replace("\n", "|").split("|")


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        *((heading, Says.REFUSAL) for heading in each(REFUSALS)),
        *((heading, Says.UNCLEAR) for heading in each(UNCLEAR)),
        *((heading, Says.CONSENT) for heading in each(CONSENTS)),
        *((heading, Says.ABOUT) for heading in each(ABOUT)),
        *((heading, None) for heading in each(OTHERS)),
    ],
)
def test_a_heading_is_read_with_its_negations(heading: str, message: Says | None) -> None:
    assert says(heading) is message


def imported(columns: dict[str, list[str | None]]) -> tuple[str, dict[int, str | None]]:
    """The proposal, and the status of each row that it sends, by the row's position."""
    size = len(next(iter(columns.values())))
    emails = [f"p{at}@exemplo.com" for at in range(size)]
    cells = {"Nome": ["Ana"] * size, "E-mail": emails, **columns}
    rows = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
    origin = {
        FILE: pl.lit(0, dtype=pl.UInt32),
        ROW: pl.int_range(pl.len(), dtype=pl.UInt32),
        **{name: pl.lit(None, dtype=pl.String) for name in list(ORIGIN)[2:]},
    }
    table = rows.select(**origin, **{name: text.column(name) for name in rows.columns})
    proposal = propose(rows.columns, table, "lista.csv")
    result = prepare(table, bind(Mapping.parse(proposal.text), rows.columns, "lista.csv"))
    sent = {}
    for row, payload in result.rows.select(ROW, "payload").iter_rows():
        bases = json.loads(payload).get("legal_bases")
        sent[row] = bases[0]["status"] if bases else None
    return proposal.text, sent


@pytest.mark.parametrize(
    ("heading", "cells", "refused"),
    [
        ("Unsubscribed", ["false", "TRUE", ""], {1}),
        ("Não quero receber novidades", ["Não", "Sim", "não", "N"], {1}),
        ("Não quero receber novidades", ["", "Não quero"], {1}),
        ("Email Opt Out", ["0", "1", "0.0", "1.0"], {1, 3}),
        ("Data do descadastro", [None, "12/03/2024", ""], {1}),
        ("Descadastrado", ["", "x", " "], {1}),
        ("Motivo do descadastro", ["", "Recebo e-mails demais"], {1}),
        ("Status", ["Subscribed", "Unsubscribed", "Cleaned"], {1, 2}),
        ("Status", ["Ativo", "Descadastrado", "ATIVO"], {1}),
        ("Situação", ["Inscrito", "Cancelado", "Inscrito"], {1}),
        ("Status da inscrição", ["Confirmado", "Cancelado", "CANCELADO"], {1, 2}),
        ("Member status", ["subscribed", "Non-Subscribed", "unsubscribed"], {1, 2}),
        ("Consentimento LGPD revogado", ["não", "sim", None], {1}),
        ("Subscription status", ["subscribed", "NOT_SUBSCRIBED", "never_subscribed"], {1, 2}),
        ("Situação do e-mail", ["Ativo", "Removido", "Excluída", "Saiu"], {1, 2, 3}),
        ("Aceita e-mails?", ["Talvez", "unsubscribed", "Não, obrigado", "Recuso"], {1, 2, 3}),
        ("Newsletter", ["Ativo", "Descadastrado"], {1}),
        ("Bounces", ["0", "2", ""], {1}),
        ("Não perturbe", ["N", "S"], {1}),
        ("Do Not Contact", ["No", "Yes"], {1}),
        ("Bloqueado", ["FALSO", "VERDADEIRO"], {1}),
    ],
)
def test_who_refused_is_left_out_and_nobody_is_granted(
    heading: str, cells: list[str | None], refused: set[int]
) -> None:
    proposal, sent = imported({heading: cells})
    assert set(sent) == set(range(len(cells))) - refused
    assert "granted" not in set(sent.values())
    assert "legal_bases" not in proposal


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Status", ["Pago", "Cancelado", "Reembolsado"]),
        ("Status da transação", ["Aprovado", "Cancelado"]),
        ("Situação", ["Finalizado", "CANCELADA"]),
        ("Order Status", ["Completed", "Cancelled"]),
    ],
)
def test_a_cancelled_order_is_no_refusal_of_emails(heading: str, cells: list[str | None]) -> None:
    proposal, sent = imported({heading: cells})
    assert set(sent) == set(range(len(cells)))
    assert "where:" not in proposal


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Status", ["Pago", "Cancelado", "Descadastrado"]),
        ("Status", ["Pago", "Cancelado", "Inscrito"]),
        ("Status", ["Completed", "Cancelled", "Subscribed"]),
        ("Status", ["Pago", "Bloqueado"]),
        ("Situação", ["Concluído", "Saiu"]),
        ("Status", ["Won", "Recusou"]),
        ("Status da transação", ["Aprovado", "Descadastrado"]),
        ("Order Status", ["Completed", "Unsubscribed"]),
        ("Situação do pedido", ["Pago", "Descadastrado"]),
        ("Transaction emails opt out", ["No", "Yes"]),
        ("Não quero receber e-mails de transações", ["Não", "Sim"]),
    ],
)
def test_who_may_have_left_the_list_is_left_out_also_among_orders(
    heading: str, cells: list[str | None]
) -> None:
    _, sent = imported({heading: cells})
    stay = {"Inscrito", "Subscribed"}
    assert set(sent) == {0, *(n for n, cell in enumerate(cells) if cell in stay)}


@pytest.mark.parametrize(
    ("heading", "cells", "status"),
    [
        (
            "Você concorda em receber comunicações (LGPD)?",
            ["Sim, concordo", "Não concordo", ""],
            ["granted", "declined", None],
        ),
        ("Opt-in", ["Opt-in", "Opt-out"], ["granted", "declined"]),
        ("Newsletter", ["Subscribed", "Unsubscribed"], ["granted", "declined"]),
        ("Consentimento", ["Concedido", "Revogado"], ["granted", "declined"]),
        ("Autoriza contato por e-mail?", ["Autorizo", "Não autorizo"], ["granted", "declined"]),
    ],
)
def test_a_consent_is_each_persons_own(
    heading: str, cells: list[str | None], status: list[str | None]
) -> None:
    proposal, sent = imported({heading: cells})
    assert sent == dict(enumerate(status))
    assert "legitimate_interest" not in proposal


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Não recusou", ["Sim", "Não"]),
        ("Li e aceito os termos de uso", ["Sim", "Não"]),
        ("Aceita SMS", ["Sim", "Não"]),
        ("Consentimento LGPD", ["12/03/2024", "13/03/2024"]),
        ("Data do opt-in", ["12/03/2024", ""]),
    ],
)
def test_where_the_words_leave_a_doubt_nothing_is_granted_and_it_is_reported(
    heading: str, cells: list[str | None]
) -> None:
    proposal, sent = imported({heading: cells})
    assert sent == {0: None, 1: None}
    assert "legitimate_interest" not in proposal
    assert f"# “{heading}” is about consent" in proposal


def test_beside_a_consent_the_refusals_are_left_out_too() -> None:
    columns = {"Opt-in": ["Sim", "Sim", "Não"], "Opt-out": ["", "Sim", ""], "Bounced": ["", "", ""]}
    _, sent = imported({name: list(cells) for name, cells in columns.items()})
    assert sent == {0: "granted", 2: "declined"}


@given(st.sampled_from(each(REFUSALS + "\n" + UNCLEAR)), st.lists(st.text(max_size=9), min_size=1))
@settings(max_examples=costly(60), deadline=None)
def test_under_a_refusal_no_cell_is_ever_a_consent(heading: str, cells: list[str]) -> None:
    _, sent = imported({heading: list(cells)})
    assert "granted" not in set(sent.values())


@pytest.mark.parametrize(
    ("true", "false"),
    [
        ("Aceito", "Não aceito"),
        ("Sim, concordo", "Não concordo"),
        ("Sim, aceito receber", "Não, obrigado"),
        ("Opt-in", "Opt-out"),
        ("Autorizo", "Não autorizo"),
        ("Quero", "Não quero"),
        ("De acordo", "Em desacordo"),
        ("Subscribed", "Unsubscribed"),
        ("S", "N"),
        ("Verdadeiro", "Falso"),
        ("✓", "☐"),
        ("1.0", "0,0"),
        ("I agree", "I don't agree"),
        ("Sí, acepto", "No acepto"),
    ],
)
def test_yes_and_no_are_understood_as_forms_say_them(true: str, false: str) -> None:
    assert (answer(true), answer(false)) == ("true", "false")


@pytest.mark.parametrize(
    "cell", ["Talvez", "Aceito apenas SMS", "Não recusou", "Sim / Não", "-", "Consentimento", "11"]
)
def test_a_sentence_that_is_not_understood_stays(cell: str) -> None:
    assert answer(cell) == cell
