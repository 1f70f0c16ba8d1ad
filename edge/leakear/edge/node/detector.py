"""What may be changed while the node listens: threshold, rule, step, model, muting. What was heard stays known."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leakear.edge.decision.state_machine import DecisionRule, rule_from
from leakear.edge.model.tflite import Model
from leakear.edge.pipeline import Pipeline

if TYPE_CHECKING:
    from leakear.edge.node.node import Node

log = logging.getLogger("leakear.node")


def set_threshold(node: "Node", threshold: float | None, level_gate_dbfs: float | None = None) -> None:
    """Judge by another threshold or level gate from the next window on. Survives a restart; None: leave it."""
    memory = node.memory
    if threshold is not None:
        memory.threshold = threshold
    if level_gate_dbfs is not None:
        memory.level_gate_dbfs = level_gate_dbfs
    memory.basis = _basis(node)
    _tell_rule(node)


def as_configured(node: "Node") -> None:
    """Judge by the configured threshold and level gate again."""
    _forget_tuning(node)
    _tell_rule(node)


def _tell_rule(node: "Node") -> None:
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
    """Let what was set from afar stand above the configured rule, as long as that and the model are the same."""
    memory, basis = node.memory, _basis(node)
    if memory.retuned and memory.basis not in (None, basis):
        _forget_tuning(node)
        reason = (
            "what was set from afar no longer holds: the model or the configuration changed; "
            f"the threshold is {node.rule.threshold:g} now"
        )
        log.warning("%s", reason)
        node.starters.append(lambda: node.announce("model", reason))  # once the time is known
    memory.basis = basis if memory.retuned else None
    chosen = {"threshold": memory.threshold, "level_gate_dbfs": memory.level_gate_dbfs}
    given: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
    node.pipeline.decision.rule = replace(node.rule, **given)


def _forget_tuning(node: "Node") -> None:
    node.memory.threshold = node.memory.level_gate_dbfs = None


def _basis(node: "Node") -> str:
    """Name what a threshold is chosen for: another network's 0.9 means something else."""
    info = node.model.info
    return f"{info.model_id} {info.flatbuffer_sha256} {node.rule.threshold:g} {node.rule.level_gate_dbfs:g}"


def tuned_by(node: "Node") -> str:
    """Say who chose the threshold: a person from afar, the site's configuration, or the model."""
    if node.memory.retuned:
        return "afar"
    return "site" if {"threshold", "level_gate_dbfs"} & set(node.settings.decision) else "model"


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
