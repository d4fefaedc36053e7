"""The contracts of transcriber, language model and voice, and the providers that keep them."""
