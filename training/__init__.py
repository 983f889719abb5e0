"""The school: where the embedded kernel comes from (data, pretraining, fine-tuning, evaluation)."""
