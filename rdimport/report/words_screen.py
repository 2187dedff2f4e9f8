"""The texts that `check` and the progress show, in each language."""

from __future__ import annotations

from typing import Final

ENGLISH: Final = {
    "reading": "Reading and checking",
    "sending": "Sending",
    "unit.rows": "rows",
    "left": "{time} left",
    "rows_a_second": "{rate} rows/s",
    "days": "{days} days {hours} h",
    "day": "1 day {hours} h",
    "waiting": "waiting {time}: {reason}",
    "stopping": "Stopping: {number} requests are waited for, 10 seconds at most. Ctrl+C again"
    " leaves at once, and their rows uncertain.",
    "stopping.one": "Stopping: 1 request is waited for, 10 seconds at most. Ctrl+C again leaves at"
    " once, and its row uncertain.",
    "rows_read": "{number} rows read and checked",
    "rows_read.one": "1 row read and checked",
    "rows_to_send": "{number} rows to send",
    "rows_to_send.one": "1 row to send",
    "about": "about {time}",
    "rows_sent": "{done} of {rows} rows sent",
    "stage.counting": "Report: counting the problems",
    "stage.failures.csv": "Report: failures.csv",
    "stage.failures.xlsx": "Report: failures.xlsx",
    "stage.packing": "Report: packing failures.xlsx",
    "stage.report.html": "Report: report.html",
    "checked": "Checked {files}: {number} rows",
    "checked.one": "Checked {files}: 1 row",
    "to_send": "to send",
    "to_send.means": "what a run would send",
    "to_send_later": "to send later",
    "to_send_later.means": "--limit keeps them for another run",
    "takes": "At {quota} the sending takes about {time}.",
    "first": "Row {row}, as it is and what the mapping makes of it:",
    "first_of": "Row {row} of {file}, as it is and what the mapping makes of it:",
    "fixed": "(fixed)",
    "left_empty": "(left out)",
    "filled_cells": "filled",
    "changed": "changed",
    "suspect": "suspect",
    "invalid_cells": "invalid",
    "from": "from",
    "look_at": "Look wrong, and can be sent all the same:",
    "rows_named": "rows {rows}",
    "real.to": "A real run, to {endpoint}, account “{account}”",
    "real.key": ", key …{end}",
    "real.time": ", about {time} at {quota}",
    "real.first": "The ledger {ledger} knows nothing of this account: what another computer, user"
    " or folder has sent is not known here, and would be sent again. If there is such a ledger,"
    " bring it first (rdimport ledger copy), or name its folder with --state-dir.",
    "real.ask": "Send them now? [y/N]",
    "before": "Before you send:",
    "unrecognised": "{changed}: these people would be sent again, so a run ends with 2. Write"
    " `identity` and `conversion_identifier` as they were or, if these are new conversions, add"
    " --new-identity.",
    "unrecognised.named": "The ledger knows {number} conversions “{text}” by {fields}, and the"
    " mapping no longer recognises them",
    "unrecognised.named.one": "The ledger knows 1 conversion “{text}” by {fields}, and the mapping"
    " no longer recognises it",
}

PORTUGUESE: Final = {
    "reading": "Lendo e verificando",
    "sending": "Enviando",
    "unit.rows": "linhas",
    "left": "faltam {time}",
    "rows_a_second": "{rate} linhas/s",
    "days": "{days} dias {hours} h",
    "day": "1 dia {hours} h",
    "waiting": "espera de {time}: {reason}",
    "stopping": "Parando: espera por {number} requisições, 10 segundos no máximo. Ctrl+C de novo"
    " sai já, e deixa as linhas delas incertas.",
    "stopping.one": "Parando: espera por 1 requisição, 10 segundos no máximo. Ctrl+C de novo sai"
    " já, e deixa a linha dela incerta.",
    "rows_read": "{number} linhas lidas e verificadas",
    "rows_read.one": "1 linha lida e verificada",
    "rows_to_send": "{number} linhas a enviar",
    "rows_to_send.one": "1 linha a enviar",
    "about": "cerca de {time}",
    "rows_sent": "{done} de {rows} linhas enviadas",
    "stage.counting": "Relatório: contando os problemas",
    "stage.failures.csv": "Relatório: failures.csv",
    "stage.failures.xlsx": "Relatório: failures.xlsx",
    "stage.packing": "Relatório: compactando failures.xlsx",
    "stage.report.html": "Relatório: report.html",
    "checked": "{files}: {number} linhas verificadas",
    "checked.one": "{files}: 1 linha verificada",
    "to_send": "a enviar",
    "to_send.means": "o que uma importação enviaria",
    "to_send_later": "a enviar depois",
    "to_send_later.means": "--limit as deixa para outra importação",
    "takes": "Com {quota} o envio leva cerca de {time}.",
    "first": "Linha {row}, como está e o que o mapeamento faz dela:",
    "first_of": "Linha {row} de {file}, como está e o que o mapeamento faz dela:",
    "fixed": "(fixo)",
    "left_empty": "(não vai)",
    "filled_cells": "cheias",
    "changed": "mudadas",
    "suspect": "suspeitas",
    "invalid_cells": "inválidas",
    "from": "vem de",
    "look_at": "Parecem erradas, e podem ser enviadas assim mesmo:",
    "rows_named": "linhas {rows}",
    "real.to": "Importação de verdade, para {endpoint}, conta “{account}”",
    "real.key": ", chave …{end}",
    "real.time": ", cerca de {time} a {quota}",
    "real.first": "O registro {ledger} não conhece nada desta conta: o que outro computador,"
    " usuário ou pasta enviou não é conhecido aqui, e seria enviado de novo. Se houver outro"
    " registro, traga-o antes (rdimport ledger copy), ou indique a pasta dele com --state-dir.",
    "real.ask": "Enviar agora? [s/N]",
    "before": "Antes de enviar:",
    "unrecognised": "{changed}: essas pessoas seriam enviadas de novo, por isso a importação"
    " termina com 2. Escreva `identity` e `conversion_identifier` como estavam ou, se forem"
    " conversões novas, acrescente --new-identity.",
    "unrecognised.named": "O registro conhece {number} conversões “{text}” por {fields}, e o"
    " mapeamento não as reconhece mais",
    "unrecognised.named.one": "O registro conhece 1 conversão “{text}” por {fields}, e o mapeamento"
    " não a reconhece mais",
}
