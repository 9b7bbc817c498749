"""`make bench`: measure everything (or the chapters named) and write the page."""

from __future__ import annotations

import sys

from benchmarks import gitops, keep_alive, localazure, main_job, report, rollout, training

CHAPTERS = {
    "The main job": main_job.rows,
    "Local Azure": localazure.rows,
    "Keep-alive": keep_alive.rows,
    "Rollout": rollout.rows,
    "GitOps": gitops.rows,
    "Training data": training.rows,
}


def main() -> None:
    """Run the chapters; figures appear as they are known."""
    found: dict[str, list[report.Row]] = {}
    for title, rows in CHAPTERS.items():
        found[title] = []
        for row in rows():
            found[title].append(row)
            verdict = "" if row.most is None else ("  ok" if row.figure <= row.most else "  TOO MUCH")
            print(f"{row.figure:8.2f}  {row.what} ({row.note}){verdict}", flush=True)  # noqa: T201
    report.PAGE.write_text(report.render(found), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
