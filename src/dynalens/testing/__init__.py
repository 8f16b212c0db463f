"""What users test their own pipelines with: a stream whose every turn a test decides, and a network that breaks.

Beside them stand `oracle` (what a copy must look like), `failpoints`, `clock`, and `memory` (fakes without a server).
"""

from dynalens.testing.proxy import FaultProxy
from dynalens.testing.streams import Call, Item, Operation, ScriptedStreams
from dynalens.testing.wire import Fault

__all__ = ["Call", "Fault", "FaultProxy", "Item", "Operation", "ScriptedStreams"]
