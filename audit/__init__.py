"""Prove it: replay, explanations, canaries, fault injection, A/A and checks of the arms."""
