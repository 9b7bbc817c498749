"""`make demo-life`: a tuned model from its data to its end, in two regions, with a second training on the way.

Two trainings on dialogues of the repository's own, and a third that goes wrong; the charts are kept.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from demos.stage import REPOSITORY, Failed, Stage, open_stage, start_azure

SUBSCRIPTION, GROUP, ACCOUNT = "11111111-1111-4111-8111-111111111111", "rg-contoso-train", "contoso-train-ncus"
HERE = ("--account", f"{SUBSCRIPTION}/{GROUP}/{ACCOUNT}")
BASE = "gpt-4.1-mini-2025-04-14"
REGIONS = {"swe": "swedencentral", "eus": "eastus2"}
FACTOR = 20
"""Virtual seconds in a real one."""
CHARTS = "charts"


@dataclass(frozen=True)
class Lessons:
    """What is taught, where in the clone: two files of dialogues, one to validate by, prompts, a question."""

    first: str
    more: str
    validation: str
    prompts: str
    question: str
    new_question: str
    """One whose answer is in the second file alone."""
    epochs: int
    """So many that the first training learns its data by heart."""
    rate: float
    """Training tokens that local Azure goes through in a virtual second."""


SUPPORT = Lessons(
    first="demos/data/support-train.jsonl",
    more="demos/data/support-more.jsonl",
    validation="demos/data/support-validation.jsonl",
    prompts="demos/data/support-prompts.jsonl",
    question="A pole of my tent is broken. What now?",
    new_question="How long is my gift card valid?",
    epochs=5,
    rate=200,
)


def main() -> int:
    """Tell the story; 0 when it went as told."""
    charts = REPOSITORY / ".hearth" / "demo-life"
    try:
        with open_stage("life") as stage:
            plant(stage)
            start_azure(stage)
            tell(stage, SUPPORT)
            shutil.copytree(stage.root / CHARTS, charts, dirs_exist_ok=True)
    except Failed as error:
        print(f"\nthe story did not go as told: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("\nThe charts:", *(f"  {file}" for file in sorted(charts.iterdir())), sep="\n")
    return 0


def plant(stage: Stage) -> None:
    """The files of one account that trains and two regions that serve."""
    (stage.root / CHARTS).mkdir()
    (stage.root / "stacks" / "Pulumi.local-target.yaml").unlink()
    for name, region in REGIONS.items():
        stage.declare(name, region)


def tell(stage: Stage, lessons: Lessons) -> None:
    """The whole life. Raises Failed where it goes another way."""
    _open(stage, lessons)
    _check(stage, lessons)
    job, model = _train(stage, lessons)
    _deploy(stage, lessons)
    again = _train_again(stage, lessons, model)
    _roll(stage, lessons)
    trial = _go_wrong(stage, lessons)
    _clean(stage, trial)
    stage.tell(f"What is left is what serves, and what it comes from: {job} and {again}.")
    stage.hearth("models", "show", "helpdesk")


# --- the scenes ----------------------------------------------------------------------------------------------------


def _open(stage: Stage, lessons: Lessons) -> None:
    stage.hearth("local", "clock", "follow", "--factor", str(FACTOR), shown=False)
    stage.hearth("local", "switch", f"training_rate={lessons.rate}", shown=False)
    stage.tell(f"The account that trains comes first, by `pulumi up`. Local Azure's clock runs {FACTOR} times as fast.")
    up(stage, "local-source")


def _check(stage: Stage, lessons: Lessons) -> None:
    stage.tell("The data are looked at before anything is sent.")
    picture = f"{CHARTS}/data.svg"
    stage.hearth("data", "check", lessons.first, "--validation", lessons.validation, "--model", BASE, "--plot", picture)


def _train(stage: Stage, lessons: Lessons) -> tuple[str, str]:
    """The first training, too long on purpose; its job and its last model."""
    stage.tell("One file says what is trained; one command checks, uploads, makes the job once and follows it.")
    wish(stage, "helpdesk", lessons, model=BASE, training=lessons.first, epochs=lessons.epochs)
    stage.run("cat", "stacks/training/helpdesk.yaml")
    stage.hearth("train", "helpdesk", "--every", "0.5")
    record = read(stage, "helpdesk")
    job, model = record["trained"]["job"], record["model"]
    if "overfitting" not in draw(stage, job, "first"):
        raise Failed("so many epochs on so little data, and no overfitting was found")
    stage.tell("So many epochs were too many: the verdict says so, and by which rule. Azure keeps three checkpoints.")
    take(stage, job)
    stage.commit("helpdesk: its first model")
    return job, model


def _deploy(stage: Stage, lessons: Lessons) -> None:
    stage.tell("Two regions serve it, each from the account that trained it.")
    for name in REGIONS:
        up(stage, f"demo-{name}")
        stage.hearth("chat", f"demo-{name}/helpdesk", lessons.question)
    stage.tell("How good is it? The same prompts are asked of the model and of its base, each deployed for that time.")
    stage.hearth("models", "evaluate", "helpdesk", "--prompts", lessons.prompts, "--against", "base", "--yes")
    stage.commit("helpdesk: evaluated")


def _train_again(stage: Stage, lessons: Lessons, model: str) -> str:
    """The second training, on top of the first; its job."""
    stage.tell("There are new data. The model is tuned on, in the account that owns it; the record is shown as a diff.")
    name = "helpdesk-more"
    wish(stage, name, lessons, model=model, training=lessons.more, epochs=2, record="helpdesk")
    stage.hearth("train", name, "--every", "0.5")
    job = str(read(stage, "helpdesk")["trained"]["job"])
    draw(stage, job, "again")
    take(stage, job)
    stage.hearth("models", "evaluate", "helpdesk", "--prompts", lessons.prompts, "--against", "base", "--yes")
    stage.hearth("models", "diff", "helpdesk@HEAD", "helpdesk", code=1)
    return job


def _roll(stage: Stage, lessons: Lessons) -> None:
    stage.tell("It is rolled out beside the old one, region by region; the gate asks each the same prompts.")
    stage.write("stacks/rollout.yaml", WAVES.format(prompts=lessons.prompts.rpartition("/")[2]))
    shutil.copy(stage.root / lessons.prompts, _folder(stage.root / "stacks" / "prompts"))
    stage.commit("helpdesk: tuned on, and rolled out in waves")
    stage.hearth("rollout", "start", "--yes")
    for name in REGIONS:
        stage.hearth("chat", f"demo-{name}/helpdesk", lessons.new_question)


def _go_wrong(stage: Stage, lessons: Lessons) -> str:
    """A training that nobody wants, deployed by hand; its model."""
    stage.tell("Somebody tries a learning rate that is much too large, and deploys what comes of it by hand.")
    wish(stage, "trial", lessons, model=BASE, training=lessons.first, epochs=2, learning_rate_multiplier=12)
    stage.hearth("train", "trial", "--every", "0.5", shown=False)
    record = read(stage, "trial")
    stage.hearth("results", record["trained"]["job"], code=1)
    draw(stage, record["trained"]["job"], "trial")
    stage.run(sys.executable, "-m", "demos.by_hand", _account_id(), "trial", record["model"])
    for file in ("stacks/training/trial.yaml", "stacks/models/trial.yaml"):
        (stage.root / file).unlink()
    return str(record["model"])


def _clean(stage: Stage, trial: str) -> None:
    stage.tell("Three days later nobody has called the trial, and it is billed by the hour.")
    stage.hearth("local", "clock", "advance", "3d", shown=False)
    plan = ("clean", *HERE, "--unused", "2d")
    stage.hearth(*plan, "--kept")
    stage.tell("The deployment goes first.")
    stage.hearth(*plan, "--yes")
    stage.tell("The model goes by a click in the portal; here that is:")
    stage.hearth("local", "delete-model", trial)
    stage.tell("Its files and its job follow.")
    stage.hearth(*plan, "--yes")
    stage.hearth(*plan)


# --- what the scenes share -------------------------------------------------------------------------------------------


WAVES = """\
# yaml-language-server: $schema=schema/rollout.json
defaults: {{strategy: beside, bake: 2s, rollbackWindow: 24h}}
gates:
  answers: {{prompts: prompts/{prompts}, passRate: 0.9}}
