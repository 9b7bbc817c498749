"""What must hold: before anything is written (source), and after (ready)."""

from infra.proofs.ready import PING, Readiness, Verdict
from infra.proofs.source import Proofs

__all__ = ["PING", "Proofs", "Readiness", "Verdict"]
