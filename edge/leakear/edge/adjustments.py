"""What may be changed while the node listens: threshold, rule, step, model, muting. What was heard stays known."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leakear.edge.decision import DecisionRule, rule_from
from leakear.edge.model import Model
from leakear.edge.pipeline import Pipeline

if TYPE_CHECKING:
    from leakear.edge.daemon import Node


def set_threshold(node: "Node", threshold: float, level_gate_dbfs: float | None = None) -> None:
    """Judge by another threshold (and level gate) from the next window on. Survives a restart."""
    node.memory.threshold = threshold
    node.memory.level_gate_dbfs = level_gate_dbfs or node.memory.level_gate_dbfs
    apply_memory(node)
    node.save()
    node.send_state()


def mute(node: "Node", until: float) -> None:
    """Note until when (s since 1970) alarms are muted: they still happen and are still told, marked as muted."""
    node.memory.muted_until = until
    node.save()
    node.send_state()


def apply(node: "Node", rule: DecisionRule) -> None:
    """Judge by another rule from the next window on (a reload, a calibration). Raises ConfigError, nothing changed."""
    rule.check_step(node.pipeline.step_s)
    node.rule = rule
    apply_memory(node)


def apply_memory(node: "Node") -> None:
    """Let what was set from afar stand above the configured rule."""
    chosen = {"threshold": node.memory.threshold, "level_gate_dbfs": node.memory.level_gate_dbfs}
    given: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
    node.pipeline.decision.rule = replace(node.rule, **given)


def refit(node: "Node", model: Model | None = None, step_s: float | None = None) -> None:
    """Go on with another model or step. Raises ConfigError, nothing changed."""
    fresh, step_s = model or node.model, step_s or node.memory.step_s
    pipeline = fitted(node, fresh, step_s)
    pipeline.take_over(node.pipeline, node.now[0])
    if model is None:
        pipeline.model = node.pipeline.model  # it may be on trial
    rule = pipeline.decision.rule
    node.memory.step_s, node.model, node.rule, node.pipeline = step_s, fresh, rule, pipeline
    node.news.introduce()
    apply_memory(node)


def fitted(node: "Node", model: Model, step_s: float | None) -> Pipeline:
    """Build the pipeline of another model or step. Raises ConfigError where the site's rule does not fit it."""
    settings = node.settings
    window = settings.window if step_s is None else replace(settings.window, step_s=step_s)
    return Pipeline.of(model, rule_from(model.info.decision, settings.decision), window, settings.health)
