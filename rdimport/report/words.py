"""The texts of the reports that people read, beside the reasons: one entry for each language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from rdimport.core.row import State
from rdimport.report import words_screen

_ENGLISH: Final = {
    "accepted": "accepted",
    "already_imported": "already imported",
    "duplicate": "duplicate",
    "invalid": "invalid",
    "refused": "refused",
    "uncertain": "uncertain",
    "pending": "pending",
    "means.accepted": "the endpoint has them",
    "means.already_imported": "accepted in an earlier run, not sent again",
    "means.duplicate": "the same conversion as another row that is sent instead",
    "means.invalid": "cannot be sent as they are; they never left this machine",
    "means.refused": "the endpoint refused them",
    "means.uncertain": "may have arrived; not sent again unless you ask for it",
    "means.pending": "not sent yet",
    "rows_sheet": "Rows",
    "summary_sheet": "rdimport summary",
    "lists_sheet": "rdimport lists",
    "run": "Run {run}",
    "files": "Files",
    "started": "Started",
    "finished": "Finished",
    "endpoint": "Endpoint",
    "account": "Account",
    "quota": "Quota",
    "mapping": "Mapping",
    "no_quota": "none",
    "not_finished": "not finished",
    "state": "What became of the rows",
    "rows": "Rows",
    "meaning": "Meaning",
    "total": "total",
    "read_so_far": "read so far",
    "legal_bases": "Legal basis (LGPD) of the {rows} valid rows not sent before, with duplicates: "
    "granted {granted}, declined {declined}, none {none}.",
    "left_out": "{number} more rows are left out by `where` in the mapping.",
    "left_out.one": "1 more row is left out by `where` in the mapping.",
    "problems": "What is wrong, the most frequent first",
    "no_problems": "Nothing is wrong with any row.",
    "problem": "Problem",
    "code": "Code",
    "first_rows": "First rows",
    "remedy": "What to do",
    "example": "e.g. {where}: {sentence}",
    "row": "row {row}",
    "row_of": "row {row} of {file}",
    "column": "column “{column}”",
    "more_kinds": "and {number} more kinds of problems",
    "more_kinds.one": "and 1 more kind of problem",
    "how": "The way back in",
    "how.correct": "Correct the coloured cells in “{sheet}”. A comment says what is wrong.",
    "how.keep": "Keep the header. Rows that are not to be sent may be deleted.",
    "how.save": "Save it under this name; then type the command below. Only what failed is sent.",
    "how.uncertain": "Rows that are uncertain are not sent again unless --resend uncertain is set:"
    " delete those that have arrived first.",
    "colour.suspect": "worth a look",
    "colour.means": "cells of rows that failed: they look wrong too, but are not the cause",
    "sent_suspect": "No reason not to send, but worth a look",
    "sent_suspect.how": "`rdimport check` with the same files and mapping shows the cells.",
    "sent_suspect.cells": "{number} cells look wrong, but keep no row from being sent: {codes}.",
    "sent_suspect.cells.one": "1 cell looks wrong, but keeps no row from being sent: {codes}.",
    "unread": "{number} uncertain rows stand without their cells: the run was cut off, and the"
    " input as it was then could not be read again. Find them by their row number in the file of"
    " that time.",
    "unread.one": "1 uncertain row stands without its cells: the run was cut off, and the input as"
    " it was then could not be read again. Find it by its row number in the file of that time.",
    "more_comments": "Beyond {rows} rows the reason stands in rdimport_reason only.",
    "cut": "A cell of Excel holds 32,767 characters; the whole text is in failures.csv.",
    "next": "What to type next",
    "next.failures": "Correct failures.xlsx (or failures.csv) and run it with the same mapping:",
    "next.unread": "The list was not read to its end: only {number} rows were read so far. Run the"
    " same command again:",
    "next.unread.one": "The list was not read to its end: only 1 row was read so far. Run the same"
    " command again:",
    "next.pending": "Send the rows that are still pending:",
    "next.uncertain": "Look in RD for the uncertain rows, and delete from failures.xlsx those that"
    " have arrived. This sends the others once more, with whatever else was corrected in the file:",
    "next.stdin": "The list came through standard input: pipe it into the command once more.",
    "next.sandbox_uncertain": "What may have arrived, arrived in a sandbox that lived for this run"
    " only: there is nothing to send again.",
    "next.sandbox": "This sandbox lived for this run only; to go on where a run stopped, start one "
    "that stays, and send to it with --base-url:",
    "next.done": "Nothing is left to do: every row has arrived.",
    "stopped": "It stopped because {reason}.",
    "title": "Import of {files}",
    "pace": "Requests a minute",
    "pace.accepted": "accepted",
    "pace.other": "other answers, or none",
    "pace.label": "Requests in each of {minutes} minutes; the busiest had {most}.",
    "pace.throttled": "429, too many requests",
    "pace.quota": "quota",
    "pace.minutes": "minutes since the first request",
    "pace.none": "No request was made.",
    "attempts": "{number} attempts to connect",
    "attempts.one": "1 attempt to connect",
    "requests": "{number} requests",
    "requests.one": "1 request",
    "retries": "{number} of them retries",
    "retries.one": "1 of them a retry",
    "throttled": "{number} answered “too many requests”",
    "throttled.one": "1 answered “too many requests”",
    "rate": "{rate} a second",
    "quota_used": "{share} of the quota",
    "fields": "The mapping in use",
    "field": "Field in RD",
    "source": "Comes from",
    "filled": "Filled, of the rows that can be sent",
    "always": "always “{value}”",
    "expression": "expression {expr}",
    "empty_fields": "Fields that stayed empty in every row: {fields}. Is the column the right one?",
    "shortened": "Personal data is shortened on this page.",
    "report": "Report",
    "failure_report": "Failure report",
}

_PORTUGUESE: Final = {
    "accepted": "aceitas",
    "already_imported": "já importadas",
    "duplicate": "duplicadas",
    "invalid": "inválidas",
    "refused": "recusadas",
    "uncertain": "incertas",
    "pending": "pendentes",
    "means.accepted": "estão no RD",
    "means.already_imported": "aceitas em uma importação anterior, não enviadas de novo",
    "means.duplicate": "a mesma conversão de outra linha, que vai no lugar delas",
    "means.invalid": "não podem ir como estão; não saíram desta máquina",
    "means.refused": "o RD as recusou",
    "means.uncertain": "podem ter chegado; só vão de novo se você pedir",
    "means.pending": "ainda não enviadas",
    "rows_sheet": "Linhas",
    "summary_sheet": "rdimport resumo",
    "lists_sheet": "rdimport listas",
    "run": "Importação {run}",
    "files": "Arquivos",
    "started": "Início",
    "finished": "Fim",
    "endpoint": "Endpoint",
    "account": "Conta",
    "quota": "Cota",
    "mapping": "Mapeamento",
    "no_quota": "nenhuma",
    "not_finished": "não terminou",
    "state": "O que houve com as linhas",
    "rows": "Linhas",
    "meaning": "Significado",
    "total": "total",
    "read_so_far": "lidas até aqui",
    "legal_bases": "Base legal (LGPD) das {rows} linhas válidas ainda não enviadas, com "
    "duplicadas: concedida {granted}, recusada {declined}, nenhuma {none}.",
    "left_out": "Outras {number} linhas ficam de fora pelo `where` do mapeamento.",
    "left_out.one": "Outra linha fica de fora pelo `where` do mapeamento.",
    "problems": "O que está errado, do mais frequente ao menos",
    "no_problems": "Nada está errado em nenhuma linha.",
    "problem": "Problema",
    "code": "Código",
    "first_rows": "Primeiras linhas",
    "remedy": "O que fazer",
    "example": "ex.: {where}: {sentence}",
    "row": "linha {row}",
    "row_of": "linha {row} de {file}",
    "column": "coluna “{column}”",
    "more_kinds": "e mais {number} tipos de problema",
    "more_kinds.one": "e mais 1 tipo de problema",
    "how": "O caminho de volta",
    "how.correct": "Corrija as células coloridas em “{sheet}”. Um comentário diz o que há.",
    "how.keep": "Mantenha o cabeçalho. Linhas que não devem ser enviadas podem ser apagadas.",
    "how.save": "Salve com este nome e digite o comando abaixo. Só o que falhou é enviado.",
    "how.uncertain": "Linhas incertas só são enviadas de novo com --resend uncertain: antes, apague"
    " as que já chegaram.",
    "colour.suspect": "vale conferir",
    "colour.means": "células de linhas que falharam: parecem erradas, mas não são a causa",
    "sent_suspect": "Não impede o envio, mas vale conferir",
    "sent_suspect.how": "`rdimport check` com os mesmos arquivos e mapeamento mostra as células.",
    "sent_suspect.cells": "{number} células parecem erradas, mas não impedem o envio: {codes}.",
    "sent_suspect.cells.one": "1 célula parece errada, mas não impede o envio: {codes}.",
    "unread": "{number} linhas incertas estão sem as células: a importação foi cortada, e o arquivo"
    " daquela hora não pôde ser lido de novo. Ache-as pelo número da linha no arquivo de então.",
    "unread.one": "1 linha incerta está sem as células: a importação foi cortada, e o arquivo"
    " daquela hora não pôde ser lido de novo. Ache-a pelo número da linha no arquivo de então.",
    "more_comments": "Depois de {rows} linhas o motivo está só em rdimport_reason, sem comentário.",
    "cut": "Uma célula do Excel guarda 32.767 caracteres; o texto inteiro está em failures.csv.",
    "next": "O que digitar agora",
    "next.failures": "Corrija failures.xlsx (ou failures.csv) e rode com o mesmo mapeamento:",
    "next.unread": "A lista não foi lida até o fim: só {number} linhas foram lidas até aqui. Rode o"
    " mesmo comando de novo:",
    "next.unread.one": "A lista não foi lida até o fim: só 1 linha foi lida até aqui. Rode o mesmo"
    " comando de novo:",
    "next.pending": "Envie as linhas ainda pendentes:",
    "next.uncertain": "Procure no RD as linhas incertas e apague de failures.xlsx as que chegaram."
    " Isto envia de novo as outras, com o que mais foi corrigido no arquivo:",
    "next.stdin": "A lista veio pela entrada padrão: passe-a de novo para o comando.",
    "next.sandbox_uncertain": "O que pode ter chegado, chegou a um sandbox que viveu só nesta"
    " execução: não há o que enviar de novo.",
    "next.sandbox": "Este sandbox viveu só nesta execução; para continuar de onde parou, inicie um "
    "que permaneça, e envie a ele com --base-url:",
    "next.done": "Nada mais a fazer: todas as linhas chegaram.",
    "stopped": "Parou porque: {reason}.",
    "title": "Importação de {files}",
    "pace": "Requisições por minuto",
    "pace.accepted": "aceitas",
    "pace.other": "outras respostas, ou nenhuma",
    "pace.label": "Requisições em cada um dos {minutes} minutos; o mais cheio teve {most}.",
    "pace.throttled": "429, requisições demais",
    "pace.quota": "cota",
    "pace.minutes": "minutos desde a primeira requisição",
    "pace.none": "Nenhuma requisição foi feita.",
    "attempts": "{number} tentativas de conexão",
    "attempts.one": "1 tentativa de conexão",
    "requests": "{number} requisições",
    "requests.one": "1 requisição",
    "retries": "{number} delas repetidas",
    "retries.one": "1 delas repetida",
    "throttled": "{number} respondidas com “requisições demais”",
    "throttled.one": "1 respondida com “requisições demais”",
    "rate": "{rate} por segundo",
    "quota_used": "{share} da cota",
    "fields": "O mapeamento usado",
    "field": "Campo no RD",
    "source": "Vem de",
    "filled": "Preenchido, das linhas que podem ir",
    "always": "sempre “{value}”",
    "expression": "expressão {expr}",
    "empty_fields": "Campos vazios em todas as linhas: {fields}. A coluna é a certa?",
    "shortened": "Os dados pessoais estão abreviados nesta página.",
    "report": "Relatório",
    "failure_report": "Relatório de falhas",
}

_BY_LANGUAGE: Final = {
    "en": _ENGLISH | words_screen.ENGLISH,
    "pt-BR": _PORTUGUESE | words_screen.PORTUGUESE,
}


def local(moment: str) -> str:
    """An ISO 8601 time as the clock on this machine shows it, with how far it is from UTC."""
    there = datetime.fromisoformat(moment).astimezone()
    offset = f"{there:%z}"
    return f"{there:%Y-%m-%d %H:%M:%S} (UTC{offset[:3]}:{offset[3:5]})"


class Words:
    """The texts in one language; another language than those that there are is English."""

    def __init__(self, lang: str) -> None:
        self.lang = lang if lang in _BY_LANGUAGE else "en"
        self._texts = _BY_LANGUAGE[self.lang]

    def __call__(self, key: str, **values: object) -> str:
        """The text of that key with its values."""
        return self._texts[key].format(**values) if values else self._texts[key]

    def legal_bases(self, rows: Mapping[str, int] | None) -> str:
        """How many people have a legal basis granted, declined or none; nothing where none go."""
        if not rows or not any(rows.values()):
            return ""
        counts = {"rows": sum(rows.values()), **rows}
        return self("legal_bases", **{name: self.number(count) for name, count in counts.items()})

    def counted(self, key: str, number: int, **values: object) -> str:
        """The text of that key for so many things, which `{number}` stands for; `KEY.one` is the
        text for a single one.
        """
        one = f"{key}.one"
        if number == 1 and one in self._texts:
            key = one
        return self._texts[key].format(number=self.number(number), **values)

    def total(self, *, read_to_end: bool) -> str:
        """What the sum of all states is called: a total only where all rows are known."""
        return self._texts["total" if read_to_end else "read_so_far"]

    def state(self, state: State) -> str:
        """A state's name."""
        return self._texts[state]

    def rows_in(self, state: State, rows: int) -> str:
        """So many rows in a state: `1 aceita`, `2.000 aceitas`."""
        name = self._texts[state]
        if rows == 1 and self.lang == "pt-BR":
            name = name.removesuffix("s")  # all of these words, and no English one, are plural
        return f"{self.number(rows)} {name}"

    def means(self, state: State) -> str:
        """What a state means."""
        return self._texts[f"means.{state}"]

    def decimal(self, value: float) -> str:
        """A number with the language's decimal mark, two places at most."""
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return text.replace(".", ",") if self.lang == "pt-BR" else text

    def rate(self, value: float) -> str:
        """So many a second, with no more digits than can be trusted: 0.35, 2.1, 2,305."""
        if value >= 100:
            return self.number(round(value))
        return self.decimal(round(value, 1 if value >= 1 else 2))

    def duration(self, seconds: float) -> str:
        """`45 s`, `12 min`, `3 h 05 min`, `2 days 4 h`: as people say it."""
        whole = timedelta(seconds=round(seconds))
        hours, minutes = whole.seconds // 3600, whole.seconds % 3600 // 60
        if whole.days:
            return self("day" if whole.days == 1 else "days", days=whole.days, hours=hours)
        if hours:
            return f"{hours} h {minutes:02d} min"
        if minutes >= 10:
            return f"{minutes} min"
        if minutes:
            return f"{minutes} min {whole.seconds % 60:02d} s"
        if seconds >= 10:
            return f"{whole.seconds} s"
        short = f"{seconds:.1f} s"
        return short.replace(".", ",") if self.lang == "pt-BR" else short

    def number(self, value: int) -> str:
        """A whole number with the language's mark between thousands."""
        return f"{value:,}".replace(",", "." if self.lang == "pt-BR" else ",")
