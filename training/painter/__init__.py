"""Where the embedded painter comes from: a world of drawn scenes with their captions, and a small diffusion model."""
