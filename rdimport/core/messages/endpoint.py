"""The part of the catalogue that the endpoint gives cause for: refusals, doubts, stops.

`rd.*` are the `error_type`s of RD's answers (page `mensagens-de-erro-rdsm`), in lower case; the set
is open, so `rd.other` speaks for those that are not here. `{detail}` is RD's own sentence.
"""

from __future__ import annotations

from typing import Final

_LOOK: Final = (
    "look for the conversion in RD Station; where it is missing, send the row of failures.xlsx with"
    " --resend uncertain"
)
_AGAIN: Final = "run the same command again: it goes on where it stopped"

ENDPOINT: Final[dict[str, tuple[str, str]]] = {
    "uncertain.interrupted": (
        "the run was cut off while this row was on its way, so nobody knows whether it arrived",
        _LOOK,
    ),
    "uncertain.not_answered": (
        "the row left, and no answer came, so nobody knows whether it arrived: {detail}",
        _LOOK,
    ),
    "uncertain.server_failed": (
        "RD's server failed while it had the row, so nobody knows whether it kept it: {detail}",
        _LOOK,
    ),
    "uncertain.redirected": (
        (
            "the answer points to another address, which is never followed, so nobody knows whether"
            " the row arrived: {detail}"
        ),
        _LOOK,
    ),
    "uncertain.unknown_answer": (
        "the answer could not be understood, so nobody knows whether the row arrived: {detail}",
        _LOOK,
    ),
    "uncertain.success_not_understood": (
        "the answer says success, but shows no receipt for the row: {detail}",
        _LOOK,
    ),
    "rd.other": (
        "RD refused the row: {detail}",
        "correct what RD's sentence names",
    ),
    "rd.no_reason": (
        "RD refused the row and did not say why: {detail}",
        "compare the row with one that was accepted; if nothing is odd in it, ask RD's support",
    ),
    "rd.unauthorized": (
        "RD does not accept the API key: {detail}",
        "see in RD Station Marketing (Integrações > Chave de API) that the key is active and whole",
    ),
    "rd.access_denied": (
        "the API key may not do this: {detail}",
        "use a key of RD Station Marketing that may make conversions",
    ),
    "rd.bad_request": (
        "RD could not read the request: {detail}",
        "look for a value in the row that is unlike those of the other rows",
    ),
    "rd.unsupported_media_type": (
        "RD did not take the form of the request: {detail}",
        "check --base-url: something between here and RD may change requests",
    ),
    "rd.resource_not_found": (
        "RD does not know the address: {detail}",
        "check --base-url: it ends before /platform",
    ),
    "rd.rate_limit_excedded": (
        "too many requests: {detail}",
        "run the same command again later",
    ),
    "rd.service_unavailable": (
        "RD was not available: {detail}",
        "run the same command again later",
    ),
    "rd.unable_to_load_cdp_schema": (
        "the API key belongs to RD Station CRM, not to RD Station Marketing",
        "create a key in RD Station Marketing (Integrações > Chave de API)",
    ),
    "rd.cannot_be_null": (
        "RD wants a value in this field: {detail}",
        "fill the cell",
    ),
    "rd.cannot_be_blank": (
        "RD wants a value in this field: {detail}",
        "fill the cell",
    ),
    "rd.invalid": (
        "RD does not take this value: {detail}",
        "correct the cell, or empty it",
    ),
    "rd.invalid_option": (
        "the value is none of the field's options in RD: {detail}",
        "write one of the options as RD spells it, or add it to the field in RD",
    ),
    "rd.invalid_format": (
        "the value does not have the form that RD wants: {detail}",
        "correct the cell, or empty it",
    ),
    "rd.invalid_data_type": (
        "RD wants another kind of value in this field: {detail}",
        "set the `type` of the field in the mapping as it is in RD",
    ),
    "rd.invalid_email_format": (
        "RD does not take this e-mail address: {detail}",
        "correct it, or leave the row out of the file",
    ),
    "rd.invalid_fields": (
        "RD does not take one of the fields: {detail}",
        "see that the custom fields (cf_…) of the mapping exist in the account",
    ),
    "rd.invalid_value": (
        "RD does not take this value: {detail}",
        "correct the cell, or empty it",
    ),
    "rd.taken": (
        "another contact has this value already: {detail}",
        "look for the other contact in RD Station, and keep the value at one of them",
    ),
    "rd.too_short": (
        "the text is too short for RD: {detail}",
        "complete it, or empty the cell",
    ),
    "rd.too_long": (
        "the text is too long for RD: {detail}",
        "shorten it",
    ),
    "rd.exclusion": (
        "RD has reserved this value: {detail}",
        "choose another one",
    ),
    "rd.inclusion": (
        "the value is not among those that RD takes: {detail}",
        "write one of the values that the field has in RD",
    ),
    "rd.must_be_boolean": (
        "RD wants yes or no in this field: {detail}",
        "set `type: boolean` for the field in the mapping",
    ),
    "rd.must_be_string": (
        "RD wants text in this field: {detail}",
        "set `type: text` for the field in the mapping",
    ),
    "rd.must_be_valid_option": (
        "the value is none of the field's options in RD: {detail}",
        "write one of the options as RD spells it, or add it to the field in RD",
    ),
    "rd.must_be_string_array": (
        "RD wants a list in this field: {detail}",
        "set `type: list` and `split` for the field in the mapping",
    ),
    "rd.values_must_be_lowercase": (
        "RD takes small letters only in this field: {detail}",
        "set `clean: lower` for the field in the mapping, or leave `clean` away for `tags`",
    ),
    "rd.values_must_be_unique": (
        "the list holds an item twice: {detail}",
        "take one of them out of the cell",
    ),
    "rd.conflicting_field": (
        "two fields of the row contradict each other: {detail}",
        "send one of them only: take the other out of the mapping",
    ),
    "rd.missing": (
        "RD misses a field: {detail}",
        "fill the cell, or add the field to the mapping",
    ),
    "rd.at_least_one_required": (
        "RD wants at least one of several fields: {detail}",
        "fill one of them",
    ),
    "stop.key_refused": (
        "the endpoint refuses the API key",
        (
            "see in RD Station Marketing (Integrações > Chave de API) that this key is active and "
            "copied as a whole; then run the same command again"
        ),
    ),
    "stop.key_of_crm": (
        "the API key belongs to RD Station CRM",
        "create a key in RD Station Marketing (Integrações > Chave de API) and run again",
    ),
    "stop.wrong_endpoint": (
        "the endpoint does not know the address or the form of our requests",
        "check --base-url: it ends before /platform",
    ),
    "stop.certificate": (
        "the certificate of {detail} is not trusted",
        (
            "check --base-url and the date of this computer; for an endpoint of your own, name the"
            " file of its authority in the environment variable SSL_CERT_FILE. Then " + _AGAIN
        ),
    ),
    "stop.endpoint_down": (
        "{detail} cannot be reached",
        "check the network and --base-url, then " + _AGAIN,
    ),
    "stop.endpoint_unclear": (
        "most rows that left one after the other are in doubt: nobody answered, or not clearly",
        (
            "wait until the endpoint is well again, then run the same command: it sends only the "
            "rows that were not tried"
        ),
    ),
    "stop.all_refused": (
        "the endpoint refuses every row for the same reason",
        "correct the mapping or the account as the reason says, then run the same command again",
    ),
    "stop.account_quota": (
        "the account's quota was used up again and again",
        "see which other integrations use the account, then " + _AGAIN,
    ),
    "stop.lead_quota": (
        "some e-mails have had their share of conversions for today",
        "run the same command again tomorrow: it sends only what is left",
    ),
    "stop.signal": ("it was asked to stop", _AGAIN),
    "stop.max_duration": ("its time was up", _AGAIN),
    "stop.limit": (
        "it sent as many rows as --limit allows",
        "look at them in RD Station Marketing; without --limit the same command sends the rest",
    ),
    "stop.canary": (
        "it sent as many rows as --canary asks for",
        "look at them in RD Station Marketing; without --canary the same command sends the rest",
    ),
    "stop.killed": ("it was cut off", _AGAIN),
    "stop.error": ("an error ended it: {detail}", "correct what it names, then " + _AGAIN),
}
