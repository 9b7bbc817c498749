"""The content filter: what it says of a prompt and of an answer.

Azure publishes no words that trip its filter for sure, so local Azure has marks of its own. A prompt that contains
`local-azure:filter-prompt=hate` is refused; one that contains `local-azure:filter-answer=violence` is answered, and the
answer is filtered. After the equals sign stands one of hate, self_harm, sexual, violence (filtered at severity
medium, the default of Azure's policies), or jailbreak for prompts and protected_material_text or
protected_material_code for answers (detected and filtered). Nothing else is ever filtered: text is not judged, and the
RAI policy of the deployment is not interpreted.
"""

from __future__ import annotations

import re

from infra.localazure.entities import Json

GRADED = ("hate", "self_harm", "sexual", "violence")
OF_PROMPTS = ("jailbreak",)
OF_ANSWERS = ("protected_material_code", "protected_material_text")
_MARK = re.compile(r"local-azure:filter-(?P<what>prompt|answer)=(?P<category>[a-z_]+)")


def of_prompt(text: str) -> tuple[Json, bool]:
    """The verdict on a prompt by category, and whether it is refused."""
    return _verdict(text, "prompt", OF_PROMPTS)


def of_answer(text: str) -> tuple[Json, bool]:
    """The verdict on the answer to a prompt by category, and whether it is filtered."""
    return _verdict(text, "answer", OF_ANSWERS)


def _verdict(text: str, what: str, detected: tuple[str, ...]) -> tuple[Json, bool]:
    hit = {m["category"] for m in _MARK.finditer(text) if m["what"] == what}
    verdict: Json = {
        name: {"filtered": name in hit, "severity": "medium" if name in hit else "safe"} for name in GRADED
    }
    verdict |= {name: {"filtered": name in hit, "detected": name in hit} for name in detected}
    return dict(sorted(verdict.items())), bool(hit & verdict.keys())
