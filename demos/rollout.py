"""`make demo-rollout`: three regions, a good model, then a bad one that the gate refuses and that is rolled back."""

from __future__ import annotations

import shutil
import sys

from demos.stage import REPOSITORY, Failed, Stage, open_stage, start_azure

TRAINING = (
    "{subscription: 11111111-1111-4111-8111-111111111111, resourceGroup: rg-contoso-train, account: contoso-train-ncus}"
)
OWNER = (
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-contoso-train"
    "/providers/Microsoft.CognitiveServices/accounts/contoso-train-ncus"
)
REGIONS = {"swe": ("swedencentral", "europe"), "weu": ("westeurope", "europe"), "eus": ("eastus2", "america")}
MODELS = {
    name: f"gpt-4.1-mini-2025-04-14.ft-{digit * 32}-{name}"
    for name, digit in {"first": "1", "better": "2", "broken": "3"}.items()
}
WAVES = """\
# yaml-language-server: $schema=schema/rollout.json
defaults: {strategy: beside, concurrency: 2, tolerance: 0, bake: 2s, onFailure: rollbackAll, rollbackWindow: 24h}
gates:
  smoke: {prompts: prompts/smoke.jsonl, passRate: 1.0}
waves:
  - {name: canary, targets: demo-swe, gates: [smoke]}
  - {name: europe, targets: {continent: europe}, gates: [smoke]}
  - {name: world, targets: "demo-*", gates: [smoke]}
"""
SMOKE = """\
{"prompt": "Where is my parcel?", "expect": {"regex": "(first|better)"}}
{"prompt": "I want my money back.", "expect": {"regex": "(first|better)"}}
"""


def main() -> int:
    """Tell the story; 0 when it went as told."""
    page = REPOSITORY / ".hearth" / "demo-rollout.html"
    try:
        with open_stage("rollout") as stage:
            _plant(stage)
            start_azure(stage)
            _tell(stage)
            page.parent.mkdir(exist_ok=True)
            shutil.copy(stage.root / ".hearth" / "rollout.html", page)
    except Failed as error:
        print(f"\nthe story did not go as told: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nThe timeline of both rollouts' last one, drawn: {page}")
    return 0


def _plant(stage: Stage) -> None:
    """The fleet's files: one training account, three regions, the waves."""
    seed = stage.root / "stacks" / "local-azure.yaml"
    models = "".join(f"  - account: {OWNER}\n    model: {model}\n" for model in MODELS.values())
    stage.write("stacks/local-azure.yaml", seed.read_text("utf-8") + models)
    for name, (region, continent) in REGIONS.items():
        stage.declare(name, region, continent=continent)
    stage.write("stacks/rollout.yaml", WAVES)
    stage.write("stacks/prompts/smoke.jsonl", SMOKE)
    _record(stage, "first")
    (stage.root / "stacks" / "Pulumi.local-target.yaml").unlink()


def _record(stage: Stage, model: str) -> None:
    stage.write("stacks/models/helpdesk.yaml", f'model: {MODELS[model]}\nversion: "1"\nsource: {TRAINING}\n')


def _tell(stage: Stage) -> None:
    stage.tell("The account that trains comes first, by a plain `pulumi up`: it is in no rollout.")
    for name in ("local-source", *(f"demo-{region}" for region in REGIONS)):
        stage.run("pulumi", "--non-interactive", "stack", "init", name, shown=False)
    stage.run("pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "--stack", "local-source", shown=False)
    stage.commit("A fleet of three regions")
    stage.tell("Three regions in three waves, the first model.")
    stage.hearth("rollout", "plan")
    stage.hearth("rollout", "start", "--yes")
    stage.tell("A better model is merged. A plain `up` leaves it alone and says so …")
    _record(stage, "better")
    stage.commit("helpdesk: a better model")
    stage.run("pulumi", "--non-interactive", "preview", "--stack", "demo-swe")
    stage.tell("… a rollout brings it, beside the old one, wave by wave.")
    stage.hearth("rollout", "start", "--yes")
    stage.hearth("chat", "demo-eus/helpdesk", "Which model are you?")
    stage.tell("A broken one is merged: the gate of the first wave refuses it, and everything is as it was.")
    _record(stage, "broken")
    stage.commit("helpdesk: a broken model")
    stage.hearth("rollout", "start", "--yes", code=1)
    stage.hearth("chat", "demo-swe/helpdesk", "Which model are you?")
    stage.hearth("status", code=None)
    stage.hearth("rollout", "list")
    stage.hearth("rollout", "show", "--html", ".hearth/rollout.html", shown=True)


if __name__ == "__main__":
    sys.exit(main())
