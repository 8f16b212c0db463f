"""What users test their own pipelines with: a table and a stream whose every turn a test decides."""

from dynalens.testing.streams import Call, Item, Operation, ScriptedStreams
from dynalens.testing.wire import Fault

__all__ = ["Call", "Fault", "Item", "Operation", "ScriptedStreams"]
