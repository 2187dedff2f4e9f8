"""What each key of summary.json means, in English and Portuguese, for `site_reference.py`."""

from __future__ import annotations

from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """A key's sentence in each language."""

    en: str
    pt: str


MEANINGS: Final = {
    "run_id": Meaning("the run's name", "o nome da importação"),
    "started_at": Meaning("when it began, in UTC", "quando começou, em UTC"),
    "finished_at": Meaning(
        "when it ended, in UTC; `null` where it was killed",
        "quando terminou, em UTC; `null` se foi interrompida à força",
    ),
    "exit_code": Meaning(
        "the exit code; `null` while it is at work and where it was killed",
        "o código de saída; `null` durante a importação e se ela foi interrompida à força",
    ),
    "stopped_because": Meaning(
        "why it stopped before the end, as a code; else `null`",
        "por que parou antes do fim, como código; senão, `null`",
    ),
    "stopped_by": Meaning(
        "the last trouble that it met, with what the other side said; else `null`",
        "o último problema encontrado, com a resposta do outro lado; senão, `null`",
    ),
    "resume_at": Meaning(
        "from when on the same command can go on, in UTC, where RD has said so; else `null`",
        "a partir de quando o mesmo comando pode continuar, em UTC, se o RD disse; senão, `null`",
    ),
    "read_to_end": Meaning(
        "whether the whole input was read; if not, `rows` counts what was read",
        "se a lista foi lida até o fim; senão, `rows` conta o que foi lido",
    ),
    "rows": Meaning(
        "data rows of the input: the sum of the eight states",
        "linhas de dados da lista: a soma dos oito estados",
    ),
    "accepted": Meaning("rows in this state", "linhas neste estado"),
    "already_imported": Meaning(
        "rows in this state, those of `corrected` among them",
        "linhas neste estado, entre elas as de `corrected`",
    ),
    "duplicate": Meaning("rows in this state", "linhas neste estado"),
    "invalid": Meaning("rows in this state", "linhas neste estado"),
    "suppressed": Meaning("rows in this state", "linhas neste estado"),
    "refused": Meaning("rows in this state", "linhas neste estado"),
    "uncertain": Meaning("rows in this state", "linhas neste estado"),
    "pending": Meaning("rows in this state", "linhas neste estado"),
    "left_out": Meaning(
        "rows that the mapping's `where` leaves out; they are not among `rows`",
        "linhas deixadas de fora pelo `where` do mapeamento; não estão em `rows`",
    ),
    "requests": Meaning(
        "requests, those among them for which no connection was made",
        "requisições, inclusive as que não conseguiram conexão",
    ),
    "retries": Meaning("those of them that repeat one", "as que repetem outra, entre elas"),
    "throttled": Meaning(
        "answers that said “too many requests” (429)",
        "respostas que disseram “requisições demais” (429)",
    ),
    "rows_per_second": Meaning("while rows were sent", "durante o envio"),
    "quota_used": Meaning(
        "share of what the quota allowed in that time; `null` without a quota",
        "parte do que a cota permitia nesse tempo; `null` sem cota",
    ),
    "problems": Meaning(
        'rows by reason code: `{"email.no_at": 3}`', 'linhas por código: `{"email.no_at": 3}`'
    ),
    "suspect": Meaning(
        "cells of rows that can be sent, but look wrong, by reason code",
        "células que parecem erradas em linhas que podem ser enviadas, por código",
    ),
    "legal_bases": Meaning(
        "valid rows that were not sent before, duplicates among them, with a legal basis `granted`,"
        " `declined` or `none`; `null` where they were not counted",
        "linhas válidas não enviadas antes, com as duplicadas, por base legal: `granted`"
        " (concedida), `declined` (recusada) ou `none` (nenhuma); `null` se não foram contadas",
    ),
    "proved": Meaning(
        "rows that are accepted because `settle` found a proof, by its kind",
        "linhas aceitas porque `settle` achou uma prova, por tipo de prova",
    ),
    "corrected": Meaning(
        "rows of this list that had failed and were accepted corrected in a failure report, by"
        ' the run that sent them: `{"20261128-152353-246b70fe": 12}`; they count as'
        " `already_imported` as long as their cells are as they were",
        "linhas desta lista que tinham falhado e foram aceitas corrigidas em um relatório de"
        ' falhas, pela importação que as enviou: `{"20261128-152353-246b70fe": 12}`; contam como'
        " `already_imported` enquanto as células continuarem como estavam",
    ),
    "wrong_column": Meaning(
        "where most rows are invalid in one column, perhaps the wrong one: `field`, `column`,"
        " `rows`; else `null`",
        "quando a maioria das linhas é inválida em uma coluna, talvez a errada: `field`,"
        " `column`, `rows`; senão, `null`",
    ),
    "rules": Meaning(
        "answers of your own endpoint that its rules decided, by rule",
        "respostas do seu próprio endpoint interpretadas por regras dele, por regra",
    ),
    "mapping": Meaning("the mapping file", "o arquivo de mapeamento"),
    "base_url": Meaning("where rows were sent", "para onde as linhas foram enviadas"),
    "sandbox": Meaning("whether it was `--sandbox`", "se foi com `--sandbox`"),
    "account": Meaning("the account's name", "o nome da conta"),
    "quota": Meaning("such as `120/min`; `null` without one", "como `120/min`; `null` sem cota"),
    "again": Meaning(
        "options with which the same ledger, account and reports are found",
        "as opções que levam ao mesmo registro, à mesma conta e aos mesmos relatórios",
    ),
    "job": Meaning("the job of rdimport.toml; else empty", "a tarefa de rdimport.toml; ou vazio"),
    "started_in": Meaning("the folder in which it was typed", "a pasta em que foi digitada"),
    "given": Meaning("the files as they were typed", "os arquivos como foram digitados"),
    "resend": Meaning(
        "the states of `--resend`: rows that were sent again",
        "os estados de `--resend`: linhas enviadas de novo",
    ),
    "files": Meaning("the lists that were read", "as listas que foram lidas"),
    "summary_json": Meaning("path of this object", "caminho deste objeto"),
    "failures_csv": Meaning("path of the failure report", "caminho do relatório de falhas"),
    "failures_xlsx": Meaning("the same for people", "o mesmo, para pessoas"),
    "report_html": Meaning("path of the report", "caminho do relatório"),
    "report_failed": Meaning(
        "only where the report could not be written: why, and what writes it",
        "só se o relatório não pôde ser gravado: por quê, e o comando que o grava",
    ),
}
