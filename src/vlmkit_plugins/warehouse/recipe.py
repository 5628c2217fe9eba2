"""The only file that knows weights: presets to models."""

from __future__ import annotations

from vlmkit.hosted import engine_model
from vlmkit.llms import qwen_vl
from vlmkit.llms.small import scaled_start
from vlmkit.media.spec import ImageSpec, VideoSpec
from vlmkit.model import Model
from vlmkit.native import Native, open_native, random_native
from vlmkit.placement import Placement, placement
from vlmkit.task import BuildOptions
from vlmkit_plugins.warehouse import architecture
from vlmkit_plugins.warehouse.head import decoder, presets, prompt
from vlmkit_plugins.warehouse.schema import OperationSpan
from vlmkit_plugins.warehouse.specs import IMAGE, VIDEO


def build(preset: str, options: BuildOptions) -> Model[OperationSpan]:
    """Wire a preset, in this process or on an engine. Raises `CheckpointError` where weights are missing."""
    specs = options.specs or {}
    video = VideoSpec.from_json(specs["video"]) if "video" in specs else VIDEO[preset]
    image = ImageSpec.from_json(specs["image"]) if "image" in specs else IMAGE
    source = options.checkpoint or presets()[preset].sources["weights"]
    if options.engine != "local":
        return engine_model(
            options,
            source,
            video=video,
            image=image,
            decoder=decoder(lenient=options.engine == "openai"),
            prompt=prompt,
            requires=frozenset({"video"}),
        )
    where = placement(options.device, options.precision)
    if options.weights == "random":
        return assemble(random(preset, where))
    return assemble(open_native(source, video=video, image=image, where=where, revision=options.revision))


def assemble(native: Native) -> Model[OperationSpan]:
    """The warehouse head on any native model."""
    return Model(
        encoders=(native.encoder,),
        projector=native.projector,
        llm=native.llm,
        decoder=decoder(),
        prompt=prompt,
        requires=frozenset({"video"}),
        backbone=native,
    )


def random(preset: str, where: Placement) -> Native:
    """A preset at its full size with random weights and the tiny tokenizer; nothing is downloaded."""
    words = architecture.tokenizer()
    config = architecture.config(preset, words)
    made = qwen_vl.processor(words, config.vision_config.temporal_patch_size)
    native = random_native(config, made, video=VIDEO[preset], image=IMAGE, where=where)
    if preset == "tiny":
        scaled_start(native.hf)
    return native
