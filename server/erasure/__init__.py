"""Forgetting a person: made nobody in the logs of ended classes, deleted everywhere else, and proved by a search and a signed receipt."""
