"""Uses every public name with its types; only type-checked, never run."""

from __future__ import annotations

import polars as pl

import rdimport


def watch(event: rdimport.Event) -> None:
    print(event)


async def main() -> int:
    observer: rdimport.Observer = watch
    mapping: rdimport.Mapping = rdimport.Mapping.load("leads.yaml")
    to = rdimport.RDStation("key", account="acme")
    checked: rdimport.CheckResult = rdimport.check("leads.csv", mapping, to=to, quota="500/min")
    try:
        done: rdimport.RunResult = await rdimport.run_async(
            ["leads.csv"], mapping, to=to, quota=rdimport.Quota(120, 60.0), on_event=observer
        )
        done = rdimport.run("leads.csv", "leads.yaml", to=to, resend=[rdimport.State.UNCERTAIN])
    except rdimport.LedgerBusyError as busy:
        return int(busy.exit_code)
    except (rdimport.MappingError, rdimport.SourceError, rdimport.UsageError) as error:
        print(error.message, error.remedy)
        return rdimport.ExitCode.NOTHING_SENT
    except (rdimport.LedgerError, rdimport.ReportError):
        raise
    except rdimport.RdimportError as error:
        return int(error.exit_code)
    problems: pl.DataFrame = done.problems
    summary: rdimport.RunSummary = done.summary
    problem = rdimport.Problem("email.no_at", field="email")
    rows: int = done.counts[rdimport.State.ACCEPTED] + done.rows + checked.rows + problems.height
    text: str = rdimport.propose("leads.csv").text + problem.code
    names: tuple[str, ...] = tuple(table.name for table in rdimport.open_tables(["leads.csv"]))
    return rows + summary.requests + len(text) + len(names)
