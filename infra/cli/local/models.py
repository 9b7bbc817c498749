"""The tuned models of local Azure: what a person clicks in Azure's portal, for Azure has no call for it."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.local import base


def delete_model(
    model: Annotated[
        str | None, typer.Argument(help="A tuned model (….ft-…) or checkpoint (ftchkpt-…); none lists them.")
    ] = None,
    *,
    account: Annotated[str, typer.Option(help="Id of the account that owns it, where several own one.")] = "",
    as_json: base.JSON = False,
) -> None:
    """Delete a tuned model of local Azure, as one does in Azure's portal, or list them.

    One that is deployed anywhere stays: its deployments go first, and its files after it.
    """
    from urllib.parse import quote, urlencode

    if model is None:
        found = base.ask("GET", "models")["value"]
        if as_json:
            base.show_json(found)
        elif not found:
            typer.echo("there are no tuned models")
        else:
            rows = [[m["model"], m["account"].rsplit("/", 1)[-1], _deployed(m["deployments"])] for m in found]
            base.table(rows, ["model", "account", "deployed as"])
        return
    query = f"?{urlencode({'account': account})}" if account else ""
    gone = base.ask("DELETE", f"models/{quote(model, safe='')}{query}")
    if as_json:
        base.show_json(gone)
    else:
        typer.echo(f"{gone['model']} of {gone['account'].rsplit('/', 1)[-1]} is deleted")


def _deployed(deployments: list[str]) -> str:
    names = [deployment.split("/") for deployment in deployments]
    return ", ".join(f"{parts[-3]}/{parts[-1]}" for parts in names) or "-"