waves:
  - {{name: canary, targets: demo-swe, gates: [answers]}}
  - {{name: rest, targets: "demo-*", gates: [answers]}}
"""


def up(stage: Stage, stack: str) -> None:
    """A stack put up as a person does, its engine's words in few lines."""
    stage.run("pulumi", "--non-interactive", "stack", "init", stack, shown=False)
    stage.run(
        "pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "--suppress-progress", "--suppress-outputs",
        "--stack", stack,
    )  # fmt: skip


def wish(
    stage: Stage, name: str, lessons: Lessons, *, model: str, training: str, epochs: int, record: str | None = None,
    **hyperparameters: float,
) -> None:  # fmt: skip
    """A file of stacks/training."""
    whole = {
        "account": {"subscription": SUBSCRIPTION, "resourceGroup": GROUP, "account": ACCOUNT},
        "model": model,
        "training": training,
        "validation": lessons.validation,
        "hyperparameters": {"n_epochs": epochs, **hyperparameters},
        "seed": 105,
        "suffix": name,
        **({"record": record} if record else {}),
    }
    schema = "# yaml-language-server: $schema=../schema/training.json\n"
    stage.write(f"stacks/training/{name}.yaml", schema + yaml.safe_dump(whole, sort_keys=False))


def read(stage: Stage, record: str) -> dict:  # type: ignore[type-arg]
    """A model record."""
    found: dict = yaml.safe_load((stage.root / f"stacks/models/{record}.yaml").read_text("utf-8"))  # type: ignore[type-arg]
    return found


def draw(stage: Stage, job: str, name: str) -> str:
    """Have a job's charts drawn; what was said of them."""
    files = ("--png", f"{CHARTS}/{name}.png", "--html", f"{CHARTS}/{name}.html")
    return stage.hearth("results", job, *files, code=None, shown=False)


def take(stage: Stage, job: str) -> None:
    """Record the checkpoint that the rule takes, where it is not the last one."""
    stage.hearth("checkpoints", job)
    choice = json.loads(stage.hearth("results", job, "--json", code=None, shown=False))["choice"]
    if choice["checkpoint"] is None:
        stage.tell(f"The last one is taken, for it has {choice['why']}; it stands in the record already.")
        return
    stage.tell(f"Step {choice['step']} is taken, for it has {choice['why']}: it goes into the record.")
    stage.hearth("models", "record", job, "--name", "helpdesk", "--checkpoint", str(choice["step"]))


def _account_id() -> str:
    kind = "providers/Microsoft.CognitiveServices/accounts"
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/{kind}/{ACCOUNT}"


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
