"""Middleware for ``create_agent``: what an agent may spend, which images it sees, where pixels are kept.

It needs ``langchain`` itself, which the rest of the package does not: so nothing is imported here, and
`langchain_firellava` imports from these modules when it is asked to.
"""
