"""The pages that are generated: `make docs` writes them, a test holds them to what they are generated from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infra.toolchain.azure_native import differences
from tests.docs import training_rules
from tests.fidelity.page import page as local_azure

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "azure-native-stand-in.md": differences.page,
    "local-azure.md": local_azure,
    "training-rules.md": training_rules.page,
}


def main() -> None:
    """Write every generated page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
