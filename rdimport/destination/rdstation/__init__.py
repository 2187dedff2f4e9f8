"""RD Station Marketing: its fields, and its requests and answers as bytes."""

from __future__ import annotations

from rdimport.destination.rdstation.endpoint import BASE_URL, RDStation

__all__ = ["BASE_URL", "RDStation"]
