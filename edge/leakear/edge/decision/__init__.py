"""Decision: scores, excesses and faults over time become OK, WARNING, LEAK, NOISY or SENSOR_FAULT."""

from leakear.edge.decision.judge import Judge, Verdict
from leakear.edge.decision.rule import DecisionRule, rule_from
from leakear.edge.decision.state_machine import Decision, Observation, State, Transition

__all__ = ["Decision", "DecisionRule", "Judge", "Observation", "State", "Transition", "Verdict", "rule_from"]
