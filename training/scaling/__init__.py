"""How the loss of pretraining falls with parameters and tokens: small runs, a law fitted to them, a prediction."""
