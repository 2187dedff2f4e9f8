"""`rdimport.toml`: what it may contain, and the messages for mistakes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import settings_reference as reference
from support.command import Workspace

from rdimport.cli.arguments import RunArguments, read
from rdimport.config import Settings, find, load
from rdimport.core.errors import UsageError
from rdimport.core.masking import Mask
from rdimport.core.messages import speaking
from rdimport.mapping import Mapping

RIGHT = """\
[defaults]
lang = "pt-BR"
until = "05:00"
concurrency = 8
[accounts.Acme]
api_key = {file = "keys/acme"}
plan = "pro"
until = "06:00"
[jobs.fair]
account = "acme"
files = "lists/*.xlsx"
mapping = "fair.yaml"
full_report = true
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "rdimport.toml"
    path.write_text(text, "utf-8")
    return path


def refusal(folder: Path, text: str) -> list[str]:
    """The lines of the error, without the path at the start and the remedy at the end."""
    path = written(folder, text)
    with pytest.raises(UsageError) as refused:
        load(path)
    return [line.removeprefix(f"{path}:") for line in refused.value.message.splitlines()]


def test_a_job_is_the_command_line_that_its_tables_add_up_to(tmp_path: Path) -> None:
    settings = load(written(tmp_path, RIGHT))
    assert settings.words("fair") == [
        *("run", str(tmp_path / "lists" / "*.xlsx"), "--account=Acme", "--plan=pro"),
        f"--api-key-file={tmp_path / 'keys' / 'acme'}",
        *(f"--mapping={tmp_path / 'fair.yaml'}", "--lang=pt-BR", "--until=06:00"),
        *("--concurrency=8", "--full-report"),
    ]


@pytest.mark.parametrize("name", ["-x", "--quota", "a = b", "Loja São João"])
def test_no_value_of_the_settings_is_taken_for_an_option(tmp_path: Path, name: str) -> None:
    text = RIGHT.replace("[accounts.Acme]", f"[accounts.'{name}']").replace('"acme"', f"'{name}'")
    text += f"sheet = '{name}'\n"
    command = read(load(written(tmp_path, text)).words("fair"))
    assert command is not None
    assert isinstance(command.arguments, RunArguments)
    assert (command.arguments.account, command.arguments.sheet) == (name, name)


def test_every_value_says_which_table_it_comes_from(tmp_path: Path) -> None:
    effective = {
        key: (value, place)
        for key, value, place in load(written(tmp_path, RIGHT)).effective("fair")
    }
    assert effective["until"] == ("06:00", "accounts.Acme")
    assert effective["lang"] == ("pt-BR", "defaults")
    assert effective["full_report"] == (True, "jobs.fair")
    assert "timeout" not in effective


