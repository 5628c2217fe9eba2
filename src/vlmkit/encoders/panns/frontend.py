"""Sound to decibels a mel band, as Cnn14 was trained on them."""

from __future__ import annotations

import torch
from torch import Tensor

from vlmkit.encoders.panns.config import PannsConfig
from vlmkit.errors import MissingExtraError

_FLOOR = 1e-10  # power below which everything is equally silent: -100 dB


class LogMel:
    """`[b, n]` samples in [-1, 1] to `[b, 1, t, m]` decibels: `n // n_hop + 1` frames of `n_mels` bands.

    Hann windows, centred with reflected edges; power in Slaney's mel bands; `10 log10`, reference 1, nothing clipped
    from below but at 1e-10. Always in float32, on the device of the sound: it is no `nn.Module`, so that weights in
    half precision leave it alone.

    With `front="legacy"` magnitudes take the place of powers, which halves the range in decibels: a mistake that
    existing weights were trained with. Raises `MissingExtraError` without torchaudio.
    """

    def __init__(self, config: PannsConfig) -> None:
        try:
            from torchaudio import functional
        except ImportError as error:
            raise MissingExtraError("torchaudio", "audio") from error
        self._spectrogram = functional.spectrogram
        self._n_fft, self._n_hop = config.n_fft, config.n_hop
        self._power = 1.0 if config.front == "legacy" else 2.0
        self._window = torch.hann_window(config.n_fft)
        self.filters: Tensor = functional.melscale_fbanks(
            config.n_fft // 2 + 1,
            config.low_hz,
            config.high_hz,
            config.n_mels,
            config.rate_hz,
            norm="slaney",
            mel_scale="slaney",
        )
        """`[n_fft / 2 + 1, n_mels]`, what a published file calls melW."""

    def __call__(self, sound: Tensor) -> Tensor:
        """Raises `RuntimeError` for sound of `n_fft / 2` samples or fewer."""
        spectrum = self._spectrogram(
            sound.float(),
            pad=0,
            window=self._window.to(sound.device),
            n_fft=self._n_fft,
            hop_length=self._n_hop,
            win_length=self._n_fft,
            power=self._power,
            normalized=False,
        )
        mel: Tensor = spectrum.transpose(-1, -2) @ self.filters.to(sound.device)
        return 10 * torch.log10(mel.clamp(min=_FLOOR)).unsqueeze(1)
