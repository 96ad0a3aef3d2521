"""The API's formats: JSON bodies, server-sent events, refusals. Pure functions over bytes and data."""