@pytest.mark.parametrize(
    ("was", "now", "line"),
    [
        (
            'until = "05:00"',
            'untill = "05:00"',
            "3:1: defaults: unknown key `untill`; did you mean `until`?",
        ),
        (
            '"pro"',
            '"proo"',
            (
                "7:1: accounts.Acme.plan: expected one of light, basic, pro, advanced; "
                "found `proo`; did you mean `pro`?"
            ),
        ),
        (
            'plan = "pro"',
            'quota = "9/week"',
            ("7:1: accounts.Acme.quota: not a quota: “9/week” (write 120/min, 2/s, 500/h or none)"),
        ),
        (
            '"06:00"',
            "06:00:00",
            '8:1: accounts.Acme.until: not a time of day: write "06:00", in quotes',
        ),
        (
            "= 8",
            '= 8\ntimeout = "0s"',
            '5:1: defaults.timeout: not a duration above 0: write "30s"',
        ),
        (
            '"lists/*.xlsx"',
            '"lists/*.xlsx"\nevery = "R 22 * * *"',
            '12:1: jobs.fair.every: not five fields as in a crontab: write "30 22 * * 1-5"',
        ),
        ("= 8", "= 0", "4:1: defaults.concurrency: expected 1 or more, found `0`"),
        (
            "= 8",
            f"= {10**20}",
            f"4:1: defaults.concurrency: expected 1000000000 or less, found `{10**20}`",
        ),
        (
            "keys/acme",
            r"keys\u0000acme",
            "6:1: accounts.Acme.api_key: must not hold a NUL character",
        ),
        ("fair.yaml", r"fair\u0000yaml", "12:1: jobs.fair.mapping: must not hold a NUL character"),
        (
            "[jobs",
            'report_dir = "a\\u0000b"\n[jobs',
            "9:1: accounts.Acme.report_dir: must not hold a NUL character",
        ),
        ("= 8", '= "8"', "4:1: defaults.concurrency: expected a whole number, found `8`"),
        (
            'account = "acme"',
            'account = "acne"',
            ("10:1: jobs.fair.account: there is no account `acne`; did you mean `Acme`?"),
        ),
        ('mapping = "fair.yaml"\n', "", "9:1: jobs.fair: `mapping` is missing"),
        (
            '{file = "keys/acme"}',
            '{file = "k", env = "K"}',
            ("6:1: accounts.Acme.api_key: expected one of env, file, keyring, command"),
        ),
        (
            '{file = "keys/acme"}',
            '"0123456789abcdef0123456789abcdef"',
            (
                "6:1: accounts.Acme.api_key: "
                "expected keys with values below it, found what may be a key"
            ),
        ),
        (
            'plan = "pro"',
            'plan = "pro"\nquota = "9/s"',
            ("5:1: accounts.Acme: plan and quota both set the quota; omit one of them"),
        ),
        (
            "[jobs.fair]",
            "[jobs.fair",
            "9:11: not TOML: the name of a table ends with ]",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_was_meant(
    tmp_path: Path, was: str, now: str, line: str
) -> None:
    assert was in RIGHT
    assert refusal(tmp_path, RIGHT.replace(was, now, 1)) == [line]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = RIGHT.replace('"pro"', '"proo"').replace("until", "untill").replace("= 8", "= 0")
    assert [line.partition(":")[0] for line in refusal(tmp_path, text)] == ["3", "4", "7", "8"]


@pytest.mark.parametrize(
    ("was", "now", "lines"),
    [
        ('account = "acme"', 'account = "acne"\nmaping = ""', ["10", "11"]),
        ('mapping = "fair.yaml"', 'move_done = "x"\nnotify = "ops"', ["9", "12", "13"]),
        ('plan = "pro"', 'plan = "pro"\nquota = "9/s"\ntimeout = "0s"', ["5", "9"]),
        ('plan = "pro"', 'plan = "proo"\nquota = "9/s"\nunknown = 1', ["5", "7", "9"]),
        ('{file = "keys/acme"}', '{file = "k", env = "K", fil = "k"}', ["6", "6"]),
        ('{file = "keys/acme"}', '{fil = "k"}', ["6"]),
        ('{file = "keys/acme"}', "3\n[accounts.ACME]\nx = 1", ["6", "7", "7", "8"]),
    ],
)
def test_rules_are_reported_with_the_mistakes_of_single_keys(
    tmp_path: Path, was: str, now: str, lines: list[str]
) -> None:
    text = RIGHT.replace(was, now, 1).replace("lists/*", "https://x.com/a")
    found = refusal(tmp_path, text)
    assert [line.partition(":")[0] for line in found] == lines, found


def test_a_mistake_at_a_key_is_reported_in_full(tmp_path: Path) -> None:
    text = RIGHT.replace('{file = "keys/acme"}', '"0123456789abcdef01234567"')
    (line,) = refusal(tmp_path, text)
    assert Mask()(line) == line
    for word in ("expected", "must", "não", "unknown", "chave"):
        assert Mask()(f"api_key: {word}0123456") == "api_key: ***"


@pytest.mark.parametrize(
    ("key", "english", "portuguese"),
    [
        ("{}", "expected one of env", "esperava uma destas opções: env"),
        ("{command = []}", "must not be empty", "não pode ficar vazio"),
        ('{file = "a\\u0000"}', "must not hold a NUL", "não pode ter um caractere NUL"),
        ('{enw = "A"}', "unknown key `enw`", "chave desconhecida `enw`"),
    ],
)
def test_what_is_wrong_with_the_place_of_a_key_is_not_taken_for_the_key(
    workspace: Workspace, key: str, english: str, portuguese: str
) -> None:
    workspace.write("rdimport.toml", f"[accounts.acme]\napi_key = {key}\n")
    for lang, said in (("en", english), ("pt-BR", portuguese)):
        told = workspace.do("jobs", "check", "--config", "rdimport.toml", "--lang", lang)
        assert (told.code, f"accounts.acme.api_key: {said}" in told.err) == (2, True), told.err


def test_accounts_that_the_ledger_takes_for_one_are_refused(tmp_path: Path) -> None:
    text = RIGHT + "[accounts.ACME]\napi_key = {keyring = true}\n"
    (line,) = refusal(tmp_path, text)
    assert line.endswith("differs from `Acme` only in case, accents or blanks")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * 1_000_001, b"a = " + b"[" * 5_000])
def test_what_is_no_settings_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rdimport.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"not UTF-8|too large|nested too deeply"):
        load(path)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_settings_that_others_may_write_are_refused_with_what_mends_it(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT)
    path.chmod(0o666)
    with pytest.raises(UsageError) as refused:
        load(path)
    assert refused.value.remedy == f"Type: chmod go-w {path}"
    path.chmod(0o644)
    assert load(path).jobs


