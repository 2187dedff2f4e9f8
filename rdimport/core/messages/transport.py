"""What a request met on its way, in words: the detail of a doubt, and why a run waits.

A detail of these is kept as its key and, after a space, what a library or the system said of it,
which nobody can translate: `net.tls certificate has expired`. `{said}` is that.
"""

from __future__ import annotations

from typing import Final

TRANSPORT: Final[dict[str, tuple[str, str]]] = {
    "net.name_unknown": (
        "the endpoint's name was not found in the network (DNS)",
        "o nome do endpoint não foi encontrado na rede (DNS)",
    ),
    "net.refused": (
        "nobody answers at the endpoint's address",
        "ninguém atende no endereço do endpoint",
    ),
    "net.tls": (
        "no secure connection came about (TLS): {said}",
        "a conexão segura (TLS) não se completou: {said}",
    ),
    "net.reset": (
        "the other end broke the connection off",
        "o outro lado interrompeu a conexão",
    ),
    "net.connect_timeout": (
        "no connection came about in time",
        "a conexão não se completou a tempo",
    ),
    "net.connect_error": (
        "no connection came about: {said}",
        "a conexão não se completou: {said}",
    ),
    "net.pool_timeout": (
        "all connections were in use for too long",
        "todas as conexões ficaram ocupadas por tempo demais",
    ),
    "net.proxy_error": (
        "the proxy would not pass it on: {said}",
        "o proxy não a repassou: {said}",
    ),
    "net.unsupported_protocol": (
        "the address cannot be reached this way: {said}",
        "o endereço não pode ser alcançado assim: {said}",
    ),
    "net.read_timeout": (
        "no whole answer came in the time that --timeout gives",
        "nenhuma resposta inteira veio no tempo que --timeout dá",
    ),
    "net.write_timeout": (
        "the endpoint took no more bytes for too long",
        "o endpoint deixou de receber bytes por tempo demais",
    ),
    "net.closed": (
        "the connection was closed before a whole answer had come",
        "a conexão foi fechada antes de vir uma resposta inteira",
    ),
    "net.remote_protocol_error": (
        "what came was no whole answer in HTTP: {said}",
        "o que veio não era uma resposta HTTP inteira: {said}",
    ),
    "net.read_error": (
        "the connection broke while the answer was awaited: {said}",
        "a conexão caiu à espera da resposta: {said}",
    ),
    "net.write_error": (
        "the connection broke while the row was being sent: {said}",
        "a conexão caiu durante o envio da linha: {said}",
    ),
    "net.other": (
        "the connection failed: {said}",
        "a conexão falhou: {said}",
    ),
    "net.stopped": (
        "the run stopped before an answer came",
        "a importação parou antes de vir a resposta",
    ),
    "net.asked_to_wait": (
        "the endpoint asked to wait",
        "o endpoint pediu para esperar",
    ),
}
"""By key: English, Brazilian Portuguese."""

UNREACHED: Final = (
    "net.name_unknown",
    "net.refused",
    "net.tls",
    "net.connect_timeout",
    "net.connect_error",
    "net.proxy_error",
    "net.unsupported_protocol",
)
"""Those of them after which nobody was there to take a request."""
