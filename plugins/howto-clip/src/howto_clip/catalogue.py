"""Some CLIP models to begin with, told without open_clip: its tables take torch's time to import.

A test holds them against these tables. Licences are those of the repositories that publish the
weights; sizes those of float32, which is what is published.
"""

from pathlib import Path

from howto.extract.weights import weights_folder
from howto.joint.published import PublishedModel
from howto_clip.loading import HUB_FILES, SUFFIXES

__all__ = ["published"]

_MB = 1_000_000
_SMALL, _FINE, _LARGE = 605 * _MB, 598 * _MB, 1_710 * _MB
_OPENAI, _LAION = "MIT (OpenAI CLIP)", "MIT (LAION)"
# Name, dimensions, bytes, licence, repository of the hub.
_SOME = (
    ("ViT-B-32.openai", 512, _SMALL, _OPENAI, "timm/vit_base_patch32_clip_224.openai"),
    ("ViT-B-16.openai", 512, _FINE, _OPENAI, "timm/vit_base_patch16_clip_224.openai"),
    ("ViT-L-14.openai", 768, _LARGE, _OPENAI, "timm/vit_large_patch14_clip_224.openai"),
    ("ViT-B-32.laion2b_s34b_b79k", 512, _SMALL, _LAION, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
    ("ViT-B-16.laion2b_s34b_b88k", 512, _FINE, _LAION, "laion/CLIP-ViT-B-16-laion2B-s34B-b88K"),
    ("ViT-L-14.laion2b_s32b_b82k", 768, _LARGE, _LAION, "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"),
)


def published() -> list[PublishedModel]:
    """The models with where their weights are, or are wanted."""
    return [
        PublishedModel(
            f"clip:{name}",
            dim,
            licence,
            f"https://huggingface.co/{repository}",
            (_file(name, repository),),
            size,
        )
        for name, dim, size, licence, repository in _SOME
    ]


def _file(name: str, repository: str) -> Path:
    """As `howto_clip.loading` looks for it: howto's folder first, then the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    wanted = [weights_folder() / f"{name}{suffix}" for suffix in SUFFIXES]
    cached = [try_to_load_from_cache(repository, file) for file in HUB_FILES]
    places = [*wanted, *(Path(path) for path in cached if isinstance(path, str))]
    return next((path for path in places if path.is_file()), wanted[0])
