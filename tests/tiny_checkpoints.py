"""Random checkpoints of three families, each a few hundred kilobytes: Stable Diffusion, Stable Diffusion XL, Flux."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS = ["<|startoftext|>", "<|endoftext|>", "a", "red", "circle", "</w>", "a</w>", "red</w>", "circle</w>", "blue</w>"]


def _words(folder: Path) -> Any:
    """CLIP's kind of tokenizer, of a handful of words."""
    from transformers import CLIPTokenizer

    letters = [chr(n) for n in range(97, 123)]
    every = dict.fromkeys([*WORDS, *letters, *(f"{letter}</w>" for letter in letters)])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(every)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)


def _clip(projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=16,
        projection_dim=32,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def _vae(channels: int = 4) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=32,
        shift_factor=0.0,
        scaling_factor=0.3611,
        **({"use_quant_conv": False, "use_post_quant_conv": False} if channels != 4 else {}),
    )


def _unet(**more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        norm_num_groups=4,
        **more,
    )


def stable_diffusion(folder: Path, scratch: Path) -> None:
    """A pipeline as Stable Diffusion 1 and 2 and sd-turbo are."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        tokenizer=_words(scratch),
        unet=_unet(cross_attention_dim=32),
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def stable_diffusion_xl(folder: Path, scratch: Path) -> None:
    """A pipeline as Stable Diffusion XL and sdxl-turbo are: two text encoders."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    unet = _unet(
        cross_attention_dim=64,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32,
        transformer_layers_per_block=(1, 1),
        use_linear_projection=True,
    )
    StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        text_encoder_2=_clip(projected=True),
        tokenizer=_words(scratch),
        tokenizer_2=_words(scratch),
        unet=unet,
        scheduler=EulerDiscreteScheduler(),
    ).save_pretrained(folder)


def flux(folder: Path, scratch: Path) -> None:
    """A pipeline as Flux is: a transformer over patches, CLIP and T5."""
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

    words = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2, "red": 3}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    )
    t5 = T5EncoderModel(T5Config(vocab_size=32, d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4))
    fast = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=_vae(4),
        text_encoder=_clip(),
        tokenizer=_words(scratch),
        text_encoder_2=t5,
        tokenizer_2=fast,
        transformer=transformer,
    ).save_pretrained(folder)


FAMILIES: dict[str, Callable[[Path, Path], None]] = {"sd": stable_diffusion, "sdxl": stable_diffusion_xl, "flux": flux}


def make(family: str, folder: Path) -> Path:
    """Write a random checkpoint of a family, always the same; the folder."""
    import torch

    torch.manual_seed(7)
    FAMILIES[family](folder, folder.parent / f"{folder.name}-words")
    return folder
