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
from vlmkit.types import Limits
from vlmkit_plugins.football import architecture
from vlmkit_plugins.football.head import decoder, presets, prompt
from vlmkit_plugins.football.schema import Events
from vlmkit_plugins.football.specs import IMAGE, VIDEO

# A reply's budget: the original's for the real preset, whose descriptions are free; a longer list is cut after a whole
# event, and says so. The tiny one writes some 35 tokens an event.
LIMITS = {"cosmos-reason1-7b": Limits(4096), "tiny": Limits(640)}


def build(preset: str, options: BuildOptions) -> Model[Events]:
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
            limits=LIMITS[preset],
        )
    where = placement(options.device, options.precision)
    if options.weights == "random":
        return assemble(random(preset, where, video, image), LIMITS[preset])
    return assemble(
        open_native(source, video=video, image=image, where=where, revision=options.revision), LIMITS[preset]
    )


def assemble(native: Native, limits: Limits) -> Model[Events]:
    """The football head on any native model."""
    return Model(
        encoders=(native.encoder,),
        projector=native.projector,
        llm=native.llm,
        decoder=decoder(),
        prompt=prompt,
        requires=frozenset({"video"}),
        backbone=native,
        limits=limits,
    )


def random(preset: str, where: Placement, video: VideoSpec, image: ImageSpec) -> Native:
    """A preset at its full size with random weights and the tiny tokenizer; nothing is downloaded."""
    words = architecture.tokenizer()
    config = architecture.config(preset, words)
    made = qwen_vl.processor(words, config.vision_config.temporal_patch_size)
    native = random_native(config, made, video=video, image=image, where=where)
    if preset == "tiny":
        scaled_start(native.hf)
    return native
