"""The collection on every ansible-core that it promises to run on, and a newcomer's first two commands."""