def test_the_file_of_the_current_folder_is_never_taken_by_itself(tmp_path: Path) -> None:
    written(tmp_path, RIGHT)
    folder = tmp_path / "configuration"
    assert find(None, {}, folder) is None
    folder.mkdir()
    usual = written(folder, RIGHT)
    assert find(None, {}, folder) == usual
    assert find(None, {"RDIMPORT_CONFIG": "other.toml"}, folder) == Path("other.toml")
    assert find(Path("named.toml"), {"RDIMPORT_CONFIG": "other.toml"}, folder) == Path("named.toml")


def test_the_reference_is_current_and_its_example_is_right(tmp_path: Path) -> None:
    for lang, path in reference.PAGE_FILES.items():
        page = path.read_text("utf-8")
        assert page == reference.page(lang), "run `python docs/settings_reference.py`"
    page = reference.PAGE_FILES["en"].read_text("utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    assert set(load(written(tmp_path, example)).jobs) == {"acme-feira", "padaria-newsletter"}
    assert set(Settings.model_json_schema()["properties"]) == {
        "defaults",
        "accounts",
        "jobs",
        "notify",
    }


@pytest.mark.parametrize("key", [None, "k3y-of-acme" * 3])
def test_schemas_are_printed_as_they_are(workspace: Workspace, key: str | None) -> None:
    """Whatever masks keys in what is printed leaves a schema that an editor can read."""
    workspace.key = key
    for what, schema in (("config", Settings.model_json_schema()), ("mapping", Mapping.schema())):
        done = workspace.here("schema", what)
        assert json.loads(done.out) == json.loads(json.dumps(schema))


@pytest.mark.parametrize(
    "line", ['unclear = {404 = "not_taken"}', 'unclear = {503 = "taken"}', 'reserve = "100%"']
)
def test_what_an_account_cannot_know_is_refused(tmp_path: Path, line: str) -> None:
    key = line.partition(" ")[0]
    assert key in " ".join(refusal(tmp_path, RIGHT.replace('plan = "pro"', line)))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@db/leads",
        "postgres://:s3cret@db/leads",
        "postgresql://db/leads?password=s3cret",
        "postgresql://db/leads?sslmode=require&password=s3cret",
        "mysql://db/leads?s3cret",
        "estado s3cret",
    ],
)
def test_an_address_of_a_ledger_has_no_password_and_is_not_repeated(
    tmp_path: Path, url: str
) -> None:
    (message,) = refusal(tmp_path, RIGHT.replace("[defaults]", f'[defaults]\nledger = "{url}"'))
    assert "a password belongs in ~/.pgpass" in message
    assert "s3cret" not in message


def test_a_shared_ledger_is_an_option_of_each_job(tmp_path: Path) -> None:
    url = "postgresql://me@db.example.com:5433/leads?sslmode=require"
    text = RIGHT.replace("[defaults]", f'[defaults]\nledger = "{url}"')
    assert f"--ledger={url}" in load(written(tmp_path, text)).words("fair")


@pytest.mark.parametrize(("value", "told"), [("5", "found `5`"), ("true", "found `true`")])
def test_what_is_no_text_is_no_folder(tmp_path: Path, value: str, told: str) -> None:
    text = RIGHT.replace("[defaults]", f"[defaults]\nstate_dir = {value}")
    (message,) = refusal(tmp_path, text)
    assert message.endswith(f"defaults.state_dir: expected text, {told}")


