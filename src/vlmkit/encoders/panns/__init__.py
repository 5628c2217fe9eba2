"""PANNs Cnn14: sound to one row a window.

The network and its figures: Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
Recognition" (2020), and the weights published with it (Zenodo record 3987831).
"""

from vlmkit.encoders.panns.config import VARIANTS, PannsConfig, detect
from vlmkit.encoders.panns.encoder import Panns
from vlmkit.encoders.panns.frontend import LogMel
from vlmkit.encoders.panns.load import load_cnn14
from vlmkit.encoders.panns.network import Cnn14

__all__ = ["VARIANTS", "Cnn14", "LogMel", "Panns", "PannsConfig", "detect", "load_cnn14"]
