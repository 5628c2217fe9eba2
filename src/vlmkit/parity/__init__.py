"""Do two engines say the same? The same samples through both, compared step by step: prompt, grids, tokens, values.

Greedy, and under the decoder's grammar. What an engine cannot tell is None, and never counted as equal.

>>> from vlmkit.parity import compare
>>> found = compare({"local": vlmkit.load("football"), "vllm": vlmkit.load("football", engine="vllm")}, samples)
>>> print(found)  # a table; found.agrees says whether every value is the same
"""

from vlmkit.parity.comparing import Parity, Place, Row, compare, compare_records
from vlmkit.parity.record import Record, Told, read, recorded, told

__all__ = ["Parity", "Place", "Record", "Row", "Told", "compare", "compare_records", "read", "recorded", "told"]