def test_a_database_is_no_state_directory(tmp_path: Path) -> None:
    text = RIGHT.replace("[defaults]", '[defaults]\nstate_dir = "postgresql://me:s3cret@db/leads"')
    (message,) = refusal(tmp_path, text)
    assert "belongs in `ledger`" in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = en\n", "1:5: not TOML: a value is missing, or a text has no quotation marks"),
        ("a = “en”\n", "1:5: not TOML: a value is missing, or a text has no quotation marks; wr"),
        ('a = "en\nb = 1\n', "1:8: not TOML: a quotation mark is opened and never closed"),
        ("a = 1\nb = 'x", "2:7: not TOML: a quotation mark is opened and never closed"),
        ("a = 1\na = 2\n", "2:6: not TOML: a key or a table is given twice"),
        ("[jobs.j]\n[jobs.j]\n", "2:8: not TOML: a key or a table is given twice"),
        ("version: 1\n", "1:8: not TOML: a line is neither `[TABLE]` nor `key = value`"),
        ("a = [1 2]\n", "1:8: not TOML: a bracket is never closed, or a comma is missing"),
        ("a = 25:00\n", "1:7: not TOML: there is more on the line than a key and its value"),
        ('a = "C:\\leads"\n', "1:10: not TOML: what follows the \\ in a text is not known to T"),
        ("a = \x01\n", "1:5: not TOML: a value is missing"),
    ],
)
def test_text_that_is_no_toml_gets_a_sentence_in_both_languages(
    tmp_path: Path, text: str, line: str
) -> None:
    (message,) = refusal(tmp_path, text)
    assert message.startswith(line)
    reason = line.partition("TOML: ")[2][:12]
    with speaking("pt-BR"):
        (message,) = refusal(tmp_path, text)
    assert message.partition(":")[2].partition(":")[2].startswith(" não é TOML: ")
    assert reason not in message


@pytest.mark.parametrize("table", ["defaults", "accounts.Acme", "jobs.fair"])
def test_an_unknown_key_of_an_address_is_named_without_inner_names(
    tmp_path: Path, table: str
) -> None:
    text = RIGHT.replace(f"[{table}]", f"[{table}]\nping = {{x = 1}}")
    message = "\n".join(refusal(tmp_path, text))
    assert "function" not in message
    assert f": {table}.ping: unknown key `x`; expected one of env, file, command" in message


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, RIGHT + "limit = " + "9" * 5000])
def test_a_number_of_thousands_of_digits_is_no_bug(tmp_path: Path, text: str) -> None:
    (message,) = refusal(tmp_path, text)
    assert "not TOML" in message


def test_a_time_of_thousands_of_years_is_none(tmp_path: Path) -> None:
    (message,) = refusal(tmp_path, RIGHT + 'max_duration = "999999d"\n')
    assert "not a duration" in message


def test_a_week_in_seconds_is_a_time(tmp_path: Path) -> None:
    config = load(written(tmp_path, RIGHT + 'max_duration = "604800s"\n'))
    assert "--max-duration=604800s" in config.words("fair")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[defaults]\nnotify = "{long}"\n', "2:1: defaults.notify: there is no [notify.{cut}…]"),
        (
            '[accounts.a]\napi_key = {{env = "A"}}\nquota = "{long}"\n',
            "3:1: accounts.a.quota: not a quota: “{cut}…” (write 120/min, 2/s, 500/h or none)",
        ),
        (
            '[jobs.j]\naccount = "{long}"\nfiles = "a"\nmapping = "b"\n',
            "2:1: jobs.j.account: there is no account `{cut}…`",
        ),
        ("{long} = 1\n", "1:1: unknown key `{cut}…`; expected one of "),
    ],
)
def test_of_a_long_wrong_value_only_the_beginning_is_repeated(
    tmp_path: Path, text: str, line: str
) -> None:
    (message,) = refusal(tmp_path, text.format(long="x" * 3_000))
    assert message.startswith(line.format(cut="x" * 200))


def test_a_plan_is_not_suggested_because_its_letters_are_in_a_long_value(tmp_path: Path) -> None:
    text = '[accounts.a]\napi_key = {env = "A"}\nplan = "postgresql://xabc"\n'
    (message,) = refusal(tmp_path, text)
    assert "expected one of light, basic, pro, advanced; found `postgresql" in message
    assert "did you mean" not in message
