"""Between LangChain's terms and the core's: messages, content, tools, schemas. No input or output."""
