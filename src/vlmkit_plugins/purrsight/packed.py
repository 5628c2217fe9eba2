"""A PurrSight head that `vlmkit export` wrote: graphs for eyes and ears, an int8 language model, no text tower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlmkit.edge import Sealed, open_packed
from vlmkit.encoders.panns import Panns, PannsConfig
from vlmkit.encoders.timm import TimmImages
from vlmkit.errors import CheckpointError
from vlmkit.llms.embedded import CausalLm
from vlmkit.media.spec import AudioSpec, ImageSpec, VideoSpec
from vlmkit.model import Model
from vlmkit.placement import placement
from vlmkit.projectors.aligned import Aligned
from vlmkit.task import BuildOptions
from vlmkit_plugins.purrsight.architecture import FIGURES
from vlmkit_plugins.purrsight.head import decoder, prompt
from vlmkit_plugins.purrsight.schema import CatReport


def build(preset: str, options: BuildOptions, folder: Path) -> Model[CatReport]:
    """Wire it. Raises `CheckpointError` for parts that are damaged, `WiringError` for a GPU."""
    placement(options.device, "int8")
    packed = open_packed(folder, options.precision)
    if options.specs is None:
        raise CheckpointError(f"{folder} comes without preprocessing; load the folder that it lies in")
    image, video, audio = (options.specs[modality] for modality in ("image", "video", "audio"))
    network: Any = packed.cnn14(PannsConfig.from_json(audio["network"]))
    readers = (
        TimmImages(
            packed.trunk(image["data"]),
            image=ImageSpec.from_json(image["picture"]),
            video=VideoSpec.from_json(video["film"]),
            name=image["trunk"],
        ),
        Panns(network, audio=AudioSpec.from_json(audio["sound"])),
    )
    hf, tokenizer = packed.llm()
    figures = FIGURES[preset]
    projector = Aligned(
        packed.in_dims, hf.config.hidden_size, dim=figures.shared, hidden=figures.hidden, n_tokens=figures.tokens
    )
    packed.fill(projector)
    projector.aligner.eval()
    projector.module.eval()
    return Model(
        encoders=readers,
        projector=projector,
        llm=CausalLm(hf, tokenizer),
        decoder=decoder(),
        prompt=prompt,
        backbone=Sealed(packed.untrained),
    )
