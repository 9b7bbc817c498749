"""What must hold: before anything is written (source), and after (ready)."""

from infra.proofs.ready import PING, Calls, Readiness, Verdict, ping
from infra.proofs.source import Proofs

__all__ = ["PING", "Calls", "Proofs", "Readiness", "Verdict", "ping"]
