"""How many tokens something takes, for whoever in LlamaIndex counts on its own: images, prompts, memory."""
