"""Heads for small machines: an int8 language model, and encoders as ONNX graphs."""

from vlmkit.edge.compare import Compared
from vlmkit.edge.export import Exported, export
from vlmkit.edge.packed import Packed, is_packed, open_packed
from vlmkit.edge.sealed import Sealed, seal

__all__ = ["Compared", "Exported", "Packed", "Sealed", "export", "is_packed", "open_packed", "seal"]
