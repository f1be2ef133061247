"""Text: reports into fields and sentences, sentences into findings, prompts and token states."""
